"""A small case engine for the tests of playing: strict about stages and times, and it never forgets a request.

It keeps the promises that playing rests on (a request is carried out once and answered the same for ever, a refusal
leaves no trace) with rules of its own, which are stricter than the real ones.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import Message

from casetrail.v1.audit_service_pb2 import ListEventsRequest, ListEventsResponse
from casetrail.v1.case_pb2 import Case, Counters
from casetrail.v1.case_service_pb2 import (
    BatchExecuteRequest,
    BatchExecuteResponse,
    BatchResult,
    ExecuteResponse,
    GetCaseRequest,
    GetCaseResponse,
    Refusal,
)
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event

# What each action needs to be true of a case, and what it makes true or untrue.
NEEDS = {
    "resume": "waiting",
    "reopen": "resolved",
    "close": "resolved",
    "confirm": "resolved",
    "rate": "resolved",
    "transfer": "owned",
}
FORBIDS = {
    "assign": ("closed",),
    "reply": ("resolved", "closed"),
    "wait": ("waiting", "resolved", "closed"),
    "resolve": ("resolved", "closed"),
    "transfer": ("closed",),
    "close": ("closed",),
}
MAKES = {
    "assign": "owned",
    "wait": "waiting",
    "resolve": "resolved",
    "close": "closed",
    "confirm": "closed",
    "rate": "closed",
}
UNMAKES = {"resume": ("waiting",), "resolve": ("waiting",), "reopen": ("resolved", "closed")}
BODIES = {
    "open": "case_opened",
    "assign": "assigned",
    "transfer": "transferred",
    "reply": "replied",
    "wait": "wait_started",
    "resume": "wait_ended",
    "resolve": "resolved",
    "reopen": "reopened",
    "close": "case_closed",
    "confirm": "confirmed",
    "rate": "rated",
}


Context = grpc.aio.ServicerContext[Any, Any]


class RefusedError(Exception):
    """REASON and message."""


class ToyEngine:
    def __init__(self, now: int = 1_000_000) -> None:
        self.cases: dict[str, list[Event]] = {}
        self.facts: dict[str, set[str]] = {}
        self.commands: list[Command] = []
        self.batches: list[int] = []
        self.bytes: list[int] = []
        self.seen: Callable[[Command], object] = lambda _: None
        self.now = now

    def send(self, command: Command) -> BatchResult:
        """One command: done, done before, or refused."""
        self.commands.append(command)
        self.seen(command)
        events = tuple(self.cases.get(command.case_id, ()))
        known = [event for event in events if event.key == command.request_id]
        if known:
            return BatchResult(done=ExecuteResponse(events=known, repeated_request=True))
        try:
            self._carry_out(command)
        except RefusedError as refused:
            reason, _, message = str(refused).partition(" ")
            return BatchResult(refused=Refusal(reason=reason, message=message))
        return BatchResult(done=ExecuteResponse(events=self.cases[command.case_id][len(events) :]))

    def _carry_out(self, command: Command) -> None:
        action = command.WhichOneof("action")
        assert action is not None
        events = self.cases.get(command.case_id)
        if (events is None) != (action == "open"):
            raise RefusedError("CASE_EXISTS taken" if action == "open" else "UNKNOWN_CASE none")
        if command.HasField("expected_seq") and command.expected_seq != len(events or ()):
            raise RefusedError("STALE_SEQ the case has moved on")
        at = command.at.seconds if command.HasField("at") else self.now
        if events and at < events[-1].at.seconds:
            raise RefusedError(f"WRONG_TIME {at} is in the past")
        facts = self.facts.setdefault(command.case_id, set())
        if action in NEEDS and NEEDS[action] not in facts:
            raise RefusedError(f"NOTHING_TO_DO the case is not {NEEDS[action]}")
        if facts.intersection(FORBIDS.get(action, ())):
            raise RefusedError(f"WRONG_STAGE no {action} at this stage")
        facts.difference_update(UNMAKES.get(action, ()))
        facts.update({MAKES[action]} if action in MAKES else ())
        log = self.cases.setdefault(command.case_id, [])
        event = Event(case_id=command.case_id, seq=len(log) + 1, key=command.request_id, actor=command.actor)
        event.at.seconds = at
        if action == "import_row":
            event.row_imported.raw = command.import_row.raw
            event.row_imported.refused = command.import_row.refused
        else:
            getattr(event, BODIES.get(action, "note_added")).SetInParent()
        log.append(event)

    def shape(self) -> dict[str, list[tuple[int, int, str, str]]]:
        """What the histories say."""
        return {
            case_id: [(e.seq, e.at.seconds, e.WhichOneof("body") or "", e.key) for e in events]
            for case_id, events in sorted(self.cases.items())
        }


class _Services:
    """The calls that playing makes."""

    def __init__(self, engine: ToyEngine) -> None:
        self.engine = engine

    async def batch_execute(self, request: BatchExecuteRequest, context: Context) -> BatchExecuteResponse:
        self.engine.batches.append(len(request.commands))
        self.engine.bytes.append(request.ByteSize())
        return BatchExecuteResponse(results=[self.engine.send(command) for command in request.commands])

    async def get_case(self, request: GetCaseRequest, context: Context) -> GetCaseResponse:
        events = self.engine.cases[request.case_id]
        counters = Counters(escalations=1, clocks_met=3, clocks_breached=1)
        return GetCaseResponse(case=Case(case_id=request.case_id, seq=len(events), counters=counters))

    async def list_events(self, request: ListEventsRequest, context: Context) -> ListEventsResponse:
        return ListEventsResponse(events=self.engine.cases.get(request.case_id, []))


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


def _handlers(service: str, **methods: tuple[Any, type[Message]]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        f"casetrail.v1.{service}",
        {
            name: grpc.unary_unary_rpc_method_handler(
                method, request_deserializer=request.FromString, response_serializer=_bytes
            )
            for name, (method, request) in methods.items()
        },
    )


@asynccontextmanager
async def served(engine: ToyEngine) -> AsyncIterator[str]:
    """The engine on a socket; gives its address."""
    server, services = grpc.aio.server(), _Services(engine)
    server.add_generic_rpc_handlers(
        (
            _handlers(
                "CaseService",
                BatchExecute=(services.batch_execute, BatchExecuteRequest),
                GetCase=(services.get_case, GetCaseRequest),
            ),
            _handlers("AuditService", ListEvents=(services.list_events, ListEventsRequest)),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
