"""A return or an exchange 退换货: goods come back, money or other goods go out."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from casetrail.v1.workflow_pb2 import CaseRun

from workflows.clockwork import Clockwork
from workflows.processes import PROCESSES


@workflow.defn(name="Return")
class Return(Clockwork):
    """Keeps time for a return, follows its parcels, and carries the remedy out: a refund, or an exchange as a saga."""

    @workflow.init
    def __init__(self, run: CaseRun) -> None:
        """Begin with the case's number."""
        super().__init__(run, PROCESSES)

    @workflow.run
    async def run(self, run: CaseRun) -> None:
        """Live until the case is closed and nothing is left to do."""
        del run  # taken by __init__, which handlers do not wait for
        await self.live()
