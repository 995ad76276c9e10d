"""Tells Temporal that a case needs it: a signal to its workflow, which is started where it does not run.

A nudge is a courtesy. What a case needs stands in the log, and the sweep sees to every need that no nudge has met.

Starting a workflow costs this machine more than a command does. So a nudge that has time, because what the case needs
is minutes away, yields to commands while there are any: they are answered at their own pace, and Temporal catches up.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Protocol

import structlog
from opentelemetry import metrics
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from casetrail.v1.types_pb2 import Kind
from casetrail.v1.workflow_pb2 import CaseRun
from engine.naming import NUDGE, TASK_QUEUE, is_critical, queue_for, workflow_id, workflow_type
from engine.traffic import Traffic
from telemetry import span

SOON: Final = timedelta(minutes=1)
"""What is needed sooner than this is urgent."""

_AT_ONCE: Final = 32
# While commands are under way: between two nudges that have time. And how long such a one waits before it is left to
# the sweep, which will have found the case itself by then.
_YIELD_SECONDS: Final = 0.05
_LONGEST_YIELDING: Final = 8.0
_MOST_WAITING: Final = 20_000
_PATIENCE: Final = timedelta(seconds=10)
_QUIET_SECONDS: Final = 1.0
# An incident that shares a queue with a wave of other work, because nobody has graded it 1, goes before that work.
_PRIORITIES: Final = {Kind.KIND_INCIDENT: Priority(priority_key=1)}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_meter = metrics.get_meter("casetrail")
_nudges = _meter.create_counter("casetrail.nudges", description="Nudges, by what came of them")
_waiting = _meter.create_up_down_counter(
    "casetrail.nudges.waiting", description="Cases with a nudge that is not sent yet"
)


def _always() -> bool:
    return True


class Waker(Protocol):
    """Whoever tells Temporal that a case needs it."""

    def nudge(
        self,
        case_id: str,
        kind: Kind.ValueType,
        still_needed: Callable[[], bool] = _always,
        *,
        level: int = 0,
        urgent: bool = True,
        new: bool = False,
    ) -> None:
        """Wake a case's workflow soon. Returns at once and never fails.

        Args:
            case_id: The case.
            kind: Its lifecycle, which is the type of a workflow that must be started.
            still_needed: Asked just before: a case can have closed meanwhile.
            level: Of an incident: one that is critical from the first starts on the critical task queue.
            urgent: Whether the case needs something `SOON`; otherwise commands go first.
            new: Whether the case is so new that it can hardly have a workflow.
        """

    def let_end(self, case_id: str) -> None:
        """Let the workflow of a closed case end now, instead of at its next timer. Starts none, and has time.

        Args:
            case_id: The case.
        """


@dataclass(frozen=True, slots=True)
class _Nudge:
    """What a case's workflow is to be told, as `Waker.nudge` takes it."""

    case_id: str
    kind: Kind.ValueType
    still_needed: Callable[[], bool]
    level: int
    new: bool


@dataclass(frozen=True, slots=True)
class _Unhurried:
    """What has time: since when it waits, by the monotonic clock, and the nudge; none lets the workflow end."""

    since: float
    nudge: _Nudge | None


