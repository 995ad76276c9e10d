"""What things are called at Temporal."""

from typing import Final

from casetrail.v1.types_pb2 import Kind

TASK_QUEUE: Final = "casetrail"
NUDGE: Final = "nudge"
EXECUTE: Final = "execute"
CASE: Final = "case"


def workflow_id(case_id: str) -> str:
    """The workflow of a case: there is never more than one."""
    return f"case/{case_id}"


def workflow_type(kind: Kind.ValueType) -> str:
    """The type of workflow that a lifecycle runs as, for example `Complaint`."""
    return Kind.Name(kind).removeprefix("KIND_").capitalize()
