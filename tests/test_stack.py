"""The whole stack as its user has it: real processes, real sockets, the CLI."""

import asyncio
import json
import secrets
import signal
import socket
import stat
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from casetrail.v1.case_service_pb2 import OpenCaseRequest, WatchCaseRequest
from casetrail.v1.case_service_pb2_grpc import CaseServiceStub
from casetrail.v1.types_pb2 import Channel, Kind
from embedded import ports
from embedded.folder import Folder, FolderError
from embedded.processes import ProcessError, inherited
from embedded.stack import Stack
from tests.collector import Collector, collecting
from tests.programs import CASETRAIL

if TYPE_CHECKING:
    from casetrail.v1.case_service_pb2_grpc import CaseServiceAsyncStub

ROOT = Path(__file__).parents[1]
PATIENCE = 90
SECRET_WORDS = "Wang-Xiaoming-12-Fuxing-Road"


async def cli(stack_address: str, data: Path, *words: str) -> Any:  # noqa: ANN401 - JSON
    """What `casetrail WORDS --json` answers."""
    ran = await asyncio.to_thread(
        CASETRAIL.run, *words, "--json", CASETRAIL_ADDRESS=stack_address, CASETRAIL_DATA=str(data)
    )
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


async def an_open_case(address: str, data: Path, *options: str) -> str:
    words = ("open", "inquiry", "--customer", "C-1", "--channel", "email", "--subject", "Where is it?", *options)
    case_id: str = (await cli(address, data, *words))["case"]["caseId"]
    return case_id


@asynccontextmanager
async def calling(stack: Stack) -> AsyncIterator[tuple["CaseServiceAsyncStub", tuple[tuple[str, str]]]]:
    """The service as a program calls it, and the metadata of whoever is at this machine."""
    async with grpc.aio.insecure_channel(stack.address) as channel:
        yield CaseServiceStub(channel), (("authorization", f"Bearer {stack.token}"),)


