"""Spans, metrics and log lines of a real server process, received over real sockets."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import grpc
import pysqlite3.dbapi2 as sqlite
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from audit.publishing import Publisher
from audit.signing import Notary
from audit.sqlite import SqliteLog
from casetrail.proof.note import WITNESS_KEY, SigningKey
from casetrail.v1.case_service_pb2 import ExecuteRequest, GetCaseRequest, OpenCaseRequest
from casetrail.v1.case_service_pb2_grpc import CaseServiceStub
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Channel, Kind
from embedded import ports
from embedded.readiness import grpc_serving
from telemetry import LogGauges, ProofGauges, export
from telemetry.discreet import DiscreetExporter
from tests.collector import Collector, collecting

ROOT = Path(__file__).parents[1]
WITNESS = "silent.example"
SECRET_WORDS = "Wang-Xiaoming-12-Fuxing-Road"


@asynccontextmanager
async def server_process(folder: Path, port: int, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m server` without Temporal, until the block ends; ended gracefully."""
    digest = sha256(b"secret").hexdigest()
    (folder / "principals.yaml").write_text(f"principals: [{{name: shop, roles: [service], token_sha256: {digest}}}]")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server"),
        cwd=ROOT,
        env={
            **os.environ,
            "CASETRAIL_DATA": str(folder),
            "CASETRAIL_ADDRESS": f"127.0.0.1:{port}",
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            **environment,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def opening() -> OpenCaseRequest:
    request = OpenCaseRequest(request_id="request-1")
    request.open.kind = Kind.KIND_INQUIRY
    request.open.channel = Channel.CHANNEL_EMAIL
    request.open.customer.customer_id = "C-1"
    request.open.customer.name = SECRET_WORDS
    request.open.subject = SECRET_WORDS
    return request


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run of the server showed."""

    collector: Collector
    trace_id: bytes
    caller_span: bytes
    case_id: str
    log_lines: Sequence[dict[str, str]]
    raw_log: bytes
    status: int


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(_run(tmp_path_factory.mktemp("telemetry")))


async def _run(folder: Path) -> Seen:
    """Open a case, have a command refused, and stop the server."""
    (port,) = ports.free(1)
    trace_id, caller_span = secrets.token_bytes(16), secrets.token_bytes(8)
    metadata = (
        ("authorization", "Bearer secret"),
        ("traceparent", f"00-{trace_id.hex()}-{caller_span.hex()}-01"),
    )
    async with (
        collecting() as (collector, endpoint),
        server_process(
            folder,
            port,
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_METRIC_EXPORT_INTERVAL="200",
            CASETRAIL_CHECKPOINTS=str(folder),
            CASETRAIL_WITNESSES=str(_silent_witness(folder)),
        ) as process,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        await asyncio.wait_for(grpc_serving(f"127.0.0.1:{port}"), 30)
        cases = CaseServiceStub(channel)
        opened = await cases.OpenCase(opening(), metadata=metadata)
        stale = Command(case_id=opened.case.case_id, request_id="request-2", expected_seq=99)
        stale.note.words.text = SECRET_WORDS
        with pytest.raises(grpc.aio.AioRpcError):
            await cases.Execute(ExecuteRequest(command=stale), metadata=metadata)
        with pytest.raises(grpc.aio.AioRpcError):
            await cases.GetCase(GetCaseRequest(case_id=SECRET_WORDS), metadata=metadata)
        await asyncio.wait_for(collector.until(lambda it: "casetrail.clocks.open" in it.metric_names), 20)
        await asyncio.wait_for(collector.until(lambda it: figure(it, "casetrail.witness.lag", WITNESS) > 0), 20)
        process.send_signal(signal.SIGTERM)
        _, raw_log = await asyncio.wait_for(process.communicate(), 30)
    lines = [json.loads(line) for line in raw_log.splitlines()]
    assert process.returncode is not None
    return Seen(collector, trace_id, caller_span, opened.case.case_id, lines, raw_log, process.returncode)


def _silent_witness(folder: Path) -> Path:
    witnesses = folder / "witnesses"
    witnesses.write_text(f"http://127.0.0.1:1 {SigningKey.generate(WITNESS, WITNESS_KEY).verifier}\n")
    return witnesses


def figure(collector: Collector, name: str, label: str) -> float:
    """What a gauge said last of what has this label; 0 where it has said nothing."""
    found = [
        point.as_double or point.as_int
        for metric in collector.named(name)
        for point in metric.gauge.data_points
        if any(each.value.string_value == label for each in point.attributes)
    ]
    return found[-1] if found else 0


def named(seen: Seen, name: str) -> Span:
    return next(span for span in seen.collector.spans if span.name.endswith(name))


def test_a_terminated_server_ends_well_and_sends_what_it_has(seen: Seen) -> None:
    assert seen.status == 0
    assert named(seen, "OpenCase").end_time_unix_nano


def test_a_call_goes_on_with_its_callers_trace(seen: Seen) -> None:
    call = named(seen, "OpenCase")

    assert (call.trace_id, call.parent_span_id) == (seen.trace_id, seen.caller_span)


def test_a_commands_way_is_one_trace_from_call_through_engine_to_log(seen: Seen) -> None:
    call, engine, append = (named(seen, name) for name in ("OpenCase", "engine.open", "log.append"))

    assert {span.trace_id for span in (call, engine, append)} == {seen.trace_id}
    assert engine.parent_span_id == call.span_id
    assert append.parent_span_id == engine.span_id
    assert call.start_time_unix_nano <= engine.start_time_unix_nano <= append.start_time_unix_nano
    assert append.end_time_unix_nano <= engine.end_time_unix_nano <= call.end_time_unix_nano


def test_a_refusal_shows_in_the_span_of_its_call(seen: Seen) -> None:
    attributes = {each.key: each.value for each in named(seen, "Execute").attributes}

    assert attributes["rpc.grpc.status_code"].int_value == grpc.StatusCode.ABORTED.value[0]


def test_the_figures_are_there(seen: Seen) -> None:
    assert {
        "rpc.server.call.duration",
        "casetrail.log.append.duration",
        "casetrail.clocks.open",
        "casetrail.clocks.overdue",
        "casetrail.cases.open",
        "casetrail.cases.unserved",
        "casetrail.checkpoint.age",
    } <= seen.collector.metric_names


def test_how_far_behind_the_log_its_proofs_are_can_be_alarmed_on(seen: Seen) -> None:
    """The witness does not answer; checkpoints are published and kept in the folder within about a second."""
    assert figure(seen.collector, "casetrail.witness.lag", WITNESS) >= 1
    assert 0 < figure(seen.collector, "casetrail.witness.age", WITNESS) < 60
    assert figure(seen.collector, "casetrail.checkpoint.age", "database") < 60
    assert figure(seen.collector, "casetrail.checkpoint.age", "folder") < 60


async def test_a_log_that_is_damaged_ends_no_gauge(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    publisher = Publisher(log, await Notary.open(log, tmp_path / "keys"))
    with closing(sqlite.connect(log.path, isolation_level=None)) as other:
        other.execute("DROP TABLE case_index")
        other.execute("DROP TABLE checkpoint")
    looking = [LogGauges(log).follow(every=0.01), ProofGauges(log, publisher, []).follow(every=0.01)]
    _, pending = await asyncio.wait([asyncio.create_task(look) for look in looking], timeout=0.2)
    assert len(pending) == 2
    for look in pending:
        look.cancel()
    await log.close()


def test_calls_are_counted_by_method_and_status(seen: Seen) -> None:
    points = {
        tuple(sorted((each.key, each.value.string_value) for each in point.attributes)): point.count
        for metric in seen.collector.named("rpc.server.call.duration")
        for point in metric.histogram.data_points
    }
    service = "casetrail.v1.CaseService"

    assert points[("rpc.method", f"{service}/OpenCase"), ("rpc.response.status_code", "OK")] == 1
    assert points[("rpc.method", f"{service}/Execute"), ("rpc.response.status_code", "ABORTED")] == 1


def test_nothing_that_a_customer_said_is_seen_from_outside(seen: Seen) -> None:
    assert seen.case_id.encode() in seen.collector.everything
    assert SECRET_WORDS.encode() not in seen.collector.everything
    assert SECRET_WORDS.encode() not in seen.raw_log


def test_log_lines_are_json_away_from_a_terminal(seen: Seen) -> None:
    assert {"serving", "stopping", "stopped"} <= {line["event"] for line in seen.log_lines}
    assert {line["service"] for line in seen.log_lines} == {"casetrail-server"}


def test_an_otel_variable_that_is_set_to_nothing_is_as_one_that_is_not_set() -> None:
    given = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317",
        "OTEL_TRACES_EXPORTER": "",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    assert not export._wanted("TRACES", given)
    assert export._wanted("TRACES", {**given, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


async def test_without_otel_variables_nothing_is_exported(tmp_path: Path) -> None:
    (port,) = ports.free(1)
    async with (
        collecting() as (collector, endpoint),
        server_process(
            tmp_path,
            port,
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_SDK_DISABLED="true",
            OTEL_METRIC_EXPORT_INTERVAL="50",
        ) as process,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        await asyncio.wait_for(grpc_serving(f"127.0.0.1:{port}"), 30)
        await CaseServiceStub(channel).OpenCase(opening(), metadata=(("authorization", "Bearer secret"),))
        process.terminate()
        await asyncio.wait_for(process.communicate(), 30)

    assert not collector.traces
    assert not collector.metrics


def test_what_a_library_writes_about_an_error_does_not_leave_the_process() -> None:
    received = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(DiscreetExporter(received)))

    with pytest.raises(KeyError), provider.get_tracer("library").start_as_current_span("work", attributes={"n": 1}):
        raise KeyError(SECRET_WORDS)

    (span,) = received.get_finished_spans()
    assert SECRET_WORDS not in span.to_json()
    assert (span.name, span.status.status_code, dict(span.attributes or {})) == ("work", StatusCode.ERROR, {"n": 1})


def test_a_logged_error_says_where_it_came_from_but_not_its_message() -> None:
    program = f"""
import logging, structlog, telemetry.logs
telemetry.logs.configure("test")
try:
    raise KeyError({SECRET_WORDS!r})
except KeyError:
    structlog.get_logger("a").exception("by structlog")
    logging.getLogger("b").exception("by %s", "logging")
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [(line["event"], line["error"], line["level"]) for line in lines] == [
        ("by structlog", "KeyError", "error"),
        ("by logging", "KeyError", "error"),
    ]
    assert all("<string>:5" in line["traceback"] for line in lines)
    assert SECRET_WORDS not in ran.stderr


def test_a_caller_that_hangs_up_in_the_middle_of_an_answer_is_no_error_of_ours() -> None:
    program = """
import logging, telemetry.logs
from grpc._cython import cygrpc
telemetry.logs.configure("test")
for error in cygrpc.ExecuteBatchError("hung up"), cygrpc.InternalError("broken"):
    logging.getLogger("grpc._cython.cygrpc").error("raised", exc_info=error)
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert [json.loads(line)["error"] for line in ran.stderr.splitlines()] == ["InternalError"]
