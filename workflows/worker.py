"""A worker for the workflows of all lifecycles and their activities."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import (
    Interceptor,
    PollerBehaviorAutoscaling,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from engine.naming import TASK_QUEUE
from workflows.complaint import Complaint
from workflows.detection import Detection
from workflows.drill import Drill
from workflows.incident import Incident
from workflows.inquiry import Inquiry
from workflows.return_ import Return
from workflows.scheduled_drill import ScheduledDrill
from workflows.seal import Seal
from workflows.task import Task

WORKFLOWS: Final = (Inquiry, Complaint, Return, Incident, Detection, Drill, ScheduledDrill, Task, Seal)

# Some 70 kB each; one that has left the cache costs a replay when its case is touched again.
_CACHED_WORKFLOWS: Final = 5000

# Of what is imported inside the sandbox, these have no state that a replay could notice.
_PASSED_THROUGH: Final = ("activities", "casetrail", "domain", "engine.naming", "google.protobuf", "structlog")


def sandbox() -> SandboxedWorkflowRunner:
    """What keeps workflow code from seeing anything that a replay would not see again."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))


def worker_for(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    *,
    task_queue: str = TASK_QUEUE,
    drain: timedelta = timedelta(seconds=10),
    workflow_runner: WorkflowRunner | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Worker:
    """A worker that is not started yet.

    Args:
        client: Temporal.
        activities: Bound methods of the activities' classes.
        task_queue: Where it takes its work from.
        workflow_runner: Another one than the fastest, for tests.
        drain: How long activities that are under way may take to end when it is stopped.
        interceptors: Further ones, besides the client's own.
    """
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=activities,
        # A workflow in the sandbox costs this process twice as much, and what the sandbox would find is found before:
        # the linter bans it in this folder, and the tests run every workflow and every recorded history inside it.
        workflow_runner=workflow_runner or UnsandboxedWorkflowRunner(),
        max_cached_workflows=_CACHED_WORKFLOWS,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        graceful_shutdown_timeout=drain,
        interceptors=interceptors,
    )
