"""A service at a real socket that answers what a test scripts, and remembers what it was asked."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo  # type: ignore[import-untyped] # has no types
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # likewise
from grpc_status import rpc_status

from casetrail.v1 import drill_service_pb2, incident_service_pb2
from casetrail.v1.audit_service_pb2_grpc import AuditServiceServicer, add_AuditServiceServicer_to_server
from casetrail.v1.case_service_pb2_grpc import CaseServiceServicer, add_CaseServiceServicer_to_server
from casetrail.v1.drill_service_pb2_grpc import DrillServiceServicer, add_DrillServiceServicer_to_server
from casetrail.v1.incident_service_pb2_grpc import IncidentServiceServicer, add_IncidentServiceServicer_to_server

UNARY = {
    "OpenCase", "Execute", "BatchExecute", "GetCase", "ListCases", "ListEvents", "ReplayCase", "VerifyCase",
}  # fmt: skip
STREAMS = {"WatchCase", "WatchEvents", "WatchDrill", "WatchIncident", "WhatIf", "CrossCheck", "ExportLog"}
UNARY |= {
    method.name
    for service in (
        drill_service_pb2.DESCRIPTOR.services_by_name["DrillService"],
        incident_service_pb2.DESCRIPTOR.services_by_name["IncidentService"],
    )
    for method in service.methods
} - STREAMS


@dataclass(frozen=True)
class Refusal:
    """An answer that is a status."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "no"
    violations: tuple[tuple[str, str], ...] = ()

    def status(self) -> grpc.Status:
        status = Status(code=self.code.value[0], message=self.message)
        details: list[Message] = []
        if self.reason:
            details.append(ErrorInfo(reason=self.reason, domain="casetrail"))
        if self.violations:
            details.append(
                BadRequest(
                    field_violations=[
                        BadRequest.FieldViolation(field=path, description=what) for path, what in self.violations
                    ]
                )
            )
        for detail in details:
            packed = Packed()
            packed.Pack(detail)
            status.details.append(packed)
        return rpc_status.to_status(status)


class Silence:
    """An answer that never comes."""


Answer = Message | Refusal | Silence
Script = Answer | Sequence[Answer]
"""One answer; for a stream, those of one connection, which ends after the last."""


@dataclass
class Service:
    """What the service will answer, by method, and what it was asked."""

    address: str = ""
    answers: dict[str, deque[Script]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[tuple[str, Any]] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)

    def script(self, method: str, *answers: Script) -> None:
        self.answers[method].extend(answers)

    def requests(self, method: str) -> list[Any]:
        return [request for name, request in self.asked if name == method]

    async def give(self, answer: Script, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        if isinstance(answer, Refusal):
            await context.abort_with_status(answer.status())
        if isinstance(answer, Silence):
            await asyncio.Event().wait()
        assert isinstance(answer, Message)
        return answer

    def note(self, method: str, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Script:
        self.asked.append((method, request))
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        return self.answers[method].popleft()

    def unary(self, method: str) -> Callable[..., Awaitable[Message]]:
        async def answer(_: object, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            return await self.give(self.note(method, request, context), context)

        return answer

    def stream(self, method: str) -> Callable[..., AsyncIterator[Message]]:
        async def answer(
            _: object, request: Message, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Message]:
            parts = self.note(method, request, context)
            assert isinstance(parts, Sequence)
            for part in parts:
                yield await self.give(part, context)

        return answer

    async def start(self) -> grpc.aio.Server:
        methods: dict[str, Any] = {name: self.unary(name) for name in UNARY}
        methods |= {name: self.stream(name) for name in STREAMS}
        server = grpc.aio.server()
        add_CaseServiceServicer_to_server(type("Cases", (CaseServiceServicer,), methods)(), server)
        add_AuditServiceServicer_to_server(type("Audit", (AuditServiceServicer,), methods)(), server)
        add_DrillServiceServicer_to_server(type("Drills", (DrillServiceServicer,), methods)(), server)
        add_IncidentServiceServicer_to_server(type("Incidents", (IncidentServiceServicer,), methods)(), server)
        self.address = f"127.0.0.1:{server.add_insecure_port(self.address or '127.0.0.1:0')}"
        await server.start()
        return server
