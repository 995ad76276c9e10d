"""A complaint 投诉: settled, carried out, and the customer called back afterwards."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from casetrail.v1.workflow_pb2 import CaseRun

from workflows.clockwork import Clockwork
from workflows.processes import PROCESSES


@workflow.defn(name="Complaint")
class Complaint(Clockwork):
    """Keeps time for a complaint, carries its settlement out, and sees that the customer is called back."""

    @workflow.init
    def __init__(self, run: CaseRun) -> None:
        """Begin with the case's number."""
        super().__init__(run, PROCESSES)

    @workflow.run
    async def run(self, run: CaseRun) -> None:
        """Live until the case is closed and nothing is left to do."""
        del run  # taken by __init__, which handlers do not wait for
        await self.live()
