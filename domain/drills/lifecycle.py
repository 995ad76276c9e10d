"""A drill's way: started with its script, followed until everything is judged, ended with a score, looked back at."""

from casetrail.v1.case_pb2 import Closure
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.command_pb2 import AbortDrill, EndDrillCase, InjectByHand, RemarkDrill
from casetrail.v1.drill_pb2 import Drill, DrillExpectation, DrillInject, DrillRemark
from casetrail.v1.effect_pb2 import ClearanceRequested, InjectRequested, ObservationRequested
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import DrillAborted, DrillEnded, DrillRemarked, DrillStarted
from casetrail.v1.inject_pb2 import FaultInject
from casetrail.v1.types_pb2 import Stage
from domain import authority, ladder
from domain.draft import Draft
from domain.drills import script, timetable
from domain.instants import timestamp
from domain.lifecycles import closing
from domain.refusal import Rejected
from domain.words import word


def started(draft: Draft, scenario: bytes) -> None:
    """Begin with a script, which the log keeps as it is.

    Raises:
        Rejected: Somebody starts it who could not abort it.
    """
    authority.require_role("abort_drill", draft.actor, doing="starting a drill")
    read = script.scenario_of(scenario)
    injects, expectations = script.plan(read, draft.at)
    draft.add(
        DrillStarted(
            scenario_id=read.id,
            scenario_digest=script.digest(scenario),
            scenario=scenario,
            injects=injects,
            expectations=expectations,
            max_score=script.max_score(read),
        )
    )
    draft.add(ObservationRequested())


def inject_by_hand(draft: Draft, command: InjectByHand) -> None:
    """Let something happen now that the script does not have."""
    draft.require_stage(Stage.STAGE_IN_PROGRESS)
    if any(planned.inject.id == command.inject.id for planned in draft.case.drill.injects):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO,
            f"{draft.case.case_id} has an inject {command.inject.id!r} already; give this one an id of its own",
            field="inject_by_hand.inject.id",
        )
    if command.inject.HasField("message"):
        _require_listener(draft.case.drill, command.inject.message.to)
    if command.inject.HasField("fault"):
        _require_working(draft, command.inject.fault)
    draft.add(InjectRequested(inject=command.inject, by_hand=True))


def abort(draft: Draft, command: AbortDrill) -> None:
    """End it before its time: what is not judged is dropped."""
    draft.require_stage(Stage.STAGE_IN_PROGRESS)
    draft.add(DrillAborted(why=command.why))
    _end(draft)
    closing.close(draft, Closure.HOW_DRILL_OVER)


def remark(draft: Draft, command: RemarkDrill) -> None:
    """Note what went badly, or is to become better. The first note after the end is the retrospective."""
    body = DrillRemark(
        by=draft.actor.name, at=timestamp(draft.at), problem=command.problem, improvement=command.improvement
    )
    draft.add(DrillRemarked(remark=body))
    if draft.case.stage == Stage.STAGE_RETROSPECTIVE:
        closing.close(draft, Closure.HOW_DRILL_OVER)


def not_looked_back_at(draft: Draft, clock: Clock) -> None:
    """Nobody has noted anything in time: the ladder's first step hears of it, and the drill is closed without."""
    ladder.step(draft, clock)
    closing.close(draft, Closure.HOW_DRILL_OVER)


def end_case(draft: Draft, command: EndDrillCase) -> None:
    """End a case of a drill that is over."""
    if not draft.case.is_drill:
        raise Rejected(RefusalReason.REFUSAL_REASON_CANNOT_JOIN, f"{draft.case.case_id} is part of no drill")
    closing.close(draft, Closure.HOW_DRILL_OVER)


def go_on(draft: Draft) -> None:
    """End the drill when nothing of it is left to happen or to be judged."""
    drill = draft.case.drill
    if drill.HasField("ended_at"):
        return
    if any(planned.state in script.TO_HAPPEN or _goes_on(planned) for planned in drill.injects):
        return
    if any(expectation.verdict in script.UNJUDGED for expectation in drill.expectations):
        return
    _end(draft)


def _require_listener(drill: Drill, inject_id: str) -> None:
    """Refuse a message that nobody would hear."""
    bringing = [
        planned.inject.id for planned in drill.injects if planned.inject.WhichOneof("what") in script.BRING_CASES
    ]
    if inject_id not in bringing:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_INVALID,
            f"no inject {inject_id!r} brings cases to this drill; those that do are {', '.join(bringing) or 'none'}",
            field="inject_by_hand.inject.message.to",
        )


def _require_working(draft: Draft, fault: FaultInject) -> None:
    """Refuse to make a system fail that is failing: the end of that would end this as well."""
    failing = [one for one in draft.case.drill.injects if _goes_on(one) and one.inject.fault.system == fault.system]
    if failing:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO,
            f"the {word(FaultInject.System, fault.system)} of {draft.case.case_id} is failing already, "
            f"by {failing[0].inject.id}",
            field="inject_by_hand.inject.fault.system",
        )


def _goes_on(planned: DrillInject) -> bool:
    return planned.inject.HasField("fault") and planned.HasField("until")


def _end(draft: Draft) -> None:
    drill = draft.case.drill
    # An inject that is being made may make its fault after all: it is undone as well.
    faulty = [
        planned
        for planned in drill.injects
        if planned.inject.HasField("fault") and (planned.state == DrillInject.STATE_DUE or planned.HasField("until"))
    ]
    points = {one.id: one.score for one in script.scenario_of(drill.scenario).expectations}
    judged = [
        one for one in drill.expectations if one.verdict not in (*script.UNJUDGED, DrillExpectation.VERDICT_DROPPED)
    ]
    draft.add(DrillEnded(score=sum(one.score for one in judged), max_score=sum(points[one.id] for one in judged)))
    for planned in faulty:
        timetable.restore(draft, planned)
    draft.add(ClearanceRequested())
