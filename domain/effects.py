"""What a case demands outside, and until when: an effect is pending from the event that demands it to its outcome."""

from collections.abc import Callable

from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.effect_pb2 import Effect
from casetrail.v1.event_pb2 import Event

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

# Demands on other cases.
_AMONG_CASES = frozenset({"merge_requested", "link_requested"})

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


def _has_effect_id(name: str) -> bool:
    body = Event.DESCRIPTOR.fields_by_name[name].message_type
    return body is not None and "effect_id" in body.fields_by_name


# Outcomes with which the effect is over.
_ENDS = (
    frozenset(field.name for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields if _has_effect_id(field.name))
    - PROGRESS
)


def pending_effects(case: Case) -> list[Effect]:
    """What must still be done outside for a case: demanded by an event, no outcome logged yet."""
    return list(case.pending_effects)


def effect_id_of(case_id: str, seq: int) -> str:
    """The id of the effect that an event demands."""
    return f"{case_id}:{seq}"


def follow(case: Case, event: Event, name: str) -> None:
    """Take in what an event, whose body has this name, demands outside or has come of a demand."""
    if name in DEMANDS:
        _demand(case, event, name)
    elif name in _ENDS:
        effect_id = getattr(event, name).effect_id
        drop_effects(case, lambda effect: effect.effect_id == effect_id)


def drop_effects(case: Case, matches: Callable[[Effect], bool]) -> None:
    """Nobody waits for these effects any more."""
    for i in reversed([i for i, effect in enumerate(case.pending_effects) if matches(effect)]):
        del case.pending_effects[i]


def _demand(case: Case, event: Event, name: str) -> None:
    # Nobody outside is written to, asked or billed about a silent case; our own other cases may know of it.
    if case.silent and (name not in _AMONG_CASES or case.time_base.mode == TimeBase.MODE_IMPORTED):
        return
    effect = case.pending_effects.add(effect_id=effect_id_of(case.case_id, event.seq))
    effect.requested_at.seconds = event.at.seconds
    getattr(effect, DEMANDS[name]).CopyFrom(getattr(event, name))
