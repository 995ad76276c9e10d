"""Reading is for every principal; what roles hold back are commands, archives, keys, erasure and clear exports."""

from typing import Final

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from casetrail.v1 import audit_service_pb2, case_service_pb2
from server.drills import CONTRACT as DRILLS
from server.incidents import CONTRACT as INCIDENTS
from tests.server.running import Running, refusal, token

AUDIT: Final = audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"]
CASES: Final = case_service_pb2.DESCRIPTOR.services_by_name["CaseService"]
READING: Final = [
    *(
        CASES.methods_by_name["GetCase"],
        CASES.methods_by_name["ListCases"],
        CASES.methods_by_name["WatchCase"],
        *(each for each in AUDIT.methods if each.name not in ("RotateSigningKey", "EraseCustomer")),
        *(INCIDENTS.methods_by_name[name] for name in ("ListIncidents", "WatchIncident", "GetReport")),
        *(DRILLS.methods_by_name[name] for name in ("GetDrill", "WatchDrill", "GetDrillReport", "SimulateDrill")),
        DRILLS.methods_by_name["ListDrillSchedules"],
    )
]


@pytest.mark.parametrize("method", READING, ids=lambda method: method.name)
async def test_whoever_may_call_reads(running: Running, method: MethodDescriptor) -> None:
    opened = await running.open()
    kind = GetMessageClass(method.input_type)
    request = kind(case_id=opened.case.case_id) if "case_id" in kind.DESCRIPTOR.fields_by_name else kind()

    assert await _reason(running, method, request) != "ROLE_NOT_ALLOWED"


async def test_only_an_administrator_or_an_auditor_takes_personal_data_away_in_clear(running: Running) -> None:
    request = audit_service_pb2.ExportLogRequest(open_personal=True)

    assert await _reason(running, AUDIT.methods_by_name["ExportLog"], request) == "ROLE_NOT_ALLOWED"


async def _reason(running: Running, method: MethodDescriptor, request: Message) -> str:
    """Why a call of a principal with the fewest rights is refused; empty when it is not."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    data = request.SerializeToString()
    try:
        if method.server_streaming:
            stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = running.channel.unary_stream(path)
            async for _ in stream(data, metadata=token("history")):
                break
        else:
            unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = running.channel.unary_unary(path)
            await unary(data, metadata=token("history"))
    except grpc.aio.AioRpcError as error:
        return refusal(error).reason
    return ""
