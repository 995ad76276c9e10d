"""The daily seal: started by a schedule of Temporal's shortly after each UTC midnight, for the day that is over."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.service import RPCError

with workflow.unsafe.imports_passed_through():
    from activities.sealing import Sealing
    from casetrail.v1.workflow_pb2 import SealRun, SealStep

SCHEDULE: Final = "daily-seal"

_EVERY_DAY: Final = "CRON_TZ=UTC 5 0 * * *"
# A worker that was away for so long seals the days that it missed; later ones stay without a seal.
_CATCH_UP: Final = timedelta(days=7)
_SCHEDULED: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
_PATIENCE: Final = timedelta(minutes=10)
_RETRIES: Final = RetryPolicy(maximum_interval=timedelta(minutes=5))
_SOON: Final = 10.0
_LATER: Final = 3600.0

_log = logging.getLogger(__name__)


@workflow.defn(name="Seal")
class Seal:
    """Seals one day."""

    @workflow.run
    async def run(self) -> SealStep:
        """Seal the day before the one that this was scheduled for."""
        scheduled = workflow.info().typed_search_attributes.get(_SCHEDULED) or workflow.now()
        day = day_before(scheduled)
        workflow.set_current_details(f"seals {day}")
        return await workflow.execute_activity_method(
            Sealing.seal_day, SealRun(day=day), start_to_close_timeout=_PATIENCE, retry_policy=_RETRIES, summary=day
        )


def day_before(moment: datetime) -> str:
    """The last whole UTC day before a moment, for example 2026-11-22."""
    return (moment.astimezone(UTC) - timedelta(days=1)).date().isoformat()


async def keep_schedule(client: Client, task_queue: str) -> None:
    """See to it that the schedule is there, until cancelled: Temporal's memory may be replaced at any time."""
    while True:
        try:
            await ensure_schedule(client, task_queue)
        except RPCError as error:
            _log.warning("the daily seal cannot be scheduled now: %s", error)
            await asyncio.sleep(_SOON)
        else:
            await asyncio.sleep(_LATER)


async def ensure_schedule(client: Client, task_queue: str) -> None:
    """Make the schedule unless there is one; whoever changed or paused it has their way."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(Seal.run, id="seal", task_queue=task_queue),
        spec=ScheduleSpec(cron_expressions=[_EVERY_DAY]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ALL, catchup_window=_CATCH_UP),
    )
    try:
        await client.create_schedule(SCHEDULE, schedule)
    except ScheduleAlreadyRunningError:
        return
