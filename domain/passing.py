"""The passing of time: what it owes a case, and when it will owe something next.

Everything here is dated by when it was due, and written under a key of that due time: it comes out the same whether a
timer, a command or a replay looks at the case, and however often.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from casetrail.v1.case_pb2 import Alarm, Case
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.event_pb2 import Event
from domain import clocks, ladder
from domain.draft import SYSTEM, Draft
from domain.drills import lifecycle as drill
from domain.drills import timetable
from domain.instants import Instant
from domain.lifecycles import closing, parcels, waiting
from domain.parts import clock_of
from domain.rulebook import Rulebook


class Due(NamedTuple):
    """Something that time brings. The order decides what comes first at the same instant."""

    at: Instant
    rank: int
    subject: str


_WARN, _FLAG, _BREACH, _STEP, _ALARM, _SCRIPT = range(6)
_NAMES = ("warn", "flag", "breach", "step", "alarm", "script")


def expire(case: Case, at: Instant, rules: Rulebook) -> list[Event]:
    """What the passing of time owes a case up to and including `at`, in the order in which it was due."""
    first = next_wake(case)
    if first is None or first > at:
        return []
    own = Case()
    own.CopyFrom(case)
    draft = Draft(own, at, SYSTEM, rules)
    pass_time(draft, at)
    return draft.events


def pass_time(draft: Draft, at: Instant) -> Instant | None:
    """Let everything happen that is due up to and including `at`; returns when time will owe something next."""
    actor, now, key = draft.actor, draft.at, draft.key
    draft.actor = SYSTEM
    while (due := _next_due(draft.case)) is not None and due.at <= at:
        # What was owed before the case came to be as it is now is owed since then.
        draft.at = max(due.at, draft.case.updated_at.seconds)
        draft.key = _key(draft.case, due)
        _bring(draft, due)
    draft.actor, draft.at, draft.key = actor, now, key
    return due.at if due else None


def next_wake(case: Case) -> Instant | None:
    """The earliest case time at which time will owe something."""
    due = _next_due(case)
    return due.at if due else None


def _next_due(case: Case) -> Due | None:
    return min(_dues(case), default=None)


def _dues(case: Case) -> Iterator[Due]:
    for clock in case.clocks:
        if not clocks.is_open(clock):
            continue
        if clock.HasField("warn_at"):
            yield Due(clock.warn_at.seconds, _WARN, clock.clock_id)
        if clock.HasField("flag_at"):
            yield Due(clock.flag_at.seconds, _FLAG, clock.clock_id)
        if clock.HasField("due_at") and not clock.breached:
            yield Due(clock.due_at.seconds, _BREACH, clock.clock_id)
        if clock.climb.HasField("next_at"):
            yield Due(clock.climb.next_at.seconds, _STEP, clock.clock_id)
    for alarm in case.alarms:
        yield Due(alarm.due_at.seconds, _ALARM, Alarm.Name.Name(alarm.name))
    if case.HasField("drill"):
        for at, what in timetable.dues(case.drill):
            yield Due(at, _SCRIPT, what)


def _key(case: Case, due: Due) -> str:
    name = _NAMES[due.rank]
    if due.rank == _STEP:
        # Two steps of one ladder can fall on one instant.
        name += str(clock_of(case, due.subject).climb.steps + 1)
    # A space, so that no request id can be the same: callers may not use one in theirs.
    return f"{due.subject} {name}@{due.at}"


def _bring(draft: Draft, due: Due) -> None:
    if due.rank == _SCRIPT:
        timetable.bring(draft, due.subject)
        return
    if due.rank == _ALARM:
        _ALARMS[Alarm.Name.Value(due.subject)](draft)
        return
    _MARKS[due.rank](draft, clock_of(draft.case, due.subject))


def _warn(draft: Draft, clock: Clock) -> None:
    draft.add(clocks.warned(clock, draft.at, draft.rules))
    ladder.warn_owner(draft, clock)


def _flag(draft: Draft, clock: Clock) -> None:
    draft.add(clocks.flagged(clock, draft.at, draft.rules))


def _breach(draft: Draft, clock: Clock) -> None:
    draft.add(clocks.breached(clock, draft.at, draft.rules), rule=f"clock.{clock.name}")
    if clock.name == "logistics_stall":
        parcels.stalled(draft, clock)
    elif clock.name == "logistics_loss":
        parcels.given_up(draft, clock)
    elif clock.name == "retrospective" and draft.case.HasField("drill"):
        drill.not_looked_back_at(draft, clock)


_MARKS: dict[int, Callable[[Draft, Clock], None]] = {
    _WARN: _warn,
    _FLAG: _flag,
    _BREACH: _breach,
    _STEP: ladder.step,
}

_ALARMS: dict[int, Callable[[Draft], None]] = {
    Alarm.NAME_CONFIRMATION_LAPSES: closing.confirmation_lapsed,
    Alarm.NAME_SURVEY_LAPSES: closing.survey_lapsed,
    Alarm.NAME_WAIT_ENDS: waiting.time_is_up,
    Alarm.NAME_CALLBACK_OPENS: closing.callback_opened,
}
