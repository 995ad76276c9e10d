"""Clocks: how a promise is counted, stopped, kept and broken.

Every function gives the body of the event that happens to a clock; `evolve` applies it. Seconds are those of the
clock's calendar, except paused time, which is counted around the clock: it is what somebody else took.
"""

from collections.abc import Iterable
from dataclasses import replace

from casetrail.v1.case_pb2 import Case
from casetrail.v1.clock_pb2 import Clock, PausedTime, Reckoning
from casetrail.v1.event_pb2 import (
    ClockBreached,
    ClockCancelled,
    ClockFlagged,
    ClockMet,
    ClockMetLate,
    ClockPaused,
    ClockRebased,
    ClockResumed,
    ClockStarted,
    ClockWarned,
)
from casetrail.v1.types_pb2 import Cause
from domain.instants import Instant, timestamp
from domain.rulebook import Rulebook, Target

_OPEN = (Clock.STATE_RUNNING, Clock.STATE_PAUSED)


def running(clock: Clock) -> bool:
    """Whether a clock is counting now."""
    return clock.state == Clock.STATE_RUNNING


def is_open(clock: Clock) -> bool:
    """Whether a clock still measures its promise, counting or not."""
    return clock.state in _OPEN


def open_clocks(case: Case, name: str = "", subject: str = "") -> list[Clock]:
    """The clocks of a case that still measure; of one name, and about one subject, when these are given."""
    return [
        clock
        for clock in case.clocks
        if is_open(clock) and (not name or clock.name == name) and (not subject or clock.subject == subject)
    ]


def started(
    name: str,
    target: Target,
    at: Instant,
    rules: Rulebook,
    *,
    seq: int,
    subject: str = "",
    since: Instant | None = None,
) -> ClockStarted:
    """A promise begins to count at `at`, under the event number `seq`.

    Args:
        name: The clock's.
        target: What it measures.
        at: When it begins.
        rules: The policy.
        seq: Of the event that will start it.
        subject: What it is about where a case can have several.
        since: When it began to count where that was earlier: it turned out only now that the promise is owed.
    """
    calendar = rules.calendar(target.calendar)
    began = at if since is None else since
    elapsed = 0 if since is None else calendar.between(since, at)
    clock = Clock(
        name=name,
        clock_id=f"{name}#{seq}",
        state=Clock.STATE_RUNNING,
        started_at=timestamp(began),
        target_seconds=target.seconds,
        calendar=target.calendar,
        due_at=timestamp(calendar.add(began, target.seconds)),
        elapsed_seconds=elapsed,
        counted_at=timestamp(at),
        warn_seconds=target.warn_seconds,
        flag_seconds=target.flag_seconds,
        pauses_for=target.pauses_for,
        ladder=target.ladder,
        subject=subject,
    )
    if target.warn_seconds and target.seconds - target.warn_seconds > elapsed:
        clock.warn_at.seconds = calendar.add(began, target.seconds - target.warn_seconds)
    if target.flag_seconds and target.flag_seconds > elapsed:
        clock.flag_at.seconds = calendar.add(began, target.flag_seconds)
    return ClockStarted(clock=clock)


def paused(clock: Clock, at: Instant, cause: Cause.ValueType, rules: Rulebook) -> ClockPaused:
    """A running clock stops, on somebody's account."""
    return ClockPaused(clock=reckoning(clock, at, rules), cause=cause)


def resumed(clock: Clock, at: Instant, rules: Rulebook) -> ClockResumed:
    """A paused clock counts on: what it stood for is booked on the cause, and every mark moves by as much."""
    calendar = rules.calendar(clock.calendar)
    reckoned = reckoning(clock, at, rules)
    # A breached clock keeps the due time that it missed: a pause after the breach cannot undo it.
    if not clock.breached:
        # A promise that was made overdue while it stood has nothing left.
        reckoned.due_at.seconds = calendar.add(at, max(0, clock.target_seconds - clock.elapsed_seconds))
    body = ClockResumed(clock=reckoned, cause=clock.pause_cause)
    warn_left = clock.target_seconds - clock.warn_seconds - clock.elapsed_seconds
    if clock.warn_seconds and warn_left > 0:
        body.warn_at.seconds = calendar.add(at, warn_left)
    flag_left = clock.flag_seconds - clock.elapsed_seconds
    if clock.flag_seconds and flag_left > 0:
        body.flag_at.seconds = calendar.add(at, flag_left)
    return body


