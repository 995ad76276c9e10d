"""Playing against the real server and its log, which may be killed without warning. Temporal is not there."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from casetrail.client import Client
from casetrail.errors import CasetrailError
from casetrail.patience import Patience
from casetrail.play.plan import CasePlan, Style
from casetrail.play.playback import Playback
from casetrail.play.sending import send_history, send_live
from casetrail.play.summary import Summary, summarize
from casetrail.v1.case_pb2 import TimeBase
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role, Stage
from embedded import ports
from embedded.folder import Folder
from tests.play.logs import ROOT, SAMPLE, SERVICENOW, plans, workshop

Shape = list[tuple[str, int, str, int, str]]


class Server:
    """`python -m server` on a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        port, self._nobodys = ports.free(2)
        self.address = f"127.0.0.1:{port}"

    async def start(self) -> None:
        with Folder.hold(self.data) as folder:
            self.token = folder.token
        environment = {
            **os.environ,
            "CASETRAIL_DATA": str(self.data),
            "CASETRAIL_ADDRESS": self.address,
            "TEMPORAL_ADDRESS": f"127.0.0.1:{self._nobodys}",
        }
        with (self.data / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "server", cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(30), self.client(Patience(overall=30)) as client:
            await client.verify()

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def client(self, patience: Patience = Patience()) -> Client:
        return Client(self.address, self.token, patience=patience)

    async def shape(self) -> Shape:
        """What the histories say, without the times at which they were recorded."""
        async with self.client() as client:
            events = [event async for event in client.events()]
        found = [(e.case_id, e.seq, e.WhichOneof("body") or "", e.at.seconds, e.key) for e in events]
        return sorted(found)


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[Server]:
    server = Server(data)
    await server.start()
    try:
        yield server
    finally:
        if server.process.returncode is None:
            await server.kill()


def ignore(_: Playback) -> None:
    """Nobody watches."""


async def import_all(
    server: Server, found: list[CasePlan], progress: Callable[[Playback], None] = ignore
) -> tuple[list[Playback], Summary]:
    playbacks = [Playback(plan, live=False) for plan in found]
    async with server.client(Patience(overall=1, attempt=1)) as client:
        await send_history(client, playbacks, 8, progress)
        return playbacks, await summarize(client, playbacks, mode="backfill", skipped=0, seconds=1)


async def test_the_sample_is_played_twice_and_killed_in_the_middle_with_one_history(tmp_path: Path) -> None:
    found = plans(SAMPLE, SERVICENOW)
    async with running(tmp_path / "undisturbed") as server:
        _, first = await import_all(server, found)
        undisturbed = await server.shape()
        _, second = await import_all(server, found)
        assert await server.shape() == undisturbed
        assert {**second.as_json(), "written": 0} == {**first.as_json(), "written": 0}
        assert first.written == first.events == len(undisturbed)
        assert second.written == 0

    async with running(tmp_path / "killed") as server:
        for answers in (3, 40):
            await killed_after(server, found, answers)
            await server.start()
        await import_all(server, found)
        assert await server.shape() == undisturbed
        async with server.client() as client:
            assert (await client.verify()).whole


async def killed_after(server: Server, found: list[CasePlan], answers: int) -> None:
    """Play until the server has given so many answers and is killed, with others on their way."""
    given = 0

    def kill(_: Playback) -> None:
        nonlocal given
        given += 1
        if given == answers:
            server.process.send_signal(signal.SIGKILL)

    with pytest.raises(CasetrailError):
        await import_all(server, found, kill)
    await server.process.wait()


async def test_every_row_is_in_the_history_and_what_is_refused_is_kept(tmp_path: Path) -> None:
    rows = [
        ("A", "Annahme", "2026-06-18T08:00", "Ute", "J", "K"),
        ("A", "Fertig", "2026-06-18T09:00", "Ute", "J", "K"),
        ("A", "Abgeholt", "2026-06-18T10:00", "Ute", "J", "K"),
        ("A", "Rückfrage", "2026-06-18T11:00", "Ute", "J", "K"),
        ("A", "Lackieren", "2026-06-18T12:00", "Ute", "J", "K"),
    ]
    found = plans(*workshop(tmp_path, rows))
    async with running(tmp_path / "data") as server:
        [playback], summary = await import_all(server, found)
        async with server.client() as client:
            events = [event async for event in client.events("A")]
            case = await client.get("A")

    assert (playback.refused, playback.notes) == (summary.refused, summary.notes) == (1, 1)
    assert case.stage == Stage.STAGE_CLOSED
    kept = [event for event in events if event.HasField("row_imported")]
    assert [event.row_imported.refused.split(": ")[:2] for event in kept] == [
        ["reply", "CASE_CLOSED"],
        ["wait", "CASE_CLOSED"],
        [""],
    ]
    assert all('"Auftrag":"A"' in event.row_imported.raw for event in kept)


async def test_history_has_its_own_times_its_own_people_and_no_effects(tmp_path: Path) -> None:
    found = plans(SAMPLE, SERVICENOW)
    async with running(tmp_path) as server:
        await import_all(server, found)
        async with server.client() as client:
            events = [event async for event in client.events()]
            cases = [await client.get(plan.case_id) for plan in found]

    assert all(case.silent and not case.pending_effects for case in cases)
    assert all(case.time_base.mode == TimeBase.MODE_IMPORTED for case in cases)
    assert all(case.source == case.case_id for case in cases)
    assert not any("requested" in (event.WhichOneof("body") or "") for event in events)
    by_row = {step.request_id: step for plan in found for step in plan.steps}
    told = [(by_row[event.key], event) for event in events if event.key in by_row]
    assert len(told) > 100
    assert all(at_of(event) == step.row.at for step, event in told if not step.request_id.endswith(":open"))
    assert {event.actor.role for _, event in told} == {Role.ROLE_IMPORTER}
    assert {event.actor.name for _, event in told} == {step.row.cells["sys_updated_by"] for step, _ in told}


def at_of(event: Event) -> int:
    return event.at.seconds


async def test_live_cases_run_on_compressed_time_and_end_as_their_source_ended_them(tmp_path: Path) -> None:
    # Two weeks in little more than a second.
    style = Style(scale=1_000_000, prefix="live-")
    rows = [
        ("A", "Annahme", "2016-03-01T08:00", "Ute", "J", "K"),
        ("A", "Fertig", "2016-03-09T09:00", "Ute", "J", "K"),
        ("B", "Annahme", "2016-03-01T08:00", "Ute", "J", "K"),
        ("B", "Rückfrage", "2016-03-14T09:00", "Ute", "J", "K"),
    ]
    found = plans(*workshop(tmp_path, rows), style)
    async with running(tmp_path / "data") as server, server.client() as client:
        first, summary = await live(client, found)
        cases = [await client.get(plan.case_id) for plan in found]
        before = await server.shape()
        await live(client, found)
        after = await server.shape()

    assert all(playback.over for playback in first)
    assert summary.escalations > 0
    assert summary.refused == 0
    assert [case.stage for case in cases] == [Stage.STAGE_CLOSED, Stage.STAGE_IN_PROGRESS]
    assert {case.time_base.mode for case in cases} == {TimeBase.MODE_SCALED}
    assert not any(case.silent for case in cases)
    assert after == before


async def live(client: Client, found: list[CasePlan]) -> tuple[list[Playback], Summary]:
    playbacks = [Playback(plan, live=True) for plan in found]
    await send_live(client, playbacks, 1_000_000, 8, ignore)
    return playbacks, await summarize(client, playbacks, mode="live", skipped=0, seconds=1)
