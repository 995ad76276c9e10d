"""Customers' cases that an incident touches: linked, told of every notice, followed up after the end.

Each case has a log of its own, so whatever the incident wants of another case is a demand, and whatever that case does
about it is its own event.
"""

from collections.abc import Iterable

from casetrail.v1.case_pb2 import Case, CaseLink, Closure
from casetrail.v1.command_pb2 import Absorb, EndIncident, FollowUpCase, LinkCases, RelayNotice
from casetrail.v1.effect_pb2 import FollowUpRequested, LinkRequested, Purpose, RelayRequested
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import CaseFollowedUpByHand, CaseLinked, IncidentEnded, Linked, NoticeRelayed
from casetrail.v1.incident_pb2 import IncidentNotice, IncidentTie, LinkedCase
from casetrail.v1.types_pb2 import Actor, Role, Stage
from domain import awaited, ladder
from domain.draft import Draft
from domain.kinds import CUSTOMERS
from domain.lifecycles import closing, command_post, talk
from domain.parts import find_linked
from domain.refusal import Rejected
from domain.words import words

_LINKABLE = (*awaited.BEFORE_THE_END, Stage.STAGE_RESOLVED)
_OWED = (LinkedCase.STATE_ASKED, LinkedCase.STATE_FOLLOWING_UP, LinkedCase.STATE_NOT_FOLLOWED_UP)
_KNOWS_THE_RESULT = (Stage.STAGE_TOLD, Stage.STAGE_CONFIRMED)


# --- in the incident ---


def link_cases(draft: Draft, command: LinkCases) -> None:
    """These cases are touched, too."""
    draft.require_stage(*_LINKABLE)
    require_finder(draft.actor, command.rule, field="link_cases.rule")
    if draft.case.case_id in command.case_ids:
        raise Rejected(RefusalReason.REFUSAL_REASON_CANNOT_JOIN, f"{draft.case.case_id} is this incident itself")
    if not ask(draft, command.case_ids, command.rule):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO, f"these cases are linked to {draft.case.case_id} already"
        )


def ask(draft: Draft, case_ids: Iterable[str], rule: str) -> bool:
    """Ask each of these cases, unless it was asked before; returns whether any was."""
    asked = False
    for case_id in case_ids:
        known = find_linked(draft.case, case_id)
        if known is not None and known.state != LinkedCase.STATE_REFUSED:
            continue
        draft.add(CaseLinked(case_id=case_id, rule=rule), rule=rule)
        draft.add(LinkRequested(case_id=case_id, incident=True))
        asked = True
    return asked


def require_finder(actor: Actor, rule: str, *, field: str) -> None:
    """Refuse a person who says that a detection rule found something.

    Raises:
        Rejected: ROLE_NOT_ALLOWED.
    """
    if rule and actor.role != Role.ROLE_SYSTEM:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED, "only detection names the rule that found it", field=field
        )


def linked_by_customer_side(draft: Draft, command: Absorb) -> None:
    """A customer's case says that this incident touches it: noted only, once customers were followed up."""
    known = find_linked(draft.case, command.case_id)
    if known is not None and known.state not in (LinkedCase.STATE_ASKED, LinkedCase.STATE_REFUSED):
        return
    if draft.case.stage not in _LINKABLE:
        return
    draft.add(CaseLinked(case_id=command.case_id, accepted=True))
    accepted(draft, command.case_id)


def accepted(draft: Draft, case_id: str) -> None:
    """A case is linked: its customer gets the last notice, and is followed up when it is all over."""
    told = [notice for notice in draft.case.incident.notices if notice.state == IncidentNotice.STATE_SENT]
    last_word = told[-1].text if told and told[-1].last_word else ""
    if told and not last_word:
        draft.add(RelayRequested(case_id=case_id, notice_id=told[-1].notice_id, text=told[-1].text))
    if draft.case.stage == Stage.STAGE_RESOLVED:
        draft.add(FollowUpRequested(case_id=case_id, text=last_word))


def relay_to_all(draft: Draft, notice_id: str, text: str) -> None:
    """Have every linked case tell its customer what a notice says."""
    for case_id in _linked(draft):
        draft.add(RelayRequested(case_id=case_id, notice_id=notice_id, text=text))


