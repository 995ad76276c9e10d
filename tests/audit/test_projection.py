"""What cases are found by, and what is kept of them as numbers."""

from datetime import UTC, datetime, timedelta

import pytest

from audit.log import LogDamagedError
from audit.projection import case_of, findable, milliseconds, moment, newest_effect
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.effect_pb2 import Effect
from casetrail.v1.types_pb2 import Stage

WHEN = datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_clocks_that_run_and_promises_that_are_broken_are_counted_while_they_are_open() -> None:
    case = Case(
        clocks=[
            Clock(state=Clock.STATE_RUNNING),
            Clock(state=Clock.STATE_RUNNING, breached=True),
            Clock(state=Clock.STATE_PAUSED, breached=True),
            Clock(state=Clock.STATE_PAUSED),
            Clock(state=Clock.STATE_LATE, breached=True),
            Clock(state=Clock.STATE_MET),
            Clock(state=Clock.STATE_CANCELLED, breached=True),
        ]
    )
    assert (findable(case).running, findable(case).overdue) == (2, 2)


@pytest.mark.parametrize(
    ("stage", "mode", "closed", "live"),
    [
        (Stage.STAGE_OPENED, TimeBase.MODE_LIVE, False, True),
        (Stage.STAGE_OPENED, TimeBase.MODE_SCALED, False, True),
        (Stage.STAGE_OPENED, TimeBase.MODE_IMPORTED, False, False),
        (Stage.STAGE_CLOSED, TimeBase.MODE_LIVE, True, False),
    ],
)
def test_a_case_lives_while_it_is_open_and_real_time_moves_it(
    stage: Stage.ValueType, mode: TimeBase.Mode.ValueType, *, closed: bool, live: bool
) -> None:
    found = findable(Case(stage=stage, time_base=TimeBase(mode=mode)))
    assert (found.closed, found.live) == (closed, live)


def test_bytes_that_are_no_case_are_damage() -> None:
    assert case_of(Case(case_id="INQ-1").SerializeToString()).case_id == "INQ-1"
    with pytest.raises(LogDamagedError, match="run `casetrail-db verify`"):
        case_of(b"\x0a\xff")


@pytest.mark.parametrize(("ids", "newest"), [([], 0), (["INQ-1:9", "INQ-1:12", "INQ-1:10"], 12)])
def test_the_newest_effect_is_the_one_that_was_demanded_last(ids: list[str], newest: int) -> None:
    assert newest_effect(Case(pending_effects=[Effect(effect_id=effect_id) for effect_id in ids])) == newest


@pytest.mark.parametrize("microseconds", [0, 1, 500, 999, 1000])
def test_a_moment_is_kept_in_milliseconds_and_never_as_earlier_than_it_is(microseconds: int) -> None:
    when = WHEN + timedelta(microseconds=microseconds)
    kept = moment(milliseconds(when))
    assert kept is not None
    assert timedelta(0) <= kept - when < timedelta(milliseconds=1)


def test_no_moment_is_kept_as_none() -> None:
    assert (milliseconds(None), moment(None)) == (None, None)
