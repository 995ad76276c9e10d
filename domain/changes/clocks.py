"""What becomes of a clock, and how far its ladder is climbed."""

from casetrail.v1.case_pb2 import Case
from casetrail.v1.clock_pb2 import Climb, Clock, Reckoning
from casetrail.v1.effect_pb2 import StaffUnreachable
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
    EscalationAcknowledged,
    EscalationStepped,
    Event,
)
from casetrail.v1.types_pb2 import Cause, Kind, Role
from domain.changes import incident
from domain.changes.quality import flag
from domain.changes.table import Changes
from domain.clocks import is_open
from domain.parts import climbing_after, clock_of, find_effect
from domain.words import word

CHANGES = Changes()


@CHANGES.on("clock_started")
def _clock_started(case: Case, event: Event, body: ClockStarted) -> None:
    # Of the clocks that are over only the last of each name stays, so that a case does not grow with its age.
    stale = [
        i
        for i, clock in enumerate(case.clocks)
        if clock.name == body.clock.name and clock.subject == body.clock.subject and not is_open(clock)
    ]
    for i in reversed(stale):
        del case.clocks[i]
    case.clocks.append(body.clock)


@CHANGES.on("clock_paused")
def _clock_paused(case: Case, event: Event, body: ClockPaused) -> None:
    clock = _reckoned(case, event, body.clock)
    clock.state = Clock.STATE_PAUSED
    clock.pause_cause = body.cause
    _stop_marks(clock)


@CHANGES.on("clock_resumed")
def _clock_resumed(case: Case, event: Event, body: ClockResumed) -> None:
    clock = _reckoned(case, event, body.clock)
    clock.state = Clock.STATE_RUNNING
    clock.pause_cause = Cause.CAUSE_UNSPECIFIED
    clock.due_at.seconds = body.clock.due_at.seconds
    _set_marks(clock, body)


@CHANGES.on("clock_warned")
def _clock_warned(case: Case, event: Event, body: ClockWarned) -> None:
    clock_of(case, body.clock.clock_id).ClearField("warn_at")


@CHANGES.on("clock_flagged")
def _clock_flagged(case: Case, event: Event, body: ClockFlagged) -> None:
    clock_of(case, body.clock.clock_id).ClearField("flag_at")
    flag(case, f"slow {body.clock.name}")


@CHANGES.on("clock_breached")
def _clock_breached(case: Case, event: Event, body: ClockBreached) -> None:
    clock = clock_of(case, body.clock.clock_id)
    clock.breached = True
    clock.breached_at.seconds = event.at.seconds
    clock.ClearField("warn_at")
    clock.climb.why = Climb.WHY_BREACHED
    clock.climb.next_at.seconds = event.at.seconds
    case.counters.clocks_breached += 1


@CHANGES.on("clock_met")
def _clock_met(case: Case, event: Event, body: ClockMet) -> None:
    _end_clock(case, event, body.clock, Clock.STATE_MET)
    case.counters.clocks_met += 1


@CHANGES.on("clock_met_late")
def _clock_met_late(case: Case, event: Event, body: ClockMetLate) -> None:
    _end_clock(case, event, body.clock, Clock.STATE_LATE)


@CHANGES.on("clock_cancelled")
def _clock_cancelled(case: Case, event: Event, body: ClockCancelled) -> None:
    _end_clock(case, event, body.clock, Clock.STATE_CANCELLED)


@CHANGES.on("clock_rebased")
def _clock_rebased(case: Case, event: Event, body: ClockRebased) -> None:
    clock = _reckoned(case, event, body.clock)
    clock.target_seconds = body.clock.target_seconds
    clock.calendar = body.clock.calendar
    clock.warn_seconds = body.warn_seconds
    clock.flag_seconds = body.flag_seconds
    clock.ladder = body.ladder
    del clock.pauses_for[:]
    clock.pauses_for.extend(body.pauses_for)
    if body.clock.HasField("due_at"):
        clock.due_at.seconds = body.clock.due_at.seconds
    if clock.state == Clock.STATE_RUNNING:
        _set_marks(clock, body)


# --- the ladder ---


@CHANGES.on("escalation_stepped")
def _escalation_stepped(case: Case, event: Event, body: EscalationStepped) -> None:
    climb = clock_of(case, body.clock_id).climb
    climb.steps = body.step
    climb.role = body.role
    climb.next_at.seconds = body.next_at.seconds
    climb.why = Climb.WHY_UNACKNOWLEDGED
    case.counters.escalations += 1
    if body.takes_over:
        case.owner = ""
        case.team = word(Role, body.role)
        if case.kind == Kind.KIND_INCIDENT:
            incident.drop_command(case)


@CHANGES.on("escalation_acknowledged")
def _escalation_acknowledged(case: Case, event: Event, body: EscalationAcknowledged) -> None:
    climb = clock_of(case, body.clock_id).climb
    climb.acknowledged = True
    climb.ClearField("next_at")


@CHANGES.on("staff_unreachable")
def _staff_unreachable(case: Case, event: Event, body: StaffUnreachable) -> None:
    effect = find_effect(case, body.effect_id)
    clock = climbing_after(case, effect.staff_alert) if effect else None
    if clock is not None:
        clock.climb.why = Climb.WHY_UNREACHABLE


# --- parts ---


def _reckoned(case: Case, event: Event, reckoning: Reckoning) -> Clock:
    clock = clock_of(case, reckoning.clock_id)
    clock.elapsed_seconds = reckoning.elapsed_seconds
    clock.counted_at.seconds = event.at.seconds
    del clock.paused[:]
    clock.paused.extend(reckoning.paused)
    return clock


def _set_marks(clock: Clock, body: ClockResumed | ClockRebased) -> None:
    clock.ClearField("warn_at")
    clock.ClearField("flag_at")
    if body.HasField("warn_at"):
        clock.warn_at.seconds = body.warn_at.seconds
    if body.HasField("flag_at"):
        clock.flag_at.seconds = body.flag_at.seconds


def _stop_marks(clock: Clock) -> None:
    clock.ClearField("warn_at")
    clock.ClearField("flag_at")
    # What was due by now stays so: the due time that a breached clock missed, or that it was given too late.
    if not clock.breached and clock.elapsed_seconds < clock.target_seconds:
        clock.ClearField("due_at")


def _end_clock(case: Case, event: Event, reckoning: Reckoning, state: Clock.State.ValueType) -> None:
    clock = _reckoned(case, event, reckoning)
    clock.state = state
    clock.ClearField("warn_at")
    clock.ClearField("flag_at")
    clock.ClearField("pause_cause")
    clock.climb.ClearField("next_at")
