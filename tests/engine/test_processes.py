"""Several processes on one log, and a log that is away."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from audit.sqlite import SqliteLog
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Words
from domain import Rejected, fold
from engine.engine import Engine
from engine.rulebooks import Rulebooks
from tests.asked import command, names, opening
from tests.engine.conftest import MakeEngine, SetClock
from tests.engine.logs import OftenUnavailable, as_log


async def test_two_processes_on_one_case_lose_and_double_nothing(log: SqliteLog, make_engine: MakeEngine) -> None:
    engines = make_engine(), make_engine()
    case_id = (await engines[0].execute(opening())).case.case_id
    before = await log.size()

    outcomes = await asyncio.gather(
        *(engines[n % 2].execute(command(case_id, note={"words": Words(text=f"{n}")})) for n in range(40))
    )

    events = await log.events(case_id)
    assert await log.size() == before + 40
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sorted(outcome.events[0].seq for outcome in outcomes) == list(range(before + 1, before + 41))
    assert fold(events) == await log.read_case(case_id)
    assert (await log.verify()).findings == ()


async def test_the_same_request_through_two_processes_at_once_is_carried_out_once(
    log: SqliteLog, make_engine: MakeEngine
) -> None:
    asked = opening(request_id="r")
    outcomes = await asyncio.gather(*(make_engine().execute(asked) for _ in range(6)))
    assert len({outcome.case.case_id for outcome in outcomes}) == 1
    assert [outcome.repeated for outcome in outcomes].count(False) == 1
    assert await log.size() == len(outcomes[0].events)


async def test_a_cache_that_lags_behind_refuses_nothing_that_the_log_allows(make_engine: MakeEngine) -> None:
    here, there = make_engine(), make_engine()
    case_id = (await here.execute(opening())).case.case_id
    await there.execute(command(case_id, resolve={}))
    assert (await here.execute(command(case_id, confirm={"satisfied": True}))).case.HasField("closed_at")


async def test_a_cache_that_lags_behind_allows_nothing_that_the_log_refuses(make_engine: MakeEngine) -> None:
    here, there = make_engine(), make_engine()
    case_id = (await here.execute(opening())).case.case_id
    await there.execute(command(case_id, withdraw={}))
    with pytest.raises(Rejected) as refused:
        await here.execute(command(case_id, assign={"to": "amy"}))
    assert refused.value.code == "CASE_CLOSED"


async def test_time_that_passes_in_two_processes_at_once_happens_once(
    log: SqliteLog, make_engine: MakeEngine, clock: SetClock
) -> None:
    engines = make_engine(), make_engine(), make_engine()
    case_id = (await engines[0].execute(opening())).case.case_id
    clock.pass_(timedelta(hours=1))

    steps = await asyncio.gather(*(each.advance(case_id) for each in engines))

    happened = names(await log.events(case_id))
    assert happened.count("clock_breached") == 1
    assert steps[0] == steps[1] == steps[2]


async def test_a_log_that_was_put_back_to_an_earlier_state_is_believed(
    make_engine: MakeEngine, tmp_path: Path, policy: Policy
) -> None:
    engine = make_engine()
    case = (await engine.execute(opening(request_id="r"))).case
    await engine.execute(command(case.case_id, note={"words": Words(text="lost")}))
    earlier = SqliteLog(tmp_path / "earlier.db")
    await Rulebooks.keep(earlier, policy)
    assert (await make_engine(earlier).execute(opening(request_id="r"))).case == case

    engine._log = earlier

    async with asyncio.timeout(10):
        outcome = await engine.execute(command(case.case_id, assign={"to": "amy"}))
    assert [event.seq for event in outcome.events] == [case.seq + 1]
    assert outcome.case == await earlier.read_case(case.case_id)
    await earlier.close()


async def test_nothing_is_accepted_while_the_log_is_away_and_all_goes_on_when_it_is_back(
    log: SqliteLog, make_engine: MakeEngine
) -> None:
    moody = OftenUnavailable(log)
    engine = make_engine(as_log(moody))
    case_id = (await engine.execute(opening())).case.case_id
    before = await log.size()
    moody.away = True
    asked = command(case_id, assign={"to": "amy"})
    for refused_command in (asked, opening()):
        with pytest.raises(Rejected) as refused:
            await engine.execute(refused_command)
        assert refused.value.code == "LOG_UNAVAILABLE"
        assert "nothing has happened" not in refused.value.message  # the log may not know
    assert await log.size() == before

    moody.away = False

    outcome = await engine.execute(asked)
    assert not outcome.repeated
    assert outcome.case.owner == "amy"


async def test_a_closed_log_is_refused_not_guessed_around(log: SqliteLog, engine: Engine) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    await log.close()
    for call in (
        engine.execute(command(case_id, assign={"to": "amy"})),
        engine.advance(case_id),
        engine.case(case_id),
    ):
        with pytest.raises(Rejected) as refused:
            await call
        assert refused.value.code == "LOG_UNAVAILABLE"
