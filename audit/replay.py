"""Replay: a case as it once was, from its events."""

from collections.abc import Sequence

from audit.in_full import history
from audit.log import Log
from casetrail.v1.case_pb2 import Case
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from domain.evolve import fold
from domain.instants import Instant, instant, to_datetime
from domain.refusal import Rejected, unknown_case


async def replay(
    log: Log, case_id: str, *, seq: int | None = None, at: Instant | None = None
) -> tuple[Case, Sequence[Event]]:
    """The case as of a point, and the events up to it.

    Args:
        log: Where the case is.
        case_id: Which one.
        seq: After this event.
        at: After all that had happened up to this instant of case time. With neither, after all.

    Raises:
        Rejected: UNKNOWN_CASE, or INVALID where the case has no such point.
    """
    events = await history(log, case_id)
    if not events:
        raise unknown_case(case_id)
    if seq is not None:
        if not 1 <= seq <= len(events):
            raise _no_point("seq", f"{case_id} has events 1 to {len(events)}, so none with seq {seq}")
        events = events[:seq]
    if at is not None:
        opened = instant(events[0].at)
        if at < opened:
            raise _no_point("at", f"{case_id} was opened at {to_datetime(opened):%Y-%m-%dT%H:%M:%SZ}")
        events = [event for event in events if instant(event.at) <= at]
    case = fold(events)
    case.erased = any(event.erased for event in events)
    return case, events


def _no_point(field: str, message: str) -> Rejected:
    return Rejected(RefusalReason.REFUSAL_REASON_INVALID, message, field=field)
