"""Temporal as the server sees it: somebody to be told that a case needs it, who may be away at any time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Kind
from casetrail.v1.workflow_pb2 import Step
from domain import Rejected
from engine.naming import CASE, workflow_id
from engine.nudge import TemporalWaker

_PATIENCE: Final = timedelta(seconds=5)
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Temporal:
    """A connection that is made in the background, so that commands never wait for it.

    It is the engine's `Waker`: what is not told while there is no connection, the sweep tells later.
    """

    def __init__(self, connect: Callable[[], Awaitable[Client]]) -> None:
        """Connect by this function, once `connect` is called."""
        self._connect = connect
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
        self._waker = TemporalWaker(self._client)
        _log.info("temporal is there", namespace=self._client.namespace)

    def nudge(
        self,
        case_id: str,
        kind: Kind.ValueType,
        still_needed: Callable[[], bool] = lambda: True,
        *,
        level: int = 0,
    ) -> None:
        """Wake a case's workflow soon, if that is possible. Returns at once and never fails."""
        if self._waker is not None:
            self._waker.nudge(case_id, kind, still_needed, level=level)

    def client(self) -> Client:
        """The connection itself.

        Raises:
            Rejected: WORKFLOW_UNAVAILABLE: there is none yet.
        """
        if self._client is None:
            raise _unavailable("Temporal is not there")
        return self._client

    async def look(self, case_id: str) -> Step:
        """Ask a case's workflow how the case stands.

        Raises:
            Rejected: WORKFLOW_UNAVAILABLE: Temporal, its worker or the workflow is not there, or slow.
        """
        handle = self.client().get_workflow_handle(workflow_id(case_id))
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                step: Step = await handle.query(CASE, result_type=Step, rpc_timeout=_PATIENCE)
                return step
        except RPCError as error:
            raise _unavailable(f"the workflow of {case_id} cannot be asked: {error.status.name}") from error
        except TimeoutError:
            raise _unavailable(
                f"the workflow of {case_id} did not answer in {_PATIENCE.seconds} s; is a worker running?"
            ) from None

    async def drain(self, patience: float) -> None:
        """Send the nudges that still wait, for so many seconds at most."""
        if self._waker is not None:
            await self._waker.drain(patience)


def _unavailable(message: str) -> Rejected:
    return Rejected(RefusalReason.REFUSAL_REASON_WORKFLOW_UNAVAILABLE, message)
