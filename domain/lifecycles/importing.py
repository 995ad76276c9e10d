"""History that comes from elsewhere: on the importer's clock until it is handed over to live time."""

from casetrail.v1.case_pb2 import TimeBase
from casetrail.v1.command_pb2 import HandOver, ImportRow
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import HandedOver, RowImported
from casetrail.v1.types_pb2 import Cause
from domain import clocks
from domain.draft import Draft
from domain.lifecycles import closing
from domain.refusal import Rejected


def import_row(draft: Draft, command: ImportRow) -> None:
    """Keep a row of the source as it was."""
    draft.add(RowImported(raw=command.raw, refused=command.refused))


def close(draft: Draft) -> None:
    """The source had closed the case."""
    if draft.case.time_base.mode != TimeBase.MODE_IMPORTED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_TIME,
            f"{draft.case.case_id} lives; it ends by confirm, withdraw or merge",
        )
    closing.close_imported(draft)


def hand_over(draft: Draft, command: HandOver) -> None:
    """Go on in live time: what the case slept is booked on the import, and no promise is broken by it."""
    if draft.case.time_base.mode != TimeBase.MODE_IMPORTED:
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{draft.case.case_id} lives already")
    now, draft.at = draft.at, draft.case.updated_at.seconds
    slept = [clock.clock_id for clock in clocks.open_clocks(draft.case) if clocks.running(clock)]
    for clock in clocks.open_clocks(draft.case):
        if clock.clock_id in slept:
            draft.add(clocks.paused(clock, draft.at, Cause.CAUSE_IMPORT, draft.rules))
    slept_seconds, draft.at = now - draft.at, now
    draft.add(
        HandedOver(
            time_base=TimeBase(mode=TimeBase.MODE_LIVE),
            why=command.why,
            silent=draft.case.silent and not command.speak,
            slept_seconds=slept_seconds,
        )
    )
    for clock in clocks.open_clocks(draft.case):
        if clock.clock_id in slept:
            draft.add(clocks.resumed(clock, draft.at, draft.rules))
