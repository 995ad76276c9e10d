"""Which promise begins and is kept by what: the clocks' side of every event.

The table is the one of the operating rules ([S0 2.1, 3.1-3.4]): from → to. Figures are the policy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from casetrail.v1.case_pb2 import Case, ReturnDetails
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.event_pb2 import CallbackMade, Event
from casetrail.v1.types_pb2 import Channel, Kind, Priority, Role, Stage
from domain import awaited, clocks
from domain.kinds import COMPLAINT, CUSTOMERS, DRILL, INCIDENT, INQUIRY, RETURN, SETTLED, Kinds
from domain.words import word

if TYPE_CHECKING:
    from domain.draft import Draft

Condition = Callable[[Case, Event, Any], bool]
_LETTERS_BY_PEOPLE = frozenset(
    {
        Purpose.PURPOSE_REPLY,
        Purpose.PURPOSE_PROPOSAL,
        Purpose.PURPOSE_DECISION,
        Purpose.PURPOSE_RESULT,
        Purpose.PURPOSE_DISSATISFACTION,
    }
)


def always(case: Case, event: Event, body: Any) -> bool:
    """The event alone is enough."""
    return True


def told(purpose: Purpose.ValueType) -> Condition:
    """The customer was told just this."""
    return lambda _case, _event, body: body.purpose == purpose


def _dissatisfied(case: Case, event: Event, body: Any) -> bool:
    return case.stage == Stage.STAGE_DISSATISFIED


def _reached(case: Case, event: Event, body: Any) -> bool:
    return bool(body.result != CallbackMade.RESULT_NOT_REACHED)


def _nothing_comes_back(case: Case, event: Event, body: Any) -> bool:
    return bool(body.eligibility == ReturnDetails.ELIGIBILITY_APPROVED and not body.goods_come_back)


def _passed(case: Case, event: Event, body: Any) -> bool:
    return bool(body.inspection == ReturnDetails.INSPECTION_PASSED)


def _unanswered(case: Case, event: Event, body: Any) -> bool:
    # While the first answer is owed, or the last message is unanswered, another message starts nothing new.
    return not clocks.open_clocks(case, "first_response") and not clocks.open_clocks(case, "next_response")


def _came_back(case: Case, event: Event, body: Any) -> bool:
    # A dissatisfied customer is answered, and treated again, by clocks of their own.
    return _unanswered(case, event, body) and not clocks.open_clocks(case, "dissatisfaction_treatment")


def _with_words(case: Case, event: Event, body: Any) -> bool:
    return bool(body.words.text)


def _by_a_person(case: Case, event: Event, body: Any) -> bool:
    # What a person told counts, and a letter with a person's words; a letter that the engine wrote by itself does not.
    return event.actor.role != Role.ROLE_SYSTEM or body.purpose in _LETTERS_BY_PEOPLE


def _decision_told(case: Case, event: Event, body: Any) -> bool:
    # A letter about an earlier decision does not tell the one that is still to be taken.
    return body.purpose == Purpose.PURPOSE_DECISION and not case.HasField("decision")


def _announced(case: Case, event: Event, body: Any) -> bool:
    return awaited.was_announced(case.incident)


def _unannounced(case: Case, event: Event, body: Any) -> bool:
    return not awaited.was_announced(case.incident)


def _goes_on(case: Case, event: Event, body: Any) -> bool:
    # The last notice says that it is over, and promises no further one.
    return case.stage in awaited.BEFORE_THE_END


def _parcel_named(case: Case, event: Event, body: Any) -> bool:
    return bool(body.parcel_id)


def _not_broken_off(case: Case, event: Event, body: Any) -> bool:
    return not case.drill.aborted


@dataclass(frozen=True, slots=True)
class Promise:
    """One clock: for which kinds, from which events, to which.

    Attributes:
        name: The clock's.
        kinds: The kinds of case that have it.
        begins: Event → when it starts the clock.
        kept: Event → when it keeps the promise.
        subject: The field of those events that names what it is about, where a case can have several.
        outlives_round: Whether it goes on when the case is reopened.
        since_opening: Whether it counts from the opening, even where it turns out later that it is owed.
    """

    name: str
    kinds: Kinds
    begins: dict[str, Condition]
    kept: dict[str, Condition]
    subject: str = ""
    outlives_round: bool = False
    since_opening: bool = False


# What a customer takes for an answer.
_ANSWERED: dict[str, Condition] = {
    "replied": always,
    "customer_told": _by_a_person,
    "settlement_proposed": always,
    "resolved": _with_words,
}

PROMISES = (
    Promise(
        "first_response",
        CUSTOMERS,
        begins={"case_opened": always},
        kept=_ANSWERED,
    ),
    Promise(
        "next_response",
        CUSTOMERS,
        begins={
            "message_received": _unanswered,
            "settlement_negotiated": _unanswered,
            "reopened": _came_back,
        },
        kept=_ANSWERED,
    ),
    Promise(
        "acceptance",
        SETTLED,
        begins={"case_opened": always},
        kept={"accepted": always},
    ),
    Promise(
        "resolution",
        INQUIRY,
        begins={"case_opened": always, "reopened": always},
        kept={"resolved": always},
    ),
    Promise(
        "handling",
        COMPLAINT,
        begins={"case_opened": always},
        kept={"investigation_started": always, "resolved": always},
    ),
    Promise(
        "investigation",
        COMPLAINT,
        begins={"case_opened": always, "reopened": always},
        kept={"customer_told": told(Purpose.PURPOSE_PROPOSAL), "resolved": always},
    ),
    Promise(
        "decision",
        CUSTOMERS,
        begins={"decision_requested": always},
        kept={"customer_told": _decision_told},
        outlives_round=True,
    ),
    Promise(
        "review",
        RETURN,
        begins={"accepted": always},
        kept={"eligibility_decided": always},
    ),
    Promise(
        "processing",
        RETURN,
        begins={
            "goods_inspected": _passed,
            "eligibility_decided": _nothing_comes_back,
            "settlement_approved": always,
            "reopened": always,
        },
        kept={"remedy_carried_out": always, "resolved": always},
    ),
    Promise(
        "logistics_stall",
        CUSTOMERS,
        begins={"parcel_tracking_started": always, "parcel_scanned": always},
        kept={"parcel_scanned": always, "parcel_delivered": always, "goods_received": _parcel_named},
        subject="parcel_id",
        outlives_round=True,
    ),
    Promise(
        "logistics_loss",
        CUSTOMERS,
        begins={"parcel_tracking_started": always, "parcel_scanned": always},
        kept={"parcel_scanned": always, "parcel_delivered": always, "goods_received": _parcel_named},
        subject="parcel_id",
        outlives_round=True,
    ),
    Promise(
        "stall_notice",
        CUSTOMERS,
        begins={"parcel_stalled": always},
        kept={"customer_told": told(Purpose.PURPOSE_PARCEL_STALLED)},
        outlives_round=True,
    ),
    Promise(
        "result_feedback",
        CUSTOMERS | INCIDENT,
        begins={"resolved": always, "incident_resolved": _announced},
        kept={"customer_told": told(Purpose.PURPOSE_RESULT), "notice_published": always},
    ),
    Promise(
        "follow_up",
        CUSTOMERS,
        begins={"callback_scheduled": always},
        kept={"callback_made": _reached},
    ),
    Promise(
        "dissatisfaction_answer",
        CUSTOMERS,
        begins={"rated": _dissatisfied, "callback_made": _dissatisfied},
        kept={"dissatisfaction_answered": always, "replied": always, "customer_told": _by_a_person},
        outlives_round=True,
    ),
    Promise(
        "dissatisfaction_treatment",
        CUSTOMERS,
        begins={"rated": _dissatisfied, "callback_made": _dissatisfied},
        kept={"resolved": always},
        outlives_round=True,
    ),
    Promise(
        "initial_response",
        INCIDENT,
        begins={"case_opened": always},
        kept={"nature_confirmed": always},
    ),
    Promise(
        "public_notice",
        INCIDENT,
        begins={"case_opened": always, "incident_graded": _unannounced},
        kept={"notice_published": always},
        since_opening=True,
    ),
    Promise(
        "notice_update",
        INCIDENT,
        begins={"notice_published": _goes_on, "incident_graded": _announced, "incident_reopened": _announced},
        kept={"notice_published": always},
    ),
    Promise(
        "task",
        INCIDENT,
        begins={"task_requested": always},
        kept={"task_completed": always},
        subject="task_id",
    ),
    Promise(
        "retrospective",
        INCIDENT | DRILL,
        # A drill's report writes itself; what people have learned they note. Who breaks one off has learned enough.
        begins={"incident_resolved": always, "drill_ended": _not_broken_off},
        kept={"report_filed": always, "drill_remarked": always},
    ),
)

_BY_EVENT: dict[str, tuple[Promise, ...]] = {
    name: tuple(p for p in PROMISES if name in p.begins or name in p.kept)
    for name in {event for p in PROMISES for event in (*p.begins, *p.kept)}
}


def follow(draft: Draft, event: Event) -> None:
    """Let the clocks do what an event that has just happened means for them."""
    name = event.WhichOneof("body") or ""
    body = getattr(event, name)
    for promise in _BY_EVENT.get(name, ()):
        if draft.case.kind not in promise.kinds:
            continue
        subject = getattr(body, promise.subject) if promise.subject else ""
        if (condition := promise.kept.get(name)) and condition(draft.case, event, body):
            _keep(draft, promise.name, subject)
        if (condition := promise.begins.get(name)) and condition(draft.case, event, body):
            _begin(draft, promise, subject)


def end_round(draft: Draft, why: str) -> None:
    """Cancel the promises that belong to a round which is over."""
    belonging = {p.name for p in PROMISES if not p.outlives_round}
    for clock in clocks.open_clocks(draft.case):
        if clock.name in belonging:
            draft.add(clocks.cancelled(clock, draft.at, why, draft.rules))


def cancel(draft: Draft, why: str, *, name: str = "", subject: str = "") -> None:
    """Cancel every promise that is still open; of one name, and about one subject, when these are given."""
    for clock in clocks.open_clocks(draft.case, name, subject):
        draft.add(clocks.cancelled(clock, draft.at, why, draft.rules))


def rebase(draft: Draft) -> None:
    """Measure every open promise by what the policy asks for the case as it is now."""
    for clock in clocks.open_clocks(draft.case):
        target = draft.rules.target(clock.name, draft.case)
        if target is None:
            draft.add(clocks.cancelled(clock, draft.at, "the policy asks for it no longer", draft.rules_before))
        elif body := clocks.rebased(clock, target, draft.at, draft.rules, draft.rules_before):
            draft.add(body, rule=f"clock.{clock.name}", inputs=_looked_at(draft.case))


def change_kind(draft: Draft) -> None:
    """Cancel what the case's new kind does not promise, and begin what it promises from the opening on."""
    kind = draft.case.kind
    for promise in PROMISES:
        if kind not in promise.kinds:
            cancel(draft, "the case became another kind", name=promise.name)
    rebase(draft)
    for promise in PROMISES:
        # The first response is owed from the opening on, whatever the kind; the rest is this kind's own beginning.
        if kind in promise.kinds and promise.kinds != CUSTOMERS and "case_opened" in promise.begins:
            _begin(draft, promise, "")


