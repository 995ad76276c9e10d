"""An emergency incident 突发事件: departments set to work side by side, users told, customers followed up."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from casetrail.v1.workflow_pb2 import CaseRun

from workflows.clockwork import Clockwork
from workflows.processes import PROCESSES


@workflow.defn(name="Incident")
class Incident(Clockwork):
    """Keeps time for an incident, and moves to the critical task queue while its level is 1."""

    @workflow.init
    def __init__(self, run: CaseRun) -> None:
        """Begin with the case's number."""
        super().__init__(run, PROCESSES)

    @workflow.run
    async def run(self, run: CaseRun) -> None:
        """Live until the case is closed and nothing is left to do."""
        del run  # taken by __init__, which handlers do not wait for
        await self.live()
