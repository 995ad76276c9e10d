"""A small case engine for the tests of playing: strict about stages and times, and it never forgets a request.

It keeps the promises that playing rests on (a request is carried out once and answered the same for ever, a refusal leaves
no trace) with rules of its own, which are stricter than the real ones.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc

from casetrail.v1.audit_service_pb2 import ListEventsRequest, ListEventsResponse
from casetrail.v1.audit_service_pb2_grpc import AuditServiceServicer, add_AuditServiceServicer_to_server
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
from casetrail.v1.case_service_pb2_grpc import CaseServiceServicer, add_CaseServiceServicer_to_server
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event

# What each action needs to be true of a case, and what it makes true or untrue.
NEEDS = {"resume": "waiting", "reopen": "resolved", "close": "resolved", "confirm": "resolved", "transfer": "owned"}
FORBIDS = {
    "assign": ("closed",),
    "reply": ("resolved", "closed"),
    "wait": ("waiting", "resolved", "closed"),
    "resolve": ("resolved", "closed"),
    "transfer": ("closed",),
    "close": ("closed",),
}
MAKES = {"assign": "owned", "wait": "waiting", "resolve": "resolved", "close": "closed", "confirm": "closed"}
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
}


class Refused(Exception):
    pass


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
        except Refused as refused:
            reason, _, message = str(refused).partition(" ")
            return BatchResult(refused=Refusal(reason=reason, message=message))
        return BatchResult(done=ExecuteResponse(events=self.cases[command.case_id][len(events) :]))

    def _carry_out(self, command: Command) -> None:
        action = command.WhichOneof("action")
        assert action is not None
        events = self.cases.get(command.case_id)
        if (events is None) != (action == "open"):
            raise Refused("CASE_EXISTS taken" if action == "open" else "UNKNOWN_CASE none")
        at = command.at.seconds if command.HasField("at") else self.now
        if events and at < events[-1].at.seconds:
            raise Refused(f"WRONG_TIME {at} is in the past")
        facts = self.facts.setdefault(command.case_id, set())
        if action in NEEDS and NEEDS[action] not in facts:
            raise Refused(f"NOTHING_TO_DO the case is not {NEEDS[action]}")
        if facts.intersection(FORBIDS.get(action, ())):
            raise Refused(f"WRONG_STAGE no {action} at this stage")
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


class _Cases(CaseServiceServicer):
    def __init__(self, engine: ToyEngine) -> None:
        self.engine = engine

    async def BatchExecute(  # noqa: N802 - gRPC's name
        self, request: BatchExecuteRequest, context: grpc.aio.ServicerContext
    ) -> BatchExecuteResponse:
        self.engine.batches.append(len(request.commands))
        self.engine.bytes.append(request.ByteSize())
        return BatchExecuteResponse(results=[self.engine.send(command) for command in request.commands])

    async def GetCase(  # noqa: N802
        self, request: GetCaseRequest, context: grpc.aio.ServicerContext
    ) -> GetCaseResponse:
        events = self.engine.cases[request.case_id]
        counters = Counters(escalations=1, clocks_met=3, clocks_breached=1)
        return GetCaseResponse(case=Case(case_id=request.case_id, seq=len(events), counters=counters))


class _Audit(AuditServiceServicer):
    def __init__(self, engine: ToyEngine) -> None:
        self.engine = engine

    async def ListEvents(  # noqa: N802
        self, request: ListEventsRequest, context: grpc.aio.ServicerContext
    ) -> ListEventsResponse:
        return ListEventsResponse(events=self.engine.cases.get(request.case_id, []))


@asynccontextmanager
async def served(engine: ToyEngine) -> AsyncIterator[str]:
    """The engine on a socket; gives its address."""
    server = grpc.aio.server()
    add_CaseServiceServicer_to_server(_Cases(engine), server)  # type: ignore[no-untyped-call]
    add_AuditServiceServicer_to_server(_Audit(engine), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