@asynccontextmanager
async def up(data: Path, port: int) -> AsyncIterator[Process]:
    """`python -m embedded up` in a process group of its own, as a shell starts it; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embedded", "up", "--data", str(data), "--port", str(port)),
        cwd=ROOT,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_told(process: Process, words: str) -> str:
    """Read what it prints until it says this."""
    assert process.stdout is not None
    told = ""
    async with asyncio.timeout(PATIENCE):
        async for line in process.stdout:
            told += line.decode()
            if words in told:
                return told
    raise AssertionError(f"it never said {words!r}, but:\n{told}")


def nothing_runs_on(data: Path) -> None:
    """All processes of a stack hold its lock: who gets it knows that they are gone."""
    with Folder.hold(data):
        pass


async def test_a_case_outlives_every_part_that_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    async with Stack.start(data=tmp_path / "data", say=said.append) as stack:
        case_id = await an_open_case(stack.address, stack.data)
        for part in ("server", "worker", "services", "temporal"):
            await stack.kill(part)
        async with asyncio.timeout(PATIENCE):
            await stack.ready()

        noted = await cli(stack.address, stack.data, "do", case_id, "note", "--text", "still here")

        assert noted["case"]["caseId"] == case_id
        assert any("worker was killed by SIGKILL" in words for words in said)
        assert "server is up again" in said


def test_what_the_shell_says_of_another_temporal_and_of_tls_is_not_for_the_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "of the cloud")
    monkeypatch.setenv("CASETRAIL_TLS_CERT", "of another server")
    monkeypatch.setenv("CASETRAIL_POLICY", "mine")
    assert {"TEMPORAL_API_KEY", "CASETRAIL_TLS_CERT"} & set(inherited()) == set()
    assert inherited()["CASETRAIL_POLICY"] == "mine"


async def test_commands_are_taken_while_temporal_is_away_and_its_lost_memory_is_given_back(tmp_path: Path) -> None:
    async with Stack.start(data=tmp_path / "data") as stack:
        case_id = await an_open_case(stack.address, stack.data, "--scale", "3600")
        await stack.stop("temporal")
        for file in (stack.data / "temporal").iterdir():
            file.unlink()
        await cli(stack.address, stack.data, "do", case_id, "note", "--text", "taken without Temporal")
        await stack.resume("temporal")

        # 10 minutes to the first response are a sixth of a second here: only the workflow lets that time pass.
        async with asyncio.timeout(PATIENCE), calling(stack) as (cases, metadata):
            async for seen in cases.WatchCase(WatchCaseRequest(case_id=case_id), metadata=metadata):
                if seen.event.HasField("clock_breached"):
                    break


async def test_a_commands_trace_goes_on_through_nudge_workflow_and_activity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_id = secrets.token_bytes(16)
    traceparent = f"00-{trace_id.hex()}-{secrets.token_hex(8)}-01"
    async with collecting() as (collector, endpoint):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        async with Stack.start(data=tmp_path / "data") as stack, calling(stack) as (cases, metadata):
            request = OpenCaseRequest(request_id="request-1")
            request.open.kind, request.open.channel = Kind.KIND_INQUIRY, Channel.CHANNEL_EMAIL
            request.open.customer.customer_id, request.open.subject = "C-1", SECRET_WORDS
            request.open.customer.email = f"{SECRET_WORDS}@customers.example"
            await cases.OpenCase(request, metadata=(*metadata, ("traceparent", traceparent)))

            def names(seen: Collector) -> set[str]:
                return {span.name.partition(":")[0] for span in seen.spans if span.trace_id == trace_id}

            wanted = {"casetrail.v1.CaseService/OpenCase", "engine.open", "log.append", "nudge"}
            wanted |= {"StartWorkflow", "RunWorkflow", "StartActivity", "RunActivity", "engine.advance"}
            async with asyncio.timeout(PATIENCE):
                await collector.until(lambda seen: wanted <= names(seen))

    assert SECRET_WORDS.encode() not in collector.everything
    # Nor in a file: log, keys, what Temporal remembers, what the processes say. Shop and mailbox are outside.
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and "services" not in path.parts]
    assert {"casetrail.db", "keys.db", "temporal.db"} <= {path.name for path in kept}
    assert [path.name for path in kept if SECRET_WORDS.encode() in path.read_bytes()] == []


async def test_a_killed_supervisor_leaves_nothing_running_and_the_next_one_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (port,) = ports.free(1)
    async with up(data, port) as process:
        await until_told(process, "Ctrl-C ends it")
        case_id = await an_open_case(f"127.0.0.1:{port}", data)
        process.kill()
        await process.wait()
    await asyncio.to_thread(nothing_runs_on, data)

    async with up(data, port) as process:
        await until_told(process, "Ctrl-C ends it")
        assert (await cli(f"127.0.0.1:{port}", data, "get", case_id))["case"]["caseId"] == case_id
        process.send_signal(signal.SIGINT)
        told = await until_told(process, "The data are kept")
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0

    assert "Traceback" not in told
    await asyncio.to_thread(nothing_runs_on, data)
    for part in ("server", "worker"):
        assert '"event": "stopped"' in (data / "logs" / f"{part}.log").read_text()


async def test_a_second_stack_on_the_same_folder_is_refused_in_words(tmp_path: Path) -> None:
    with Folder.hold(tmp_path):
        async with up(tmp_path, 0) as process:
            told = await until_told(process, "in use by another stack")
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
    assert "Traceback" not in told


async def test_a_taken_port_is_refused_in_words(tmp_path: Path) -> None:
    listening = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        with pytest.raises(ProcessError, match=f"port {port} is taken"):
            async with Stack.start(data=tmp_path / "data", port=port):
                pass


async def test_a_part_that_does_not_come_up_ends_the_start_with_its_last_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "casetrail.db").write_text("this is no database" * 100)

    with pytest.raises(ProcessError, match=r"server ended with status 1 (.|\n)*cannot serve"):
        async with Stack.start(data=data):
            pass
    await asyncio.to_thread(nothing_runs_on, data)


def test_secrets_of_a_new_folder_are_its_owners_alone(tmp_path: Path) -> None:
    with Folder.hold(tmp_path / "data") as folder:
        for name in ("token", "principals.yaml", "lock"):
            assert stat.S_IMODE((folder.path / name).stat().st_mode) == 0o600


def test_what_a_person_changed_in_the_folder_stays(tmp_path: Path) -> None:
    with Folder.hold(tmp_path) as folder:
        token = folder.token
        (tmp_path / "staff.yaml").write_text("people: []")
    with Folder.hold(tmp_path) as folder:
        assert folder.token == token
        assert (tmp_path / "staff.yaml").read_text() == "people: []"


def test_a_lost_token_is_told_rather_than_its_principals_overwritten(tmp_path: Path) -> None:
    with Folder.hold(tmp_path):
        (tmp_path / "token").unlink()
    with pytest.raises(FolderError, match="token is missing"), Folder.hold(tmp_path):
        pass


def test_ports_stay_the_same_unless_somebody_took_one(tmp_path: Path) -> None:
    first = ports.choose(["shop", "mail"], tmp_path / "ports.json")
    assert ports.choose(["shop", "mail"], tmp_path / "ports.json") == first

    with socket.create_server(("127.0.0.1", first["shop"])):
        second = ports.choose(["shop", "mail"], tmp_path / "ports.json")
    assert second["mail"] == first["mail"]
    assert second["shop"] != first["shop"]
