"""Folds events into the facts of their case that follow from the events alone (docs/proof.md, "The fold").

Written from that page and sharing no code with the service: where the two differ, one of them is wrong. A fact is held
as the case's message holds it, under the number of its field; one that is not said is absent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from casetrail_verify.payload import body_of
from casetrail_verify.wire import Message

Value = int | bytes | None
"""Of a field: a number, or bytes for everything else; None where it is absent."""

Field = int | tuple[int, int]
"""Of a body: its number; or the number of a message in it, and that of this one's field."""

KIND, STAGE, OPENED, UPDATED, CHANNEL, PRIORITY, CATEGORY = 2, 3, 5, 6, 7, 8, 9
ORDER, OWNER, POLICY, ROUND, CLOSED, COUNTERS, SILENT, SOURCE, DRILL = 11, 14, 16, 18, 29, 38, 40, 41, 44

NAMES: Final = {
    KIND: "kind",
    STAGE: "stage",
    OPENED: "opened_at",
    UPDATED: "updated_at",
    CHANNEL: "channel",
    PRIORITY: "priority",
    CATEGORY: "category",
    ORDER: "order",
    OWNER: "owner",
    POLICY: "policy",
    ROUND: "round",
    CLOSED: "closed_at",
    SILENT: "silent",
    SOURCE: "source",
    DRILL: "drill",
}
"""Of the facts that are compared, besides the counters."""

_TIMES: Final = (OPENED, UPDATED, CLOSED)

_NO_POLICY: Final = (None, None)

_INQUIRY, _COMPLAINT = 1, 2

_OPENED, _ACCEPTED, _IN_PROGRESS, _CLASSIFIED, _INVESTIGATING, _PROPOSED, _NEGOTIATING = 1, 2, 3, 4, 5, 6, 7
_AWAITING_APPROVAL, _CARRYING_OUT, _REJECTED, _AWAITING_GOODS, _RECEIVED = 8, 9, 10, 11, 12
_RESOLVED, _TOLD, _CONFIRMED, _DISSATISFIED, _CLOSED = 13, 14, 15, 16, 17
_DECLARED, _GRADED, _CONTAINED, _FOLLOWED_UP, _RETROSPECTIVE = 18, 19, 20, 21, 22

_REPLIES, _MESSAGES, _NOTES, _TRANSFERS, _REOPENINGS, _ESCALATIONS = 1, 2, 3, 4, 5, 6
_CLOCKS_MET, _CLOCKS_BREACHED, _SURVEYS, _REPEAT_CONTACTS, _DEPARTMENTS_ASKED, _ASSIGNMENTS = 7, 8, 9, 10, 11, 12

_SETTLEMENT: Final = 2  # what a decision is about
_REJECTION: Final = 3  # of what comes back
_FAILED: Final = 2  # an inspection
_RESULT: Final = 5  # what a customer is told
_CALL_SATISFIED: Final = 1
_NOT_REACHED: Final = 3


Step = tuple[str, int, tuple[Value, ...]]
"""An event, as far as the fold needs it: its type, its case time in seconds since 1970, the fields that are read.

A bare tuple, of which a hundred thousand go from one process to another in a fraction of a named one's time.
"""


@dataclass(slots=True)
class Folded:
    """What a case's events make of it.

    Attributes:
        facts: By the number of the case's field; times in seconds since 1970.
        counters: Likewise, of the field `counters`.
        policies: Digests of those that the case is, or was, under.
        reported: Whether an incident's report is filed.
    """

    facts: dict[int, Any] = field(default_factory=dict)
    counters: dict[int, int] = field(default_factory=dict)
    policies: tuple[Value, ...] = ()
    reported: bool = False

    def apply(self, step: Step) -> None:
        """Go one event further."""
        type_, at, said = step
        _CHANGES[type_].change(self, at, *said)

    def differences(self, listed: Mapping[str, object], updated_at: int) -> list[str]:
        """Names of the facts of which the case says something else."""
        facts = {POLICY: _NO_POLICY} | self.facts | {UPDATED: updated_at}
        found = [name for number, name in NAMES.items() if facts.get(number) != listed[name]]
        if _counted(self.counters) != listed["counters"]:
            found.append("counters")
        return found

    def put_under(self, policy_id: Value, digest: Value) -> None:
        """Have a policy hold from now on."""
        self.facts[POLICY] = (policy_id, digest)
        self.policies += (digest,)

    def count(self, counter: int, times: int = 1) -> None:
        """Count something."""
        self.counters[counter] = self.counters.get(counter, 0) + times


class _Change(NamedTuple):
    """What events of a type do.

    Attributes:
        body: Number of the payload's field that holds them; unused where nothing is read.
        reads: Their fields that are needed; none where it is enough that they happened.
        change: What they do to the case.
    """

    body: int
    reads: tuple[Field, ...]
    change: Callable[..., None]


_CHANGES: Final[dict[str, _Change]] = {}


TYPES: Final = _CHANGES.keys()
"""Of the events that the fold needs."""


