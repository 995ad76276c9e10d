"""CaseService: starts, drives and reads cases."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars

from audit.in_full import pages
from audit.log import Log
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import (
    BatchExecuteRequest,
    BatchExecuteResponse,
    BatchResult,
    ExecuteRequest,
    ExecuteResponse,
    GetCaseRequest,
    GetCaseResponse,
    ListCasesRequest,
    ListCasesResponse,
    OpenCaseRequest,
    OpenCaseResponse,
    Receipt,
    Refusal,
    WatchCaseRequest,
    WatchCaseResponse,
)
from casetrail.v1.command_pb2 import Command
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from domain import Rejected, evolve
from domain.refusal import unknown_case
from engine.engine import Engine, Outcome
from server.acting import actor_of
from server.calls import Stream, Unary
from server.errors import explain
from server.lookup import known_case
from server.principals import Principal
from server.receipts import Receipts
from server.scenarios import require_sound_opening
from server.temporal import Temporal

_PAGE: Final = 50
# Cases of one batch that are worked on side by side.
_AT_ONCE: Final = 64

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class CaseServicer:
    """Writes through the engine, reads from the log."""

    def __init__(self, engine: Engine, log: Log, temporal: Temporal, receipts: Receipts) -> None:
        """Serve an engine and its log; Temporal is only asked for a running workflow's view."""
        self._engine = engine
        self._log = log
        self._temporal = temporal
        self._receipts = receipts

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {
            "OpenCase": self.open_case,
            "Execute": self.execute,
            "BatchExecute": self.batch_execute,
            "GetCase": self.get_case,
            "ListCases": self.list_cases,
            "WatchCase": self.watch_case,
        }

    async def open_case(self, request: OpenCaseRequest, principal: Principal) -> OpenCaseResponse:
        """Begin a case.

        Raises:
            Rejected: It was refused, and there is no such case.
        """
        command = Command(request_id=request.request_id, case_id=request.case_id, open=request.open)
        if request.HasField("at"):
            command.at.CopyFrom(request.at)
        if request.HasField("on_behalf_of"):
            command.actor.CopyFrom(request.on_behalf_of)
        with fields_named(lambda path: path.replace("actor", "on_behalf_of", 1)):
            outcome = await self.carry_out(command, principal)
        receipt = await self.receipt(outcome)
        return OpenCaseResponse(case=outcome.case, events=outcome.events, receipt=receipt)

    async def execute(self, request: ExecuteRequest, principal: Principal) -> ExecuteResponse:
        """Carry out one command.

        Raises:
            Rejected: It was refused, and nothing has happened.
        """
        with fields_named("command.{}".format):
            outcome = await self.carry_out(request.command, principal)
        response = await self._done(outcome)
        response.case.CopyFrom(outcome.case)
        return response

    async def batch_execute(self, request: BatchExecuteRequest, principal: Principal) -> BatchExecuteResponse:
        """Carry out many commands: those of one case in order, different cases side by side."""
        results: list[BatchResult] = [BatchResult() for _ in request.commands]
        free = asyncio.Semaphore(_AT_ONCE)

        async def one_case(places: Sequence[int]) -> None:
            async with free:
                for place in places:
                    results[place] = await self._result(request.commands[place], principal)

        async with asyncio.TaskGroup() as cases:
            for places in _by_case(request.commands):
                cases.create_task(one_case(places))
        return BatchExecuteResponse(results=results)

    async def get_case(self, request: GetCaseRequest, _: Principal) -> GetCaseResponse:
        """Answer the case as it is now, or what its workflow knows of it: kind, stage and seq.

        Raises:
            Rejected: No such case, or its workflow cannot be asked.
        """
        case = await known_case(self._log, request.case_id)
        if request.source == GetCaseRequest.SOURCE_WORKFLOW:
            step = await self._temporal.look(request.case_id, case.seq)
            case = Case(case_id=request.case_id, kind=step.kind, stage=step.stage, seq=step.seq)
        return GetCaseResponse(case=case)

    async def list_cases(self, request: ListCasesRequest, _: Principal) -> ListCasesResponse:
        """Answer a page of cases.

        Raises:
            Rejected: The page token is not of this query.
        """
        try:
            page = await self._log.list_cases(
                request.filter, page_size=request.page_size or _PAGE, token=request.page_token
            )
        except ValueError as error:
            raise Rejected(RefusalReason.REFUSAL_REASON_BAD_PAGE_TOKEN, str(error), "page_token") from error
        return ListCasesResponse(cases=page.cases, next_page_token=page.next_token)

    async def watch_case(self, request: WatchCaseRequest, _: Principal) -> AsyncGenerator[WatchCaseResponse, None]:
        """Answer the case after every event that follows `after_seq`: those that are there, then those to come.

        Raises:
            Rejected: No such case, or it has not come as far as `after_seq`.
        """
        case = Case()
        async with aclosing(pages(self._log, request.case_id)) as there:
            async for page in there:
                for event in page:
                    case = _after(case, event)
                    if event.seq > request.after_seq:
                        yield WatchCaseResponse(case=case, event=event)
        if not case.seq:
            raise unknown_case(request.case_id)
        if request.after_seq > case.seq:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_STALE_SEQ,
                f"{request.case_id} has {case.seq} events, not {request.after_seq}",
                "after_seq",
            )
        async with aclosing(self._log.follow_case(request.case_id, after_seq=case.seq)) as coming:
            async for event in coming:
                case = _after(case, event)
                yield WatchCaseResponse(case=case, event=event)

    async def carry_out(self, command: Command, principal: Principal) -> Outcome:
        """Carry out a command for whoever calls.

        Raises:
            Rejected: It was refused, and nothing has happened.
        """
        if not command.case_id and not command.HasField("open"):
            raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, "name the case", "case_id")
        if command.open.scenario:
            require_sound_opening(command.open)
        if command.HasField("open"):
            # Which inject brings a case, only the drill itself says.
            command.open.ClearField("inject_id")
        command.actor.CopyFrom(actor_of(command, principal))
        # Every call has a context of its own: whatever is logged from here on belongs to this command.
        bind_contextvars(case_id=command.case_id, request_id=command.request_id)
        return await self._engine.execute(command)

    async def receipt(self, outcome: Outcome) -> Receipt:
        """The proof of what was written."""
        return await self._receipts.receipt(outcome.events, outcome.growth)

    async def _done(self, outcome: Outcome) -> ExecuteResponse:
        """Answer what a command led to, without the case."""
        return ExecuteResponse(
            events=outcome.events,
            receipt=await self.receipt(outcome),
            repeated_request=outcome.repeated,
        )

    async def _result(self, command: Command, principal: Principal) -> BatchResult:
        try:
            return BatchResult(done=await self._done(await self.carry_out(command, principal)))
        except Exception as error:  # noqa: BLE001 - each command has its own result
            refused = explain(error)
            if refused.unexpected:
                _log.error("command failed", exc_info=error)
            return BatchResult(refused=Refusal(reason=refused.reason, message=refused.message))


def _after(case: Case, event: Event) -> Case:
    """The case after one more event, marked where what that said was erased."""
    after = evolve(case, event)
    after.erased |= event.erased
    return after


def _by_case(commands: Sequence[Command]) -> Sequence[Sequence[int]]:
    """Group the places of commands by case; each opening that has no number yet is one of its own."""
    groups: dict[str | int, list[int]] = {}
    for place, command in enumerate(commands):
        groups.setdefault(command.case_id or place, []).append(place)
    return list(groups.values())


@contextmanager
def fields_named(rename: Callable[[str], str]) -> Iterator[None]:
    """Name a command's wrong field as it is called in the request around it."""
    try:
        yield
    except Rejected as error:
        if error.field:
            error.field = rename(error.field)
        raise


def field_of_opening(path: str) -> str:
    """A field of a command that opens a case, as a request calls it that has the fields of what it opens itself."""
    return path.removeprefix("open.").replace("actor", "on_behalf_of", 1)
