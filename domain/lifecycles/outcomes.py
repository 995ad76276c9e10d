"""What came of an effect, and what follows from it."""

from collections.abc import Callable
from typing import Any

from casetrail.v1.case_pb2 import Case, Closure
from casetrail.v1.command_pb2 import ReportOutcome
from casetrail.v1.effect_pb2 import Effect
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Channel, Kind, ParcelDirection, Role, Stage
from domain import ladder
from domain.draft import Draft
from domain.drills import lifecycle as drill
from domain.lifecycles import closing, joining, linked, notices, remedies, returns, talk, tasks
from domain.parts import find_effect, parcel_of
from domain.refusal import Rejected
from domain.rulebook import next_role

Consequence = Callable[[Draft, Effect, Any], None]

# What an outcome is about is known from the demand: demand → fields that are copied from it.
_ABOUT = {
    "tracking": ("parcel_id",),
    "carrier_question": ("parcel_id",),
    "task": ("task_id",),
    "public_notice": ("notice_id",),
    "relay": ("case_id", "notice_id"),
    "follow_up": ("case_id",),
    "restoration": ("inject_id",),
    "judgement": ("expectation_id",),
    "move": ("move_id",),
}


def report(draft: Draft, command: ReportOutcome) -> None:
    """Record what came of a pending effect."""
    effect = _pending(draft.case, command.effect_id)
    demand = effect.WhichOneof("demand") or ""
    name = command.outcome.WhichOneof("result") or ""
    if name not in _RESULTS[demand]:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_UNKNOWN_EFFECT,
            f"{name} is no outcome of {command.effect_id}, which is {demand}",
            field="report_outcome.outcome",
        )
    body = getattr(command.outcome, name)
    body.effect_id = command.effect_id
    for field in _ABOUT.get(demand, ()):
        setattr(body, field, getattr(getattr(effect, demand), field))
    draft.add(body)
    # What comes after the end is kept, and leads to nothing; only a link is never left where there is none.
    if draft.case.stage == Stage.STAGE_CLOSED and name != "link_failed":
        return
    if consequence := _RESULTS[demand][name]:
        consequence(draft, effect, body)


def _pending(case: Case, effect_id: str) -> Effect:
    effect = find_effect(case, effect_id)
    if effect is None:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_UNKNOWN_EFFECT, f"no effect {effect_id} of {case.case_id} is pending"
        )
    # A copy: recording the outcome takes the effect out of the case.
    found = Effect()
    found.CopyFrom(effect)
    return found


def _delivered(draft: Draft, effect: Effect, body: Any) -> None:
    talk.told(draft, effect.notification.purpose, Channel.CHANNEL_EMAIL)


def _undeliverable(draft: Draft, effect: Effect, body: Any) -> None:
    ladder.alert(
        draft,
        Role.ROLE_AGENT,
        "the customer cannot be written to; tell by another way",
        owner=draft.case.owner,
    )


def _nobody_there(draft: Draft, effect: Effect, body: Any) -> None:
    if effect.staff_alert.step:
        ladder.nobody_there(draft, effect.staff_alert)
        return
    if above := next_role(max(effect.staff_alert.role, Role.ROLE_AGENT)):
        ladder.alert(draft, above, effect.staff_alert.text, clock_id=effect.staff_alert.clock_id)


def _order_known(draft: Draft, effect: Effect, body: Any) -> None:
    returns.try_rules(draft)


def _paid(draft: Draft, effect: Effect, body: Any) -> None:
    remedies.paid(draft)


def _remedy_failed(draft: Draft, effect: Effect, body: Any) -> None:
    remedies.failed(draft, body.why)


def _dispatched(draft: Draft, effect: Effect, body: Any) -> None:
    remedies.dispatched(draft, body)


def _out_of_stock(draft: Draft, effect: Effect, body: Any) -> None:
    remedies.out_of_stock(draft)


def _arrived(draft: Draft, effect: Effect, body: Any) -> None:
    parcel = parcel_of(draft.case, body.parcel_id)
    sent_back = parcel.direction == ParcelDirection.PARCEL_DIRECTION_INBOUND
    if sent_back and draft.case.stage == Stage.STAGE_AWAITING_GOODS:
        returns.arrived(draft, body.parcel_id)
    elif parcel.replacement and draft.case.stage == Stage.STAGE_CARRYING_OUT:
        closing.resolved(draft, solution="exchange")


def _lost_track(draft: Draft, effect: Effect, body: Any) -> None:
    ladder.alert(draft, Role.ROLE_AGENT, "the carrier does not know the parcel", owner=draft.case.owner)


def _merged(draft: Draft, effect: Effect, body: Any) -> None:
    closing.close(draft, Closure.HOW_MERGED)


def _linked(draft: Draft, effect: Effect, body: Any) -> None:
    if draft.case.kind == Kind.KIND_INCIDENT:
        linked.accepted(draft, body.case_id)


def _not_linked(draft: Draft, effect: Effect, body: Any) -> None:
    if not effect.link.incident:
        joining.not_linked(draft, body.case_id)


def _department_unreachable(draft: Draft, effect: Effect, body: Any) -> None:
    tasks.unreachable(draft, body.task_id)


def _notice_failed(draft: Draft, effect: Effect, body: Any) -> None:
    notices.failed(draft, body.notice_id)


def _follow_up_failed(draft: Draft, effect: Effect, body: Any) -> None:
    linked.not_followed_up(draft, body.case_id)


def _drill_goes_on(draft: Draft, effect: Effect, body: Any) -> None:
    drill.go_on(draft)


# Demand → its outcomes → what follows.
_RESULTS: dict[str, dict[str, Consequence | None]] = {
    "notification": {"notification_delivered": _delivered, "notification_failed": _undeliverable},
    "staff_alert": {"staff_reached": None, "staff_unreachable": _nobody_there},
    "order_lookup": {"order_found": _order_known, "order_not_found": None},
    "refund": {"refunded": _paid, "refund_failed": _remedy_failed},
    "compensation": {"compensated": _paid, "compensation_failed": _remedy_failed},
    "exchange": {
        "exchange_dispatched": _dispatched,
        "exchange_unavailable": _out_of_stock,
        "exchange_failed": _remedy_failed,
    },
    "tracking": {"parcel_scanned": None, "parcel_delivered": _arrived, "tracking_failed": _lost_track},
    "carrier_question": {"carrier_answered": None},
    "callback": {"callback_reminded": None},
    "merge": {"merge_accepted": _merged, "merge_refused": None},
    "link": {"link_accepted": _linked, "link_failed": _not_linked},
    "task": {"department_reached": None, "department_unreachable": _department_unreachable},
    "public_notice": {"notice_published": None, "notice_failed": _notice_failed},
    "relay": {"relay_accepted": None, "relay_refused": None},
    "follow_up": {"case_followed_up": None, "follow_up_failed": _follow_up_failed},
    "inject": {"inject_made": _drill_goes_on, "inject_failed": _drill_goes_on},
    "observation": {"cue_seen": None, "expectation_met": _drill_goes_on, "expectation_met_late": _drill_goes_on},
    "judgement": dict.fromkeys(("expectation_met", "expectation_met_late", "expectation_missed"), _drill_goes_on),
    "move": {"move_made": None, "move_failed": None},
    "restoration": dict.fromkeys(("system_restored", "restoration_failed"), _drill_goes_on),
    "clearance": {"drill_cleared": None},
}
