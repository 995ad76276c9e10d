"""The gate between the wire and the servicers, over a real socket."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
import pysqlite3.dbapi2 as sqlite
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from casetrail.v1.case_service_pb2 import (
    BatchExecuteRequest,
    ExecuteRequest,
    GetCaseRequest,
    ListCasesRequest,
    OpenCaseRequest,
)
from casetrail.v1.command_pb2 import Command
from casetrail.v1.incident_service_pb2 import GetReportRequest, GetReportResponse
from casetrail.v1.incident_service_pb2_grpc import IncidentServiceStub
from casetrail.v1.types_pb2 import Actor, Role
from server.calls import MAX_ANSWER_BYTES, Gate
from server.incidents import CONTRACT
from server.principals import Principals
from tests.server.running import Running, refusal, token

if TYPE_CHECKING:
    from casetrail.v1.incident_service_pb2_grpc import IncidentServiceAsyncStub


async def fails(call: "grpc.aio.UnaryUnaryCall[Any, Any]") -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def raw(running: Running, method: str) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    return running.channel.unary_unary(f"/casetrail.v1.CaseService/{method}")


async def test_a_call_without_a_token_is_refused(running: Running) -> None:
    told = refusal(await fails(running.cases.ListCases(ListCasesRequest())))

    assert (told.code, told.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNKNOWN_PRINCIPAL")


async def test_who_has_no_token_learns_nothing_about_a_request(running: Running) -> None:
    told = refusal(await fails(running.cases.GetCase(GetCaseRequest())))

    assert told.reason == "UNKNOWN_PRINCIPAL"


async def test_acting_for_somebody_in_a_role_that_was_not_granted_is_refused(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.open(on_behalf_of=Actor(name="erin", role=Role.ROLE_DIRECTOR))

    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.PERMISSION_DENIED, "MAY_NOT_ACT_FOR")
    assert list(told.fields) == ["on_behalf_of.role"]


async def test_the_log_names_who_acted_and_through_whom(running: Running) -> None:
    opened = await running.open(on_behalf_of=Actor(name="customer", role=Role.ROLE_CUSTOMER))

    assert opened.events[0].actor == Actor(name="customer", role=Role.ROLE_CUSTOMER, via="shop")


async def test_all_wrong_fields_are_named_with_their_paths(running: Running) -> None:
    request = OpenCaseRequest(request_id="has blanks")
    request.open.customer.email = "nowhere"

    told = refusal(await fails(running.cases.OpenCase(request, metadata=token("shop"))))

    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID")
    assert {"request_id", "open.kind", "open.channel", "open.subject", "open.customer.email"} <= set(told.fields)


async def test_the_path_leads_into_repeated_fields(running: Running) -> None:
    good = Command(case_id="A", request_id="1")
    good.agree.SetInParent()
    request = BatchExecuteRequest(commands=[good, Command(case_id="A", request_id="2")])

    told = refusal(await fails(running.cases.BatchExecute(request, metadata=token("shop"))))

    assert list(told.fields) == ["commands[1].action"]


async def test_a_command_without_a_case_is_refused(running: Running) -> None:
    command = Command(request_id="1")
    command.agree.SetInParent()

    told = refusal(await fails(running.cases.Execute(ExecuteRequest(command=command), metadata=token("shop"))))

    assert (told.reason, list(told.fields)) == ("INVALID", ["command.case_id"])


async def test_a_refusal_by_the_lifecycle_names_the_field_as_the_request_has_it(running: Running) -> None:
    opened = await running.open()
    command = Command(case_id=opened.case.case_id, request_id="1", expected_seq=99)
    command.note.words.text = "x"

    told = refusal(await fails(running.cases.Execute(ExecuteRequest(command=command), metadata=token("shop"))))

    assert (told.code, told.reason) == (grpc.StatusCode.ABORTED, "STALE_SEQ")
    assert list(told.fields) == ["command.expected_seq"]


async def test_bytes_that_are_no_request_are_refused_as_invalid(running: Running) -> None:
    call = raw(running, "GetCase")

    told = refusal(await fails(call(b"\xff\xff\xff", metadata=token("shop"))))

    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID")


@pytest.mark.parametrize("size", [4 * 1024 * 1024 + 1, 12 * 1024 * 1024])
async def test_a_message_that_is_too_large_is_refused_with_its_reason(running: Running, size: int) -> None:
    call = raw(running, "GetCase")

    told = refusal(await fails(call(b"\x0a" * size, metadata=token("shop"))))

    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE")


async def test_a_message_beyond_what_the_wire_takes_is_refused_too(running: Running) -> None:
    call = raw(running, "GetCase")

    error = await fails(call(b"\x0a" * (17 * 1024 * 1024), metadata=token("shop")))

    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_answer_beyond_what_clients_take_is_refused_with_its_reason(running: Running) -> None:
    async def report(*_: object) -> GetReportResponse:
        return GetReportResponse(content=bytes(MAX_ANSWER_BYTES))

    gate = Gate(Principals(running.principals), tracing=False)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((gate.service(CONTRACT, {method.name: report for method in CONTRACT.methods}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: IncidentServiceAsyncStub = IncidentServiceStub(channel)
        told = refusal(await fails(stub.GetReport(GetReportRequest(case_id="INC-1"), metadata=token("shop"))))
    await server.stop(0)

    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE")
    assert "and at most 67108864 are sent" in told.message


@pytest.mark.parametrize("change", ["DROP TABLE policy", "DELETE FROM log_head"])
async def test_a_log_that_is_damaged_while_it_is_served_is_told_and_no_call_is_answered(
    running: Running, change: str
) -> None:
    await running.open()
    with closing(sqlite.connect(running.log.path, isolation_level=None)) as other:
        other.execute(change)
    await is_not_serving(running)
    for call in (running.open("open-2"), running.cases.ListCases(ListCasesRequest(), metadata=token("shop"))):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        refused = refusal(error.value)
        assert (refused.code, refused.reason) == (grpc.StatusCode.DATA_LOSS, "LOG_DAMAGED")
        assert "restore the newest backup" in refused.message


async def test_an_older_copy_of_the_log_is_noticed_while_it_is_served_and_no_call_is_answered(
    running: Running, tmp_path: Path
) -> None:
    await running.open()
    with closing(sqlite.connect(running.log.path)) as served, closing(sqlite.connect(tmp_path / "old.db")) as old:
        served.backup(old)
        await running.open("open-2")
        await running.proving.publisher.publish()
        old.backup(served)
    await is_not_serving(running)
    refused = refusal(await fails(running.cases.ListCases(ListCasesRequest(), metadata=token("shop"))))
    assert (refused.code, refused.reason) == (grpc.StatusCode.DATA_LOSS, "LOG_DAMAGED")
    assert "restored from an old copy" in refused.message


async def is_not_serving(running: Running) -> None:
    health: Any = health_pb2_grpc.HealthStub(running.channel)
    async with asyncio.timeout(10):
        async for answer in health.Watch(health_pb2.HealthCheckRequest(service="casetrail.v1.CaseService")):
            if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                return


async def test_health_is_told_to_everybody(running: Running) -> None:
    health: Any = health_pb2_grpc.HealthStub(running.channel)  # its type stub forgets the methods
    async for answer in health.Watch(health_pb2.HealthCheckRequest(service="casetrail.v1.CaseService")):
        if answer.status == health_pb2.HealthCheckResponse.SERVING:
            break
    answer = await health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_log_that_cannot_be_read_makes_the_server_unhealthy(running: Running) -> None:
    health: Any = health_pb2_grpc.HealthStub(running.channel)  # its type stub forgets the methods
    await running.log.close()

    async with asyncio.timeout(10):
        async for answer in health.Watch(health_pb2.HealthCheckRequest()):
            if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                break
    told = refusal(await fails(running.cases.ListCases(ListCasesRequest(), metadata=token("shop"))))
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE")


async def test_reflection_shows_the_services(running: Running) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast("Any", running.channel))
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))

    answers = [answer async for answer in call]

    names = {service.name for service in answers[0].list_services_response.service}
    assert {"casetrail.v1.CaseService", "casetrail.v1.AuditService", "grpc.health.v1.Health"} <= names


async def test_an_unknown_method_is_told_as_such(running: Running) -> None:
    call = raw(running, "Nope")

    assert (await fails(call(b"", metadata=token("shop")))).code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_fault_of_ours_is_told_without_details_and_logged_with_the_requests_ids(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise KeyError("Ms Wang, 12 Fuxing Road")

    case_id = (await running.open()).case.case_id
    monkeypatch.setattr(running.log, "append", fail)
    with capture_logs(processors=[merge_contextvars]) as lines, pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.note(case_id, 1)

    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "Wang" not in told.message
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["case_id"], line["request_id"]) == (case_id, "note-1")