class TemporalWaker:
    """Wakes workflows through Temporal, one signal a case at a time."""

    def __init__(self, client: Client, *, task_queue: str = TASK_QUEUE, traffic: Traffic | None = None) -> None:
        """Send over a client that somebody else opened.

        Args:
            client: Temporal.
            task_queue: Where workers take the workflows from.
            traffic: The commands that go first; none when left out.
        """
        self._client = client
        self._task_queue = task_queue
        self._traffic = traffic or Traffic()
        self._free = asyncio.Semaphore(_AT_ONCE)
        # What is critical does not queue behind a wave.
        self._free_for_critical = asyncio.Semaphore(_AT_ONCE)
        # Cases with a nudge under way; True when another one was asked for since it was sent.
        self._under_way: dict[str, bool] = {}
        # Cases with a nudge that has time, the one that waits longest first.
        self._unhurried: dict[str, _Unhurried] = {}
        self._sending_unhurried = False
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost_at: float | None = None

    def nudge(
        self,
        case_id: str,
        kind: Kind.ValueType,
        still_needed: Callable[[], bool] = _always,
        *,
        level: int = 0,
        urgent: bool = True,
        new: bool = False,
    ) -> None:
        """Wake a case's workflow soon; nudges of one case that wait are one."""
        if case_id in self._under_way:
            self._under_way[case_id] = True
            return
        if self._is_hopeless() or len(self._under_way) + len(self._unhurried) >= _MOST_WAITING:
            _nudges.add(1, {"casetrail.result": "left to the sweep"})
            return
        waiting = self._unhurried.get(case_id)
        before = waiting.nudge if waiting else None
        nudge = _Nudge(case_id, kind, still_needed, level, new or (before is not None and before.new))
        if urgent:
            self._unhurried.pop(case_id, None)
            self._begin(nudge)
            return
        if before is None:
            self._yield_with(case_id, nudge)

    def let_end(self, case_id: str) -> None:
        """Let the workflow of a closed case end now; under load that is left to its timer."""
        if case_id in self._under_way or case_id in self._unhurried or self._is_hopeless():
            return
        self._yield_with(case_id, None)

    def _yield_with(self, case_id: str, nudge: _Nudge | None) -> None:
        self._unhurried[case_id] = _Unhurried(monotonic(), nudge)
        if not self._sending_unhurried:
            self._sending_unhurried = True
            self._run(self._send_unhurried())

    async def wake(self, case_id: str, kind: Kind.ValueType, *, level: int = 0, new: bool = False) -> None:
        """Wake a case's workflow now, starting it where it does not run.

        Args:
            case_id: The case.
            kind: Its lifecycle.
            level: Of an incident.
            new: Whether there is hardly a workflow yet. One that starts looks at its case without being told.

        Raises:
            RPCError: Temporal cannot be asked, or will not do it.
        """
        with span("nudge", case=case_id):
            if new:
                with suppress(WorkflowAlreadyStartedError):
                    await self._start(case_id, kind, level, WorkflowIDConflictPolicy.FAIL)
                    return
            await self._start(case_id, kind, level, WorkflowIDConflictPolicy.USE_EXISTING, signal=NUDGE)

    async def _start(
        self,
        case_id: str,
        kind: Kind.ValueType,
        level: int,
        running: WorkflowIDConflictPolicy,
        signal: str | None = None,
    ) -> None:
        await self._client.start_workflow(
            workflow_type(kind),
            CaseRun(case_id=case_id),
            id=workflow_id(case_id),
            task_queue=queue_for(level, self._task_queue),
            priority=_PRIORITIES.get(kind, Priority.default),
            id_conflict_policy=running,
            static_summary=f"{workflow_type(kind)} {case_id}",
            start_signal=signal,
            rpc_timeout=_PATIENCE,
        )

    async def drain(self, patience: float) -> None:
        """Send what still waits, for so many seconds at most; the sweep sees to the rest.

        Args:
            patience: How long at most, in seconds.
        """
        self._draining = True
        try:
            async with asyncio.timeout(patience):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            for task in self._tasks:
                task.cancel()
        finally:
            self._draining = False

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, nudge: _Nudge) -> None:
        self._under_way[nudge.case_id] = False
        self._run(self._send(nudge))

    async def _send_unhurried(self) -> None:
        """Send what has time: one after the other while commands are under way, else as fast as Temporal takes it."""
        try:
            while self._unhurried:
                if self._traffic.flows and not self._draining:
                    await asyncio.sleep(_YIELD_SECONDS)
                async with self._free:
                    case_id = next(iter(self._unhurried), None)
                if case_id is None:
                    return
                waiting = self._unhurried.pop(case_id)
                if monotonic() - waiting.since > _LONGEST_YIELDING:
                    left_to = "the sweep" if waiting.nudge else "its timer"
                    _nudges.add(1, {"casetrail.result": f"left to {left_to}"})
                elif waiting.nudge is None:
                    self._run(self._end(case_id))
                else:
                    self._begin(waiting.nudge)
        finally:
            self._sending_unhurried = False

    async def _send(self, nudge: _Nudge) -> None:
        case_id = nudge.case_id
        _waiting.add(1)
        try:
            again = True
            while again:
                async with self._free_for_critical if is_critical(nudge.level) else self._free:
                    # What is asked for from here on is not in this signal: it needs another one.
                    self._under_way[case_id] = False
                    result = await self._try(nudge)
                again = self._under_way[case_id] and result == "sent"
                nudge = replace(nudge, new=False)
                _nudges.add(1, {"casetrail.result": result})
        finally:
            del self._under_way[case_id]
            _waiting.add(-1)

    async def _end(self, case_id: str) -> None:
        async with self._free:
            _nudges.add(1, {"casetrail.result": await self._try_to_end(case_id)})

    async def _try_to_end(self, case_id: str) -> str:
        try:
            await self._client.get_workflow_handle(workflow_id(case_id)).signal(NUDGE, rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return "not needed any more"
            self._note_loss(error)
            return "failed"
        return "sent"

    async def _try(self, nudge: _Nudge) -> str:
        if not nudge.still_needed():
            return "not needed any more"
        if self._is_hopeless():
            return "left to the sweep"
        try:
            await self.wake(nudge.case_id, nudge.kind, level=nudge.level, new=nudge.new)
        except RPCError as error:
            self._note_loss(error)
            return "failed"
        self._note_return()
        return "sent"

    def _is_hopeless(self) -> bool:
        """Whether Temporal could not be asked just now: trying again for every case would only queue up."""
        return self._lost_at is not None and monotonic() - self._lost_at < _QUIET_SECONDS

    def _note_loss(self, error: RPCError) -> None:
        if self._lost_at is None:
            _log.warning("temporal cannot be asked; the sweep will wake what needs it", status=error.status.name)
        self._lost_at = monotonic()

    def _note_return(self) -> None:
        if self._lost_at is not None:
            _log.info("temporal answers again")
        self._lost_at = None