def warned(clock: Clock, at: Instant, rules: Rulebook) -> ClockWarned:
    """The promise is in danger."""
    return ClockWarned(clock=reckoning(clock, at, rules))


def flagged(clock: Clock, at: Instant, rules: Rulebook) -> ClockFlagged:
    """Slow enough for quality review to look at it."""
    return ClockFlagged(clock=reckoning(clock, at, rules))


def breached(clock: Clock, at: Instant, rules: Rulebook) -> ClockBreached:
    """The promise is broken; the clock goes on counting how late it will be."""
    return ClockBreached(clock=reckoning(clock, at, rules), ladder=clock.ladder)


def kept(clock: Clock, at: Instant, rules: Rulebook) -> ClockMet | ClockMetLate:
    """The promise is kept: in time, or late by so much."""
    reckoned = reckoning(clock, at, rules)
    if not clock.breached:
        return ClockMet(clock=reckoned)
    return ClockMetLate(clock=reckoned, late_seconds=max(0, reckoned.elapsed_seconds - clock.target_seconds))


def cancelled(clock: Clock, at: Instant, why: str, rules: Rulebook) -> ClockCancelled:
    """The promise is no longer asked for."""
    return ClockCancelled(clock=reckoning(clock, at, rules), why=why)


def rebased(clock: Clock, target: Target, at: Instant, rules: Rulebook, rules_before: Rulebook) -> ClockRebased | None:
    """Another promise holds from `at` on: elapsed and paused time stay, as they were counted until then.

    A broken promise stays broken by the figures that it had; only its hours and its ladder change.

    Returns:
        None when nothing differs.
    """
    if clock.breached:
        target = replace(
            target, seconds=clock.target_seconds, warn_seconds=clock.warn_seconds, flag_seconds=clock.flag_seconds
        )
    if _same(clock, target) and rules.same_hours(target.calendar, rules_before, clock.calendar):
        return None
    calendar = rules.calendar(target.calendar)
    reckoned = reckoning(clock, at, rules_before)
    reckoned.target_seconds = target.seconds
    reckoned.calendar = target.calendar
    body = ClockRebased(
        old_target_seconds=clock.target_seconds,
        warn_seconds=target.warn_seconds,
        flag_seconds=target.flag_seconds,
        pauses_for=target.pauses_for,
        ladder=target.ladder,
    )
    left = max(0, target.seconds - reckoned.elapsed_seconds)
    # One that stands is due only where nothing is left of it.
    if not clock.breached and (running(clock) or not left):
        reckoned.due_at.seconds = calendar.add(at, left)
    if running(clock):
        if target.warn_seconds and left > target.warn_seconds:
            body.warn_at.seconds = calendar.add(at, left - target.warn_seconds)
        if target.flag_seconds > reckoned.elapsed_seconds:
            body.flag_at.seconds = calendar.add(at, target.flag_seconds - reckoned.elapsed_seconds)
    body.clock.CopyFrom(reckoned)
    return body


def reckoning(clock: Clock, at: Instant, rules: Rulebook) -> Reckoning:
    """How the clock stands at `at`."""
    elapsed, stood = clock.elapsed_seconds, list(clock.paused)
    if running(clock):
        elapsed += rules.calendar(clock.calendar).between(clock.counted_at.seconds, at)
    elif clock.state == Clock.STATE_PAUSED:
        stood = _booked(clock.paused, clock.pause_cause, at - clock.counted_at.seconds)
    reckoned = Reckoning(
        name=clock.name,
        clock_id=clock.clock_id,
        elapsed_seconds=elapsed,
        target_seconds=clock.target_seconds,
        paused=stood,
        calendar=clock.calendar,
        subject=clock.subject,
    )
    if clock.HasField("due_at"):
        reckoned.due_at.seconds = clock.due_at.seconds
    return reckoned


def _booked(entries: Iterable[PausedTime], cause: Cause.ValueType, seconds: int) -> list[PausedTime]:
    """The ledger of pauses with some more seconds on one account."""
    totals = {entry.cause: entry.seconds for entry in entries}
    totals[cause] = totals.get(cause, 0) + seconds
    return [PausedTime(cause=of, seconds=total) for of, total in totals.items()]


def _same(clock: Clock, target: Target) -> bool:
    return (
        clock.target_seconds == target.seconds
        and clock.calendar == target.calendar
        and clock.warn_seconds == target.warn_seconds
        and clock.flag_seconds == target.flag_seconds
        and clock.ladder == target.ladder
        and tuple(clock.pauses_for) == target.pauses_for
    )
