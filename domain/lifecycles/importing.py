"""History that comes from elsewhere: on the importer's clock until it is handed over to live time."""

from casetrail.v1.case_pb2 import Closure, TimeBase
from casetrail.v1.command_pb2 import HandOver, ImportRow
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import HandedOver, RowImported
from casetrail.v1.types_pb2 import Cause, Stage
from domain import clocks
from domain.draft import Draft
from domain.lifecycles import closing, waiting
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
    closing.close(draft, Closure.HOW_IMPORTED)


def hand_over(draft: Draft, command: HandOver) -> None:
    """Go on in live time: what the case slept is booked on the import, and no promise is broken by it."""
    if draft.case.time_base.mode != TimeBase.MODE_IMPORTED:
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{draft.case.case_id} lives already")
    now, draft.at = draft.at, draft.case.updated_at.seconds
    _fall_asleep(draft)
    body = HandedOver(
        time_base=TimeBase(mode=TimeBase.MODE_LIVE),
        why=command.why,
        silent=draft.case.silent and not command.speak,
        slept_seconds=now - draft.at,
    )
    draft.at = now
    if draft.case.stage == Stage.STAGE_TOLD:
        body.confirm_by.seconds = now + draft.rules.policy.closing.confirm_within.seconds
    draft.add(body)
    waiting.apply_rules(draft)
    closing.go_on(draft)


def _fall_asleep(draft: Draft) -> None:
    """Stop every clock where the source's time ends; one that stood on somebody's account stands on the import's."""
    for clock in clocks.open_clocks(draft.case):
        if not clocks.running(clock):
            draft.add(clocks.resumed(clock, draft.at, draft.rules))
        draft.add(clocks.paused(clock, draft.at, Cause.CAUSE_IMPORT, draft.rules))
