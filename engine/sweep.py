"""The sweep: finds every case whose need Temporal does not know, or has not served, and wakes it.

So a nudge that was lost costs seconds and never a deadline, and a Temporal that has lost its memory gets it back from
the log.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import random
from time import monotonic
from typing import Final

import structlog
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from audit.log import Log, LogDamagedError, LogUnavailableError, Unserved
from casetrail.v1.types_pb2 import Kind
from engine.nudge import SOON, TemporalWaker

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_AT_ONCE: Final = 8
"""Signals under way: every worker sweeps, and a Temporal that is slow must not get more from them than it answers."""

_TEMPORAL: Final = "temporal"
_CHANGING: Final = "changing to "


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the sweep is, in seconds.

    Attributes:
        every: From one round to the next.
        first: How long a case must have been unserved before it is woken: whoever wrote it is probably doing so.
        unhurried: The same for one that needs nothing soon: whoever wrote it may have commands to see to first.
        again: How long it is given to be served before it is woken once more; doubles each time, up to `longest`.
        longest: The most that `again` grows to.
        wake_grace: How late a timer may be.
        effect_grace: How long an effect may be pending without any look at the case, such as a call owed next week.
        limit: Cases a round looks at; more while all of these have been woken already and none was served.
        round: How long a round goes on waking; what is most urgent by then comes first in the next one.
    """

    every: float = 1.0
    first: float = 2.0
    unhurried: float = 10.0
    again: float = 10.0
    longest: float = 900.0
    wake_grace: float = 5.0
    effect_grace: float = 900.0
    limit: int = 1000
    round: float = 5.0


@dataclass(slots=True)
class _Watched:
    """A case that was found unserved: when it is woken next, by the monotonic clock, and how long is waited then."""

    wake_at: float
    then: float


def _real_now() -> datetime:
    return datetime.now(UTC)


class Sweep:
    """Goes over the log's needs, round after round, until it is stopped."""

    def __init__(
        self,
        log: Log,
        client: Client,
        waker: TemporalWaker,
        *,
        pace: Pace | None = None,
        now: Callable[[], datetime] = _real_now,
    ) -> None:
        """Sweep a log for a Temporal.

        Args:
            log: Knows what is needed, and what Temporal was told.
            client: To ask which Temporal it is.
            waker: Wakes what needs it.
            pace: How patient it is.
            now: The real clock.
        """
        self._log = log
        self._client = client
        self._waker = waker
        self._pace = pace or Pace()
        self._now = now
        self._watched: dict[str, _Watched] = {}
        self._limit = self._pace.limit
        self._memory = ""
        self._lost = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until told to stop. With Temporal or the log away it goes on trying, quietly."""
        while not stop.is_set():
            try:
                await self.round()
            except RPCError as error:
                self._note_loss("temporal", error.status.name)
            except (LogUnavailableError, LogDamagedError) as error:
                self._note_loss("the log", str(error))
            else:
                self._note_return()
            await _until(stop, self._pace.every)

    async def round(self) -> int:
        """Wake what needs it and has waited long enough; returns how many cases were woken.

        The first one that cannot be woken ends the round: Temporal has no time for the others either.

        Raises:
            RPCError: Temporal cannot be asked.
            LogUnavailableError: The log cannot be asked.
        """
        await self._recognise()
        found = await self._log.unserved(
            now=self._now(),
            wake_grace=self._pace.wake_grace,
            effect_grace=self._pace.effect_grace,
            limit=self._limit,
        )
        due = self._due(found)
        self._look_further(full=len(found) == self._limit, idle=not due)
        return await self._wake_all(due)

    async def _wake_all(self, due: Sequence[Unserved]) -> int:
        until = monotonic() + self._pace.round
        waiting = iter(due)
        woken = 0

        async def wake_some() -> None:
            nonlocal woken
            for case in waiting:
                self._note_attempt(case)
                await self._wake(case)
                woken += 1
                if monotonic() > until:
                    return

        try:
            async with asyncio.TaskGroup() as waking:
                for _ in range(_AT_ONCE):
                    waking.create_task(wake_some())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return woken

    async def _wake(self, case: Unserved) -> None:
        level = 0
        if case.kind == Kind.KIND_INCIDENT and (known := await self._log.read_case(case.case_id)):
            # A critical one is started where the others are not in its way.
            level = known.incident.level
        await self._waker.wake(case.case_id, Kind.ValueType(case.kind), level=level)

    async def _recognise(self) -> None:
        """Forget what Temporal knows when its memory is another: its database was lost, or it is another cluster."""
        described = await self._client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=self._client.namespace)
        )
        memory = described.namespace_info.id
        if memory == self._memory:
            return
        # Not yet the new name: were this process to end here, the next one would have to forget again.
        known = await self._log.remember(_TEMPORAL, _CHANGING + memory)
        if known != memory:
            _log.info("temporal's memory is new; telling it of every open case", cases=await self._log.disarm_all())
            self._watched.clear()
        await self._log.remember(_TEMPORAL, memory)
        self._memory = memory

    def _due(self, found: Sequence[Unserved]) -> list[Unserved]:
        """Of the cases found, those to be woken in this round."""
        moment = monotonic()
        served = self._watched.keys() - {case.case_id for case in found}
        for case_id in served:
            del self._watched[case_id]
        due = [case for case in found if self._is_due(case, moment)]
        # Incidents first. The rest in an order of this worker's own: not every worker should wake the same cases.
        return sorted(due, key=lambda case: (case.kind != Kind.KIND_INCIDENT, random()))  # noqa: S311 - no secret

    def _look_further(self, *, full: bool, idle: bool) -> None:
        """Cases that nothing serves must not hide those behind them."""
        if not full:
            self._limit = self._pace.limit
        elif idle:
            self._limit *= 2

    def _is_due(self, case: Unserved, moment: float) -> bool:
        watched = self._watched.get(case.case_id)
        if watched is None:
            first = self._pace.first if self._is_urgent(case) else self._pace.unhurried
            watched = self._watched[case.case_id] = _Watched(moment + first, self._pace.again)
        return moment >= watched.wake_at

    def _note_attempt(self, case: Unserved) -> None:
        watched = self._watched[case.case_id]
        watched.wake_at = monotonic() + watched.then
        watched.then = min(2 * watched.then, self._pace.longest)

    def _is_urgent(self, case: Unserved) -> bool:
        soon = case.effects or case.wake is None or case.wake <= self._now() + SOON
        return soon or case.kind == Kind.KIND_INCIDENT

    def _note_loss(self, what: str, why: str) -> None:
        if self._lost != what:
            _log.warning("sweep interrupted: cannot be asked", what=what, why=why)
        self._lost = what

    def _note_return(self) -> None:
        if self._lost:
            _log.info("sweep goes on: answers again", what=self._lost)
        self._lost = ""


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Wait for a round's end, or for the stop, whichever comes first."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
