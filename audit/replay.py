"""Replay: a case as it once was, from its events."""

from contextlib import aclosing

from audit.in_full import pages
from audit.log import Log
from casetrail.v1.case_pb2 import Case
from casetrail.v1.errors_pb2 import RefusalReason
from domain.evolve import fold
from domain.instants import Instant, instant, to_datetime
from domain.refusal import Rejected, unknown_case


async def replay(log: Log, case_id: str, *, seq: int | None = None, at: Instant | None = None) -> Case:
    """The case as of a point.

    Args:
        log: Where the case is.
        case_id: Which one.
        seq: After this event.
        at: After all that had happened up to this instant of case time. With neither, after all.

    Raises:
        Rejected: UNKNOWN_CASE, or INVALID where the case has no such point.
    """
    case, known = Case(), 0
    async with aclosing(pages(log, case_id)) as read:
        async for page in read:
            if at is not None and not known and at < (opened := instant(page[0].at)):
                raise _no_point("at", f"{case_id} was opened at {to_datetime(opened):%Y-%m-%dT%H:%M:%SZ}")
            then = [
                event for event in page if (seq is None or event.seq <= seq) and (at is None or instant(event.at) <= at)
            ]
            case = fold(then, case)
            case.erased |= any(event.erased for event in then)
            known = page[-1].seq
            if len(then) < len(page):
                break
    if not known:
        raise unknown_case(case_id)
    if seq is not None and not 1 <= seq <= known:
        raise _no_point("seq", f"{case_id} has events 1 to {known}, so none with seq {seq}")
    return case


def _no_point(field: str, message: str) -> Rejected:
    return Rejected(RefusalReason.REFUSAL_REASON_INVALID, message, field=field)
