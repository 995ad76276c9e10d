"""What time owes a drill: injects, moves of scripted participants, the end of faults and of expectations."""

from collections.abc import Iterator

from casetrail.v1.drill_pb2 import Drill, DrillExpectation, DrillInject
from casetrail.v1.effect_pb2 import (
    InjectRequested,
    JudgementRequested,
    MoveFailed,
    MoveRequested,
    RestorationRequested,
)
from domain.draft import Draft
from domain.drills import script
from domain.instants import Instant


def dues(drill: Drill) -> Iterator[tuple[Instant, str]]:
    """Every instant that brings something, and what."""
    for planned in drill.injects:
        if planned.state == DrillInject.STATE_PLANNED:
            yield planned.due_at.seconds, f"inject {planned.inject.id}"
        if planned.HasField("until") and planned.inject.HasField("fault"):
            yield planned.until.seconds, f"restoration {planned.inject.id}"
    for move in drill.moves:
        yield move.due_at.seconds, f"move {move.move_id}"
    for expectation in drill.expectations:
        # The last second still counts.
        if expectation.verdict == DrillExpectation.VERDICT_OPEN:
            yield expectation.expires_at.seconds + 1, f"judgement {expectation.id}"


def bring(draft: Draft, what: str) -> None:
    """Let something happen that is due."""
    name, _, subject = what.partition(" ")
    match name:
        case "inject":
            draft.add(InjectRequested(inject=script.inject_of(draft.case.drill, subject).inject))
        case "restoration":
            restore(draft, script.inject_of(draft.case.drill, subject))
        case "move":
            _move(draft, subject)
        case _:
            draft.add(JudgementRequested(expectation_id=subject))


def restore(draft: Draft, planned: DrillInject) -> None:
    """Ask for a system to be let answer again."""
    draft.add(RestorationRequested(inject_id=planned.inject.id, system=planned.inject.fault.system))


def _move(draft: Draft, move_id: str) -> None:
    drill = draft.case.drill
    participant, _ = script.answer_of(script.scenario_of(drill.scenario), move_id)
    if script.is_silent(drill, participant, draft.at):
        draft.add(MoveFailed(move_id=move_id, why="an inject keeps this participant silent"))
        return
    move = next(move for move in drill.moves if move.move_id == move_id)
    draft.add(MoveRequested(move_id=move_id, case_id=move.case_id, event_id=move.event_id))
