"""What a drill has done: injects made, the log followed, expectations judged, scripted participants moved.

Each is an effect of the drill's own case, so that it happens once, whatever dies meanwhile; the log is read by position
and nothing of what was seen is kept here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import protovalidate
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.effects import Errand, Errands, refusals_as_failures
from activities.outside import Faults, FaultsUnavailableError, NoSuchSystemError
from audit.log import Log
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.command_pb2 import Command, EndDrillCase, Open
from casetrail.v1.drill_pb2 import Drill, DrillExpectation
from casetrail.v1.drill_service_pb2 import StartDrillRequest
from casetrail.v1.effect_pb2 import (
    CueSeen,
    DrillCleared,
    ExpectationMet,
    ExpectationMetLate,
    ExpectationMissed,
    InjectFailed,
    InjectMade,
    MoveFailed,
    MoveMade,
    Outcome,
    RestorationFailed,
    SystemRestored,
)
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.inject_pb2 import FaultInject, Inject
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Actor, Kind, Role
from casetrail.v1.workflow_pb2 import EffectRun
from domain import Rejected
from domain.case_time import case_now, real_time
from domain.draft import SYSTEM
from domain.drills import injects, script
from domain.drills.matching import History, Judgement, is_cue, judge, meets, points
from domain.drills.moves import actor_of, command_of
from domain.instants import Instant, instant, timestamp
from domain.words import word
from engine.naming import SCHEDULER

_PATIENCE_SECONDS: Final = 20.0
_BEAT_SECONDS: Final = 1.0
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an inject is.

    Attributes:
        opened: How many of its cases are open.
        wait_seconds: In real time, until more of it is due; None when all of it has happened.
    """

    opened: int
    wait_seconds: float | None


