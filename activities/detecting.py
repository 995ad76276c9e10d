"""Follows the log and declares what detection finds in it.

What detection remembers, its place in the log included, is kept in the log's own database. Whatever dies, it goes on
from there: an incident is declared under a request id that follows from what was found, and so only once.
"""

from asyncio import timeout
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import aclosing, suppress
from itertools import islice
from time import monotonic
from typing import Final

import structlog
from temporalio import activity

from activities.effects import passing_refusals, refusals_as_failures
from audit.log import Log
from casetrail.v1.command_pb2 import Command
from casetrail.v1.detection_pb2 import DetectionState
from casetrail.v1.types_pb2 import Kind
from domain import Rejected
from domain.detection import Finding, declaration, linking, observe
from domain.draft import SYSTEM
from engine.engine import Engine
from engine.naming import DETECTION
from engine.numbers import numbers

# How often the workflow hears that this is alive while nothing happens, and a worker that stops is noticed.
_BEAT_SECONDS: Final = 1.0
# When the workflow takes it for dead, and begins anew elsewhere.
SILENCE_SECONDS: Final = 12.0
# What was looked at since the last time that this was remembered is looked at again after a crash.
_REMEMBER_SECONDS: Final = 5.0
_PAGE: Final = 500
# What comes in quick succession is looked at together: each look takes the processor from whoever is being answered.
_GATHER_SECONDS: Final = 0.5
_NUMBERS_TRIED: Final = 3

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Detecting:
    """Detection over one log."""

    def __init__(self, engine: Engine, log: Log) -> None:
        """Declare through an engine what its log shows."""
        self._engine = engine
        self._log = log

    @activity.defn
    async def watch_log(self, seconds: float) -> int:
        """Follow the log for so many seconds, or until this worker stops; returns how far that came.

        Raises:
            ApplicationError: The log cannot be used now.
        """
        ends = monotonic() + seconds
        with refusals_as_failures():
            state = await self._recall()
            kept, kept_at = state.position, monotonic()
            while monotonic() < ends and not activity.is_worker_shutdown():
                events = await self._log.scan(after_position=state.position, limit=_PAGE)
                state, found = observe(state, events, self._engine.newest_rules.policy)
                await self._act_on(found)
                idle = not events
                if kept != state.position and (found or idle or monotonic() - kept_at > _REMEMBER_SECONDS):
                    await self._log.remember(DETECTION, _written(state))
                    kept, kept_at = state.position, monotonic()
                activity.heartbeat(state.position)
                if idle:
                    await self._until_there_is_more(state.position, ends)
            await self._log.remember(DETECTION, _written(state))
            return state.position

    async def _recall(self) -> DetectionState:
        """What was remembered last; nothing at the first look, which begins with the first event."""
        return DetectionState.FromString(b64decode(await self._log.recall(DETECTION) or ""))

    async def _until_there_is_more(self, position: int, ends: float) -> None:
        async with aclosing(self._log.follow(after_position=position)) as coming:
            with suppress(TimeoutError):
                async with timeout(min(_BEAT_SECONDS, ends - monotonic())):
                    await anext(coming, None)
        with suppress(TimeoutError):
            async with timeout(min(_GATHER_SECONDS, ends - monotonic())):
                await activity.wait_for_worker_shutdown()

    async def _act_on(self, found: Sequence[Finding]) -> None:
        for finding in found:
            if finding.declare:
                await self._send(finding, declaration(finding, self._engine.newest_rules.policy))
            elif incident_id := await self._incident_of(finding):
                await self._send(finding, linking(finding, incident_id))

    async def _send(self, finding: Finding, command: Command) -> None:
        try:
            with passing_refusals():
                outcome = await self._engine.execute(command)
        except Rejected as refusal:
            # An incident that is over takes no more cases; one that was declared under another policy is the same one.
            _log.info("detection refused", rule=finding.rule, why=refusal.code)
            return
        if finding.declare and not outcome.repeated:
            _log.warning("incident detected", rule=finding.rule, case_id=outcome.case.case_id)

    async def _incident_of(self, finding: Finding) -> str:
        """The incident that was declared about a finding's matter; empty when its number cannot be told."""
        for case_id in islice(numbers(Kind.KIND_INCIDENT, SYSTEM.name, finding.request_id), _NUMBERS_TRIED):
            if await self._engine.knows(case_id, finding.request_id):
                return case_id
        return ""


def _written(state: DetectionState) -> str:
    return b64encode(state.SerializeToString(deterministic=True)).decode()
