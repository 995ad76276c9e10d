"""The sweep, against a real Temporal whose database is deleted under it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from audit.sqlite import SqliteLog
from casetrail.v1.types_pb2 import Channel, Kind
from embedded import ports
from engine.engine import Engine
from engine.naming import CRITICAL_QUEUE, TASK_QUEUE, workflow_id
from engine.nudge import TemporalWaker
from engine.sweep import Pace, Sweep
from tests.asked import IMPORTER, command, declaring, opening
from tests.engine.conftest import SetClock
from tests.temporal_server import with_memory
from tests.waiting import until

AT_ONCE = Pace(every=0.1, first=0.0, unhurried=0.0, again=60.0)


def _delete(database: Path) -> None:
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()


async def _round(sweep: Sweep) -> int:
    """A round, as soon as the server answers."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await sweep.round()
            except RPCError:
                await asyncio.sleep(0.1)


async def _said(lines: list[EventDict], words: str) -> None:
    await until(lambda: any(words in line["event"] for line in lines))


async def test_a_temporal_that_lost_its_memory_is_told_of_every_open_case_again(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    open_case = (await engine.execute(opening(customer={"customer_id": "cu-1"}))).case.case_id
    closed_case = (await engine.execute(opening(customer={"customer_id": "cu-1"}))).case.case_id
    await engine.execute(command(closed_case, withdraw={}))
    imported = opening(source="INC1")
    imported.actor.CopyFrom(IMPORTER)
    imported.at.FromDatetime(clock.now())
    await engine.execute(imported)
    (port,), database = ports.free(1), tmp_path / "temporal.db"

    def sweep() -> Sweep:
        return Sweep(log, client, TemporalWaker(client), pace=AT_ONCE, now=clock.now)

    async with with_memory(port, database):
        client = await Client.connect(f"127.0.0.1:{port}")
        first = sweep()
        assert await _round(first) == 1
        assert (await client.get_workflow_handle(workflow_id(open_case)).describe()).workflow_type == "Inquiry"
        await engine.advance(open_case)  # what its workflow would do
        assert await _round(first) == 0
    async with with_memory(port, database):
        assert await _round(sweep()) == 0, "the same Temporal, started again, still knows"
    _delete(database)
    async with with_memory(port, database):
        with capture_logs() as lines:
            assert await _round(first) == 1
        assert {"event": "temporal's memory is new; telling it of every open case", "cases": 1}.items() <= lines[
            0
        ].items()
        assert (await client.get_workflow_handle(workflow_id(open_case)).describe()).run_id


async def test_a_critical_incident_that_temporal_has_lost_begins_again_on_its_own_queue(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    levels = {(await engine.execute(declaring(suspected_level=level))).case.case_id: level for level in (1, 2)}
    (port,) = ports.free(1)
    async with with_memory(port, tmp_path / "temporal.db"):
        client = await Client.connect(f"127.0.0.1:{port}")
        await _round(Sweep(log, client, TemporalWaker(client), pace=AT_ONCE, now=clock.now))
        queues = {
            level: (await client.get_workflow_handle(workflow_id(case_id)).describe()).task_queue
            for case_id, level in levels.items()
        }
    assert queues == {1: CRITICAL_QUEUE, 2: TASK_QUEUE}


async def test_a_process_that_dies_while_it_forgets_leaves_that_to_the_next_one(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    await engine.advance(case_id)
    (port,) = ports.free(1)
    async with with_memory(port, tmp_path / "temporal.db"):
        client = await Client.connect(f"127.0.0.1:{port}")
        await _round(Sweep(log, client, TemporalWaker(client), pace=AT_ONCE, now=clock.now))
        await engine.advance(case_id)
        known = await log.remember("temporal", "")
        await log.remember("temporal", f"changing to {known}")
        assert await _round(Sweep(log, client, TemporalWaker(client), pace=AT_ONCE, now=clock.now)) == 1


async def test_a_case_just_written_is_left_to_whoever_wrote_it(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    await engine.execute(opening())
    (port,) = ports.free(1)
    async with with_memory(port, tmp_path / "temporal.db"):
        client = await Client.connect(f"127.0.0.1:{port}")
        assert await _round(Sweep(log, client, TemporalWaker(client), now=clock.now)) == 0


async def test_a_case_that_needs_nothing_soon_is_left_longer_to_whoever_wrote_it(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    without_address = {"customer_id": "cu-1"}
    await engine.execute(opening(channel=Channel.CHANNEL_WEB, customer=without_address))
    chat = (await engine.execute(opening(channel=Channel.CHANNEL_CHAT, customer=without_address))).case.case_id
    to_be_written_to = (await engine.execute(opening(channel=Channel.CHANNEL_WEB))).case.case_id
    (port,) = ports.free(1)
    async with with_memory(port, tmp_path / "temporal.db"):
        client = await Client.connect(f"127.0.0.1:{port}")
        assert await _round(Sweep(log, client, TemporalWaker(client), pace=Pace(first=0.0), now=clock.now)) == 2
        for case_id in (chat, to_be_written_to):
            assert (await client.get_workflow_handle(workflow_id(case_id)).describe()).run_id


async def test_cases_that_nothing_serves_do_not_hide_those_behind_them(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    cases = [(await engine.execute(opening())).case.case_id for _ in range(3)]
    (port,) = ports.free(1)
    async with with_memory(port, tmp_path / "temporal.db"):
        client = await Client.connect(f"127.0.0.1:{port}")
        pace = Pace(first=0.0, unhurried=0.0, again=60.0, limit=1)
        sweep = Sweep(log, client, TemporalWaker(client), pace=pace, now=clock.now)
        await _round(sweep)
        woken = [await sweep.round() for _ in range(4)]
        assert woken == [0, 1, 0, 1]
        for case_id in cases:
            assert (await client.get_workflow_handle(workflow_id(case_id)).describe()).run_id


class _Gate(TemporalWaker):
    """Wakes nothing, and takes note: a call lasts until the gate is open, or fails at once where Temporal is down."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.client = client
        self.open = asyncio.Event()
        self.down = False
        self.under_way = 0
        self.most = 0
        self.asked: list[str] = []

    async def wake(self, case_id: str, kind: Kind.ValueType, *, level: int = 0, new: bool = False) -> None:
        self.asked.append(case_id)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.down:
                raise RPCError("too much to do", RPCStatusCode.UNAVAILABLE, b"")
            await self.open.wait()
        finally:
            self.under_way -= 1


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[_Gate]:
    """Before a Temporal that answers."""
    (port,) = ports.free(1)
    async with with_memory(port, tmp_path / "temporal.db"):
        yield _Gate(await Client.connect(f"127.0.0.1:{port}"))


async def test_a_temporal_that_is_slow_is_asked_for_a_few_cases_at_a_time_until_the_round_is_over(
    engine: Engine, log: SqliteLog, clock: SetClock, gate: _Gate
) -> None:
    cases = {(await engine.execute(opening())).case.case_id for _ in range(20)}
    sweep = Sweep(log, gate.client, gate, pace=replace(AT_ONCE, round=0.0), now=clock.now)
    slow = asyncio.create_task(_round(sweep))
    await until(lambda: gate.under_way == 8)
    gate.open.set()
    assert await slow == gate.most == 8
    assert [await sweep.round() for _ in range(3)] == [8, 4, 0]
    assert set(gate.asked) == cases


async def test_a_temporal_that_does_not_answer_ends_the_round_and_the_next_one_goes_on(
    engine: Engine, log: SqliteLog, clock: SetClock, gate: _Gate
) -> None:
    cases = {(await engine.execute(opening())).case.case_id for _ in range(20)}
    sweep = Sweep(log, gate.client, gate, pace=AT_ONCE, now=clock.now)
    assert await _round(Sweep(log, gate.client, gate, now=clock.now)) == 0, "the server answers; nothing is due yet"
    gate.down = True
    with pytest.raises(RPCError, match="too much to do"):
        await sweep.round()
    assert len(gate.asked) <= 8
    assert gate.under_way == 0
    gate.down = False
    gate.open.set()
    await sweep.round()
    assert set(gate.asked) == cases
    assert len(gate.asked) == len(cases), "who was tried is given its time"


async def test_the_sweep_outlives_a_log_that_is_damaged_and_says_why(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    with closing(sqlite.connect(log.path, isolation_level=None)) as other:
        other.execute("DROP TABLE case_index")
    (port,) = ports.free(1)
    stop = asyncio.Event()
    async with with_memory(port, tmp_path / "temporal.db"):
        client = await Client.connect(f"127.0.0.1:{port}")
        with capture_logs() as lines:
            sweep = Sweep(log, client, TemporalWaker(client), pace=AT_ONCE, now=clock.now)
            sweeping = asyncio.create_task(sweep.run(stop))
            await _said(lines, "interrupted")
            stop.set()
            await sweeping
    (why,) = [line["why"] for line in lines if "interrupted" in line["event"]]
    assert "has lost its table case_index" in why


async def test_the_sweep_outlives_a_temporal_that_is_away_and_says_so_once(
    engine: Engine, log: SqliteLog, clock: SetClock, tmp_path: Path
) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    (port,) = ports.free(1)
    async with with_memory(port, tmp_path / "temporal.db"):
        client = await Client.connect(f"127.0.0.1:{port}")
    stop = asyncio.Event()
    sweep = Sweep(log, client, TemporalWaker(client), pace=AT_ONCE, now=clock.now)
    with capture_logs() as lines:
        running = asyncio.create_task(sweep.run(stop))
        await _said(lines, "interrupted")
        async with with_memory(port, tmp_path / "temporal.db"):
            await _said(lines, "goes on")
            assert (await client.get_workflow_handle(workflow_id(case_id)).describe()).run_id
            stop.set()
            await running
    assert [line["event"] for line in lines].count("sweep interrupted: cannot be asked") == 1
