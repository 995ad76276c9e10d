"""The marks of a promise: when it warns, and when it is flagged, as long as that is still to come."""

import pytest

from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.event_pb2 import ClockRebased, ClockResumed
from domain import clocks
from domain.rulebook import Target
from tests.domain.story import RULES

AT = 1_790_000_000
TARGET = Target(seconds=600, warn_seconds=100, flag_seconds=300, calendar="always", ladder="", pauses_for=())
UNMARKED = Target(seconds=600, warn_seconds=0, flag_seconds=0, calendar="always", ladder="", pauses_for=())

# Of one that warns after 500 seconds and is flagged after 300: how many have gone by, and what is left to each.
LEFT = pytest.mark.parametrize(
    ("target", "gone", "warn", "flag"),
    [
        (TARGET, 0, 500, 300),
        (TARGET, 299, 201, 1),
        (TARGET, 300, 200, None),
        (TARGET, 499, 1, None),
        (TARGET, 500, None, None),
        (TARGET, 700, None, None),
        (UNMARKED, 0, None, None),
        (UNMARKED, 499, None, None),
    ],
)


def a_clock(target: Target, gone: int, state: Clock.State.ValueType) -> Clock:
    clock = Clock(name="resolution", state=state, target_seconds=target.seconds, calendar=target.calendar)
    clock.warn_seconds, clock.flag_seconds, clock.elapsed_seconds = target.warn_seconds, target.flag_seconds, gone
    clock.counted_at.seconds = AT
    return clock


def left(made: Clock | ClockResumed | ClockRebased) -> tuple[int | None, int | None]:
    """How long it is until it warns, and is flagged."""
    return (
        made.warn_at.seconds - AT if made.HasField("warn_at") else None,
        made.flag_at.seconds - AT if made.HasField("flag_at") else None,
    )


@LEFT
def test_a_promise_that_began_before_has_the_marks_that_are_to_come(
    target: Target, gone: int, warn: int | None, flag: int | None
) -> None:
    clock = clocks.started("resolution", target, AT, RULES, seq=1, since=AT - gone).clock
    assert left(clock) == (warn, flag)


@LEFT
def test_a_promise_that_stood_has_the_marks_that_are_to_come_when_it_goes_on(
    target: Target, gone: int, warn: int | None, flag: int | None
) -> None:
    body = clocks.resumed(a_clock(target, gone, Clock.STATE_PAUSED), AT, RULES)
    assert left(body) == (warn, flag)
    assert body.clock.due_at.seconds == AT + max(0, target.seconds - gone)


@LEFT
def test_another_promise_has_the_marks_that_are_to_come(
    target: Target, gone: int, warn: int | None, flag: int | None
) -> None:
    before = Target(seconds=900, warn_seconds=0, flag_seconds=0, calendar="always", ladder="", pauses_for=())
    body = clocks.rebased(a_clock(before, gone, Clock.STATE_RUNNING), target, AT, RULES, RULES)
    assert body is not None
    assert left(body) == (warn, flag)
