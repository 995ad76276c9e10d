"""Finds the case that a request names."""

from audit.log import Log
from casetrail.v1.case_pb2 import Case
from domain.refusal import unknown_case


async def known_case(log: Log, case_id: str) -> Case:
    """A case as the log has it.

    Raises:
        Rejected: UNKNOWN_CASE.
    """
    case = await log.read_case(case_id)
    if case is None:
        raise unknown_case(case_id)
    return case