def _begin(draft: Draft, promise: Promise, subject: str) -> None:
    if clocks.open_clocks(draft.case, promise.name, subject):
        return
    target = draft.rules.target(promise.name, draft.case)
    if target is None:
        return
    body = clocks.started(
        promise.name,
        target,
        draft.at,
        draft.rules,
        seq=draft.case.seq + 1,
        subject=subject,
        since=draft.case.opened_at.seconds if promise.since_opening else None,
    )
    draft.add(body, rule=f"clock.{promise.name}", inputs=_looked_at(draft.case))
    if draft.case.HasField("waiting") and draft.case.waiting.cause in target.pauses_for:
        draft.add(clocks.paused(draft.case.clocks[-1], draft.at, draft.case.waiting.cause, draft.rules))


def _keep(draft: Draft, name: str, subject: str) -> None:
    for clock in clocks.open_clocks(draft.case, name, subject):
        draft.add(clocks.kept(clock, draft.at, draft.rules))


def _looked_at(case: Case) -> dict[str, str]:
    """What a target's conditions look at, for the reason in the event."""
    looked_at = {
        "kind": word(Kind, case.kind),
        "channel": word(Channel, case.channel),
        "priority": word(Priority, case.priority),
    }
    if case.category:
        looked_at["category"] = case.category
    if case.HasField("incident"):
        looked_at |= {"level": str(case.incident.level), "crisis": awaited.crisis_word(case.incident.crisis)}
    return looked_at
