"""Case time: live, compressed, and on an importer's clock."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from audit.sqlite import SqliteLog
from casetrail.v1.case_pb2 import TimeBase
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Words
from domain import Rejected
from engine.engine import Engine
from tests.asked import DANIEL, IMPORTER, command, names, opening
from tests.engine.conftest import SetClock
from tests.fakes import NotedNudges

MARCH_2016 = datetime(2016, 3, 1, 8, 0, tzinfo=UTC)


def _at(moment: datetime) -> Timestamp:
    at = Timestamp()
    at.FromDatetime(moment)
    return at


def _imported(*, request_id: str = "row-1", at: datetime | None = MARCH_2016, source: str = "INC0000045") -> Command:
    asked = opening(request_id=request_id, source=source, silent=True)
    asked.actor.CopyFrom(IMPORTER)
    asked.case_id = "INC0000045"
    if at:
        asked.at.CopyFrom(_at(at))
    return asked


async def _code(engine: Engine, asked: Command) -> str:
    with pytest.raises(Rejected) as refused:
        await engine.execute(asked)
    return refused.value.code


async def test_an_imported_case_has_its_own_number_and_its_rows_times(engine: Engine) -> None:
    case = (await engine.execute(_imported())).case
    assert case.case_id == "INC0000045"
    assert case.time_base.mode == TimeBase.MODE_IMPORTED
    assert case.opened_at == _at(MARCH_2016)


@pytest.mark.parametrize("year", [1, 1899, 9000, 9999])
async def test_no_case_is_of_a_year_from_which_nothing_can_be_reckoned(engine: Engine, year: int) -> None:
    impossible = datetime(year, 12, 31, tzinfo=UTC)
    assert await _code(engine, _imported(at=impossible)) == "WRONG_TIME"
    await engine.execute(_imported())
    later = command("INC0000045", actor=IMPORTER, at=_at(impossible), note={"words": Words(text="x")})
    assert await _code(engine, later) == "WRONG_TIME"


async def test_compressed_time_ends_before_it_cannot_be_written(engine: Engine, clock: SetClock) -> None:
    case_id = (await engine.execute(opening(scale=1_000_000))).case.case_id
    await engine.execute(command(case_id, withdraw={"why": "it was nothing"}))
    clock.pass_(timedelta(days=30))
    told = (await engine.execute(command(case_id, note={"words": Words(text="x")}))).events[-1]
    assert told.at.ToDatetime().year == 9000


async def test_time_passes_between_rows_as_it_did_then(engine: Engine) -> None:
    await engine.execute(_imported())
    later = command(
        "INC0000045", actor=IMPORTER, at=_at(MARCH_2016 + timedelta(hours=5)), note={"words": Words(text="x")}
    )
    outcome = await engine.execute(later)
    assert "clock_breached" in names(outcome.events)
    assert outcome.events[-1].at == later.at


async def test_time_never_runs_backwards_within_an_imported_case(engine: Engine) -> None:
    await engine.execute(_imported())
    early = command(
        "INC0000045", actor=IMPORTER, at=_at(MARCH_2016 - timedelta(seconds=1)), note={"words": Words(text="x")}
    )
    assert await _code(engine, early) == "WRONG_TIME"


async def test_real_time_does_not_move_an_imported_case(engine: Engine, log: SqliteLog, nudges: NotedNudges) -> None:
    before = (await engine.execute(_imported())).case
    step = await engine.advance("INC0000045")
    assert not step.HasField("next_wake")
    assert await log.read_case("INC0000045") == before
    assert nudges.nudged == []
    assert await log.unserved(now=datetime.now(UTC), wake_grace=0, effect_grace=0, limit=10) == []


async def test_real_time_is_no_time_for_an_imported_case_nor_a_given_one_for_a_live_case(engine: Engine) -> None:
    await engine.execute(_imported())
    assert await _code(engine, command("INC0000045", actor=IMPORTER, note={"words": Words(text="x")})) == "WRONG_TIME"
    live = (await engine.execute(opening())).case.case_id
    given = command(live, actor=IMPORTER, at=_at(MARCH_2016), note={"words": Words(text="x")})
    assert await _code(engine, given) == "WRONG_TIME"


async def test_an_import_gives_source_and_time_together(engine: Engine) -> None:
    assert await _code(engine, _imported(at=None)) == "WRONG_TIME"
    assert await _code(engine, _imported(source="")) == "WRONG_TIME"


async def test_a_case_that_is_handed_over_lives_from_then_on_without_the_years_between(
    engine: Engine, clock: SetClock, nudges: NotedNudges
) -> None:
    await engine.execute(_imported())
    outcome = await engine.execute(command("INC0000045", actor=DANIEL, hand_over={"why": "still open"}))
    assert "clock_breached" not in names(outcome.events)
    assert outcome.case.time_base.mode == TimeBase.MODE_LIVE
    assert nudges.nudged == ["INC0000045"]
    step = await engine.advance("INC0000045")
    assert step.next_wake.ToDatetime(tzinfo=UTC) > clock.now()


async def test_a_compressed_case_has_not_aged_when_it_opens(engine: Engine, clock: SetClock) -> None:
    clock.time = clock.time.replace(microsecond=900_000)
    case_id = (await engine.execute(opening(scale=3600))).case.case_id
    outcome = await engine.execute(command(case_id, assign={"to": "amy"}))
    assert names(outcome.events) == ["assigned"]


async def test_a_compressed_case_is_woken_when_real_time_has_come(engine: Engine, clock: SetClock) -> None:
    case = (await engine.execute(opening(scale=60))).case
    due = next(each for each in case.clocks if each.name == "first_response").due_at.seconds
    step = await engine.advance(case.case_id)
    wake = step.next_wake.ToDatetime(tzinfo=UTC)
    assert wake < clock.now() + timedelta(seconds=3)
    assert (await engine.advance(case.case_id, wake - timedelta(milliseconds=1))).seq == case.seq
    await engine.advance(case.case_id, wake)
    assert (await engine.case(case.case_id)).updated_at.seconds == due


async def test_a_clock_that_lags_behind_the_log_takes_nothing_back(engine: Engine, clock: SetClock) -> None:
    case = (await engine.execute(opening())).case
    clock.pass_(timedelta(seconds=-5))
    outcome = await engine.execute(command(case.case_id, assign={"to": "amy"}))
    assert outcome.events[-1].at == case.updated_at
