"""What a drill sees of its cases: the log followed by position, cues reported, expectations judged.

Nothing of what was seen is kept here: an observation that dies is begun again from the last position that it returned.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from temporalio import activity

from activities.effects import Errands, refusals_as_failures
from audit.in_full import cases_of_drill, history
from audit.log import Log
from casetrail.v1.case_pb2 import Case
from casetrail.v1.drill_pb2 import Drill, DrillExpectation
from casetrail.v1.effect_pb2 import CueSeen, ExpectationMet, ExpectationMetLate, ExpectationMissed, Outcome
from casetrail.v1.event_pb2 import Event
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Kind
from casetrail.v1.workflow_pb2 import EffectRun
from domain.drills import script
from domain.drills.matching import History, Judgement, is_cue, judge, meets, points
from domain.instants import instant, timestamp

_PATIENCE_SECONDS: Final = 20.0
_BEAT_SECONDS: Final = 1.0
# The contract's limit, less what stands before it.
_REQUEST_ID: Final = 90


class DrillObservation:
    """Drills as they observe and judge what happens."""

    def __init__(self, errands: Errands, log: Log) -> None:
        """Report to the drill's case what the log has of its cases."""
        self._errands = errands
        self._log = log

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
        with suppress(TimeoutError):
            async with _beating(), asyncio.timeout(_PATIENCE_SECONDS):
                async for seen in self._watch(run, drill_id, position):
                    position = seen
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

    async def _watch(self, run: EffectRun, drill_id: str, position: int) -> AsyncIterator[int]:
        """Look at one event after the other, and say where each stands.

        Ends with the drill, or with the log's last event once something was found.
        """
        found = False
        async for event in self._log.follow(after_position=position):
            if event.drill_id == drill_id:
                found |= await self._look_at(run, event)
            yield event.position
            if event.HasField("drill_ended") and event.case_id == drill_id:
                return
            if found and event.position >= await self._log.size():
                return

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
        planned = script.drill_expectation_of(case.drill, expectation_id)
        begins = instant(script.inject_of(case.drill, expectation.after).due_at)
        return judge(expectation, planned, begins, await histories(self._log, case.case_id))


async def histories(log: Log, drill_id: str) -> Sequence[History]:
    """What happened in the cases of a drill, all of it."""
    return [History(case.inject_id, await history(log, case.case_id)) for case in await cases_of_drill(log, drill_id)]


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
