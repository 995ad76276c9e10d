"""What a drill does beside its injects and its observation: start, move scripted participants, clear up.

All that a drill does is an effect of its own case, so that it happens once, whatever dies meanwhile.
"""

import protovalidate
from temporalio import activity

from activities.effects import Errands, passing_refusals, refusals_as_failures
from audit.in_full import cases_of_drill
from audit.log import Log
from casetrail.v1.command_pb2 import Command, EndDrillCase
from casetrail.v1.drill_service_pb2 import StartDrillRequest
from casetrail.v1.effect_pb2 import DrillCleared, MoveFailed, MoveMade, Outcome
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Role
from casetrail.v1.workflow_pb2 import EffectRun
from domain import Rejected
from domain.draft import SYSTEM
from domain.drills import script
from domain.drills.moves import actor_of, command_of
from engine.naming import SCHEDULER


class Drills:
    """The errands of drills."""

    def __init__(self, errands: Errands, log: Log) -> None:
        """Work on the drill's cases, and find them in the log."""
        self._errands = errands
        self._log = log

    @activity.defn
    async def start(self, request: StartDrillRequest) -> str:
        """Start a drill that is scheduled, and return its number."""
        opening = script.opening(request.scenario, request.scale)
        command = Command(request_id=request.request_id, open=opening)
        command.actor.CopyFrom(Actor(name=SCHEDULER, role=Role.ROLE_SERVICE))
        with refusals_as_failures():
            return (await self._errands.engine.execute(command)).case.case_id

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
            with passing_refusals():
                _require_valid(command)
                done = await self._errands.engine.execute(command)
                outcome.move_made.event_ids.extend(event.event_id for event in done.events)
        except Rejected as refused:
            outcome = Outcome(move_failed=MoveFailed(why=f"{refused.code}: {refused.message}"))
        await self._errands.report(run, outcome)

    @activity.defn
    async def clear(self, run: EffectRun) -> None:
        """End every case that the drill has left open."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        cleared = DrillCleared()
        for case in await cases_of_drill(self._log, errand.case.case_id, only_open=True):
            command = Command(
                case_id=case.case_id,
                request_id=f"{run.effect_id}/end",
                actor=SYSTEM,
                end_drill_case=EndDrillCase(),
            )
            try:
                with passing_refusals():
                    await self._errands.engine.execute(command)
            except Rejected:
                cleared.left_case_ids.append(case.case_id)
            else:
                cleared.case_ids.append(case.case_id)
        await self._errands.report(run, Outcome(drill_cleared=cleared))

    async def _event(self, case_id: str, event_id: str) -> Event:
        seq = int(event_id.rpartition(":")[2])
        return (await self._log.events(case_id, after_seq=seq - 1, limit=1))[0]

    async def _brought(self, drill_id: str) -> dict[str, list[str]]:
        """The cases that each inject has brought."""
        brought: dict[str, list[str]] = {}
        for case in await cases_of_drill(self._log, drill_id):
            brought.setdefault(case.inject_id, []).append(case.case_id)
        return brought


def _require_valid(command: Command) -> None:
    """Refuse what a server would refuse.

    Raises:
        Rejected: INVALID.
    """
    for violation in protovalidate.collect_violations(command):
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, violation.proto.message)
    if command.actor.role == Role.ROLE_SYSTEM:
        raise Rejected(RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED, "nobody plays the system")
