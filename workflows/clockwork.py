"""What the workflows of all lifecycles share: they keep time for a case, and see to its effects.

A workflow knows nothing that the log does not. It looks at the case, does what that look (a `Step`, recorded in its
history) asks for, and waits until it is nudged, until an effect has ended, or until time owes the case something. No
rule of a lifecycle runs here, so that a changed rule can never disagree with a recorded history.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, FailureError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.case import CaseActivities
    from casetrail.v1.case_service_pb2 import ExecuteResponse
    from casetrail.v1.command_pb2 import Command
    from casetrail.v1.workflow_pb2 import AdvanceRun, CaseRun, EffectRun, PendingEffect, Step
    from engine.naming import CASE, EXECUTE, NUDGE, queue_for, workflow_id, workflow_type

_LOOK_SECONDS: Final = timedelta(seconds=5)
_LOOK_RETRIES: Final = RetryPolicy(maximum_interval=timedelta(seconds=10))
_COMMAND_RETRIES: Final = RetryPolicy(maximum_attempts=5)
ERRAND_SECONDS: Final = timedelta(seconds=60)
ERRAND_RETRIES: Final = RetryPolicy(maximum_interval=timedelta(minutes=5))
_AGAIN: Final = timedelta(minutes=5)
_SHORTEST: Final = timedelta(seconds=1)

_Answer = TypeVar("_Answer")

Process = Callable[["Clockwork", PendingEffect], Awaitable[None]]
"""How an effect is seen to, from its demand to its outcome."""


class Clockwork:
    """One case's workflow. The lifecycles' workflows are this, under their own names."""

    def __init__(self, run: CaseRun, processes: dict[str, Process]) -> None:
        """Begin with the case's number; a handler may be called before anything else is known.

        Args:
            run: The case.
            processes: How each demand is seen to, by its name.
        """
        self.case_id = run.case_id
        self._processes = processes
        self._step = Step()
        self._stirred = True
        self._running: dict[str, asyncio.Task[None]] = {}
        # Pending effects that were seen to in this run, whether or not that is over.
        self._begun: set[str] = set()
        self._errands = 0

    # --- from outside -------------------------------------------------------------------------------------------------

    @workflow.signal(name=NUDGE, description="Look at the case: it needs something earlier than you know.")
    def nudge(self) -> None:
        """Look at the case."""
        self._stirred = True

    @workflow.query(name=CASE, description="The case as of the last look at it, without personal data.")
    def last_look(self) -> Step:
        """The last look at the case."""
        return self._step

    @workflow.update(name=EXECUTE, description="Carry out a command, as ExecuteRequest does over gRPC.")
    async def execute(self, command: Command) -> ExecuteResponse:
        """Carry out a command for a caller that lives in Temporal.

        Raises:
            ApplicationError: It was refused; the type is the reason.
        """
        try:
            response = await workflow.execute_local_activity_method(
                CaseActivities.execute,
                command,
                start_to_close_timeout=_LOOK_SECONDS,
                retry_policy=_COMMAND_RETRIES,
            )
        except ActivityError as error:
            raise _refusal(error) from error
        self._stirred = True
        return response

    @execute.validator
    def _is_about_this_case(self, command: Command) -> None:
        if command.case_id != self.case_id:
            raise ApplicationError(f"this is the workflow of {self.case_id}", type="INVALID", non_retryable=True)

    # --- for processes ------------------------------------------------------------------------------------------------

    def is_pending(self, effect: PendingEffect) -> bool:
        """Whether an effect still waits for its outcome, as of the last look."""
        return any(pending.effect_id == effect.effect_id for pending in self._step.effects)

    async def errand(
        self,
        work: Callable[..., Awaitable[_Answer]],
        effect: PendingEffect,
        *more: object,
        heartbeat: timedelta | None = None,
    ) -> _Answer:
        """Have an activity do something for an effect, however often it takes.

        Args:
            work: The activity's method.
            effect: What it is for.
            more: Its further arguments.
            heartbeat: How long it may be silent before it is begun elsewhere, where it says that it goes on.

        Raises:
            ActivityError: It said that trying again is of no use.
        """
        self._errands += 1
        try:
            return await workflow.execute_activity(
                work,
                args=[EffectRun(case_id=self.case_id, effect_id=effect.effect_id), *more],
                start_to_close_timeout=ERRAND_SECONDS,
                heartbeat_timeout=heartbeat,
                retry_policy=ERRAND_RETRIES,
                summary=effect.effect_id,
            )
        finally:
            self._errands -= 1
            # What came of it is in the log now: look.
            self._stirred = True

    async def child(self, work: Callable[..., Awaitable[None]], effect: PendingEffect, settled: str) -> None:
        """Have a workflow of its own see to an effect until it is settled.

        It ends with this run: the next one, perhaps on another task queue, starts its own.

        Args:
            work: The child's run method; it takes the effect, and how often it asks.
            effect: What it is for.
            settled: The signal that ends it.

        Raises:
            ChildWorkflowError: It failed.
        """
        demand = EffectRun(case_id=self.case_id, effect_id=effect.effect_id)
        self._errands += 1
        try:
            child = await workflow.start_child_workflow(
                work,
                args=[demand, effect.every],
                id=f"{workflow_id(self.case_id)}/{effect.effect_id.rpartition(':')[2]}/{workflow.info().run_id}",
                parent_close_policy=ParentClosePolicy.TERMINATE,
                static_summary=f"{effect.demand.capitalize()} {effect.effect_id}",
            )
        finally:
            self._errands -= 1
        await workflow.wait_condition(lambda: child.done() or not self.is_pending(effect))
        if not child.done():
            with suppress(FailureError):  # it has ended in this very moment
                await child.signal(settled)
        await child

    async def pause(self, effect: PendingEffect, duration: timedelta, why: str) -> None:
        """Wait, but not for an effect that is pending no more.

        Args:
            effect: What the waiting is for.
            duration: How long at most.
            why: For the timer in Temporal's UI.
        """
        try:
            await workflow.wait_condition(
                lambda: not self.is_pending(effect), timeout=max(duration, _SHORTEST), timeout_summary=why
            )
        except TimeoutError:
            return

    async def until_settled(self, effect: PendingEffect) -> None:
        """Wait until an effect is pending no more."""
        await workflow.wait_condition(lambda: not self.is_pending(effect))

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Keep time for the case until it is closed and nothing is left to do."""
        while True:
            self._stirred = False
            self._step = await self._look()
            workflow.set_current_details(self._step.summary)
            self._see_to_effects()
            if self._is_over():
                await workflow.wait_condition(workflow.all_handlers_finished)
                if not self._stirred:
                    return
                continue
            if self._may_begin_anew():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(
                    args=[CaseRun(case_id=self.case_id)],
                    workflow=workflow_type(self._step.kind),
                    task_queue=self._queue(),
                )
            await self._wait()

    async def _look(self) -> Step:
        run = AdvanceRun(case_id=self.case_id)
        run.at.FromDatetime(workflow.now())
        try:
            return await workflow.execute_local_activity_method(
                CaseActivities.advance, run, start_to_close_timeout=_LOOK_SECONDS, retry_policy=_LOOK_RETRIES
            )
        except ActivityError as error:
            # The log has no such case, or is damaged: this run can do nothing. The sweep starts another one.
            await workflow.wait_condition(workflow.all_handlers_finished)
            raise _refusal(error) from error

    def _see_to_effects(self) -> None:
        self._begun &= {effect.effect_id for effect in self._step.effects}
        for effect in self._step.effects:
            if effect.effect_id in self._running:
                continue
            work = self._see_to(effect, self._processes[effect.demand], again=effect.effect_id in self._begun)
            self._running[effect.effect_id] = asyncio.create_task(work)
            self._begun.add(effect.effect_id)

    async def _see_to(self, effect: PendingEffect, process: Process, *, again: bool) -> None:
        """See to an effect. One that has ended without an outcome is seen to again, but not at once."""
        try:
            if again:
                await self.pause(effect, _AGAIN, "until it is tried again")
            if self.is_pending(effect):
                await process(self, effect)
        except (ActivityError, ChildWorkflowError) as error:
            workflow.logger.error("effect cannot be done", extra={"effect": effect.effect_id, "why": str(error.cause)})
        finally:
            del self._running[effect.effect_id]
            self._stirred = True

    def _is_over(self) -> bool:
        return self._step.closed and not self._step.effects and not self._running

    def _may_begin_anew(self) -> bool:
        """Whether a new run should take over, with no errand in its way. What only waits starts again there."""
        info = workflow.info()
        moves = (workflow_type(self._step.kind), self._queue()) != (info.workflow_type, info.task_queue)
        return (moves or info.is_continue_as_new_suggested()) and self._errands == 0

    def _queue(self) -> str:
        """Where this work belongs: with a critical incident's, or with all other."""
        return queue_for(self._step.incident_level, workflow.info().task_queue)

    async def _wait(self) -> None:
        """Wait until there is reason to look again."""
        if not self._step.HasField("next_wake"):
            await workflow.wait_condition(lambda: self._stirred)
            return
        left = self._step.next_wake.ToDatetime(tzinfo=UTC) - workflow.now()
        try:
            await workflow.wait_condition(
                lambda: self._stirred, timeout=max(left, _SHORTEST), timeout_summary=self._step.waits_for
            )
        except TimeoutError:
            return


def _refusal(error: ActivityError) -> ApplicationError:
    """The refusal that an activity answered with, as the caller of an update gets it."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True)
    return ApplicationError(
        "no answer in time; ask again with the same request id", type="LOG_UNAVAILABLE", non_retryable=True
    )