class Drills:
    """The errands of drills."""

    def __init__(self, errands: Errands, log: Log, faults: Faults) -> None:
        """Work on the drill's cases, follow them in the log, and let systems fail."""
        self._errands = errands
        self._log = log
        self._faults = faults

    @activity.defn
    async def start(self, request: StartDrillRequest) -> str:
        """Start a drill that is scheduled, and return its number."""
        opening = script.opening(request.scenario, request.scale)
        command = Command(request_id=request.request_id, open=opening)
        command.actor.CopyFrom(Actor(name=SCHEDULER, role=Role.ROLE_SERVICE))
        with refusals_as_failures():
            return (await self._errands.engine.execute(command)).case.case_id

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
            with _passing_refusals():
                match inject.WhichOneof("what"):
                    case "declare":
                        await self._open(run, errand, 0, injects.declaration(inject), injects.MONITORING)
                    case "wave":
                        opened = await self._wave(run, errand, opened, now)
                        if opened < inject.wave.count:
                            return Progress(opened, _until_next(errand, opened))
                    case "message":
                        await self._message(run, errand, inject)
                    case "fault":
                        await self._begin_fault(errand.case.case_id, inject.fault)
        except (Rejected, NoSuchSystemError) as refused:
            failed = InjectFailed(inject_id=inject.id, why=str(refused))
            await self._errands.report(run, Outcome(inject_failed=failed))
            return Progress(opened, None)
        cases = [case for case in await self._cases(errand.case.case_id) if case.inject_id == inject.id]
        began = min((instant(case.opened_at) for case in cases), default=now)
        made = InjectMade(
            inject_id=inject.id, case_ids=sorted(case.case_id for case in cases), began_at=timestamp(began)
        )
        await self._errands.report(run, Outcome(inject_made=made))
        return Progress(opened, None)

    @activity.defn
    async def observe(self, run: EffectRun, position: int) -> int:
        """Follow the log for a while, and log what meets an expectation, or is a cue for somebody.

        Args:
            run: The observation's demand.
            position: What has been seen before; 0 for nothing.

        Returns:
            What has been seen now. Earlier than need be when something was found: the drill must look at it.
        """
        errand = await self._errands.find(run)
        if errand is None:
            return position
        drill_id = errand.case.case_id
        if not position:
            position = (await self._log.events(drill_id, limit=1))[0].position
        async with _beating():
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    found = False
                    async for event in self._log.follow(after_position=position):
                        if event.drill_id == drill_id:
                            found |= await self._look_at(run, event)
                        position = event.position
                        if event.HasField("drill_ended") and event.case_id == drill_id:
                            break
                        if found and position >= await self._log.size():
                            break
        return position

    @activity.defn
    async def judge(self, run: EffectRun) -> None:
        """Say whether what was expected has happened by now, and log it with what proves it."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        expectation_id = errand.effect.judgement.expectation_id
        judgement = await self._judgement(errand.case, expectation_id)
        await self._errands.report(run, _verdict(errand.case.drill, expectation_id, judgement))

    @activity.defn
    async def move(self, run: EffectRun) -> None:
        """Do what a scripted participant does, and log what came of it."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        asked = errand.effect.move
        participant, answer = script.answer_of(script.scenario_of(errand.case.drill.scenario), asked.move_id)
        event = await self._event(asked.case_id, asked.event_id)
        command = command_of(answer.do, event, await self._brought(errand.case.case_id))
        command.request_id = f"{run.effect_id}/move"
        command.actor.CopyFrom(actor_of(participant, errand.case.case_id))
        outcome = Outcome(move_made=MoveMade())
        try:
            with _passing_refusals():
                _require_valid(command)
                done = await self._errands.engine.execute(command)
                outcome.move_made.event_ids.extend(event.event_id for event in done.events)
        except Rejected as refused:
            outcome = Outcome(move_failed=MoveFailed(why=f"{refused.code}: {refused.message}"))
        await self._errands.report(run, outcome)

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

    @activity.defn
    async def clear(self, run: EffectRun) -> None:
        """End every case that the drill has left open."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        cleared = DrillCleared()
        for case in await self._cases(errand.case.case_id, only_open=True):
            command = Command(
                case_id=case.case_id,
                request_id=f"{run.effect_id}/end",
                actor=SYSTEM,
                end_drill_case=EndDrillCase(),
            )
            try:
                with _passing_refusals():
                    await self._errands.engine.execute(command)
            except Rejected:
                cleared.left_case_ids.append(case.case_id)
            else:
                cleared.case_ids.append(case.case_id)
        await self._errands.report(run, Outcome(drill_cleared=cleared))

    # --- injects ------------------------------------------------------------------------------------------------------

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
        for case in await self._cases(errand.case.case_id):
            if case.inject_id != inject.message.to:
                continue
            command = injects.message_to(case, inject)
            command.request_id = f"{run.effect_id}/{case.case_id}"
            command.actor.via = errand.case.case_id
            # A case that is closed by now hears nothing.
            with suppress(Rejected), _passing_refusals():
                await self._errands.engine.execute(command)

    async def _begin_fault(self, drill_id: str, fault: FaultInject) -> None:
        with _faults_as_failures():
            await self._faults.begin(drill_id, word(FaultInject.System, fault.system))

    # --- what happens in the drill's cases ----------------------------------------------------------------------------

    async def _look_at(self, run: EffectRun, event: Event) -> bool:
        """Log what an event of the drill means for it; returns whether it means anything."""
        case = await self._log.read_case(event.case_id)
        if case is None or case.kind == Kind.KIND_DRILL:
            return False
        with refusals_as_failures():
            drill = (await self._errands.engine.case(run.case_id)).drill
        scenario = script.scenario_of(drill.scenario)
        found = False
        for answer in _answers_cued(scenario, drill, case.inject_id, event):
            await self._report_cue(run, script.move_id(answer, event.event_id), event)
            found = True
        for expectation, planned in zip(scenario.expectations, drill.expectations, strict=True):
            if planned.verdict == DrillExpectation.VERDICT_OPEN and meets(expectation, case.inject_id, event):
                found |= await self._report_if_met(run, expectation.id)
        return found

    async def _report_cue(self, run: EffectRun, move_id: str, event: Event) -> None:
        cue = CueSeen(move_id=move_id, case_id=event.case_id, event_id=event.event_id, happened_at=event.at)
        await self._errands.report(run, Outcome(cue_seen=cue), name=f"cue/{move_id}"[-_REQUEST_ID:])

    async def _report_if_met(self, run: EffectRun, expectation_id: str) -> bool:
        with refusals_as_failures():
            case = await self._errands.engine.case(run.case_id)
        judgement = await self._judgement(case, expectation_id)
        if judgement.met_at is None:
            return False
        outcome = _verdict(case.drill, expectation_id, judgement)
        await self._errands.report(run, outcome, name=f"met/{expectation_id}")
        return True

    async def _judgement(self, case: Case, expectation_id: str) -> Judgement:
        expectation = script.expectation_of(case.drill, expectation_id)
        planned = next(one for one in case.drill.expectations if one.id == expectation_id)
        begins = instant(script.find_inject(case.drill, expectation.after).due_at)
        return judge(expectation, planned, begins, await self._histories(case.case_id))

    async def _histories(self, drill_id: str) -> Sequence[History]:
        return [History(case.inject_id, await self._log.events(case.case_id)) for case in await self._cases(drill_id)]

    async def _event(self, case_id: str, event_id: str) -> Event:
        seq = int(event_id.rpartition(":")[2])
        return (await self._log.events(case_id, after_seq=seq - 1, limit=1))[0]

    async def _brought(self, drill_id: str) -> dict[str, list[str]]:
        brought: dict[str, list[str]] = {}
        for case in await self._cases(drill_id):
            brought.setdefault(case.inject_id, []).append(case.case_id)
        return brought

    async def _cases(self, drill_id: str, *, only_open: bool = False) -> Sequence[Case]:
        """The cases of a drill, without the drill itself, the oldest first."""
        wanted, token = CaseFilter(drill_id=drill_id, include_drills=True, open=only_open), ""
        cases: list[Case] = []
        while True:
            page = await self._log.list_cases(wanted, page_size=_PAGE, token=token)
            cases += [case for case in page.cases if case.kind != Kind.KIND_DRILL]
            token = page.next_token
            if not token:
                return cases[::-1]


# The contract's limit, less what stands before it.
_REQUEST_ID: Final = 90


def _now(case: Case) -> Instant:
    return case_now(case.time_base, datetime.now(UTC))


def _until_next(errand: Errand, opened: int) -> float:
    """How many real seconds are left until the next customer of a wave."""
    due = instant(errand.effect.requested_at) + injects.wave_offset(errand.effect.inject.inject.wave, opened)
    moment = real_time(errand.case.time_base, due)
    return (moment - datetime.now(UTC)).total_seconds() if moment else 0.0


def _answers_cued(scenario: Scenario, drill: Drill, inject_id: str, event: Event) -> Iterator[str]:
    """The answers of scripted participants, by name, that an event in a case of this inject is the cue for."""
    for participant in scenario.participants:
        for number, answer in enumerate(participant.answers):
            name = script.answer_name(participant, number)
            given = answer.once and name in drill.answered
            never = script.delay_of(participant, answer).never_percent == script.ALWAYS_SILENT
            if not (given or never) and is_cue(answer, inject_id, event):
                yield name


def _verdict(drill: Drill, expectation_id: str, judgement: Judgement) -> Outcome:
    if judgement.met_at is None:
        missed = ExpectationMissed(expectation_id=expectation_id, event_ids=judgement.event_ids)
        return Outcome(expectation_missed=missed)
    outcome = Outcome()
    late = judgement.verdict == DrillExpectation.VERDICT_LATE
    met: ExpectationMet | ExpectationMetLate = outcome.expectation_met_late if late else outcome.expectation_met
    met.expectation_id = expectation_id
    met.event_ids.extend(judgement.event_ids)
    met.met_at.CopyFrom(timestamp(judgement.met_at))
    met.score = points(script.expectation_of(drill, expectation_id), judgement.verdict)
    return outcome


def _require_valid(command: Command) -> None:
    """Refuse what a server would refuse.

    Raises:
        Rejected: INVALID.
    """
    for violation in protovalidate.collect_violations(command):
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, violation.proto.message)
    if command.actor.role == Role.ROLE_SYSTEM:
        raise Rejected(RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED, "nobody plays the system")


@contextmanager
def _passing_refusals() -> Iterator[None]:
    """Let Temporal try again what may pass; what will not is the caller's to log.

    Raises:
        ApplicationError: The log cannot be used now.
        Rejected: Anything else.
    """
    try:
        yield
    except Rejected as refusal:
        if refusal.reason != RefusalReason.REFUSAL_REASON_LOG_UNAVAILABLE:
            raise
        raise ApplicationError(refusal.message, type=refusal.code) from refusal


@contextmanager
def _faults_as_failures() -> Iterator[None]:
    try:
        yield
    except FaultsUnavailableError as error:
        raise ApplicationError(str(error), type="FAULTS_UNAVAILABLE") from error


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Tell Temporal again and again that this goes on, so that it is begun elsewhere soon after it does not."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(_BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
