"""From the events that were written for a request to what may have been asked: actions of commands.

A table: under the name of the event that names the deed stands the action that it is of, or how to find that.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from casetrail.v1.case_pb2 import Case, CaseLink, Closure, DecisionRequest, ReturnDetails, TimeBase
from casetrail.v1.command_pb2 import (
    Absorb,
    Accept,
    Acknowledge,
    AddTask,
    AssumeCommand,
    Command,
    Confirm,
    DecideEligibility,
    Declaration,
    EndIncident,
    Escalate,
    GradeIncident,
    HandOver,
    HandOverCommand,
    InjectByHand,
    Inspect,
    LinkCases,
    Merge,
    Open,
    ParcelReference,
    ReassignTask,
    Reclassify,
    RelayNotice,
    ReportOutcome,
    ReturnRequest,
    Transfer,
    Wait,
)
from casetrail.v1.effect_pb2 import Outcome, ParcelTrackingStarted
from casetrail.v1.event_pb2 import (
    AlternativeOffered,
    CaseLinked,
    CaseOpened,
    DrillStarted,
    Event,
    Rated,
    Reclassified,
    Replied,
    Resolved,
)
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.types_pb2 import Kind, ParcelDirection, Role, Stage

BodyT = TypeVar("BodyT", bound=Message)


@dataclass(frozen=True, slots=True)
class _Request:
    """What was written for one request.

    Attributes:
        case: The case before.
        event: The event that names the deed.
        group: All of them.
    """

    case: Case
    event: Event
    group: Sequence[Event]

    def found(self, kind: type[BodyT]) -> BodyT | None:
        """The first body of this kind, if there is one."""
        return next(iter(self.all(kind)), None)

    def all(self, kind: type[BodyT]) -> list[BodyT]:
        """Every body of this kind."""
        return [body for body in map(_body, self.group) if isinstance(body, kind)]


def candidates(case: Case, group: Sequence[Event]) -> Iterator[Message]:
    """The actions that a request's events can come from, the likeliest first.

    Args:
        case: The case before them.
        group: All events that were written for one request.
    """
    name = _deed_name(group)
    event = next(event for event in group if event.WhichOneof("body") == name)
    if is_outcome(event):
        yield _outcome(event)
    elif name in _LIKE or name == "wait_ended":
        yield _in_its_drill(_alike(_body(event), _LIKE.get(name, "resume")), event)
    elif name in _OTHERS:
        yield from _OTHERS[name](_Request(case, event, group))


def _deed_name(group: Sequence[Event]) -> str:
    """The body that names the deed: of the first event that no rule brings before it."""
    names = [event.WhichOneof("body") or "" for event in group]
    strong = (name for name in ("accepted", "confirmed") if name in names and not is_outcome(group[0]))
    plain = (name for name in names if name in _LIKE or name in _OTHERS or name in _RESULTS)
    # A wait ends before most other deeds: only alone is it one itself.
    return next(chain(strong, plain), "wait_ended" if "wait_ended" in names else names[0])


def _in_its_drill(asked: Message, event: Event) -> Message:
    """The action, with the drill where it names one: what one case asks of another says to which drill it belongs."""
    if isinstance(asked, Absorb | EndIncident | RelayNotice):
        asked.drill_id = event.drill_id
    return asked


def _alike(body: Message, action: str) -> Message:
    """An action whose fields are called as those of the event that it led to."""
    made: Message = getattr(Command(), action).__class__()
    for field in made.DESCRIPTOR.fields:
        same = body.DESCRIPTOR.fields_by_name.get(field.name)
        if same is None or same.message_type != field.message_type:
            continue
        if field.is_repeated:
            getattr(made, field.name).extend(getattr(body, field.name))
        elif not same.has_presence:
            setattr(made, field.name, getattr(body, field.name))
        elif not body.HasField(field.name):
            continue
        elif field.message_type:
            getattr(made, field.name).CopyFrom(getattr(body, field.name))
        else:
            setattr(made, field.name, getattr(body, field.name))
    return made


def _outcome(event: Event) -> ReportOutcome:
    name = event.WhichOneof("body") or ""
    outcome = Outcome()
    body: Any = _body(event)
    getattr(outcome, _RESULTS[name]).CopyFrom(body)
    return ReportOutcome(effect_id=body.effect_id, outcome=outcome)


def _open(of: _Request) -> Iterator[Open]:
    body = of.event.case_opened
    asked: Any = _alike(body, "open")
    if drill := of.found(DrillStarted):
        asked.scenario = drill.scenario
        asked.ClearField("drill_id")
    if not asked.drill_id:
        asked.ClearField("time_base")
        asked.scale = body.time_base.scale if body.time_base.mode == TimeBase.MODE_SCALED else 0
    if body.HasField("incident"):
        asked.incident.CopyFrom(_declaration(of))
    if body.HasField("return_details"):
        asked.return_request.CopyFrom(_return_request(body))
    if parcel := of.found(ParcelTrackingStarted):
        asked.parcel.CopyFrom(ParcelReference(carrier=parcel.carrier, tracking_no=parcel.tracking_no))
    left_out = Open()
    left_out.CopyFrom(asked)
    left_out.ClearField("priority")
    yield left_out
    yield asked


def _declaration(of: _Request) -> Declaration:
    incident = of.event.case_opened.incident
    return Declaration(
        suspected_level=incident.level,
        crisis=incident.crisis,
        rule=incident.source.rule,
        inputs=incident.source.inputs,
        case_ids=[linked.case_id for linked in of.all(CaseLinked)],
    )


def _return_request(body: CaseOpened | Reclassified) -> ReturnRequest:
    details = body.return_details
    return ReturnRequest(items=details.items, reason=details.reason, item_state=details.item_state, wanted=body.wanted)


def _accept(of: _Request) -> Iterator[Accept]:
    replied = of.found(Replied)
    yield Accept(words=replied.words if replied else None)


def _transfer(of: _Request) -> Iterator[Transfer]:
    body = of.event.transferred
    yield Transfer(to=body.to_owner, team=body.team, why=body.why)


def _wait(of: _Request) -> Iterator[Wait]:
    waiting = of.event.wait_started.waiting
    asked = Wait(cause=waiting.cause, party=waiting.party, why=of.event.wait_started.why)
    if waiting.HasField("until"):
        asked.at_most.seconds = waiting.until.seconds - waiting.since.seconds
    yield asked


def _reclassify(of: _Request) -> Iterator[Reclassify]:
    body = of.event.reclassified
    asked = Reclassify(kind=body.kind, category=body.category, why=body.why, order_id=body.order_id)
    if body.HasField("return_details"):
        asked.return_request.CopyFrom(_return_request(body))
    yield asked


def _link(of: _Request) -> Iterator[Message]:
    link: CaseLink = of.event.linked.link
    if of.event.actor.role != Role.ROLE_SYSTEM:
        yield _alike(link, "link")
        return
    by_incident = link.relation == CaseLink.RELATION_INCIDENT
    yield _in_its_drill(Absorb(case_id=link.case_id, only_link=True, incident=by_incident), of.event)


def _absorb(of: _Request) -> Iterator[Message]:
    body = of.event.duplicate_absorbed
    asked = Absorb(case_id=body.case_id, why=body.why, customer_id=of.case.customer.customer_id)
    yield _in_its_drill(asked, of.event)


def _merge(of: _Request) -> Iterator[Merge]:
    yield Merge(into_case_id=of.event.merge_requested.into_case_id, why=of.event.merge_requested.reason)


def _acknowledge(of: _Request) -> Iterator[Acknowledge]:
    body = of.event.escalation_acknowledged
    yield Acknowledge(why=body.why)
    yield Acknowledge(clock_id=body.clock_id, why=body.why)


def _ask(of: _Request) -> Iterator[Message]:
    request = of.event.decision_requested.request
    if request.subject == DecisionRequest.SUBJECT_REMEDY:
        yield DecideEligibility(eligible=True, why=request.question, keep_goods=request.keep_goods)
    else:
        yield Escalate(question=request.question, to_role=request.needed_role)


def _eligibility(of: _Request) -> Iterator[DecideEligibility]:
    body = of.event.eligibility_decided
    offered = of.found(AlternativeOffered)
    asked = DecideEligibility(
        eligible=body.eligibility == ReturnDetails.ELIGIBILITY_APPROVED,
        why=body.why,
        alternatives=offered.alternatives if offered else (),
    )
    yield asked
    yield DecideEligibility(eligible=asked.eligible, why=asked.why, alternatives=asked.alternatives, keep_goods=True)


def _parcel(of: _Request) -> Iterator[Message]:
    body = of.event.parcel_tracking_started
    sent_back = body.direction == ParcelDirection.PARCEL_DIRECTION_INBOUND
    command = Command()
    asked = command.ship_back if sent_back else command.track_parcel
    asked.parcel.CopyFrom(ParcelReference(carrier=body.carrier, tracking_no=body.tracking_no))
    yield asked


def _inspect(of: _Request) -> Iterator[Inspect]:
    body = of.event.goods_inspected
    yield Inspect(passed=body.inspection == ReturnDetails.INSPECTION_PASSED, words=body.words)


def _carry_out(of: _Request) -> Iterator[Message]:
    resolved = of.found(Resolved)
    command = Command()
    command.carry_out.SetInParent()
    if resolved:
        command.carry_out.words.CopyFrom(resolved.words)
    yield command.carry_out


def _resolve(of: _Request) -> Iterator[Message]:
    if of.case.stage == Stage.STAGE_REJECTED and not of.event.resolved.words.text:
        yield Command().agree
    yield _alike(of.event.resolved, "resolve")


def _confirm(of: _Request) -> Iterator[Confirm]:
    rated = of.found(Rated)
    yield Confirm(satisfied=rated.satisfied, words=rated.words) if rated else Confirm()


def _hand_over(of: _Request) -> Iterator[HandOver]:
    body = of.event.handed_over
    yield HandOver(why=body.why, speak=of.case.silent and not body.silent)


def _close(of: _Request) -> Iterator[Message]:
    command = Command()
    how = of.event.case_closed.closure.how
    if how == Closure.HOW_IMPORTED:
        yield command.close
    elif how == Closure.HOW_DRILL_OVER:
        yield command.end_drill_case
    elif of.case.kind == Kind.KIND_INCIDENT:
        yield command.close_incident


def _withdraw(of: _Request) -> Iterator[Message]:
    yield _alike(of.event.withdrawn, "dismiss_incident" if of.case.kind == Kind.KIND_INCIDENT else "withdraw")


def _change_policy(of: _Request) -> Iterator[Message]:
    command = Command()
    command.change_policy.policy_id = of.event.policy_changed.policy.policy_id
    command.change_policy.why = of.event.policy_changed.why
    yield command.change_policy


def _grade(of: _Request) -> Iterator[GradeIncident]:
    body = of.event.incident_graded
    # As it is, unless it is said.
    changed = body.crisis != of.case.incident.crisis
    crisis = body.crisis if changed else CrisisClass.CRISIS_CLASS_UNSPECIFIED
    none = changed and body.crisis == CrisisClass.CRISIS_CLASS_UNSPECIFIED
    yield GradeIncident(level=body.level, why=body.why, inputs=body.inputs, crisis=crisis, no_crisis=none)


def _lead(of: _Request) -> Iterator[Message]:
    body = of.event.command_assumed
    if not body.handed_over_by:
        yield AssumeCommand(why=body.why)
    yield HandOverCommand(to=body.commander, role=body.role, why=body.why)


def _add_task(of: _Request) -> Iterator[AddTask]:
    task = of.event.task_added.task
    yield AddTask(department=task.department, what=task.what, owner=task.owner)


def _reassign(of: _Request) -> Iterator[ReassignTask]:
    body = of.event.task_reassigned
    yield ReassignTask(task_id=body.task_id, department=body.to_department, owner=body.to_owner, why=body.why)


def _draft(of: _Request) -> Iterator[Message]:
    yield _alike(of.event.notice_drafted.notice, "draft_notice")


def _link_cases(of: _Request) -> Iterator[LinkCases]:
    yield LinkCases(case_ids=[linked.case_id for linked in of.all(CaseLinked)], rule=of.event.case_linked.rule)


def _report(of: _Request) -> Iterator[Message]:
    yield _alike(of.event.report_filed.report, "file_report")


def _inject(of: _Request) -> Iterator[InjectByHand]:
    yield InjectByHand(inject=of.event.inject_requested.inject)


def _remark(of: _Request) -> Iterator[Message]:
    yield _alike(of.event.drill_remarked.remark, "remark_drill")


def _body(event: Event) -> Message:
    body: Message = getattr(event, event.WhichOneof("body") or "")
    return body


def is_outcome(event: Event) -> bool:
    """Whether an event is what came of something outside."""
    return event.WhichOneof("body") in _RESULTS


# The event's body → the result of an outcome that it is.
_RESULTS: Final = {
    body.name: result.name
    for body in Event.DESCRIPTOR.oneofs_by_name["body"].fields
    for result in Outcome.DESCRIPTOR.oneofs_by_name["result"].fields
    if body.message_type == result.message_type
}

# Deeds whose event says all that was asked, under the same names: the event's body → the action.
_LIKE: Final = {
    "assigned": "assign",
    "answer_offered": "offer_answer",
    "replied": "reply",
    "message_received": "receive_message",
    "note_added": "note",
    "customer_told": "inform",
    "prioritized": "prioritize",
    "decision_taken": "decide",
    "classified": "classify",
    "investigation_started": "investigate",
    "department_asked": "ask_department",
    "finding_recorded": "record_finding",
    "settlement_proposed": "propose",
    "settlement_negotiated": "negotiate",
    "settlement_agreed": "agree",
    "alternative_chosen": "choose_alternative",
    "goods_received": "receive_goods",
    "rated": "rate",
    "callback_made": "record_callback",
    "dissatisfaction_answered": "answer_dissatisfaction",
    "dissatisfaction_reviewed": "review_dissatisfaction",
    "reopened": "reopen",
    "row_imported": "import_row",
    "nature_confirmed": "confirm_nature",
    "task_accepted": "accept_task",
    "task_refused": "refuse_task",
    "task_completed": "complete_task",
    "task_cancelled": "cancel_task",
    "task_reopened": "reopen_task",
    "notice_approved": "approve_notice",
    "notice_discarded": "discard_notice",
    "notice_requested": "send_notice",
    "incident_contained": "contain_incident",
    "incident_resolved": "resolve_incident",
    "case_followed_up_by_hand": "follow_up_case",
    "incident_followed_up": "finish_follow_up",
    "incident_reopened": "reopen_incident",
    "notice_relayed": "relay_notice",
    "incident_ended": "end_incident",
    "drill_aborted": "abort_drill",
}

# The others, each with what else is to be looked at.
_OTHERS: Final[dict[str, Callable[[_Request], Iterator[Message]]]] = {
    "case_opened": _open,
    "accepted": _accept,
    "transferred": _transfer,
    "wait_started": _wait,
    "reclassified": _reclassify,
    "linked": _link,
    "duplicate_absorbed": _absorb,
    "merge_requested": _merge,
    "escalation_acknowledged": _acknowledge,
    "decision_requested": _ask,
    "eligibility_decided": _eligibility,
    "parcel_tracking_started": _parcel,
    "goods_inspected": _inspect,
    "remedy_carried_out": _carry_out,
    "resolved": _resolve,
    "confirmed": _confirm,
    "withdrawn": _withdraw,
    "handed_over": _hand_over,
    "case_closed": _close,
    "policy_changed": _change_policy,
    "incident_graded": _grade,
    "command_assumed": _lead,
    "task_added": _add_task,
    "task_reassigned": _reassign,
    "notice_drafted": _draft,
    "case_linked": _link_cases,
    "report_filed": _report,
    "inject_requested": _inject,
    "drill_remarked": _remark,
}
