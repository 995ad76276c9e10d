"""What quality review is to look at."""

from casetrail.v1.case_pb2 import Case


def flag(case: Case, why: str) -> None:
    """Say why; once is enough."""
    if why not in case.quality_flags:
        case.quality_flags.append(why)
