"""Detection's hands: it follows the log by position, declares once, and remembers beside the log."""

from asyncio import timeout

import pytest
from temporalio.testing import ActivityEnvironment

from activities.detecting import Detecting
from audit.sqlite import SqliteLog
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind
from engine.engine import Engine
from engine.naming import DETECTION
from engine.rulebooks import Rulebooks
from tests.asked import DANIEL, command, opening
from tests.fakes import NotedNudges
from tests.policies import shipped_policy
from tests.waiting import PATIENCE


@pytest.fixture
async def engine(log: SqliteLog) -> Engine:
    return Engine(log, await Rulebooks.keep(log, shipped_policy()), NotedNudges())


async def complaints(engine: Engine, count: int) -> None:
    for _ in range(count):
        await engine.execute(opening(Kind.KIND_COMPLAINT, category="payment"))


async def look(engine: Engine, log: SqliteLog) -> int:
    """One look by a process that remembers nothing itself."""
    position: int = await ActivityEnvironment().run(Detecting(engine, log).watch_log, 0.05)
    return position


async def test_a_worker_that_stops_is_not_held_up(engine: Engine, log: SqliteLog) -> None:
    environment = ActivityEnvironment()
    environment.worker_shutdown()
    async with timeout(PATIENCE):
        await environment.run(Detecting(engine, log).watch_log, 600.0)


async def test_a_look_takes_no_longer_than_it_is_told(engine: Engine, log: SqliteLog) -> None:
    await complaints(engine, 2)
    async with timeout(PATIENCE):
        await look(engine, log)


async def incidents(log: SqliteLog) -> list[Event]:
    return [event for event in await log.scan(limit=5000) if event.case_opened.kind == Kind.KIND_INCIDENT]


async def test_a_wave_that_comes_between_two_processes_is_one_incident(engine: Engine, log: SqliteLog) -> None:
    await complaints(engine, 12)
    await look(engine, log)
    assert await incidents(log) == []
    await complaints(engine, 8)
    await look(engine, log)
    (declared,) = await incidents(log)
    assert declared.case_opened.subject == "Many complaints about payment"
    assert (declared.reason.rule, declared.reason.inputs["count"]) == ("wave.category", "20")
    assert len((await engine.case(declared.case_id)).incident.cases) == 20


async def test_what_comes_later_belongs_to_the_incident_that_there_is(engine: Engine, log: SqliteLog) -> None:
    await complaints(engine, 20)
    await look(engine, log)
    await complaints(engine, 3)
    await look(engine, log)
    (declared,) = await incidents(log)
    assert len((await engine.case(declared.case_id)).incident.cases) == 23


async def test_a_case_that_comes_just_before_the_incidents_end_is_not_lost(engine: Engine, log: SqliteLog) -> None:
    await complaints(engine, 20)
    await look(engine, log)
    (declared,) = await incidents(log)
    late = await engine.execute(opening(Kind.KIND_COMPLAINT, category="payment"))
    await engine.execute(command(declared.case_id, actor=DANIEL, dismiss_incident={"why": "an exercise"}))
    await look(engine, log)
    await complaints(engine, 19)
    await look(engine, log)
    first, second = [await engine.case(event.case_id) for event in await incidents(log)]
    assert len(first.incident.cases) == len(second.incident.cases) == 20
    assert second.incident.cases[0].case_id == late.case.case_id


async def test_a_second_wave_after_a_closed_incident_is_declared_once_though_its_memory_is_lost(
    engine: Engine, log: SqliteLog
) -> None:
    await complaints(engine, 20)
    await look(engine, log)
    (declared,) = await incidents(log)
    dismissed = command(declared.case_id, actor=DANIEL, dismiss_incident={"why": "an exercise"})
    await engine.execute(dismissed)
    await complaints(engine, 20)
    await look(engine, log)
    first, second = await incidents(log)
    cases = [
        {linked.case_id for linked in (await engine.case(event.case_id)).incident.cases} for event in (first, second)
    ]
    assert [len(each) for each in cases] == [20, 20]
    assert cases[0].isdisjoint(cases[1])
    await log.remember(DETECTION, "")
    await look(engine, log)
    assert len(await incidents(log)) == 2


async def test_a_memory_that_is_lost_leads_to_no_second_declaration(engine: Engine, log: SqliteLog) -> None:
    await complaints(engine, 22)
    await look(engine, log)
    before = await log.size()
    await log.remember(DETECTION, "")
    assert await look(engine, log) >= before
    assert len(await incidents(log)) == 1
    assert await log.size() == before


async def test_how_far_it_came_is_remembered(engine: Engine, log: SqliteLog) -> None:
    await complaints(engine, 2)
    assert await look(engine, log) == await log.size()
    assert await log.recall(DETECTION)