def step(type_: str, at: int, payload: bytes) -> Step:
    """What the fold needs of an event of one of the types.

    Raises:
        WireError: The payload is not of this type.
    """
    change = _CHANGES[type_]
    if not change.reads:
        return type_, at, ()
    body = body_of(payload, change.body)
    return type_, at, tuple([_read(body, each) for each in change.reads])


def listed(body: Message) -> Mapping[str, object]:
    """What a case's message says of the facts, by their names.

    Raises:
        WireError: It cannot be read.
    """
    counters = Message(body.data(COUNTERS))
    counted = {number: counters.integer(number) for number in range(_REPLIES, _ASSIGNMENTS + 1)}
    return {name: _listed(number, body) for number, name in NAMES.items()} | {"counters": _counted(counted)}


def _read(body: Message, wanted: Field) -> Value:
    if isinstance(wanted, int):
        return body.value(wanted)
    number, within = wanted
    return Message(body.data(number)).value(within)


def _listed(number: int, body: Message) -> object:
    value = body.value(number)
    if number in _TIMES:
        return Message(body.data(number)).integer(1) if value is not None else None
    return (_read(body, (POLICY, 1)), _read(body, (POLICY, 2))) if number == POLICY else value


def _counted(counters: Mapping[int, int]) -> tuple[int, ...]:
    return tuple([counters.get(number, 0) for number in range(_REPLIES, _ASSIGNMENTS + 1)])


Change = Callable[..., None]


def _on(type_: str, body: int = 0, *reads: Field) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        _CHANGES[type_] = _Change(body, reads, change)
        return change

    return register


def _counts(type_: str, counter: int) -> None:
    @_on(type_)
    def change(case: Folded, _at: int) -> None:
        case.count(counter)


def _leads_to(type_: str, stage: int) -> None:
    @_on(type_)
    def change(case: Folded, _at: int) -> None:
        case.facts[STAGE] = stage


_counts("NoteAdded", _NOTES)
_counts("ClockBreached", _CLOCKS_BREACHED)
_counts("ClockMet", _CLOCKS_MET)
_counts("DepartmentAsked", _DEPARTMENTS_ASKED)
_counts("SurveySent", _SURVEYS)

_leads_to("Accepted", _ACCEPTED)
_leads_to("SettlementNegotiated", _NEGOTIATING)
_leads_to("SettlementProposed", _PROPOSED)
_leads_to("SettlementApproved", _CARRYING_OUT)
_leads_to("RefundRequested", _CARRYING_OUT)
_leads_to("CompensationRequested", _CARRYING_OUT)
_leads_to("ExchangeRequested", _CARRYING_OUT)
_leads_to("ExchangeUnavailable", _PROPOSED)
_leads_to("GoodsReceived", _RECEIVED)
_leads_to("Resolved", _RESOLVED)
_leads_to("Confirmed", _CONFIRMED)
_leads_to("IncidentContained", _CONTAINED)
_leads_to("IncidentResolved", _RESOLVED)
_leads_to("DrillStarted", _IN_PROGRESS)
_leads_to("DrillEnded", _RETROSPECTIVE)


@_on("CaseOpened", 20, (10, 1), (10, 2), 16, 17, 1, 2, 3, 4, 6, 14, 15)
def _case_opened(
    case: Folded, at: int, policy_id: Value, digest: Value, incident: Value, drill: Value, *facts: Value
) -> None:
    case.facts = dict(zip((KIND, CHANNEL, PRIORITY, CATEGORY, ORDER, SILENT, SOURCE), facts, strict=True))
    case.put_under(policy_id, digest)
    case.facts |= {OPENED: at, ROUND: 1, DRILL: drill, STAGE: _OPENED if incident is None else _DECLARED}
    case.counters = {_MESSAGES: 1}


@_on("Assigned", 21, 1)
def _assigned(case: Folded, _at: int, to: Value) -> None:
    case.facts[OWNER] = to
    case.count(_ASSIGNMENTS)
    if case.facts.get(KIND) == _INQUIRY and case.facts.get(STAGE) == _OPENED:
        case.facts[STAGE] = _ACCEPTED


@_on("Transferred", 22, 2)
def _transferred(case: Folded, _at: int, to: Value) -> None:
    case.facts[OWNER] = to
    case.count(_TRANSFERS)


@_on("Replied")
def _replied(case: Folded, _at: int) -> None:
    case.count(_REPLIES)
    if case.facts.get(KIND) == _INQUIRY and case.facts.get(STAGE) in (_OPENED, _ACCEPTED):
        case.facts[STAGE] = _IN_PROGRESS


@_on("MessageReceived", 26, 2)
def _message_received(case: Folded, _at: int, repeat_contact: Value) -> None:
    case.count(_MESSAGES)
    if repeat_contact:
        case.count(_REPEAT_CONTACTS)


@_on("Prioritized", 30, 1)
def _prioritized(case: Folded, _at: int, priority: Value) -> None:
    case.facts[PRIORITY] = priority


