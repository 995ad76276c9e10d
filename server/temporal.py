"""Temporal as the server sees it: somebody to be told that a case needs it, who may be away at any time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import structlog
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Kind
from casetrail.v1.workflow_pb2 import Step
from domain import Rejected
from engine.naming import CASE, NUDGE, workflow_id
from engine.nudge import TemporalWaker
from engine.traffic import Traffic

_PATIENCE: Final = timedelta(seconds=5)
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
_BETWEEN_LOOKS: Final = 0.05
# A case that was just opened, or reopened, has its workflow as soon as its nudge has come.
_UNTIL_IT_RUNS: Final = 2.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Temporal:
    """A connection that is made in the background, so that commands never wait for it.

    It is the engine's `Waker`: what is not told while there is no connection, the sweep tells later.
    """

    def __init__(self, connect: Callable[[], Awaitable[Client]], traffic: Traffic | None = None) -> None:
        """Connect by this function, once `connect` is called; nudges that have time yield to the traffic."""
        self._connect = connect
        self._traffic = traffic
        self._client: Client | None = None
        self._waker: TemporalWaker | None = None

    async def connect(self) -> None:
        """Try until Temporal answers for the first time; afterwards its client finds back by itself."""
        pause = _FIRST_PAUSE
        while self._client is None:
            try:
                self._client = await self._connect()
            except (RuntimeError, ValueError) as error:  # Temporal's client cannot connect, or has a wrong address
                if pause == _FIRST_PAUSE:
                    _log.warning("temporal is not there; commands are taken, time catches up later", why=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._waker = TemporalWaker(self._client, traffic=self._traffic)
        _log.info("temporal is there", namespace=self._client.namespace)

    def nudge(
        self,
        case_id: str,
        kind: Kind.ValueType,
        still_needed: Callable[[], bool] = lambda: True,
        *,
        level: int = 0,
        urgent: bool = True,
        new: bool = False,
    ) -> None:
        """Wake a case's workflow soon, if that is possible. Returns at once and never fails."""
        if self._waker is not None:
            self._waker.nudge(case_id, kind, still_needed, level=level, urgent=urgent, new=new)

    def let_end(self, case_id: str) -> None:
        """Let the workflow of a closed case end now, if that is possible."""
        if self._waker is not None:
            self._waker.let_end(case_id)

    def client(self) -> Client:
        """The connection itself.

        Raises:
            Rejected: WORKFLOW_UNAVAILABLE: there is none yet.
        """
        if self._client is None:
            raise _unavailable("Temporal is not there")
        return self._client

    async def look(self, case_id: str, seq: int) -> Step:
        """Ask a case's running workflow how the case stands, as of an event or later.

        A workflow looks at the log when it is nudged, or when something is due, and answers as of then. One that is
        behind is nudged, and asked again until it has caught up.

        Args:
            case_id: The case.
            seq: The event that it should have seen.

        Returns:
            Its last look: behind `seq` when it would not catch up in time.

        Raises:
            Rejected: WORKFLOW_NOT_RUNNING where there is none or it has ended; WORKFLOW_UNAVAILABLE where Temporal or
                its worker is not there, or slow.
        """
        handle: WorkflowHandle[Any, Any] = self.client().get_workflow_handle(workflow_id(case_id))
        step: Step | None = None
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                await _require_running(handle, case_id)
                step = await _last_look(handle)
                if step.seq < seq:
                    await handle.signal(NUDGE, rpc_timeout=_PATIENCE)
                while step.seq < seq:
                    # Temporal tells nobody when a query's answer changes.
                    await asyncio.sleep(_BETWEEN_LOOKS)
                    step = await _last_look(handle)
        except RPCError as error:
            raise _unavailable(f"the workflow of {case_id} cannot be asked: {error.status.name}") from error
        except TimeoutError:
            if step is None:
                raise _unavailable(
                    f"the workflow of {case_id} did not answer in {_PATIENCE.seconds} s; is a worker running?"
                ) from None
        return step

    async def drain(self, patience: float) -> None:
        """Send the nudges that still wait, for so many seconds at most."""
        if self._waker is not None:
            await self._waker.drain(patience)


def _unavailable(message: str) -> Rejected:
    return Rejected(RefusalReason.REFUSAL_REASON_WORKFLOW_UNAVAILABLE, message)


async def _last_look(handle: WorkflowHandle[Any, Any]) -> Step:
    step: Step = await handle.query(CASE, result_type=Step, rpc_timeout=_PATIENCE)
    return step


async def _require_running(handle: WorkflowHandle[Any, Any], case_id: str) -> None:
    end = time.monotonic() + _UNTIL_IT_RUNS
    while (status := await _status(handle)) != WorkflowExecutionStatus.RUNNING:
        if time.monotonic() > end:
            which = f"the workflow of {case_id} is {_word(status)}" if status else f"no workflow of {case_id} has run"
            raise Rejected(RefusalReason.REFUSAL_REASON_WORKFLOW_NOT_RUNNING, f"{which}; the log alone has the case")
        await asyncio.sleep(_BETWEEN_LOOKS)


async def _status(handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
    """How the workflow's last run stands; None where there was none."""
    try:
        return (await handle.describe(rpc_timeout=_PATIENCE)).status
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


def _word(status: WorkflowExecutionStatus) -> str:
    return status.name.lower().replace("_", " ")
