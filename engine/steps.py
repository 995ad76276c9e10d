"""What a case needs from Temporal, and what its workflow is told. Neither holds personal data."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from audit.log import Need
from casetrail.v1.case_pb2 import Alarm, Case, TimeBase
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.effect_pb2 import Effect
from casetrail.v1.types_pb2 import Cause, Kind, Role, Stage
from casetrail.v1.workflow_pb2 import PendingEffect, Step
from domain import Rulebook, clocks, next_wake, pending_effects
from domain.case_time import real_time
from domain.drills import timetable
from domain.instants import Instant, instant, to_datetime
from domain.words import word, words

SHORTEST: Final = timedelta(seconds=1)
"""Temporal has no timers shorter than this, however compressed a case's time is."""

NOTHING: Final = Need(wake=None, effects=False)


def need_of(case: Case) -> Need:
    """What a case needs from Temporal: nothing while it stands on an importer's clock."""
    if case.time_base.mode == TimeBase.MODE_IMPORTED:
        return NOTHING
    return Need(wake=_next_wake(case), effects=bool(pending_effects(case)))


def step_of(case: Case, rules: Rulebook) -> Step:
    """What the workflow of a case is told of it.

    Args:
        case: The case, up to date.
        rules: The policy it is under, which says how often a parcel is asked for and a department reminded.
    """
    step = Step(
        kind=case.kind,
        stage=case.stage,
        seq=case.seq,
        closed=case.stage == Stage.STAGE_CLOSED,
        summary=_summary(case),
        incident_level=case.incident.level,
    )
    need = need_of(case)
    if need.wake is not None:
        step.next_wake.FromDatetime(need.wake)
        step.waits_for = " and ".join(_due_at(case, next_wake(case)))
    if need.effects:
        step.effects.extend(_told(effect, case, rules) for effect in pending_effects(case))
    return step


def _next_wake(case: Case) -> datetime | None:
    wake = next_wake(case)
    return None if wake is None else real_time(case.time_base, wake)


def _told(effect: Effect, case: Case, rules: Rulebook) -> PendingEffect:
    told = PendingEffect(effect_id=effect.effect_id, demand=effect.WhichOneof("demand") or "")
    if effect.HasField("callback"):
        opens = real_time(case.time_base, instant(effect.callback.not_before))
        if opens is not None:
            told.not_before.FromDatetime(opens)
    every = _every(effect, rules)
    if every is not None:
        told.every.FromTimedelta(max(every / _scale(case), SHORTEST))
    return told


def _every(effect: Effect, rules: Rulebook) -> timedelta | None:
    """How often an effect asks again, in case time; None for one that does not."""
    if effect.HasField("tracking"):
        return rules.policy.track_every.ToTimedelta()
    if effect.HasField("task") or effect.HasField("follow_up"):
        return rules.policy.incidents.remind_every.ToTimedelta()
    return None


def _scale(case: Case) -> float:
    return case.time_base.scale if case.time_base.mode == TimeBase.MODE_SCALED else 1.0


def _summary(case: Case) -> str:
    kind = word(Kind, case.kind).capitalize()
    if case.incident.level:
        kind += f" of level {case.incident.level}"
    return "\n".join([f"**{kind}: {words(Stage, case.stage)}**, round {case.round}", *_lines(case)])


def _lines(case: Case) -> Iterator[str]:
    if case.HasField("waiting"):
        cause = words(Cause, case.waiting.cause)
        yield f"- waits for the {cause} since {_time(instant(case.waiting.since))}"
    for clock in case.clocks:
        if clock.state == Clock.STATE_PAUSED:
            yield f"- {clock.name} stands still"
        elif clock.state == Clock.STATE_RUNNING:
            yield f"- {clock.name} {_standing(clock)}"
    for awaited in case.incident.waits_for:
        yield f"- waits for {awaited}"
    for effect in pending_effects(case):
        yield f"- {(effect.WhichOneof('demand') or '').replace('_', ' ')} pending"


def _standing(clock: Clock) -> str:
    if not clock.breached:
        return f"is due {_time(instant(clock.due_at))}"
    if not clock.climb.steps:
        return f"was breached {_time(instant(clock.breached_at))}"
    role = words(Role, clock.climb.role)
    answer = "acknowledged" if clock.climb.acknowledged else "not acknowledged"
    return f"was breached {_time(instant(clock.breached_at))}; step {clock.climb.steps}, {role}: {answer}"


def _due_at(case: Case, at: Instant | None) -> Iterator[str]:
    """What happens at an instant, in a word or two each."""
    for clock in case.clocks:
        if not clocks.is_open(clock):
            continue
        if clock.warn_at.seconds == at:
            yield f"{clock.name} warns"
        if clock.flag_at.seconds == at:
            yield f"{clock.name} is flagged"
        if clock.due_at.seconds == at and not clock.breached:
            yield f"{clock.name} is due"
        if clock.climb.next_at.seconds == at:
            yield f"{clock.name} escalates"
    if case.HasField("drill"):
        yield from (what for due, what in timetable.dues(case.drill) if due == at)
    for alarm in case.alarms:
        if alarm.due_at.seconds == at:
            yield words(Alarm.Name, alarm.name)


def _time(at: Instant) -> str:
    """Case time, which need not be that of Temporal's own clock beside it."""
    return f"{to_datetime(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
