"""What a drill's script lets happen: cases and messages on the real engine, and systems that fail and answer again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.effects import Errand, Errands, passing_refusals
from activities.outside import Faults, FaultsUnavailableError, NoSuchSystemError
from audit.in_full import cases_of_drill
from audit.log import Log
from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import Command, Open
from casetrail.v1.effect_pb2 import InjectFailed, InjectMade, Outcome, RestorationFailed, SystemRestored
from casetrail.v1.inject_pb2 import FaultInject, Inject
from casetrail.v1.types_pb2 import Actor
from casetrail.v1.workflow_pb2 import EffectRun
from domain import Rejected
from domain.case_time import case_now, real_time
from domain.drills import injects
from domain.instants import Instant, instant, timestamp
from domain.words import word


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an inject is.

    Attributes:
        opened: How many of its cases are open.
        wait_seconds: In real time, until more of it is due; None when all of it has happened.
    """

    opened: int
    wait_seconds: float | None


class DrillInjects:
    """The injects of drills."""

    def __init__(self, errands: Errands, log: Log, faults: Faults) -> None:
        """Work on the drill's cases, find them in the log, and let systems fail."""
        self._errands = errands
        self._log = log
        self._faults = faults

    @activity.defn
    async def make_inject(self, run: EffectRun, opened: int) -> Progress:
        """Let of an inject happen what is due; when that is all of it, log so.

        Args:
            run: The inject's demand.
            opened: How many cases it has brought before.
        """
        errand = await self._errands.find(run)
        if errand is None:
            return Progress(opened, None)
        inject, now = errand.effect.inject.inject, _now(errand.case)
        try:
            with passing_refusals():
                opened = await self._bring(run, errand, opened, now)
        except (Rejected, NoSuchSystemError) as refused:
            failed = InjectFailed(inject_id=inject.id, why=str(refused))
            await self._errands.report(run, Outcome(inject_failed=failed))
            return Progress(opened, None)
        if inject.HasField("wave") and opened < inject.wave.count:
            return Progress(opened, _until_next(errand, opened))
        await self._errands.report(run, Outcome(inject_made=await self._made(errand, now)))
        return Progress(opened, None)

    @activity.defn
    async def restore(self, run: EffectRun) -> None:
        """Let a system answer again."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        outcome = Outcome(system_restored=SystemRestored())
        try:
            with _faults_as_failures():
                await self._faults.end(errand.case.case_id, word(FaultInject.System, errand.effect.restoration.system))
        except NoSuchSystemError as error:
            outcome = Outcome(restoration_failed=RestorationFailed(why=str(error)))
        await self._errands.report(run, outcome)

    async def _bring(self, run: EffectRun, errand: Errand, opened: int, now: Instant) -> int:
        """Let happen what is due of an inject; returns how many cases it has brought by now."""
        inject = errand.effect.inject.inject
        match inject.WhichOneof("what"):
            case "declare":
                await self._open(run, errand, 0, injects.declaration(inject), injects.MONITORING)
            case "wave":
                return await self._wave(run, errand, opened, now)
            case "message":
                await self._message(run, errand, inject)
            case "fault":
                await self._begin_fault(errand.case.case_id, inject.fault)
        return opened

    async def _made(self, errand: Errand, now: Instant) -> InjectMade:
        """What an inject has brought, and since when."""
        inject_id = errand.effect.inject.inject.id
        cases = [case for case in await cases_of_drill(self._log, errand.case.case_id) if case.inject_id == inject_id]
        began = min((instant(case.opened_at) for case in cases), default=now)
        return InjectMade(
            inject_id=inject_id, case_ids=sorted(case.case_id for case in cases), began_at=timestamp(began)
        )

    async def _open(self, run: EffectRun, errand: Errand, number: int, opening: Open, actor: Actor) -> None:
        opening.drill_id = errand.case.case_id
        opening.inject_id = errand.effect.inject.inject.id
        command = Command(request_id=f"{run.effect_id}/{number}", open=opening)
        command.actor.CopyFrom(actor)
        command.actor.via = errand.case.case_id
        await self._errands.engine.execute(command)

    async def _wave(self, run: EffectRun, errand: Errand, opened: int, now: Instant) -> int:
        """Let every customer turn up who is due."""
        wave, began = errand.effect.inject.inject.wave, instant(errand.effect.requested_at)
        while opened < wave.count and began + injects.wave_offset(wave, opened) <= now:
            await self._open(run, errand, opened, injects.customer_turns_up(wave, opened), injects.CUSTOMER)
            opened += 1
        return opened

    async def _message(self, run: EffectRun, errand: Errand, inject: Inject) -> None:
        for case in await cases_of_drill(self._log, errand.case.case_id):
            if case.inject_id != inject.message.to:
                continue
            command = injects.message_to(case, inject)
            command.request_id = f"{run.effect_id}/{case.case_id}"
            command.actor.via = errand.case.case_id
            # A case that is closed by now hears nothing.
            with suppress(Rejected), passing_refusals():
                await self._errands.engine.execute(command)

    async def _begin_fault(self, drill_id: str, fault: FaultInject) -> None:
        with _faults_as_failures():
            await self._faults.begin(drill_id, word(FaultInject.System, fault.system))


def _now(case: Case) -> Instant:
    return case_now(case.time_base, datetime.now(UTC))


def _until_next(errand: Errand, opened: int) -> float:
    """How many real seconds are left until the next customer of a wave."""
    due = instant(errand.effect.requested_at) + injects.wave_offset(errand.effect.inject.inject.wave, opened)
    moment = real_time(errand.case.time_base, due)
    return (moment - datetime.now(UTC)).total_seconds() if moment else 0.0


@contextmanager
def _faults_as_failures() -> Iterator[None]:
    try:
        yield
    except FaultsUnavailableError as error:
        raise ApplicationError(str(error), type="FAULTS_UNAVAILABLE") from error