def require_may_speak(draft: Draft) -> None:
    """Refuse somebody who may approve no notice, where customers of linked cases are to read these words.

    Raises:
        Rejected: BEYOND_AUTHORITY.
    """
    needed = draft.case.incident.notice_role
    if _linked(draft) and draft.actor.role < needed:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_BEYOND_AUTHORITY,
            f"customers of cases linked to {draft.case.case_id} read this, so it takes the role that approves its "
            f"notices, {words(Role, needed)}; you act as {words(Role, draft.actor.role)}",
        )


def follow_up(draft: Draft, text: str) -> None:
    """Have every linked case tell its customer that it is over, and call back."""
    for case_id in _linked(draft):
        draft.add(FollowUpRequested(case_id=case_id, text=text))


def not_followed_up(draft: Draft, case_id: str) -> None:
    """The linked case cannot do it: a person must."""
    command_post.tell(draft, f"{case_id} could not be followed up: see to its customer")


def follow_up_case(draft: Draft, command: FollowUpCase) -> None:
    """A person saw to the customer of a linked case."""
    draft.require_stage(Stage.STAGE_RESOLVED)
    known = find_linked(draft.case, command.case_id)
    if known is None or known.state not in _OWED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"{command.case_id} is owed no follow-up by {draft.case.case_id}",
            field="follow_up_case.case_id",
        )
    draft.add(CaseFollowedUpByHand(case_id=command.case_id, how=command.how))


# --- in the cases that it touches ---


def linked_to_incident(draft: Draft, incident_id: str) -> None:
    """This case is touched by an incident.

    Raises:
        Rejected: CANNOT_JOIN: nobody is to be told and called back.
    """
    if draft.case.kind not in CUSTOMERS:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CANNOT_JOIN, f"{draft.case.case_id} has no customer to be told and called back"
        )
    draft.add(Linked(link=CaseLink(case_id=incident_id, relation=CaseLink.RELATION_INCIDENT)))


def require_same_world(draft: Draft, drill_id: str, other: str) -> None:
    """Refuse to join a real case and a drill's, or cases of two drills.

    Raises:
        Rejected: CANNOT_JOIN.
    """
    if drill_id != draft.case.drill_id:
        mine, theirs = draft.case.drill_id or "no drill", drill_id or "no drill"
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CANNOT_JOIN,
            f"{draft.case.case_id} belongs to {mine} and {other} to {theirs}: the real and the rehearsed stay apart",
        )


def relay_notice(draft: Draft, command: RelayNotice) -> None:
    """Tell this case's customer what an incident's notice says."""
    _require_living(draft, command.drill_id, command.incident_id)
    draft.add(NoticeRelayed(incident_id=command.incident_id, notice_id=command.notice_id, text=command.text))
    _tell(draft, Purpose.PURPOSE_INCIDENT, command.incident_id, command.text)


def end_incident(draft: Draft, command: EndIncident) -> None:
    """Tell this case's customer that it is over, and owe a follow-up call.

    A case that is still being worked on follows up in its own way, and has done so when it is closed.
    """
    _require_living(draft, command.drill_id, command.incident_id)
    over = draft.case.stage == Stage.STAGE_CLOSED or draft.case.silent
    draft.add(
        IncidentEnded(
            incident_id=command.incident_id,
            text=command.text,
            follow_up=IncidentTie.FOLLOW_UP_DONE if over else IncidentTie.FOLLOW_UP_OWED,
        )
    )
    _tell(draft, Purpose.PURPOSE_INCIDENT_OVER, command.incident_id, command.text)
    if not over and draft.case.stage in _KNOWS_THE_RESULT and not draft.case.HasField("callback"):
        closing.owe_callback(draft)


def follow_up_over(case: Case, incident_id: str) -> bool:
    """Whether the customer of a case has been followed up about an incident that is over."""
    return any(tie.incident_id == incident_id and tie.follow_up == IncidentTie.FOLLOW_UP_DONE for tie in case.incidents)


def _require_living(draft: Draft, drill_id: str, incident_id: str) -> None:
    require_same_world(draft, drill_id, incident_id)
    if draft.case.closure.how == Closure.HOW_MERGED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CANNOT_JOIN, f"{draft.case.case_id} goes on as {draft.case.merged_into}"
        )


def _tell(draft: Draft, purpose: Purpose.ValueType, incident_id: str, text: str) -> None:
    if talk.tell(draft, purpose, text):
        return
    ladder.alert(draft, Role.ROLE_AGENT, f"tell the customer what {incident_id} says", owner=draft.case.owner)


def _linked(draft: Draft) -> list[str]:
    return [linked.case_id for linked in draft.case.incident.cases if linked.state == LinkedCase.STATE_LINKED]
