"""What each event says in words: the table behind the timeline.

A sentence is a template over the event's body. `{path}` stands for a field, `{path:shape}` for a field in a
certain shape (see timeline.py); a part in [brackets] is left out when a field in it is empty. Where a body has
several sentences, the first whose condition holds is told.
"""

from dataclasses import dataclass
from enum import Enum


class Weight(Enum):
    """How much an event matters to somebody who reads the case."""

    QUIET = "quiet"
    PLAIN = "plain"
    SPOKEN = "spoken"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A way to tell an event.

    Attributes:
        weight: How much it matters.
        text: The template.
        when: A field that must be filled, `field=word` for an enum, or `field!=other` for two fields that must differ;
            empty when the sentence always fits.
    """

    weight: Weight
    text: str
    when: str = ""


def _one(weight: Weight, text: str) -> tuple[Sentence, ...]:
    return (Sentence(weight, text),)


_QUIET, _PLAIN, _SPOKEN = Weight.QUIET, Weight.PLAIN, Weight.SPOKEN
_GOOD, _WARNING, _BAD = Weight.GOOD, Weight.WARNING, Weight.BAD

_SAID = "[: {words.text:quote}][ ({words.attachments:count} attached)]"
_CLOCK = "clock {clock.name:name}[ {clock.subject}]"
_STOOD = "[; stood {clock.paused:paused}]"

SENTENCES: dict[str, tuple[Sentence, ...]] = {
    "CaseOpened": (
        Sentence(
            _BAD,
            "incident declared[ by the rule {incident.source.rule}][: {subject:quote}]"
            "[, suspected level {incident.level}][, crisis {incident.crisis}][; drill {drill_id}]"
            "[; {words.text:quote}]",
            when="kind=incident",
        ),
        Sentence(
            _PLAIN,
            "{kind} opened by {channel}[: {subject:quote}][, order {order_id}][, imported from {source}]"
            "[, wants {wanted:remedy}][; drill {drill_id}][; {words.text:quote}]",
        ),
    ),
    "Assigned": _one(_PLAIN, "given to {to}[ of {team}]"),
    "Transferred": _one(_PLAIN, "handed on[ from {from_owner}][ to {to_owner}][ to team {team}][: {why:quote}]"),
    "Accepted": _one(_GOOD, "accepted"),
    "AnswerOffered": _one(_SPOKEN, "automatic answer {article}" + _SAID),
    "Replied": _one(_SPOKEN, "replied" + _SAID),
    "MessageReceived": _one(
        _SPOKEN, "the customer wrote[ again, within a day of a result{repeat_contact:mark}]" + _SAID
    ),
    "WaitStarted": _one(
        _WARNING, "waits for the {waiting.cause}[ {waiting.party}][ until {waiting.until}][: {why:quote}]"
    ),
    "WaitEnded": _one(_PLAIN, "the wait for the {cause} is over[: {why:quote}]"),
    "NoteAdded": _one(_PLAIN, "note" + _SAID),
    "Prioritized": _one(_PLAIN, "priority is now {priority}[: {why:quote}]"),
    "Reclassified": _one(_PLAIN, "is now a matter of[ kind {kind}][ category {category}][: {why:quote}]"),
    "Linked": _one(_PLAIN, "linked to {link.case_id} ({link.relation})"),
    "Unlinked": _one(_PLAIN, "not linked to {case_id} after all"),
    "DuplicateAbsorbed": _one(_PLAIN, "took over its duplicate {case_id}[: {why:quote}]"),
    "MergeRequested": _one(_PLAIN, "asks to go on in {into_case_id}[: {reason:quote}]"),
    "LinkRequested": _one(_QUIET, "asks {case_id} to note the link"),
    "ClockStarted": _one(
        _QUIET,
        _CLOCK + " starts: {clock.target_seconds:span}[, due {clock.due_at}]",
    ),
    "ClockPaused": _one(
        _WARNING,
        _CLOCK + " stands: waiting for the {cause}[; {clock.elapsed_seconds:span} counted]",
    ),
    "ClockResumed": _one(_QUIET, _CLOCK + " goes on[ after the {cause}][, due {clock.due_at}]" + _STOOD),
    "ClockWarned": _one(_WARNING, _CLOCK + " warns: {clock:left} left"),
    "ClockFlagged": _one(_WARNING, _CLOCK + " flagged for quality review after {clock.elapsed_seconds:span}"),
    "ClockBreached": _one(_BAD, _CLOCK + " BREACHED: {clock.target_seconds:span} are over" + _STOOD),
    "ClockMet": _one(_GOOD, _CLOCK + " met in {clock.elapsed_seconds:span}, {clock:left} to spare" + _STOOD),
    "ClockMetLate": _one(
        _WARNING,
        _CLOCK + " met {late_seconds:span} late, after {clock.elapsed_seconds:span}"
        " of {clock.target_seconds:span}" + _STOOD,
    ),
    "ClockCancelled": _one(_QUIET, _CLOCK + " no longer counts[: {why:quote}]" + _STOOD),
    "ClockRebased": (
        Sentence(
            _PLAIN,
            _CLOCK + " changes from {old_target_seconds:span} to {clock.target_seconds:span}[, due {clock.due_at}]",
            when="old_target_seconds!=clock.target_seconds",
        ),
        Sentence(
            _QUIET, _CLOCK + " is still {clock.target_seconds:span}, on the ladder {ladder:name}[, due {clock.due_at}]"
        ),
    ),
    "EscalationStepped": _one(
        _BAD,
        "escalation of {clock_name:name}[ {clock_subject}], step {step}, to the {role}[: {why:why}]"
        "[; the case passes to the {role}{takes_over:mark}][; next step {next_at}]",
    ),
    "EscalationAcknowledged": _one(_GOOD, "the escalation is taken on, the ladder of {clock_id} stops[: {why:quote}]"),
    "DecisionRequested": _one(
        _WARNING,
        "a decision of the {request.needed_role} is asked for[: {request.question:quote}]"
        "[, {request.amount_minor:amount}]",
    ),
    "DecisionTaken": (
        Sentence(_GOOD, "granted[, about the {subject}]" + _SAID, when="granted"),
        Sentence(_WARNING, "not granted[, about the {subject}]" + _SAID),
    ),
    "Classified": _one(_PLAIN, "classified as {category}[, priority {priority}]"),
    "InvestigationStarted": _one(_PLAIN, "investigation begins[ by {specialist}]"),
    "DepartmentAsked": _one(_PLAIN, "asked the department {department}" + _SAID),
    "FindingRecorded": _one(_PLAIN, "finding[ of {department}]" + _SAID),
    "SettlementProposed": _one(_SPOKEN, "proposed {remedy:remedy}" + _SAID),
    "SettlementNegotiated": _one(_SPOKEN, "the customer wants something else[: {wanted_minor:amount}]" + _SAID),
    "SettlementAgreed": _one(_GOOD, "the customer agrees"),
    "SettlementApproved": _one(_GOOD, "settlement approved[ on the authority of the {by_role}]"),
    "RemedyCarriedOut": _one(_GOOD, "carried out: {remedy:remedy}"),
    "EligibilityDecided": (
        Sentence(
            _GOOD,
            "the return is approved[; the goods come back{goods_come_back:mark}][: {why:quote}]",
            when="eligibility=approved",
        ),
        Sentence(_WARNING, "the return is rejected[: {why:quote}]", when="eligibility=rejected"),
        Sentence(_PLAIN, "a person must decide on the return[: {why:quote}]"),
    ),
    "AlternativeOffered": _one(_SPOKEN, "offered instead: {alternatives}[: {why:quote}]"),
    "AlternativeChosen": _one(_SPOKEN, "the customer chooses {remedy:remedy}"),
    "GoodsReceived": _one(_PLAIN, "the goods are here[ (parcel {parcel_id})]"),
    "GoodsInspected": (
        Sentence(_GOOD, "inspection passed" + _SAID, when="inspection=passed"),
        Sentence(_WARNING, "inspection failed" + _SAID),
    ),
    "ParcelStalled": _one(_WARNING, "parcel {parcel_id} has not been scanned for {without_scan}"),
    "ParcelGivenUp": _one(_BAD, "parcel {parcel_id} is taken as lost after {without_scan} without a scan"),
    "Resolved": _one(_GOOD, "resolved[ by {solution}]" + _SAID),
    "CustomerTold": (
        Sentence(_GOOD, "the customer was told of the incident[ by {channel}]", when="purpose=incident"),
        Sentence(_GOOD, "the customer was told that the incident is over[ by {channel}]", when="purpose=incident over"),
        Sentence(_GOOD, "the customer was told the {purpose}[ by {channel}][; silence confirms at {confirm_by}]"),
    ),
    "Confirmed": _one(_GOOD, "the customer confirms"),
    "ConfirmationLapsed": _one(_PLAIN, "no objection in time: taken as confirmed"),
    "SurveySent": _one(_QUIET, "satisfaction is asked[, until {lapses_at}]"),
    "Rated": (
        Sentence(
            _GOOD,
            "the customer is satisfied[, {score} of 5][, recommends {recommend} of 10]" + _SAID,
            "satisfied",
        ),
        Sentence(_BAD, "the customer is DISSATISFIED[, {score} of 5][, recommends {recommend} of 10]" + _SAID),
    ),
    "SurveyLapsed": _one(_QUIET, "the survey was not answered"),
    "CallbackOpened": _one(_QUIET, "the follow-up call may be made"),
    "CallbackMade": (
        Sentence(_GOOD, "called back: satisfied" + _SAID, when="result=satisfied"),
        Sentence(_BAD, "called back: DISSATISFIED" + _SAID, when="result=dissatisfied"),
        Sentence(_WARNING, "called back: not reached" + _SAID),
    ),
    "CallbackAbandoned": _one(_WARNING, "no more follow-up calls[: not reached in {attempts}]"),
    "DissatisfactionAnswered": _one(_SPOKEN, "answered the dissatisfied customer" + _SAID),
    "DissatisfactionReviewed": _one(_PLAIN, "reviewed why the customer is dissatisfied" + _SAID),
    "Reopened": _one(_WARNING, "reopened, round {round}[: {why:quote}]"),
    "Withdrawn": _one(_PLAIN, "withdrawn by the customer[: {why:quote}]"),
    "CaseClosed": _one(_GOOD, "closed[ ({closure.how})]"),
    "PolicyChanged": _one(_PLAIN, "now under policy {policy.policy_id}[: {why:quote}]"),
    "HandedOver": _one(_PLAIN, "handed over to live time[: {why:quote}]"),
    "RowImported": (
        Sentence(_WARNING, "row kept as a note, refused: {refused:quote}[; {raw:quote}]", when="refused"),
        Sentence(_QUIET, "row imported[: {raw:quote}]"),
    ),
    "NotificationRequested": _one(_QUIET, "a notice ({purpose}) is to go out"),
    "StaffAlerted": _one(_QUIET, "the {role} is to be told[, {owner}][, {department}][: {text:quote}]"),
    "OrderLookupRequested": _one(_QUIET, "the shop is asked about order {order_id}"),
    "RefundRequested": _one(_PLAIN, "refund asked of the shop: {amount_minor:amount}, order {order_id}"),
    "CompensationRequested": _one(_PLAIN, "compensation asked of the shop: {amount_minor:amount}"),
    "ExchangeRequested": _one(_PLAIN, "exchange asked of the shop: {quantity} × {sku}"),
    "ParcelTrackingStarted": _one(_QUIET, "parcel {parcel_id} is tracked: {carrier} {tracking_no}, {direction}"),
    "CarrierAsked": _one(_PLAIN, "carrier {carrier} is asked about parcel {parcel_id}"),
    "CallbackScheduled": _one(_PLAIN, "a follow-up call is promised[ from {not_before}][ to {due_at}]"),
    "NotificationDelivered": _one(_QUIET, "the notice ({purpose}) is delivered"),
    "NotificationFailed": _one(_BAD, "the notice ({purpose}) could not be delivered[: {why:quote}]"),
    "StaffReached": _one(_PLAIN, "reached {people} ({role})"),
    "StaffUnreachable": _one(_BAD, "nobody reached as {role}[: {why:quote}]"),
    "OrderFound": _one(_QUIET, "order {order_id} is {state}[, paid {paid_minor:amount}][, delivered {delivered_at}]"),
    "OrderNotFound": _one(_WARNING, "the shop does not know order {order_id}"),
    "Refunded": _one(_GOOD, "refunded {amount_minor:amount}[ (receipt {reference})]"),
    "RefundFailed": _one(_BAD, "the refund failed[: {why}][, {message:quote}]"),
    "Compensated": _one(_GOOD, "compensated with {amount_minor:amount}[ (receipt {reference})]"),
    "CompensationFailed": _one(_BAD, "the compensation failed[: {why}][, {message:quote}]"),
    "ExchangeDispatched": _one(_GOOD, "sent instead: {sku}[ by {carrier}][ {tracking_no}]"),
    "ExchangeUnavailable": _one(_WARNING, "{sku} is out of stock"),
    "ExchangeFailed": _one(_BAD, "the exchange failed[: {why}][, {message:quote}]"),
    "ParcelScanned": _one(_QUIET, "parcel {parcel_id} scanned[ in {scan.place}][: {scan.status}]"),
    "ParcelDelivered": _one(_GOOD, "parcel {parcel_id} delivered[ in {scan.place}]"),
    "ParcelTrackingFailed": _one(_WARNING, "the carrier does not know parcel {parcel_id}[: {why:quote}]"),
    "CarrierAnswered": _one(_QUIET, "the carrier took the question about parcel {parcel_id}[ as {reference}]"),
    "CallbackReminded": _one(_QUIET, "reminded of the follow-up call: {people}"),
    "MergeAccepted": _one(_GOOD, "goes on in {into_case_id}"),
    "MergeRefused": _one(_WARNING, "{into_case_id} does not take this case over[: {why:quote}]"),
    "LinkAccepted": _one(_QUIET, "{case_id} has noted the link"),
    "LinkFailed": _one(_WARNING, "{case_id} could not note the link[: {why:quote}]"),
    "LogSealed": _one(_QUIET, "{day} sealed: {cases:cases} in the first {size:events}, root {root}"),
    "SigningKeyChanged": _one(_PLAIN, "the log signs from here on with {new_key}"),
    "CustomerErased": _one(
        _WARNING,
        "a customer's personal data erased, {cases:cases}: {why:quote}[; still in {readable_events:events}]",
    ),
    "ArchiveProposed": _one(_PLAIN, "archive {archive_id} proposed: {cases:cases} with {events:events}[: {why:quote}]"),
    "ArchiveApproved": _one(_PLAIN, "archive {archive_id} approved: {cases:cases}"),
    "ArchiveWithdrawn": _one(_PLAIN, "archive {archive_id} withdrawn: {why:quote}"),
    "CasesArchived": _one(_PLAIN, "{cases:cases} with {events:events} moved into {archive_id} ({location})"),
    "CaseRestored": _one(_PLAIN, "{restored_case_id} restored from {archive_id}: {events:events}[: {why:quote}]"),
    "NatureConfirmed": _one(_GOOD, "answered, and known for what it is[: {nature:quote}]"),
    "IncidentGraded": (
        Sentence(
            _WARNING, "graded {level}[, it was {old_level}][, crisis {crisis}][: {why:quote}]", when="old_level!=level"
        ),
        Sentence(_WARNING, "graded {level}[, crisis {crisis}][: {why:quote}]"),
    ),
    "CommandAssumed": _one(_GOOD, "{commander} ({role}) leads[, handed over by {handed_over_by}][: {why:quote}]"),
    "TaskAdded": _one(_PLAIN, "task {task.task_id} for {task.department}[ ({task.owner})][: {task.what:quote}]"),
    "TaskAccepted": _one(_GOOD, "task {task_id} is taken on[ by {owner}]"),
    "TaskRefused": _one(_BAD, "task {task_id} is REFUSED[: {why:quote}]"),
    "TaskReassigned": _one(
        _WARNING,
        "task {task_id} goes[ from {from_department}][ to {to_department}][, to {to_owner}][: {why:quote}]",
    ),
    "TaskCompleted": _one(_GOOD, "task {task_id} is done[: {result:quote}]"),
    "TaskCancelled": _one(_WARNING, "task {task_id} is called off[: {why:quote}]"),
    "TaskReopened": _one(_WARNING, "task {task_id} is to be done after all[: {why:quote}]"),
    "NoticeDrafted": _one(_SPOKEN, "notice {notice.notice_id} drafted[ for {notice.audience}][: {notice.text:quote}]"),
    "NoticeApproved": _one(_GOOD, "notice {notice_id} approved[ on the authority of the {role}]"),
    "NoticeDiscarded": _one(_WARNING, "notice {notice_id} is not sent[: {why:quote}]"),
    "CaseLinked": _one(_PLAIN, "touches {case_id}[, found by {rule}]"),
    "IncidentContained": _one(_GOOD, "contained[: {how:quote}]"),
    "IncidentResolved": _one(_GOOD, "over[: {how:quote}]"),
    "CaseFollowedUpByHand": _one(_GOOD, "{case_id} was followed up by a person[: {how:quote}]"),
    "IncidentFollowedUp": _one(_GOOD, "every customer was followed up"),
    "ReportFiled": _one(_GOOD, "report filed[; cause: {report.cause:quote}]"),
    "IncidentReopened": _one(_BAD, "not over after all[: {why:quote}]"),
    "TaskRequested": _one(_QUIET, "{department} is to be told of task {task_id}[ ({owner})]"),
    "NoticeRequested": _one(_PLAIN, "notice {notice_id} goes out[ to {audience}]"),
    "RelayRequested": _one(_QUIET, "{case_id} is asked to pass notice {notice_id} on"),
    "FollowUpRequested": _one(_QUIET, "{case_id} is asked to follow up"),
    "DepartmentReached": _one(_PLAIN, "reached {people} about task {task_id}"),
    "DepartmentUnreachable": _one(_BAD, "nobody reached about task {task_id}[: {why:quote}]"),
    "NoticePublished": _one(_GOOD, "notice {notice_id} is published[ ({reference})]"),
    "NoticeFailed": _one(_BAD, "notice {notice_id} could not be published[: {why:quote}]"),
    "RelayAccepted": _one(_QUIET, "{case_id} passes notice {notice_id} on"),
    "RelayRefused": _one(_WARNING, "{case_id} does not pass notice {notice_id} on[: {why:quote}]"),
    "CaseFollowedUp": _one(_GOOD, "{case_id} has followed up"),
    "FollowUpFailed": _one(_BAD, "{case_id} cannot follow up by itself[: {why:quote}]"),
    "NoticeRelayed": _one(_PLAIN, "incident {incident_id} says, notice {notice_id}: {text:quote}"),
    "IncidentEnded": _one(_PLAIN, "incident {incident_id} is over[: {text:quote}][; follow-up {follow_up}]"),
    "DrillStarted": _one(_PLAIN, "drill of {scenario_id} started, {max_score} points to win"),
    "DrillAborted": _one(_BAD, "drill aborted: {why:quote}"),
    "DrillEnded": _one(_GOOD, "drill over: {score} of {max_score} points"),
    "DrillRemarked": _one(
        _SPOKEN, "remark by {remark.by}[; problem: {remark.problem:quote}][; improvement: {remark.improvement:quote}]"
    ),
    "InjectRequested": (
        Sentence(_PLAIN, "inject {inject.id}, by hand: {inject.title:quote}", when="by_hand"),
        Sentence(_PLAIN, "inject {inject.id}, by the script: {inject.title:quote}"),
    ),
    "ObservationRequested": _one(_QUIET, "the drill's cases are to be followed"),
    "JudgementRequested": _one(_QUIET, "the time for {expectation_id} is over: it is judged now"),
    "MoveRequested": _one(_QUIET, "{move_id:participant} is to answer {event_id} now"),
    "RestorationRequested": _one(_QUIET, "what {inject_id} made fail is to answer again"),
    "ClearanceRequested": _one(_QUIET, "the drill's cases are to be ended"),
    "InjectMade": _one(_WARNING, "inject {inject_id} has happened[, cases: {case_ids:count}]"),
    "InjectFailed": _one(_BAD, "inject {inject_id} failed: {why}"),
    "ExpectationMet": _one(_GOOD, "{expectation_id} met in time: {score} points"),
    "ExpectationMetLate": _one(_WARNING, "{expectation_id} met late[: {score} points]"),
    "ExpectationMissed": _one(_BAD, "{expectation_id} missed"),
    "CueSeen": _one(_QUIET, "{move_id:participant} has something to answer: {event_id}"),
    "MoveMade": _one(_PLAIN, "{move_id:participant} has answered {move_id:answered}"),
    "MoveFailed": _one(_WARNING, "{move_id:participant} could not answer {move_id:answered}: {why}"),
    "SystemRestored": _one(_GOOD, "what {inject_id} made fail answers again"),
    "RestorationFailed": _one(_BAD, "what {inject_id} made fail could not be restored: {why}"),
    "DrillCleared": _one(_QUIET, "what the drill left open is ended[: {case_ids:cases}]"),
}
