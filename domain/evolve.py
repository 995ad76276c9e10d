"""How an event changes a case: the only way in which one ever changes.

`evolve` and `fold` are the definition of a case. Each change below stands under the event that makes it; an event
without one only counts. Nothing here decides anything: what may happen stands in the lifecycles.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.v1.case_pb2 import (
    Alarm,
    Callback,
    Case,
    CaseLink,
    Closure,
    DecisionRequest,
    Parcel,
    ReturnDetails,
    Satisfaction,
    Settlement,
    TimeBase,
)
from casetrail.v1.clock_pb2 import Climb, Clock, Reckoning
from casetrail.v1.effect_pb2 import CallbackScheduled, Effect, Purpose, StaffAlerted
from casetrail.v1.event_pb2 import CallbackMade, Event
from casetrail.v1.types_pb2 import Cause, Kind, RemedyKind, Role, Stage
from domain import awaited, incident_changes
from domain.changing import Changes
from domain.changing import drop_effects as _drop_effects
from domain.drills import changes as drill_changes

_CHANGES = Changes({**incident_changes.CHANGES, **drill_changes.CHANGES})
_on = _CHANGES.on


# Names of the event bodies that demand something outside, and of the effect's field that keeps the demand.
DEMANDS = {
    "notification_requested": "notification",
    "staff_alerted": "staff_alert",
    "order_lookup_requested": "order_lookup",
    "refund_requested": "refund",
    "compensation_requested": "compensation",
    "exchange_requested": "exchange",
    "parcel_tracking_started": "tracking",
    "carrier_asked": "carrier_question",
    "callback_scheduled": "callback",
    "merge_requested": "merge",
    "link_requested": "link",
    "task_requested": "task",
    "notice_requested": "public_notice",
    "relay_requested": "relay",
    "follow_up_requested": "follow_up",
    "inject_requested": "inject",
    "observation_requested": "observation",
    "judgement_requested": "judgement",
    "move_requested": "move",
    "restoration_requested": "restoration",
    "clearance_requested": "clearance",
}

# Asked at every event: a protobuf enum looks its values up each time.
_INCIDENT = Kind.KIND_INCIDENT

# Demands on other cases.
_AMONG_CASES = frozenset({"merge_requested", "link_requested"})

# Letters that are true only in the round in which they were demanded.
_OF_A_ROUND = frozenset({Purpose.PURPOSE_PROPOSAL, Purpose.PURPOSE_RESULT, Purpose.PURPOSE_SURVEY})

# Outcomes after which the effect is still pending.
PROGRESS = frozenset(
    {
        "parcel_scanned",
        "callback_reminded",
        "department_reached",
        "department_unreachable",
        "cue_seen",
        # What ends a judgement also comes from the observation, which goes on.
        "expectation_met",
        "expectation_met_late",
    }
)

# Work outside that ends with the case.
_ENDS_WITH_THE_CASE = frozenset({"tracking", "carrier_question", "task"})


def evolve(case: Case | None, event: Event) -> Case:
    """The case after one more event; the given case is left as it was."""
    return fold((event,), case)


def fold(events: Iterable[Event], case: Case | None = None) -> Case:
    """The case after these events, from nothing or from an earlier state of it; that is left as it was."""
    folded = Case()
    if case is not None:
        folded.CopyFrom(case)
    for event in events:
        apply(folded, event)
    return folded


def apply(case: Case, event: Event) -> None:
    """Change a case that nobody else holds."""
    name = event.WhichOneof("body") or ""
    case.seq = event.seq
    case.updated_at.seconds = event.at.seconds
    change = _CHANGES.get(name)
    if change is not None:
        change(case, event, getattr(event, name))
    if name in DEMANDS:
        _demand(case, event, name)
    elif name in _OUTCOMES and name not in PROGRESS:
        _settle(case, getattr(event, name).effect_id)
    if case.kind == _INCIDENT:
        case.incident.waits_for[:] = awaited.waits_for(case)


def effect_id_of(case_id: str, seq: int) -> str:
    """The id of the effect that an event demands."""
    return f"{case_id}:{seq}"


# --- opening, people, talk ---


@_on("case_opened")
def _case_opened(case: Case, event: Event, body: Any) -> None:
    case.case_id = event.case_id
    case.kind = body.kind
    case.stage = Stage.STAGE_OPENED
    case.opened_at.seconds = event.at.seconds
    case.channel = body.channel
    case.priority = body.priority
    case.category = body.category
    if body.HasField("customer"):
        case.customer.CopyFrom(body.customer)
    case.order_id = body.order_id
    case.product_id = body.product_id
    case.subject = body.subject
    case.policy.CopyFrom(body.policy)
    case.time_base.CopyFrom(body.time_base)
    case.round = 1
    case.silent = body.silent
    case.source = body.source
    case.counters.messages = 1
    if body.HasField("return_details"):
        case.return_details.CopyFrom(body.return_details)
    if body.HasField("wanted"):
        case.settlement.remedy.CopyFrom(body.wanted)
    if body.HasField("incident"):
        case.stage = Stage.STAGE_DECLARED
        case.incident.CopyFrom(body.incident)
    if body.drill_id:
        case.drill_id = body.drill_id
        case.is_drill = True
        case.inject_id = body.inject_id


@_on("assigned")
def _assigned(case: Case, event: Event, body: Any) -> None:
    case.owner = body.to
    if body.team:
        case.team = body.team
    case.counters.assignments += 1
    if case.kind == Kind.KIND_INQUIRY and case.stage == Stage.STAGE_OPENED:
        case.stage = Stage.STAGE_ACCEPTED


@_on("transferred")
def _transferred(case: Case, event: Event, body: Any) -> None:
    case.owner = body.to_owner
    if body.team:
        case.team = body.team
    case.counters.transfers += 1


@_on("accepted")
def _accepted(case: Case, event: Event, body: Any) -> None:
    case.stage = Stage.STAGE_ACCEPTED


@_on("replied")
def _replied(case: Case, event: Event, body: Any) -> None:
    case.counters.replies += 1
    if case.kind == Kind.KIND_INQUIRY and case.stage in (Stage.STAGE_OPENED, Stage.STAGE_ACCEPTED):
        case.stage = Stage.STAGE_IN_PROGRESS


@_on("message_received")
def _message_received(case: Case, event: Event, body: Any) -> None:
    case.counters.messages += 1
    case.counters.repeat_contacts += body.repeat_contact


@_on("note_added")
def _note_added(case: Case, event: Event, body: Any) -> None:
    case.counters.notes += 1


@_on("wait_started")
def _wait_started(case: Case, event: Event, body: Any) -> None:
    case.waiting.CopyFrom(body.waiting)
    if body.waiting.HasField("until"):
        _set_alarm(case, Alarm.NAME_WAIT_ENDS, body.waiting.until.seconds)


@_on("wait_ended")
def _wait_ended(case: Case, event: Event, body: Any) -> None:
    case.ClearField("waiting")
    _clear_alarms(case, Alarm.NAME_WAIT_ENDS)


@_on("prioritized")
def _prioritized(case: Case, event: Event, body: Any) -> None:
    case.priority = body.priority


@_on("reclassified")
def _reclassified(case: Case, event: Event, body: Any) -> None:
    if body.category:
        case.category = body.category
    if body.order_id:
        case.order_id = body.order_id
    if not body.kind or body.kind == case.kind:
        return
    case.kind = body.kind
    case.stage = Stage.STAGE_OPENED
    if case.kind == Kind.KIND_INQUIRY and case.owner:
        case.stage = Stage.STAGE_ACCEPTED
    case.ClearField("settlement")
    case.ClearField("return_details")
    if body.HasField("return_details"):
        case.return_details.CopyFrom(body.return_details)
    if body.HasField("wanted"):
        case.settlement.remedy.CopyFrom(body.wanted)


# --- clocks and the ladder ---


@_on("clock_started")
def _clock_started(case: Case, event: Event, body: Any) -> None:
    # Of the clocks that are over only the last of each name stays, so that a case does not grow with its age.
    stale = [
        i
        for i, clock in enumerate(case.clocks)
        if clock.name == body.clock.name
        and clock.subject == body.clock.subject
        and clock.state not in (Clock.STATE_RUNNING, Clock.STATE_PAUSED)
    ]
    for i in reversed(stale):
        del case.clocks[i]
    case.clocks.append(body.clock)


@_on("clock_paused")
def _clock_paused(case: Case, event: Event, body: Any) -> None:
    clock = _reckoned(case, event, body.clock)
    clock.state = Clock.STATE_PAUSED
    clock.pause_cause = body.cause
    _stop_marks(clock)


@_on("clock_resumed")
def _clock_resumed(case: Case, event: Event, body: Any) -> None:
    clock = _reckoned(case, event, body.clock)
    clock.state = Clock.STATE_RUNNING
    clock.pause_cause = Cause.CAUSE_UNSPECIFIED
    clock.due_at.seconds = body.clock.due_at.seconds
    _set_marks(clock, body)


@_on("clock_warned")
def _clock_warned(case: Case, event: Event, body: Any) -> None:
    _clock(case, body.clock.clock_id).ClearField("warn_at")


@_on("clock_flagged")
def _clock_flagged(case: Case, event: Event, body: Any) -> None:
    _clock(case, body.clock.clock_id).ClearField("flag_at")
    _flag(case, f"slow {body.clock.name}")


@_on("clock_breached")
def _clock_breached(case: Case, event: Event, body: Any) -> None:
    clock = _clock(case, body.clock.clock_id)
    clock.breached = True
    clock.breached_at.seconds = event.at.seconds
    clock.ClearField("warn_at")
    clock.climb.why = Climb.WHY_BREACHED
    clock.climb.next_at.seconds = event.at.seconds
    case.counters.clocks_breached += 1


@_on("clock_met")
def _clock_met(case: Case, event: Event, body: Any) -> None:
    _end_clock(case, event, body.clock, Clock.STATE_MET)
    case.counters.clocks_met += 1


@_on("clock_met_late")
def _clock_met_late(case: Case, event: Event, body: Any) -> None:
    _end_clock(case, event, body.clock, Clock.STATE_LATE)


@_on("clock_cancelled")
def _clock_cancelled(case: Case, event: Event, body: Any) -> None:
    _end_clock(case, event, body.clock, Clock.STATE_CANCELLED)


@_on("clock_rebased")
def _clock_rebased(case: Case, event: Event, body: Any) -> None:
    clock = _reckoned(case, event, body.clock)
    clock.target_seconds = body.clock.target_seconds
    clock.calendar = body.clock.calendar
    clock.warn_seconds = body.warn_seconds
    clock.flag_seconds = body.flag_seconds
    clock.ladder = body.ladder
    del clock.pauses_for[:]
    clock.pauses_for.extend(body.pauses_for)
    if clock.state == Clock.STATE_RUNNING:
        clock.due_at.seconds = body.clock.due_at.seconds
        _set_marks(clock, body)


@_on("escalation_stepped")
def _escalation_stepped(case: Case, event: Event, body: Any) -> None:
    climb = _clock(case, body.clock_id).climb
    climb.steps = body.step
    climb.role = body.role
    climb.next_at.seconds = body.next_at.seconds
    climb.why = Climb.WHY_UNACKNOWLEDGED
    case.counters.escalations += 1
    if body.takes_over:
        case.owner = ""
        case.team = Role.Name(body.role).removeprefix("ROLE_").lower()
        if case.kind == Kind.KIND_INCIDENT:
            incident_changes.drop_command(case)


@_on("escalation_acknowledged")
def _escalation_acknowledged(case: Case, event: Event, body: Any) -> None:
    climb = _clock(case, body.clock_id).climb
    climb.acknowledged = True
    climb.ClearField("next_at")


@_on("staff_unreachable")
def _staff_unreachable(case: Case, event: Event, body: Any) -> None:
    effect = _effect(case, body.effect_id)
    clock = climbing_after(case, effect.staff_alert) if effect else None
    if clock is not None:
        clock.climb.why = Climb.WHY_UNREACHABLE


# --- decisions and settlements ---


@_on("decision_requested")
def _decision_requested(case: Case, event: Event, body: Any) -> None:
    case.decision.CopyFrom(body.request)
    if body.request.subject == DecisionRequest.SUBJECT_SETTLEMENT:
        case.stage = Stage.STAGE_AWAITING_APPROVAL


@_on("decision_taken")
def _decision_taken(case: Case, event: Event, body: Any) -> None:
    case.decision.state = DecisionRequest.STATE_GRANTED if body.granted else DecisionRequest.STATE_REFUSED
    if body.subject == DecisionRequest.SUBJECT_SETTLEMENT and not body.granted:
        case.stage = Stage.STAGE_NEGOTIATING
        case.settlement.state = Settlement.STATE_NEGOTIATED


@_on("classified")
def _classified(case: Case, event: Event, body: Any) -> None:
    case.category = body.category
    if body.priority:
        case.priority = body.priority
    case.stage = Stage.STAGE_CLASSIFIED


@_on("investigation_started")
def _investigation_started(case: Case, event: Event, body: Any) -> None:
    case.stage = Stage.STAGE_INVESTIGATING
    case.owner = body.specialist


@_on("department_asked")
def _department_asked(case: Case, event: Event, body: Any) -> None:
    case.counters.departments_asked += 1
    if body.department not in case.asked_departments:
        case.asked_departments.append(body.department)


@_on("finding_recorded")
def _finding_recorded(case: Case, event: Event, body: Any) -> None:
    if body.department in case.asked_departments:
        case.asked_departments.remove(body.department)


@_on("settlement_proposed")
def _settlement_proposed(case: Case, event: Event, body: Any) -> None:
    negotiations = case.settlement.negotiations
    case.settlement.CopyFrom(
        Settlement(
            remedy=body.remedy,
            state=Settlement.STATE_PROPOSED,
            proposed_role=body.proposed_role,
            negotiations=negotiations,
        )
    )
    case.stage = Stage.STAGE_PROPOSED


@_on("settlement_negotiated")
def _settlement_negotiated(case: Case, event: Event, body: Any) -> None:
    case.settlement.state = Settlement.STATE_NEGOTIATED
    case.settlement.negotiations += 1
    case.stage = Stage.STAGE_NEGOTIATING


@_on("settlement_agreed")
def _settlement_agreed(case: Case, event: Event, body: Any) -> None:
    case.settlement.state = Settlement.STATE_AGREED
    _take_offer_back(case)


@_on("settlement_approved")
def _settlement_approved(case: Case, event: Event, body: Any) -> None:
    case.settlement.state = Settlement.STATE_APPROVED
    case.stage = Stage.STAGE_CARRYING_OUT


@_on("remedy_carried_out")
def _remedy_carried_out(case: Case, event: Event, body: Any) -> None:
    case.settlement.state = Settlement.STATE_CARRIED_OUT


@_on("refund_requested", "compensation_requested", "exchange_requested")
def _remedy_requested(case: Case, event: Event, body: Any) -> None:
    case.settlement.state = Settlement.STATE_CARRYING_OUT
    case.stage = Stage.STAGE_CARRYING_OUT
    _take_offer_back(case)


@_on("refund_failed", "compensation_failed", "exchange_failed")
def _remedy_failed(case: Case, event: Event, body: Any) -> None:
    case.settlement.state = Settlement.STATE_FAILED


# --- returns and parcels ---


@_on("eligibility_decided")
def _eligibility_decided(case: Case, event: Event, body: Any) -> None:
    case.return_details.eligibility = body.eligibility
    case.return_details.goods_come_back = body.goods_come_back
    _take_offer_back(case)
    if body.eligibility == ReturnDetails.ELIGIBILITY_REJECTED:
        case.stage = Stage.STAGE_REJECTED
    elif body.goods_come_back:
        case.stage = Stage.STAGE_AWAITING_GOODS
    else:
        case.stage = Stage.STAGE_CARRYING_OUT


@_on("alternative_offered")
def _alternative_offered(case: Case, event: Event, body: Any) -> None:
    del case.settlement.alternatives[:]
    case.settlement.alternatives.extend(body.alternatives)
    case.settlement.state = Settlement.STATE_PROPOSED


@_on("alternative_chosen")
def _alternative_chosen(case: Case, event: Event, body: Any) -> None:
    case.settlement.remedy.CopyFrom(body.remedy)
    case.settlement.state = Settlement.STATE_AGREED
    _take_offer_back(case)


@_on("goods_received")
def _goods_received(case: Case, event: Event, body: Any) -> None:
    case.stage = Stage.STAGE_RECEIVED
    _take_offer_back(case)
    if body.parcel_id:
        find_parcel(case, body.parcel_id).state = Parcel.STATE_DELIVERED
        _drop_tracking(case, body.parcel_id)


@_on("goods_inspected")
def _goods_inspected(case: Case, event: Event, body: Any) -> None:
    case.return_details.inspection = body.inspection
    if body.inspection == ReturnDetails.INSPECTION_FAILED:
        case.stage = Stage.STAGE_REJECTED
    else:
        case.stage = Stage.STAGE_CARRYING_OUT


@_on("parcel_tracking_started")
def _parcel_tracking_started(case: Case, event: Event, body: Any) -> None:
    case.parcels.add(
        parcel_id=body.parcel_id,
        carrier=body.carrier,
        tracking_no=body.tracking_no,
        direction=body.direction,
        state=Parcel.STATE_UNDERWAY,
        replacement=body.replacement,
    )


@_on("parcel_scanned")
def _parcel_scanned(case: Case, event: Event, body: Any) -> None:
    _scan(case, body, Parcel.STATE_UNDERWAY)


@_on("parcel_delivered")
def _parcel_delivered(case: Case, event: Event, body: Any) -> None:
    _scan(case, body, Parcel.STATE_DELIVERED)


@_on("parcel_stalled")
def _parcel_stalled(case: Case, event: Event, body: Any) -> None:
    find_parcel(case, body.parcel_id).state = Parcel.STATE_STALLED


@_on("parcel_given_up")
def _parcel_given_up(case: Case, event: Event, body: Any) -> None:
    find_parcel(case, body.parcel_id).state = Parcel.STATE_GIVEN_UP
    _drop_tracking(case, body.parcel_id)


@_on("order_found")
def _order_found(case: Case, event: Event, body: Any) -> None:
    case.order.found = True
    for name in ("order_id", "state", "category", "paid_minor", "currency"):
        setattr(case.order, name, getattr(body, name))
    for name in ("paid_at", "delivered_at"):
        if body.HasField(name):
            getattr(case.order, name).CopyFrom(getattr(body, name))


@_on("order_not_found")
def _order_not_found(case: Case, event: Event, body: Any) -> None:
    case.order.order_id = body.order_id
    case.order.found = False


@_on("exchange_unavailable")
def _exchange_unavailable(case: Case, event: Event, body: Any) -> None:
    case.settlement.state = Settlement.STATE_PROPOSED
    case.settlement.remedy.kind = RemedyKind.REMEDY_KIND_REFUND
    case.settlement.remedy.ClearField("sku")
    case.settlement.remedy.ClearField("quantity")
    case.stage = Stage.STAGE_PROPOSED


# --- closing and coming back ---


@_on("resolved")
def _resolved(case: Case, event: Event, body: Any) -> None:
    case.stage = Stage.STAGE_RESOLVED
    case.resolved_at.seconds = event.at.seconds
    _take_offer_back(case)


@_on("customer_told")
def _customer_told(case: Case, event: Event, body: Any) -> None:
    # What is still to be decided cannot have been told.
    if body.purpose == Purpose.PURPOSE_DECISION and case.decision.state != DecisionRequest.STATE_ASKED:
        case.ClearField("decision")
    if body.purpose != Purpose.PURPOSE_RESULT or case.stage != Stage.STAGE_RESOLVED:
        return
    case.stage = Stage.STAGE_TOLD
    case.told_at.seconds = event.at.seconds
    if body.HasField("confirm_by"):
        _set_alarm(case, Alarm.NAME_CONFIRMATION_LAPSES, body.confirm_by.seconds)


@_on("confirmed")
def _confirmed(case: Case, event: Event, body: Any) -> None:
    case.stage = Stage.STAGE_CONFIRMED
    _clear_alarms(case, Alarm.NAME_CONFIRMATION_LAPSES)


@_on("survey_sent")
def _survey_sent(case: Case, event: Event, body: Any) -> None:
    case.counters.surveys += 1
    _set_alarm(case, Alarm.NAME_SURVEY_LAPSES, body.lapses_at.seconds)


@_on("rated")
def _rated(case: Case, event: Event, body: Any) -> None:
    case.satisfaction.score = body.score
    _judge(case, satisfied=body.satisfied)
    # The answer came after the case had been closed without one.
    if body.satisfied and case.stage == Stage.STAGE_CLOSED:
        case.closure.how = Closure.HOW_SATISFIED


@_on("survey_lapsed")
def _survey_lapsed(case: Case, event: Event, body: Any) -> None:
    case.satisfaction.verdict = Satisfaction.VERDICT_UNANSWERED
    _clear_alarms(case, Alarm.NAME_SURVEY_LAPSES)


@_on("callback_scheduled")
def _callback_scheduled(case: Case, event: Event, body: Any) -> None:
    case.callback.CopyFrom(Callback(not_before=body.not_before, due_at=body.due_at))
    _set_alarm(case, Alarm.NAME_CALLBACK_OPENS, body.not_before.seconds)


@_on("callback_opened")
def _callback_opened(case: Case, event: Event, body: Any) -> None:
    _clear_alarms(case, Alarm.NAME_CALLBACK_OPENS)


@_on("callback_made")
def _callback_made(case: Case, event: Event, body: Any) -> None:
    if body.result == CallbackMade.RESULT_NOT_REACHED:
        case.callback.attempts += 1
        return
    _end_callback(case)
    incident_changes.follow_ups_done(case)
    _judge(case, satisfied=body.result == CallbackMade.RESULT_SATISFIED)


@_on("callback_abandoned")
def _callback_abandoned(case: Case, event: Event, body: Any) -> None:
    _end_callback(case)
    incident_changes.follow_ups_done(case)


@_on("dissatisfaction_reviewed")
def _dissatisfaction_reviewed(case: Case, event: Event, body: Any) -> None:
    case.review_owed = False


@_on("reopened")
def _reopened(case: Case, event: Event, body: Any) -> None:
    case.round = body.round
    case.counters.reopenings += 1
    case.counters.repeat_contacts += body.repeat_contact
    case.stage = Stage.STAGE_INVESTIGATING if case.kind == Kind.KIND_COMPLAINT else Stage.STAGE_IN_PROGRESS
    for name in ("told_at", "resolved_at", "closed_at", "satisfaction", "closure", "merged_into"):
        case.ClearField(name)
    del case.alarms[:]
    _end_callback(case)
    case.settlement.state = Settlement.STATE_UNSPECIFIED
    # What the last round had to say is no longer true.
    _drop_effects(case, lambda effect: effect.notification.purpose in _OF_A_ROUND)


@_on("merge_requested")
def _merge_requested(case: Case, event: Event, body: Any) -> None:
    case.merged_into = body.into_case_id


@_on("merge_refused")
def _merge_refused(case: Case, event: Event, body: Any) -> None:
    case.merged_into = ""


@_on("link_accepted")
def _link_accepted(case: Case, event: Event, body: Any) -> None:
    _link(case, body.case_id, CaseLink.RELATION_RELATED)
    if case.kind == Kind.KIND_INCIDENT:
        incident_changes.linked_by_demand(case, body.case_id)


@_on("linked")
def _linked(case: Case, event: Event, body: Any) -> None:
    _link(case, body.link.case_id, body.link.relation)
    if body.link.relation == CaseLink.RELATION_INCIDENT:
        incident_changes.tie(case, body.link.case_id)


@_on("duplicate_absorbed")
def _duplicate_absorbed(case: Case, event: Event, body: Any) -> None:
    _link(case, body.case_id, CaseLink.RELATION_DUPLICATE)


@_on("case_closed")
def _case_closed(case: Case, event: Event, body: Any) -> None:
    case.stage = Stage.STAGE_CLOSED
    case.closed_at.seconds = event.at.seconds
    case.closure.CopyFrom(body.closure)
    case.ClearField("decision")
    case.review_owed = False
    del case.alarms[:]
    _end_callback(case)
    incident_changes.follow_ups_done(case)
    _drop_effects(case, lambda effect: effect.WhichOneof("demand") in _ENDS_WITH_THE_CASE)
    if body.closure.how == Closure.HOW_DRILL_OVER and case.kind != Kind.KIND_DRILL:
        del case.pending_effects[:]


@_on("policy_changed")
def _policy_changed(case: Case, event: Event, body: Any) -> None:
    case.policy.CopyFrom(body.policy)


@_on("handed_over")
def _handed_over(case: Case, event: Event, body: Any) -> None:
    case.time_base.CopyFrom(body.time_base)
    case.silent = body.silent
    # The case slept on the importer's clock: what time would have brought is as far ahead as it was.
    for instant in _ahead(case):
        instant.seconds += body.slept_seconds
    if body.HasField("confirm_by"):
        _set_alarm(case, Alarm.NAME_CONFIRMATION_LAPSES, body.confirm_by.seconds)


# --- parts ---


def find_clock(case: Case, clock_id: str) -> Clock | None:
    """The clock with an id, if the case still shows it."""
    return next((clock for clock in case.clocks if clock.clock_id == clock_id), None)


def climbing_after(case: Case, alert: StaffAlerted) -> Clock | None:
    """The clock whose last step an alert was; None when the step was overtaken or acknowledged, or it was no step."""
    clock = find_clock(case, alert.clock_id) if alert.step else None
    if clock is None or not clock.climb.HasField("next_at") or clock.climb.steps != alert.step:
        return None
    return clock


def find_parcel(case: Case, parcel_id: str) -> Parcel:
    """The parcel with an id inside the case."""
    return next(parcel for parcel in case.parcels if parcel.parcel_id == parcel_id)


def _clock(case: Case, clock_id: str) -> Clock:
    clock = find_clock(case, clock_id)
    if clock is None:
        raise LookupError(f"{case.case_id} has no clock {clock_id}")
    return clock


def _reckoned(case: Case, event: Event, reckoning: Reckoning) -> Clock:
    clock = _clock(case, reckoning.clock_id)
    clock.elapsed_seconds = reckoning.elapsed_seconds
    clock.counted_at.seconds = event.at.seconds
    del clock.paused[:]
    clock.paused.extend(reckoning.paused)
    return clock


def _set_marks(clock: Clock, body: Any) -> None:
    for name in ("warn_at", "flag_at"):
        if body.HasField(name):
            getattr(clock, name).seconds = getattr(body, name).seconds
        else:
            clock.ClearField(name)


def _stop_marks(clock: Clock) -> None:
    clock.ClearField("warn_at")
    clock.ClearField("flag_at")
    # The due time that a breached clock missed stays on record.
    if not clock.breached:
        clock.ClearField("due_at")


def _end_clock(case: Case, event: Event, reckoning: Reckoning, state: Clock.State.ValueType) -> None:
    clock = _reckoned(case, event, reckoning)
    clock.state = state
    clock.ClearField("warn_at")
    clock.ClearField("flag_at")
    clock.ClearField("pause_cause")
    clock.climb.ClearField("next_at")


def _set_alarm(case: Case, name: Alarm.Name.ValueType, due: int) -> None:
    _clear_alarms(case, name)
    case.alarms.add(name=name).due_at.seconds = due


def _clear_alarms(case: Case, name: Alarm.Name.ValueType) -> None:
    for i in reversed([i for i, alarm in enumerate(case.alarms) if alarm.name == name]):
        del case.alarms[i]


def _flag(case: Case, why: str) -> None:
    if why not in case.quality_flags:
        case.quality_flags.append(why)


def _judge(case: Case, *, satisfied: bool) -> None:
    _clear_alarms(case, Alarm.NAME_CONFIRMATION_LAPSES)
    _clear_alarms(case, Alarm.NAME_SURVEY_LAPSES)
    if satisfied:
        case.satisfaction.verdict = Satisfaction.VERDICT_SATISFIED
        return
    case.satisfaction.verdict = Satisfaction.VERDICT_DISSATISFIED
    case.stage = Stage.STAGE_DISSATISFIED
    case.ClearField("closure")
    case.ClearField("closed_at")
    case.review_owed = True
    _end_callback(case)
    _flag(case, "dissatisfied customer")


def _end_callback(case: Case) -> None:
    case.ClearField("callback")
    _clear_alarms(case, Alarm.NAME_CALLBACK_OPENS)
    _drop_effects(case, lambda effect: effect.WhichOneof("demand") == "callback")


def _link(case: Case, case_id: str, relation: CaseLink.Relation.ValueType) -> None:
    if all(link.case_id != case_id for link in case.links):
        case.links.add(case_id=case_id, relation=relation)


def _scan(case: Case, body: Any, state: Parcel.State.ValueType) -> None:
    parcel = find_parcel(case, body.parcel_id)
    parcel.state = state
    parcel.last_scan_at.CopyFrom(body.scan.scanned_at)
    parcel.last_scan_place = body.scan.place


def _ahead(case: Case) -> Iterator[Timestamp]:
    """Every instant in the case's future that is no clock's own mark."""
    yield from (alarm.due_at for alarm in case.alarms)
    yield from (clock.climb.next_at for clock in case.clocks if clock.climb.HasField("next_at"))
    if case.waiting.HasField("until"):
        yield case.waiting.until
    if case.HasField("callback"):
        yield from _of_call(case.callback)
    for effect in case.pending_effects:
        if effect.HasField("callback"):
            yield from _of_call(effect.callback)


def _of_call(call: Callback | CallbackScheduled) -> Iterator[Timestamp]:
    yield call.not_before
    if call.HasField("due_at"):
        yield call.due_at


def _take_offer_back(case: Case) -> None:
    del case.settlement.alternatives[:]


def _effect(case: Case, effect_id: str) -> Effect | None:
    return next((effect for effect in case.pending_effects if effect.effect_id == effect_id), None)


def _demand(case: Case, event: Event, name: str) -> None:
    # Nobody outside is written to, asked or billed about a silent case; our own other cases may know of it.
    if case.silent and (name not in _AMONG_CASES or case.time_base.mode == TimeBase.MODE_IMPORTED):
        return
    effect = case.pending_effects.add(effect_id=effect_id_of(case.case_id, event.seq))
    effect.requested_at.seconds = event.at.seconds
    getattr(effect, DEMANDS[name]).CopyFrom(getattr(event, name))


def _settle(case: Case, effect_id: str) -> None:
    _drop_effects(case, lambda effect: effect.effect_id == effect_id)


def _drop_tracking(case: Case, parcel_id: str) -> None:
    _drop_effects(case, lambda effect: effect.tracking.parcel_id == parcel_id)


def _has_effect_id(name: str) -> bool:
    body = Event.DESCRIPTOR.fields_by_name[name].message_type
    return body is not None and "effect_id" in body.fields_by_name


_OUTCOMES = frozenset(
    field.name for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields if _has_effect_id(field.name)
)


def pending_effects(case: Case) -> list[Effect]:
    """What must still be done outside for a case: demanded by an event, no outcome logged yet."""
    return list(case.pending_effects)
