"""Decisions above one's authority: asked for, taken, told within the promised time [S0 3.2, S4 13]."""

from casetrail.v1.case_pb2 import DecisionRequest
from casetrail.v1.command_pb2 import Acknowledge, Decide, Escalate
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import DecisionRequested, DecisionTaken, EscalationAcknowledged
from casetrail.v1.types_pb2 import Role, Stage
from domain import clocks
from domain.draft import Draft
from domain.instants import timestamp
from domain.ladder import alert
from domain.lifecycles import remedies, returns, talk
from domain.money import Money
from domain.refusal import Rejected
from domain.rulebook import next_role
from domain.words import words


def escalate(draft: Draft, command: Escalate) -> None:
    """Ask the next role up, or a named one, for a decision."""
    needed = command.to_role or next_role(max(draft.actor.role, Role.ROLE_AGENT)) or Role.ROLE_EXECUTIVE
    ask(draft, DecisionRequest.SUBJECT_QUESTION, needed, question=command.question)


def ask(
    draft: Draft,
    subject: DecisionRequest.Subject.ValueType,
    needed: Role.ValueType,
    *,
    question: str = "",
    amount: Money | None = None,
    keep_goods: bool = False,
) -> None:
    """Request a decision; the customer is to be told of it within the promised time."""
    if draft.case.HasField("decision"):
        raise _comes_first(draft)
    amount = amount or Money(0, "")
    request = DecisionRequest(
        question=question,
        needed_role=needed,
        amount_minor=amount.minor,
        currency=amount.currency,
        asked_at=timestamp(draft.at),
        asked_by=draft.actor.name,
        state=DecisionRequest.STATE_ASKED,
        subject=subject,
        keep_goods=keep_goods,
    )
    draft.add(
        DecisionRequested(request=request),
        rule="authority.currency" if _without_limits(draft, request) else "authority",
        inputs={
            "amount_minor": str(amount.minor),
            "currency": amount.currency,
            "needed": words(Role, needed),
            "asked_by": words(Role, draft.actor.role),
        },
    )
    alert(draft, needed, "a decision is needed")


def require_no_remedy_asked(draft: Draft) -> None:
    """Refuse while somebody is to grant the remedy of a return: it would be granted of another one.

    Raises:
        Rejected: NOT_YET.
    """
    request = draft.case.decision
    if request.state == DecisionRequest.STATE_ASKED and request.subject == DecisionRequest.SUBJECT_REMEDY:
        raise _comes_first(draft)


def decide(draft: Draft, command: Decide) -> None:
    """Grant or refuse what was asked for. What was waiting for it goes on."""
    request = draft.case.decision
    if not draft.case.HasField("decision") or request.state != DecisionRequest.STATE_ASKED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"nothing is to be decided about {draft.case.case_id}"
        )
    if draft.actor.role < request.needed_role:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_BEYOND_AUTHORITY,
            f"{_what_it_takes(draft, request)}; you act as {words(Role, draft.actor.role)}",
        )
    subject, keep_goods = request.subject, request.keep_goods
    draft.add(DecisionTaken(granted=command.granted, subject=subject, words=command.words))
    talk.tell_or_said(draft, Purpose.PURPOSE_DECISION, command.words.text)
    if not command.granted:
        return
    if subject == DecisionRequest.SUBJECT_SETTLEMENT and draft.case.stage == Stage.STAGE_AWAITING_APPROVAL:
        remedies.approve(draft, draft.actor.role)
    elif subject == DecisionRequest.SUBJECT_REMEDY and returns.undecided(draft):
        why = f"granted by {_a(draft.actor.role)}"
        remedies.approve_return(draft, why, rule="authority", keep_goods=keep_goods)


def acknowledge(draft: Draft, command: Acknowledge) -> None:
    """Somebody has taken the escalation on: the ladder stops, the clock does not."""
    climbing = [
        clock
        for clock in clocks.open_clocks(draft.case)
        if clock.climb.HasField("next_at") and command.clock_id in ("", clock.clock_id)
    ]
    if not climbing:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"no escalation of {draft.case.case_id} waits to be acknowledged",
        )
    for clock in climbing:
        draft.add(EscalationAcknowledged(clock_id=clock.clock_id, why=command.why))


def _comes_first(draft: Draft) -> Rejected:
    return Rejected(
        RefusalReason.REFUSAL_REASON_NOT_YET,
        f"a decision about {draft.case.case_id} is pending; it comes first",
    )


def _what_it_takes(draft: Draft, request: DecisionRequest) -> str:
    needed = f"this takes {_a(request.needed_role)}"
    if not _without_limits(draft, request):
        return needed
    return f"the policy {draft.rules.ref.policy_id} says nothing about sums in {request.currency}: {needed}"


def _a(role: Role.ValueType) -> str:
    said = words(Role, role)
    return f"{'an' if said[0] in 'ae' else 'a'} {said}"


def _without_limits(draft: Draft, request: DecisionRequest) -> bool:
    return bool(request.amount_minor) and not draft.rules.limits_in(request.currency)