@_on("Reclassified", 31, 1, 2, 6)
def _reclassified(case: Folded, _at: int, kind: Value, category: Value, order: Value) -> None:
    if category:
        case.facts[CATEGORY] = category
    if order:
        case.facts[ORDER] = order
    if kind and kind != case.facts.get(KIND):
        case.facts[KIND] = kind
        case.facts[STAGE] = _ACCEPTED if kind == _INQUIRY and case.facts.get(OWNER) else _OPENED


@_on("EscalationStepped", 50, 7)
def _escalation_stepped(case: Folded, _at: int, takes_over: Value) -> None:
    case.count(_ESCALATIONS)
    if takes_over:
        case.facts[OWNER] = None


@_on("DecisionRequested", 60, (1, 7))
def _decision_requested(case: Folded, _at: int, subject: Value) -> None:
    if subject == _SETTLEMENT:
        case.facts[STAGE] = _AWAITING_APPROVAL


@_on("DecisionTaken", 61, 1, 2)
def _decision_taken(case: Folded, _at: int, granted: Value, subject: Value) -> None:
    if subject == _SETTLEMENT and not granted:
        case.facts[STAGE] = _NEGOTIATING


@_on("Classified", 70, 1, 2)
def _classified(case: Folded, _at: int, category: Value, priority: Value) -> None:
    case.facts[CATEGORY] = category
    if priority:
        case.facts[PRIORITY] = priority
    case.facts[STAGE] = _CLASSIFIED


@_on("InvestigationStarted", 71, 1)
def _investigation_started(case: Folded, _at: int, specialist: Value) -> None:
    case.facts |= {STAGE: _INVESTIGATING, OWNER: specialist}


@_on("EligibilityDecided", 90, 1, 2)
def _eligibility_decided(case: Folded, _at: int, eligibility: Value, goods_come_back: Value) -> None:
    if eligibility == _REJECTION:
        case.facts[STAGE] = _REJECTED
    else:
        case.facts[STAGE] = _AWAITING_GOODS if goods_come_back else _CARRYING_OUT


@_on("GoodsInspected", 94, 1)
def _goods_inspected(case: Folded, _at: int, inspection: Value) -> None:
    case.facts[STAGE] = _REJECTED if inspection == _FAILED else _CARRYING_OUT


@_on("CustomerTold", 111, 1)
def _customer_told(case: Folded, _at: int, purpose: Value) -> None:
    if purpose == _RESULT and case.facts.get(STAGE) == _RESOLVED:
        case.facts[STAGE] = _TOLD


@_on("Rated", 115, 1)
def _rated(case: Folded, _at: int, satisfied: Value) -> None:
    if not satisfied:
        case.facts |= {STAGE: _DISSATISFIED, CLOSED: None}


@_on("CallbackMade", 118, 1)
def _callback_made(case: Folded, _at: int, result: Value) -> None:
    if result not in (_CALL_SATISFIED, _NOT_REACHED):
        case.facts |= {STAGE: _DISSATISFIED, CLOSED: None}


@_on("Reopened", 121, 1, 3)
def _reopened(case: Folded, _at: int, round_: Value, repeat_contact: Value) -> None:
    case.count(_REOPENINGS)
    if repeat_contact:
        case.count(_REPEAT_CONTACTS)
    stage = _INVESTIGATING if case.facts.get(KIND) == _COMPLAINT else _IN_PROGRESS
    case.facts |= {ROUND: round_, STAGE: stage, CLOSED: None}


@_on("CaseClosed")
def _case_closed(case: Folded, at: int) -> None:
    case.facts |= {STAGE: _CLOSED, CLOSED: at}


@_on("PolicyChanged", 124, (1, 1), (1, 2))
def _policy_changed(case: Folded, _at: int, policy_id: Value, digest: Value) -> None:
    case.put_under(policy_id, digest)


@_on("HandedOver", 125, 3)
def _handed_over(case: Folded, _at: int, silent: Value) -> None:
    case.facts[SILENT] = silent


@_on("IncidentGraded")
def _incident_graded(case: Folded, _at: int) -> None:
    if case.facts.get(STAGE) == _DECLARED:
        case.facts[STAGE] = _GRADED


@_on("CommandAssumed", 202, 1)
def _command_assumed(case: Folded, _at: int, commander: Value) -> None:
    case.facts[OWNER] = commander


@_on("IncidentFollowedUp")
def _incident_followed_up(case: Folded, _at: int) -> None:
    case.facts[STAGE] = _RETROSPECTIVE if case.reported else _FOLLOWED_UP


@_on("ReportFiled")
def _report_filed(case: Folded, _at: int) -> None:
    case.reported = True
    if case.facts.get(STAGE) == _FOLLOWED_UP:
        case.facts[STAGE] = _RETROSPECTIVE


@_on("IncidentReopened")
def _incident_reopened(case: Folded, _at: int) -> None:
    case.reported = False
    case.facts[STAGE] = _GRADED
