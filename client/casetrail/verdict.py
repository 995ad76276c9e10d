"""What checking a log has found, in words."""

from collections.abc import Sequence

from casetrail.counting import counted
from casetrail.timeline import printable
from casetrail.v1.audit_service_pb2 import Fault, VerifyCaseResponse

WHOLE_LOG = "every hash, every chain, the numbering, the tree, the projection"
"""What is checked of a whole log, besides the signatures of its checkpoints."""

ONE_CASE = "every hash, every chain, the numbering, the projection"
"""Of one case."""


def fault_line(fault: Fault) -> str:
    """One thing that does not hold, and where."""
    places = [f"position {fault.position}"] if fault.position else []
    if fault.case_id:
        places.append(f"{fault.case_id} event {fault.seq}" if fault.seq else fault.case_id)
    where = f" ({', '.join(places)})" if places else ""
    return printable(f"{fault.reason}: {fault.message}{where}")


def verdict(checked: VerifyCaseResponse, all_of: str, left_out: Sequence[str] = ()) -> str:
    """How much was checked, and whether it holds."""
    what = f"{counted(checked.events, 'event')} of {counted(checked.cases, 'case')} checked"
    if not checked.whole:
        return f"{what}: {counted(len(checked.faults), 'does not hold', 'do not hold')}."
    signed = f", the signatures of {counted(checked.checkpoints, 'checkpoint')}" if checked.checkpoints else ""
    but = f", but for {' and '.join(left_out)}" if left_out else ""
    return f"{what}: {all_of}{signed}{but}. All hold."
