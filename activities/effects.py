"""What every effect has in common: it is pending until its outcome is in the log.

An activity that does an effect's work first asks the log whether the effect is still pending, then does the outside
thing under the effect's id, then logs the outcome. Whatever dies in between, it is done again under the same id, and
whoever is outside does it once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.outside import Outside, World
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.command_pb2 import Command, ReportOutcome
from casetrail.v1.effect_pb2 import Effect, Outcome
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.workflow_pb2 import EffectRun
from domain import Rejected
from domain.case_time import case_now
from domain.draft import SYSTEM
from domain.instants import Instant, from_datetime, to_datetime
from engine.engine import Engine

_PASSING: Final = frozenset({RefusalReason.REFUSAL_REASON_LOG_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Errand:
    """A pending effect, the case that demands it, and what may be touched for it."""

    case: Case
    effect: Effect
    outside: Outside


class Errands:
    """Finds what is still to be done, and logs what came of it."""

    def __init__(self, engine: Engine, world: World) -> None:
        """Work through an engine, in a world."""
        self.engine = engine
        self._world = world

    async def find(self, run: EffectRun) -> Errand | None:
        """The effect, unless its outcome is known already or nobody wants it any more."""
        with refusals_as_failures():
            pending = await self.engine.pending_effect(run.case_id, run.effect_id)
        if pending is None:
            return None
        case, effect = pending
        return Errand(case, effect, self._world.of(case))

    async def outside_of(self, run: EffectRun) -> Outside:
        """What may be touched for a case, whether or not its effect is still pending."""
        with refusals_as_failures():
            return self._world.of(await self.engine.case(run.case_id))

    async def report(self, run: EffectRun, outcome: Outcome, *, name: str = "outcome") -> None:
        """Log what came of an effect.

        Args:
            run: The effect.
            outcome: What came of it.
            name: Tells several reports about one effect apart.
        """
        command = Command(
            case_id=run.case_id,
            request_id=_report_id(run, name),
            actor=SYSTEM,
            report_outcome=ReportOutcome(effect_id=run.effect_id, outcome=outcome),
        )
        with refusals_as_failures():
            try:
                await self.engine.execute(command)
            except Rejected as refusal:
                # Logged by an attempt whose answer got lost, or withdrawn while it was being done.
                if refusal.reason != RefusalReason.REFUSAL_REASON_UNKNOWN_EFFECT:
                    raise

    async def was_reported(self, run: EffectRun, name: str) -> bool:
        """Whether `report` under this name is in the log."""
        with refusals_as_failures():
            return await self.engine.knows(run.case_id, _report_id(run, name))


def _report_id(run: EffectRun, name: str) -> str:
    """The request under which an effect's outcome is logged."""
    return f"{run.effect_id}/{name}"


def case_instant(base: TimeBase, moment: datetime) -> Instant:
    """A moment of the world outside, in case time: what was before a compressed case began is left as it was."""
    if base.mode == TimeBase.MODE_SCALED and moment > to_datetime(base.origin.seconds):
        return case_now(base, moment)
    return from_datetime(moment)


@contextmanager
def refusals_as_failures() -> Iterator[None]:
    """Let Temporal try again what may pass, and nothing else.

    Raises:
        ApplicationError: With the refusal's reason as type, and the wrong field as detail.
    """
    try:
        yield
    except Rejected as refusal:
        raise ApplicationError(
            refusal.message,
            refusal.field,
            type=refusal.code,
            non_retryable=refusal.reason not in _PASSING,
        ) from refusal


@contextmanager
def passing_refusals() -> Iterator[None]:
    """Let Temporal try again what may pass; what will not is the caller's to log.

    Raises:
        ApplicationError: The log cannot be used now.
        Rejected: Anything else.
    """
    try:
        yield
    except Rejected as refusal:
        if refusal.reason not in _PASSING:
            raise
        raise ApplicationError(refusal.message, type=refusal.code) from refusal
