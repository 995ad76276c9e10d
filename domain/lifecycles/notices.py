"""Notices to users about an incident: calm, approved at the authority of its level, repeated until the end [S0 7.1]."""

from casetrail.v1.command_pb2 import ApproveNotice, DiscardNotice, DraftNotice, SendNotice
from casetrail.v1.effect_pb2 import NoticeRequested
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import NoticeApproved, NoticeDiscarded, NoticeDrafted
from casetrail.v1.incident_pb2 import IncidentNotice
from casetrail.v1.types_pb2 import Role, Stage
from domain import awaited
from domain.draft import Draft
from domain.lifecycles import command_post, linked
from domain.parts import find_notice
from domain.refusal import Rejected
from domain.words import words

# After the end comes the last one: it is over.
_TOLD_ABOUT = (*awaited.BEFORE_THE_END, Stage.STAGE_RESOLVED)
_READY = (IncidentNotice.STATE_APPROVED, IncidentNotice.STATE_FAILED)


def draft_notice(draft: Draft, command: DraftNotice) -> None:
    """Write a notice, and for whom it is."""
    draft.require_stage(*_TOLD_ABOUT)
    notice = IncidentNotice(
        notice_id=f"N{len(draft.case.incident.notices) + 1}",
        text=command.text,
        audience=command.audience,
        state=IncidentNotice.STATE_DRAFT,
        drafted_by=draft.actor.name,
    )
    draft.add(NoticeDrafted(notice=notice))


def approve(draft: Draft, command: ApproveNotice) -> None:
    """Let it go out as it is; again, when the incident has come to ask for a higher authority."""
    command_post.require_level(draft)
    needed = draft.case.incident.notice_role
    notice = _find(draft, command.notice_id, IncidentNotice.STATE_DRAFT, *_READY)
    if notice.state != IncidentNotice.STATE_DRAFT and notice.approved_role >= needed:
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{notice.notice_id} is approved already")
    if draft.actor.role < needed:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_BEYOND_AUTHORITY,
            f"approving a notice about an incident of level {draft.case.incident.level} takes the role of "
            f"{words(Role, needed)}; you act as {words(Role, draft.actor.role)}",
        )
    draft.add(
        NoticeApproved(notice_id=command.notice_id, role=draft.actor.role, needed_role=needed),
        rule="incident.notice_role",
        inputs={"level": str(draft.case.incident.level), "crisis": awaited.crisis_word(draft.case.incident.crisis)},
    )


def discard(draft: Draft, command: DiscardNotice) -> None:
    """It is not sent."""
    _find(draft, command.notice_id, IncidentNotice.STATE_DRAFT, *_READY)
    draft.add(NoticeDiscarded(notice_id=command.notice_id, why=command.why))


def send(draft: Draft, command: SendNotice) -> None:
    """Publish it, and have every linked case tell its customer."""
    draft.require_stage(*_TOLD_ABOUT)
    notice = _find(draft, command.notice_id, *_READY)
    needed = draft.case.incident.notice_role
    if notice.approved_role < needed:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"{notice.notice_id} was approved in the role of {words(Role, notice.approved_role)}; "
            f"it now takes {words(Role, needed)}: approve it again",
        )
    text = notice.text
    draft.add(NoticeRequested(notice_id=command.notice_id, text=text, audience=notice.audience))
    linked.relay_to_all(draft, command.notice_id, text)


def failed(draft: Draft, notice_id: str) -> None:
    """It could not be published: users do not know yet."""
    command_post.tell(draft, f"notice {notice_id} could not be published: send it again")


def _find(draft: Draft, notice_id: str, *states: IncidentNotice.State.ValueType) -> IncidentNotice:
    """The notice, in one of these states.

    Raises:
        Rejected: NOTHING_TO_DO.
    """
    notice = find_notice(draft.case, notice_id)
    if notice is None:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"{draft.case.case_id} has no notice {notice_id}",
            field="notice_id",
        )
    if notice.state not in states:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"this is not possible with {awaited.notice_words(notice)}",
            field="notice_id",
        )
    return notice
