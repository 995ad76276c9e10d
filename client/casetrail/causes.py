"""Why an event happened: what it follows from, back to what a person or the world outside did.

Everything is read from the events of the case themselves, and every link is named by the id of an event. An event was

- brought by time: by the clock, the wait, the survey, the drill's script … that an earlier event set going;
- an outcome: of what an earlier event demanded;
- a consequence: of what came before it in the same request, or at the same moment of time;
- or done by somebody: the chain ends there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile
from typing import Any

from casetrail.v1.case_pb2 import PolicyRef
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role


class Link(Enum):
    """How an event follows from another."""

    CLOCK = "the clock that this is about began"
    LAST_MARK = "the last that was said of this clock"
    DEMAND = "this demanded it, and it was done outside"
    SEEN = "it was seen in the drill's cases, which this had followed"
    SET_GOING = "what time has brought was set going"
    SCRIPT = "the drill's scenario has it at this time; the drill began here"
    CUE = "this is what the participant answers, after the scenario's delay"
    FAULT = "the failure that this made was to last until then"
    SAME_REQUEST = "it follows from this, in the same request"
    SAME_MOMENT = "it follows from this, at the same moment"


@dataclass(frozen=True, slots=True)
class Cause:
    """An earlier event that an event follows from."""

    link: Link
    event: Event


# Alarms and scripts: what they bring → what had set that going.
_SET_GOING: Mapping[str, tuple[Link, Callable[[Any, Event], bool]]] = {
    "confirmation_lapsed": (
        Link.SET_GOING,
        lambda _, event: event.customer_told.HasField("confirm_by") or event.handed_over.HasField("confirm_by"),
    ),
    "survey_lapsed": (Link.SET_GOING, lambda _, event: event.HasField("survey_sent")),
    "wait_ended": (Link.SET_GOING, lambda _, event: event.HasField("wait_started")),
    "callback_opened": (Link.SET_GOING, lambda _, event: event.HasField("callback_scheduled")),
    "inject_requested": (Link.SCRIPT, lambda _, event: event.HasField("drill_started")),
    "judgement_requested": (Link.SCRIPT, lambda _, event: event.HasField("drill_started")),
    "move_requested": (Link.CUE, lambda body, event: event.cue_seen.move_id == body.move_id),
    "restoration_requested": (Link.FAULT, lambda body, event: event.inject_made.inject_id == body.inject_id),
}
_OF_CLOCKS = frozenset(
    {
        "clock_started",
        "clock_paused",
        "clock_resumed",
        "clock_warned",
        "clock_flagged",
        "clock_breached",
        "clock_met",
        "clock_met_late",
        "clock_cancelled",
        "clock_rebased",
    }
)
# What makes a clock stand otherwise than before; and of a ladder, what its next step follows from.
_TURNS = frozenset({"clock_paused", "clock_resumed", "clock_breached", "clock_rebased"})
_CLIMB = frozenset({"clock_breached", "escalation_stepped", "staff_unreachable"})


def causes(event: Event, history: Sequence[Event]) -> Iterator[Cause]:
    """What an event follows from directly: first what brought it now, then what it is about.

    Args:
        event: One of the case's events.
        history: All events of the case, in order.
    """
    body = _body(event)
    before = history[: event.seq - 1]
    if demanded := _demand(body, before):
        yield Cause(Link.SEEN if demanded.HasField("observation_requested") else Link.DEMAND, demanded)
    elif anchor := _anchor(event, before):
        yield Cause(Link.SAME_MOMENT if event.HasField("due") else Link.SAME_REQUEST, anchor)
    elif event.HasField("due") and (set_going := _set_going(event, before)):
        yield set_going
    clock_id = _clock_id(body)
    if clock_id and _name(event) not in ("clock_started", "staff_alerted"):
        yield from _of_clock(event, clock_id, before)


def chain(event: Event, history: Sequence[Event]) -> Iterator[Cause]:
    """The way back from an event to what somebody did, each step once, the latest first."""
    told = {event.seq}
    ahead = list(causes(event, history))
    while ahead:
        ahead.sort(key=lambda cause: -cause.event.seq)
        cause = ahead.pop(0)
        if cause.event.seq in told:
            continue
        told.add(cause.event.seq)
        yield cause
        ahead += causes(cause.event, history)


def ruling(event: Event, history: Sequence[Event]) -> Event | None:
    """The event whose reason holds for an event: itself, or where it is a clock's, what last set that clock.

    Returns:
        None for a step that means the same under every policy.
    """
    if event.reason.rule:
        return event
    clock_id = _clock_id(_body(event)) if _name(event) in _OF_CLOCKS else ""
    before = reversed(history[: event.seq - 1])
    return next((other for other in before if clock_id and other.reason.rule and _sets(other, clock_id)), None)


def _sets(event: Event, clock_id: str) -> bool:
    return _name(event) in ("clock_started", "clock_rebased") and _clock_id(_body(event)) == clock_id


def policy_at(event: Event, history: Sequence[Event]) -> PolicyRef:
    """The policy that the case was under when an event happened."""
    policy = PolicyRef()
    for each in history[: event.seq]:
        if each.HasField("case_opened"):
            policy = each.case_opened.policy
        elif each.HasField("policy_changed"):
            policy = each.policy_changed.policy
    return policy


def _demand(body: Any, before: Sequence[Event]) -> Event | None:  # noqa: ANN401 - any body
    effect_id: str = getattr(body, "effect_id", "")
    return next((event for event in before if event.event_id == effect_id), None) if effect_id else None


def _anchor(event: Event, before: Sequence[Event]) -> Event | None:
    """What an event follows from in what was written with it: the last before it that is no clock's.

    What time brings begins with its own event, a clock's or not: the breach, the step, the lapse.
    """
    together = list(takewhile(lambda other: other.key == event.key, reversed(before)))
    anchor = next((other for other in together if _name(other) not in _OF_CLOCKS), None)
    if anchor or not event.HasField("due"):
        return anchor
    return together[-1] if together else None


def _set_going(event: Event, before: Sequence[Event]) -> Cause | None:
    if _name(event) not in _SET_GOING:
        return None
    link, matches = _SET_GOING[_name(event)]
    return next((Cause(link, other) for other in reversed(before) if matches(_body(event), other)), None)


def scripted_by(event: Event) -> str:
    """The event of a drill whose script had this done in another case; empty when nobody's script did."""
    demand, drill_id = event.key.partition("/")[0], event.drill_id
    for_the_drill = event.actor.via == drill_id or event.actor.role == Role.ROLE_SYSTEM
    return demand if drill_id and for_the_drill and demand.startswith(f"{drill_id}:") else ""


def _of_clock(event: Event, clock_id: str, before: Sequence[Event]) -> Iterator[Cause]:
    marks = _CLIMB if event.HasField("escalation_stepped") else _TURNS
    about = [other for other in before if _clock_id(_body(other)) == clock_id]
    last = next((other for other in reversed(about) if _name(other) in marks), None)
    if last:
        yield Cause(Link.LAST_MARK, last)
    if about:
        yield Cause(Link.CLOCK, about[0])


def _clock_id(body: Any) -> str:  # noqa: ANN401 - any body
    return str(getattr(body, "clock_id", "") or getattr(getattr(body, "clock", None), "clock_id", ""))


def _name(event: Event) -> str:
    return event.WhichOneof("body") or ""


def _body(event: Event) -> Any:  # noqa: ANN401 - any body, or none that this version knows
    return getattr(event, _name(event), None)
