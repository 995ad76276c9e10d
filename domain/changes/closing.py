"""From the solution to the end of a case, and back again."""

from casetrail.v1.case_pb2 import Alarm, Callback, Case, Closure, DecisionRequest, Satisfaction, Settlement
from casetrail.v1.effect_pb2 import CallbackScheduled, Purpose
from casetrail.v1.event_pb2 import (
    CallbackAbandoned,
    CallbackMade,
    CallbackOpened,
    CaseClosed,
    Confirmed,
    CustomerTold,
    DissatisfactionReviewed,
    Event,
    Rated,
    Reopened,
    Resolved,
    SurveyLapsed,
    SurveySent,
)
from casetrail.v1.types_pb2 import Kind, Stage
from domain.changes import incident
from domain.changes.alarms import clear_alarms, set_alarm
from domain.changes.quality import flag
from domain.changes.settlements import take_offer_back
from domain.changes.table import Changes
from domain.effects import drop_effects

CHANGES = Changes()

# Letters that are true only in the round in which they were demanded.
_OF_A_ROUND = frozenset({Purpose.PURPOSE_PROPOSAL, Purpose.PURPOSE_RESULT, Purpose.PURPOSE_SURVEY})

# Work outside that ends with the case.
_ENDS_WITH_THE_CASE = frozenset({"tracking", "carrier_question", "task"})


@CHANGES.on("resolved")
def _resolved(case: Case, event: Event, body: Resolved) -> None:
    case.stage = Stage.STAGE_RESOLVED
    case.resolved_at.seconds = event.at.seconds
    take_offer_back(case)


@CHANGES.on("customer_told")
def _customer_told(case: Case, event: Event, body: CustomerTold) -> None:
    # What is still to be decided cannot have been told.
    if body.purpose == Purpose.PURPOSE_DECISION and case.decision.state != DecisionRequest.STATE_ASKED:
        case.ClearField("decision")
    if body.purpose != Purpose.PURPOSE_RESULT or case.stage != Stage.STAGE_RESOLVED:
        return
    case.stage = Stage.STAGE_TOLD
    case.told_at.seconds = event.at.seconds
    if body.HasField("confirm_by"):
        set_alarm(case, Alarm.NAME_CONFIRMATION_LAPSES, body.confirm_by.seconds)


@CHANGES.on("confirmed")
def _confirmed(case: Case, event: Event, body: Confirmed) -> None:
    case.stage = Stage.STAGE_CONFIRMED
    clear_alarms(case, Alarm.NAME_CONFIRMATION_LAPSES)


@CHANGES.on("survey_sent")
def _survey_sent(case: Case, event: Event, body: SurveySent) -> None:
    case.counters.surveys += 1
    set_alarm(case, Alarm.NAME_SURVEY_LAPSES, body.lapses_at.seconds)


@CHANGES.on("rated")
def _rated(case: Case, event: Event, body: Rated) -> None:
    case.satisfaction.score = body.score
    _judge(case, satisfied=body.satisfied)
    # The answer came after the case had been closed without one.
    if body.satisfied and case.stage == Stage.STAGE_CLOSED:
        case.closure.how = Closure.HOW_SATISFIED


@CHANGES.on("survey_lapsed")
def _survey_lapsed(case: Case, event: Event, body: SurveyLapsed) -> None:
    case.satisfaction.verdict = Satisfaction.VERDICT_UNANSWERED
    clear_alarms(case, Alarm.NAME_SURVEY_LAPSES)


@CHANGES.on("callback_scheduled")
def _callback_scheduled(case: Case, event: Event, body: CallbackScheduled) -> None:
    case.callback.CopyFrom(Callback(not_before=body.not_before, due_at=body.due_at))
    set_alarm(case, Alarm.NAME_CALLBACK_OPENS, body.not_before.seconds)


@CHANGES.on("callback_opened")
def _callback_opened(case: Case, event: Event, body: CallbackOpened) -> None:
    clear_alarms(case, Alarm.NAME_CALLBACK_OPENS)


@CHANGES.on("callback_made")
def _callback_made(case: Case, event: Event, body: CallbackMade) -> None:
    if body.result == CallbackMade.RESULT_NOT_REACHED:
        case.callback.attempts += 1
        return
    _end_callback(case)
    incident.follow_ups_done(case)
    _judge(case, satisfied=body.result == CallbackMade.RESULT_SATISFIED)


@CHANGES.on("callback_abandoned")
def _callback_abandoned(case: Case, event: Event, body: CallbackAbandoned) -> None:
    _end_callback(case)
    incident.follow_ups_done(case)


@CHANGES.on("dissatisfaction_reviewed")
def _dissatisfaction_reviewed(case: Case, event: Event, body: DissatisfactionReviewed) -> None:
    case.review_owed = False


@CHANGES.on("reopened")
def _reopened(case: Case, event: Event, body: Reopened) -> None:
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
    drop_effects(case, lambda effect: effect.notification.purpose in _OF_A_ROUND)


@CHANGES.on("case_closed")
def _case_closed(case: Case, event: Event, body: CaseClosed) -> None:
    case.stage = Stage.STAGE_CLOSED
    case.closed_at.seconds = event.at.seconds
    case.closure.CopyFrom(body.closure)
    case.ClearField("decision")
    case.review_owed = False
    del case.alarms[:]
    _end_callback(case)
    incident.follow_ups_done(case)
    drop_effects(case, lambda effect: effect.WhichOneof("demand") in _ENDS_WITH_THE_CASE)
    if body.closure.how == Closure.HOW_DRILL_OVER and case.kind != Kind.KIND_DRILL:
        del case.pending_effects[:]


def _judge(case: Case, *, satisfied: bool) -> None:
    clear_alarms(case, Alarm.NAME_CONFIRMATION_LAPSES)
    clear_alarms(case, Alarm.NAME_SURVEY_LAPSES)
    if satisfied:
        case.satisfaction.verdict = Satisfaction.VERDICT_SATISFIED
        return
    case.satisfaction.verdict = Satisfaction.VERDICT_DISSATISFIED
    case.stage = Stage.STAGE_DISSATISFIED
    case.ClearField("closure")
    case.ClearField("closed_at")
    case.review_owed = True
    _end_callback(case)
    flag(case, "dissatisfied customer")


def _end_callback(case: Case) -> None:
    case.ClearField("callback")
    clear_alarms(case, Alarm.NAME_CALLBACK_OPENS)
    drop_effects(case, lambda effect: effect.WhichOneof("demand") == "callback")
