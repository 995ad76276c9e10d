"""How each clock of a case ended, told so that two courses of the case can be compared."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from casetrail.v1.audit_service_pb2 import ClockEnd
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from domain import Rulebook, clocks
from domain.instants import Instant
from domain.parts import find_clock

ClockKey = tuple[str, str, int]
"""A clock of a case: name, subject, and which of these it is, from 1. The subject of a task's is what is to be done."""


def clock_ends(events: Sequence[Event], case: Case, until: Instant, rules: Rulebook) -> dict[ClockKey, ClockEnd]:
    """How each clock ended, or stands at an instant.

    Args:
        events: All that happened.
        case: What they have made of it.
        until: The instant.
        rules: The policy that it is under.
    """
    ends: dict[ClockKey, ClockEnd] = {}
    keys = clock_keys(events)
    for event in events:
        _book(event, ends, keys)
    for clock_id, key in keys.items():
        clock = find_clock(case, clock_id)
        if clock is not None and clocks.is_open(clock):
            ends[key].elapsed_seconds = clocks.reckoning(clock, until, rules).elapsed_seconds
    return ends


def clock_keys(events: Iterable[Event]) -> dict[str, ClockKey]:
    """Which clock each id stands for: ids hold event numbers, which differ from one course to another."""
    keys: dict[str, ClockKey] = {}
    tasks: dict[str, str] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.HasField("task_added"):
            task = event.task_added.task
            tasks[task.task_id] = f"{task.department}: {task.what}"
        elif event.HasField("clock_started"):
            clock = event.clock_started.clock
            subject = tasks.get(clock.subject, clock.subject)
            seen[clock.name, subject] += 1
            keys[clock.clock_id] = (clock.name, subject, seen[clock.name, subject])
    return keys


def _book(event: Event, ends: dict[ClockKey, ClockEnd], keys: dict[str, ClockKey]) -> None:
    """Enter what an event says of a clock."""
    if event.HasField("clock_started"):
        clock = event.clock_started.clock
        ends[keys[clock.clock_id]] = ClockEnd(verdict=ClockEnd.VERDICT_OPEN, target_seconds=clock.target_seconds)
        return
    name = event.WhichOneof("body") or ""
    if name not in _OF_CLOCKS:
        return
    reckoned = getattr(event, name).clock
    end = ends[keys[reckoned.clock_id]]
    end.elapsed_seconds, end.target_seconds = reckoned.elapsed_seconds, reckoned.target_seconds
    # A broken promise stays broken.
    if end.verdict == ClockEnd.VERDICT_OPEN:
        end.verdict = _OF_CLOCKS[name]


_OF_CLOCKS: Final = {
    "clock_paused": ClockEnd.VERDICT_OPEN,
    "clock_resumed": ClockEnd.VERDICT_OPEN,
    "clock_rebased": ClockEnd.VERDICT_OPEN,
    "clock_breached": ClockEnd.VERDICT_BREACHED,
    "clock_met": ClockEnd.VERDICT_MET,
    "clock_met_late": ClockEnd.VERDICT_BREACHED,
    "clock_cancelled": ClockEnd.VERDICT_CANCELLED,
}
