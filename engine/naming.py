"""What things are called at Temporal."""

from typing import Final

from casetrail.v1.types_pb2 import Kind

TASK_QUEUE: Final = "casetrail"
CRITICAL: Final = "-critical"
"""Behind a task queue's name: the queue of its critical incidents, which has workers of its own."""
CRITICAL_QUEUE: Final = TASK_QUEUE + CRITICAL
DETECTION: Final = "detection"
"""The workflow that looks for incidents in the log, and its cursor there."""
_CRITICAL_LEVEL: Final = 1
SCHEDULED_DRILL: Final = "ScheduledDrill"
"""The workflow that a schedule starts."""
SCHEDULER: Final = "schedule"
"""Who starts it."""
NUDGE: Final = "nudge"
EXECUTE: Final = "execute"
CASE: Final = "case"


def workflow_id(case_id: str) -> str:
    """The workflow of a case: there is never more than one."""
    return f"case/{case_id}"


def is_critical(level: int) -> bool:
    """Whether an incident of this level has a task queue, and all that leads there, for its kind alone."""
    return level == _CRITICAL_LEVEL


def queue_for(level: int, queue: str = TASK_QUEUE) -> str:
    """The task queue that a case belongs on.

    Args:
        level: Of an incident; 0 for any other case, and for one that nobody has judged yet.
        queue: The one that it is on, or the ordinary one.
    """
    ordinary = queue.removesuffix(CRITICAL)
    return ordinary + CRITICAL if is_critical(level) else ordinary


def workflow_type(kind: Kind.ValueType) -> str:
    """The type of workflow that a lifecycle runs as, for example `Complaint`."""
    return Kind.Name(kind).removeprefix("KIND_").capitalize()
