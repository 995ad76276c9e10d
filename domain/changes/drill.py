"""What becomes of a drill."""

from collections.abc import Iterator

from casetrail.v1.case_pb2 import Case
from casetrail.v1.drill_pb2 import Drill, DrillExpectation, DrillInject
from casetrail.v1.effect_pb2 import (
    CueSeen,
    ExpectationMet,
    ExpectationMetLate,
    ExpectationMissed,
    InjectFailed,
    InjectMade,
    InjectRequested,
    JudgementRequested,
    MoveFailed,
    MoveRequested,
    RestorationRequested,
)
from casetrail.v1.event_pb2 import DrillAborted, DrillEnded, DrillRemarked, DrillStarted, Event
from casetrail.v1.types_pb2 import Stage
from domain.changes.table import Changes
from domain.drills import script
from domain.effects import drop_effects

CHANGES = Changes()

_VERDICTS = {
    "expectation_met": DrillExpectation.VERDICT_MET,
    "expectation_met_late": DrillExpectation.VERDICT_LATE,
    "expectation_missed": DrillExpectation.VERDICT_MISSED,
}


@CHANGES.on("drill_started")
def _drill_started(case: Case, event: Event, body: DrillStarted) -> None:
    case.stage = Stage.STAGE_IN_PROGRESS
    case.drill.CopyFrom(
        Drill(
            scenario_id=body.scenario_id,
            scenario_digest=body.scenario_digest,
            scenario=body.scenario,
            injects=body.injects,
            expectations=body.expectations,
            max_score=body.max_score,
        )
    )
    case.drill.started_at.seconds = event.at.seconds


@CHANGES.on("drill_aborted")
def _drill_aborted(case: Case, event: Event, body: DrillAborted) -> None:
    case.drill.aborted = True
    case.drill.why_aborted = body.why


@CHANGES.on("drill_ended")
def _drill_ended(case: Case, event: Event, body: DrillEnded) -> None:
    case.stage = Stage.STAGE_RETROSPECTIVE
    case.drill.ended_at.seconds = event.at.seconds
    case.drill.score = body.score
    case.drill.max_score = body.max_score
    del case.drill.moves[:]
    for planned in case.drill.injects:
        planned.ClearField("until")
        if planned.state in script.TO_HAPPEN:
            planned.state = DrillInject.STATE_DROPPED
    for expectation in case.drill.expectations:
        if expectation.verdict in script.UNJUDGED:
            expectation.verdict = DrillExpectation.VERDICT_DROPPED
    # Systems are still to be restored, and cases to be ended.
    drop_effects(case, lambda effect: effect.WhichOneof("demand") in ("inject", "observation", "judgement", "move"))


@CHANGES.on("drill_remarked")
def _drill_remarked(case: Case, event: Event, body: DrillRemarked) -> None:
    case.drill.remarks.append(body.remark)


# --- injects ---


@CHANGES.on("inject_requested")
def _inject_requested(case: Case, event: Event, body: InjectRequested) -> None:
    if body.by_hand:
        case.drill.injects.add(inject=body.inject, by_hand=True).due_at.seconds = event.at.seconds
    script.inject_of(case.drill, body.inject.id).state = DrillInject.STATE_DUE


@CHANGES.on("inject_made")
def _inject_made(case: Case, event: Event, body: InjectMade) -> None:
    planned = script.inject_of(case.drill, body.inject_id)
    planned.state = DrillInject.STATE_MADE
    planned.case_ids[:] = body.case_ids
    what = planned.inject.WhichOneof("what")
    if what in ("silence", "fault"):
        planned.until.seconds = event.at.seconds + getattr(planned.inject, what).lasts.seconds
    _wait_for(case.drill, body.inject_id, body.began_at.seconds - planned.due_at.seconds)
    planned.due_at.seconds = max(planned.due_at.seconds, body.began_at.seconds)


@CHANGES.on("inject_failed")
def _inject_failed(case: Case, event: Event, body: InjectFailed) -> None:
    planned = script.inject_of(case.drill, body.inject_id)
    planned.state = DrillInject.STATE_FAILED
    planned.why_failed = body.why
    # Nobody can be expected to answer what did not happen.
    for expectation in _expected_after(case.drill, body.inject_id):
        if expectation.verdict in script.UNJUDGED:
            expectation.verdict = DrillExpectation.VERDICT_DROPPED
            _drop_judgement(case, expectation.id)


@CHANGES.on("restoration_requested")
def _restoration_requested(case: Case, event: Event, body: RestorationRequested) -> None:
    script.inject_of(case.drill, body.inject_id).ClearField("until")


# --- expectations ---


@CHANGES.on("judgement_requested")
def _judgement_requested(case: Case, event: Event, body: JudgementRequested) -> None:
    script.drill_expectation_of(case.drill, body.expectation_id).verdict = DrillExpectation.VERDICT_EXPIRED


@CHANGES.on("expectation_met", "expectation_met_late", "expectation_missed")
def _judged(case: Case, event: Event, body: ExpectationMet | ExpectationMetLate | ExpectationMissed) -> None:
    judged = script.drill_expectation_of(case.drill, body.expectation_id)
    judged.verdict = _VERDICTS[event.WhichOneof("body") or ""]
    judged.event_ids[:] = body.event_ids
    if not isinstance(body, ExpectationMissed):
        judged.score = body.score
        judged.met_at.CopyFrom(body.met_at)
        case.drill.score += body.score
    _drop_judgement(case, body.expectation_id)


# --- scripted participants ---


@CHANGES.on("cue_seen")
def _cue_seen(case: Case, event: Event, body: CueSeen) -> None:
    participant, answer = script.answer_of(script.scenario_of(case.drill.scenario), body.move_id)
    due = body.happened_at.seconds + script.delay_of(participant, answer).median.seconds
    move = case.drill.moves.add(move_id=body.move_id, case_id=body.case_id, event_id=body.event_id)
    move.due_at.seconds = max(due, event.at.seconds)
    if answer.once:
        case.drill.answered.append(body.move_id.rsplit("/", 1)[0])


@CHANGES.on("move_requested", "move_failed")
def _move_begun(case: Case, event: Event, body: MoveRequested | MoveFailed) -> None:
    left = [move for move in case.drill.moves if move.move_id != body.move_id]
    del case.drill.moves[:]
    case.drill.moves.extend(left)


def _expected_after(drill: Drill, inject_id: str) -> Iterator[DrillExpectation]:
    after = {one.id for one in script.scenario_of(drill.scenario).expectations if one.after == inject_id}
    return (expectation for expectation in drill.expectations if expectation.id in after)


def _drop_judgement(case: Case, expectation_id: str) -> None:
    drop_effects(case, lambda effect: effect.judgement.expectation_id == expectation_id)


def _wait_for(drill: Drill, inject_id: str, seconds: int) -> None:
    """An inject that happens later than planned gives everybody as much more time."""
    if seconds <= 0:
        return
    for expectation in _expected_after(drill, inject_id):
        if expectation.verdict == DrillExpectation.VERDICT_OPEN:
            expectation.due_at.seconds += seconds
            expectation.expires_at.seconds += seconds
