"""An inquiry 咨询: answered, confirmed, rated; a parcel that the customer waits for is followed meanwhile."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from casetrail.v1.workflow_pb2 import CaseRun

from workflows.clockwork import Clockwork
from workflows.processes import PROCESSES


@workflow.defn(name="Inquiry")
class Inquiry(Clockwork):
    """Keeps time for an inquiry: first answer, next answers, resolution, and parcels that stall."""

    @workflow.init
    def __init__(self, run: CaseRun) -> None:
        """Begin with the case's number."""
        super().__init__(run, PROCESSES)

    @workflow.run
    async def run(self, run: CaseRun) -> None:
        """Live until the case is closed and nothing is left to do."""
        del run  # taken by __init__, which handlers do not wait for
        await self.live()
