"""A simulation comes to what the same steps come to one by one."""

from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Role
from domain import act, expire, fold
from domain.simulate import Planned, Simulation
from tests.domain.story import OPENED, RULES, Story

AMY = Actor(name="amy", role=Role.ROLE_AGENT)
HOUR = 3600


def planned(case_id: str, after: int, action: str, *first: object, **fields: object) -> Planned:
    command: Command = Story().command(AMY, action, *first, **fields)
    command.case_id = case_id
    return Planned(OPENED + after, command)


def opening(case_id: str, after: int, kind: str = "inquiry", **more: object) -> Planned:
    customer = {"customer_id": "c-1", "email": "customer@example.com"}
    return planned(case_id, after, "open", kind, channel="chat", customer=customer, subject="Help", **more)


PLAN = [
    opening("A", 0),
    opening("B", 5, "complaint"),
    planned("A", 40, "reply", "Sorry for the wait"),
    planned("B", 60, "accept", words="We are sorry"),
    planned("A", HOUR, "resolve", "Like this"),
    planned("A", 2 * HOUR, "confirm"),
    planned("B", 30 * HOUR, "investigate"),
]
UNTIL = OPENED + 30 * 86_400


def test_it_equals_the_same_steps_one_by_one() -> None:
    for case_id in ("A", "B"):
        case: Case | None = None
        events: list[Event] = []
        for step in PLAN:
            if step.command.case_id == case_id:
                new = act(case, step.command, step.at, RULES)
                case, events = fold(new, case), events + new
        assert case is not None
        new = expire(case, UNTIL, RULES)
        simulation = Simulation(RULES)
        written = [event for event in simulation.run(PLAN, UNTIL) if event.case_id == case_id]
        assert written == events + new
        assert simulation.cases[case_id] == fold(new, case)
        assert not simulation.refused


def test_what_is_refused_is_kept_with_its_reason_and_the_rest_goes_on() -> None:
    simulation = Simulation(RULES)
    plan = [planned("A", 0, "reply", "Hello"), opening("A", 1), opening("A", 2), planned("A", 3, "agree")]
    list(simulation.run(plan, OPENED + 10))
    assert [(refused.planned.at - OPENED, refused.why.code) for refused in simulation.refused] == [
        (0, "UNKNOWN_CASE"),
        (2, "CASE_EXISTS"),
        (3, "WRONG_KIND"),
    ]
    assert simulation.cases["A"].seq == 4


def test_time_does_not_move_a_case_on_the_importers_clock() -> None:
    simulation = Simulation(RULES)
    imported = opening("A", 0, source="INC1")
    list(simulation.run([imported], UNTIL))
    assert simulation.cases["A"].updated_at.seconds == OPENED
