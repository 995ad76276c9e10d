"""A scenario as a timetable: what of it happens when, and how long somebody takes to answer."""

from functools import lru_cache
from hashlib import sha256

from casetrail.v1.command_pb2 import Open
from casetrail.v1.drill_pb2 import Drill, DrillExpectation, DrillInject
from casetrail.v1.inject_pb2 import SilenceInject
from casetrail.v1.scenario_pb2 import Answer, Delay, Expectation, Participant, Scenario
from casetrail.v1.types_pb2 import Channel, Kind
from domain.instants import Instant, timestamp

ALWAYS_SILENT = 100
TO_HAPPEN = (DrillInject.STATE_PLANNED, DrillInject.STATE_DUE)
"""How far an inject is that has not happened yet."""
UNJUDGED = (DrillExpectation.VERDICT_OPEN, DrillExpectation.VERDICT_EXPIRED)
"""The verdicts of an expectation that is still to be judged."""
BRING_CASES = ("declare", "wave")
"""The injects that bring cases."""


def canonical_bytes(scenario: Scenario) -> bytes:
    """What stands for a scenario in the log."""
    return scenario.SerializeToString(deterministic=True)


def digest(data: bytes) -> str:
    """The SHA-256 of a scenario's canonical bytes, hex."""
    return sha256(data).hexdigest()


@lru_cache(maxsize=256)
def scenario_of(data: bytes) -> Scenario:
    """A scenario from its canonical bytes. Many share it: nobody changes it."""
    return Scenario.FromString(data)


def plan(scenario: Scenario, start: Instant) -> tuple[list[DrillInject], list[DrillExpectation]]:
    """Everything that a drill has before it, by instant."""
    injects = [
        DrillInject(inject=inject, due_at=timestamp(start + inject.at.seconds), state=DrillInject.STATE_PLANNED)
        for inject in scenario.injects
    ]
    begins = {planned.inject.id: planned.due_at.seconds for planned in injects}
    expectations = [
        DrillExpectation(
            id=expectation.id,
            due_at=timestamp(begins[expectation.after] + expectation.within.seconds),
            expires_at=timestamp(begins[expectation.after] + late_seconds(expectation)),
            verdict=DrillExpectation.VERDICT_OPEN,
        )
        for expectation in scenario.expectations
    ]
    return injects, expectations


def late_seconds(expectation: Expectation) -> int:
    """How long after its inject an expectation can still be met, if late."""
    return expectation.late_until.seconds or 2 * expectation.within.seconds


def max_score(scenario: Scenario) -> int:
    """All points that can be won."""
    return sum(expectation.score for expectation in scenario.expectations)


def expectation_of(drill: Drill, expectation_id: str) -> Expectation:
    """An expectation as the scenario has it."""
    expectations = scenario_of(drill.scenario).expectations
    return next(expectation for expectation in expectations if expectation.id == expectation_id)


def drill_expectation_of(drill: Drill, expectation_id: str) -> DrillExpectation:
    """An expectation and how it is judged."""
    return next(expectation for expectation in drill.expectations if expectation.id == expectation_id)


def inject_of(drill: Drill, inject_id: str) -> DrillInject:
    """An inject and how far it is."""
    return next(planned for planned in drill.injects if planned.inject.id == inject_id)


def opening(scenario: Scenario, scale: float) -> Open:
    """How a drill of a scenario begins.

    Args:
        scenario: Its script.
        scale: Case seconds per real second; the scenario's when 0.
    """
    return Open(
        kind=Kind.KIND_DRILL,
        channel=Channel.CHANNEL_WEB,
        subject=scenario.title,
        scenario=canonical_bytes(scenario),
        scale=scale or scenario.scale,
    )


# --- who answers what ---


def answer_name(participant: Participant, number: int) -> str:
    """What tells an answer of a scenario apart from all others."""
    return f"{participant.name}/{number}"


def move_id(name: str, event_id: str) -> str:
    """What tells a move apart: the answer, and the event that it is to."""
    return f"{name}/{event_id}"


def answer_of(scenario: Scenario, move: str) -> tuple[Participant, Answer]:
    """Whose move it is, and the answer that it is."""
    name, number, _ = move.rsplit("/", 2)
    participant = next(one for one in scenario.participants if one.name == name)
    return participant, participant.answers[int(number)]


def delay_of(participant: Participant, answer: Answer) -> Delay:
    """How long an answer takes."""
    return answer.delay if answer.HasField("delay") else participant.delay


def is_silent(drill: Drill, participant: Participant, at: Instant) -> bool:
    """Whether an inject keeps a participant from answering."""
    return any(
        planned.inject.HasField("silence")
        and planned.state == DrillInject.STATE_MADE
        and at < planned.until.seconds
        and is_for(planned.inject.silence, participant)
        for planned in drill.injects
    )


def is_for(silence: SilenceInject, participant: Participant) -> bool:
    """Whether a silence is a participant's."""
    if silence.department and silence.department != participant.department:
        return False
    return silence.role in (0, participant.role)
