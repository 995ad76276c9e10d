"""A department's task in an incident: the department is told, and reminded until the task is settled.

A child of the incident's workflow, so that each task is seen, and waits, by itself. Owner, clock and ladder of the task
are the incident's: they stand in the log.
"""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from google.protobuf.duration_pb2 import Duration

    from activities.incidents import Incidents
    from casetrail.v1.workflow_pb2 import EffectRun

from workflows.clockwork import ERRAND_RETRIES, ERRAND_SECONDS

SETTLED: Final = "settled"


@workflow.defn(name="Task")
class Task:
    """Tells a department, and reminds it."""

    def __init__(self) -> None:
        """Begin with a task that is owed."""
        self._settled = False

    @workflow.signal(
        name=SETTLED, description="The task is done, refused or given to somebody else: no more reminders."
    )
    def settled(self) -> None:
        """Remind nobody any more."""
        self._settled = True

    @workflow.run
    async def run(self, task: EffectRun, every: Duration, told: int = 0) -> None:
        """Tell and remind until the task is settled.

        Args:
            task: The demand.
            every: How long between two tellings, in real time.
            told: How often it was told in earlier runs.
        """
        while await self._tell(task, told + 1) and not self._settled:
            told += 1
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(args=[task, every, told])
            try:
                await workflow.wait_condition(
                    lambda: self._settled,
                    timeout=every.ToTimedelta(),
                    timeout_summary="until the department is reminded",
                )
            except TimeoutError:
                continue
            return

    async def _tell(self, task: EffectRun, number: int) -> bool:
        """Tell the department; returns whether the task is owed at all."""
        owed: bool = await workflow.execute_activity_method(
            Incidents.tell_department,
            args=[task, f"{workflow.info().first_execution_run_id}/{number}", number],
            start_to_close_timeout=ERRAND_SECONDS,
            retry_policy=ERRAND_RETRIES,
            summary=task.effect_id,
        )
        return owed
