"""A drill 应急演练: its script played, its cases watched, its participants moved, and all put right afterwards."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.drill_injects import DrillInjects
    from activities.drill_observation import DrillObservation
    from activities.drills import Drills
    from activities.staff import Staff
    from casetrail.v1.workflow_pb2 import CaseRun, PendingEffect

from workflows.clockwork import Clockwork, Process
from workflows.processes import one_errand

# An observation that is silent for so long has died with its worker.
_HEARTBEAT: Final = timedelta(seconds=4)


async def make_inject(case: Clockwork, effect: PendingEffect) -> None:
    """Let an inject happen: most at once, a wave customer by customer."""
    progress = await case.errand(DrillInjects.make_inject, effect, 0)
    while progress.wait_seconds is not None and case.is_pending(effect):
        await case.pause(effect, timedelta(seconds=progress.wait_seconds), "until more customers turn up")
        progress = await case.errand(DrillInjects.make_inject, effect, progress.opened)


async def observe(case: Clockwork, effect: PendingEffect) -> None:
    """Follow what happens in the drill's cases, until the drill is over or this run has become too long."""
    position = 0
    while case.is_pending(effect) and not workflow.info().is_continue_as_new_suggested():
        position = await case.errand(DrillObservation.observe, effect, position, heartbeat=_HEARTBEAT)
    await case.until_settled(effect)


PROCESSES: Final[dict[str, Process]] = {
    "inject": make_inject,
    "observation": observe,
    "judgement": one_errand(DrillObservation.judge),
    "move": one_errand(Drills.move),
    "restoration": one_errand(DrillInjects.restore),
    "clearance": one_errand(Drills.clear),
    # Nobody has looked back at the drill in time.
    "staff_alert": one_errand(Staff.alert_staff),
}
"""By the name of the demand."""


@workflow.defn(name="Drill")
class Drill(Clockwork):
    """Plays a drill's script by its clock, and watches what comes of it."""

    @workflow.init
    def __init__(self, run: CaseRun) -> None:
        """Begin with the drill's number."""
        super().__init__(run, PROCESSES)

    @workflow.run
    async def run(self, run: CaseRun) -> None:
        """Live until the drill is over and everything is put right."""
        del run  # taken by __init__, which handlers do not wait for
        await self.live()
