"""What checking a log has found, in words."""

from casetrail.timeline import printable
from casetrail.v1.audit_service_pb2 import Fault, VerifyCaseResponse

WHOLE_LOG = "every hash, every chain, the numbering, the tree, the projection"
"""All that is checked of a whole log."""

ONE_CASE = "every hash, every chain, the numbering, the projection"
"""Of one case."""


def fault_line(fault: Fault) -> str:
    """One thing that does not hold, and where."""
    places = [f"position {fault.position}"] if fault.position else []
    if fault.case_id:
        places.append(f"{fault.case_id} event {fault.seq}" if fault.seq else fault.case_id)
    where = f" ({', '.join(places)})" if places else ""
    return printable(f"{fault.reason}: {fault.message}{where}")


def verdict(checked: VerifyCaseResponse, all_of: str) -> str:
    """How much was checked, and whether it holds."""
    what = f"{checked.events:,} events of {checked.cases:,} case{'' if checked.cases == 1 else 's'} checked"
    return f"{what}: {all_of}. All hold." if checked.whole else f"{what}: {len(checked.faults)} do not hold."
