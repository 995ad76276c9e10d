"""Detection: one workflow that looks for incidents in the log, for ever, wherever a worker is.

It is a matter of the critical task queue: a wave of cases is what it must notice.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.service import RPCError

with workflow.unsafe.imports_passed_through():
    from activities.detecting import SILENCE_SECONDS, Detecting
    from engine.naming import DETECTION

_WATCH: Final = timedelta(minutes=30)
_GRACE: Final = timedelta(minutes=5)
_SILENCE: Final = timedelta(seconds=SILENCE_SECONDS)
_RETRIES: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))
_SOON: Final = 5.0
_LATER: Final = 60.0

_log = logging.getLogger(__name__)


@workflow.defn(name="Detection")
class Detection:
    """Has the log watched."""

    @workflow.run
    async def run(self) -> None:
        """Watch the log again and again; a new run begins when this one has become long."""
        while not workflow.info().is_continue_as_new_suggested():
            position = await workflow.execute_activity_method(
                Detecting.watch_log,
                _WATCH.total_seconds(),
                start_to_close_timeout=_WATCH + _GRACE,
                heartbeat_timeout=_SILENCE,
                retry_policy=_RETRIES,
                summary="watches the log",
            )
            workflow.set_current_details(f"has seen the log up to position {position}")
        workflow.continue_as_new()


async def keep_detection(client: Client, task_queue: str) -> None:
    """See to it that detection runs, until cancelled: Temporal's memory may be replaced at any time."""
    while True:
        try:
            await client.start_workflow(
                Detection.run,
                id=DETECTION,
                task_queue=task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="looks for incidents in the log",
            )
        except RPCError as error:
            _log.warning("detection cannot be started now: %s", error)
            await asyncio.sleep(_SOON)
        else:
            await asyncio.sleep(_LATER)
