"""What a schedule starts: a drill, which then lives by itself."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.drills import Drills
    from casetrail.v1.drill_service_pb2 import StartDrillRequest
    from engine.naming import SCHEDULED_DRILL

_SECONDS: Final = timedelta(seconds=60)


@workflow.defn(name=SCHEDULED_DRILL)
class ScheduledDrill:
    """Starts the drill of a schedule, once."""

    @workflow.run
    async def run(self, request: StartDrillRequest) -> str:
        """Start it, and return its number, which follows from this workflow's id."""
        request.request_id = workflow.info().workflow_id
        return await workflow.execute_activity_method(Drills.start, request, start_to_close_timeout=_SECONDS)
