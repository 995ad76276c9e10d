"""What in the log is taken for an incident, and declared by itself."""

from collections.abc import Iterable
from itertools import count
from typing import Any

import protovalidate
import pytest

from casetrail.v1.case_pb2 import TimeBase
from casetrail.v1.clock_pb2 import Reckoning
from casetrail.v1.command_pb2 import Command
from casetrail.v1.detection_pb2 import DetectionState
from casetrail.v1.event_pb2 import (
    CaseClosed,
    CaseLinked,
    CaseOpened,
    Classified,
    ClockBreached,
    ClockMet,
    Event,
    IncidentContained,
    IncidentFollowedUp,
    IncidentReopened,
    IncidentResolved,
    NoteAdded,
)
from casetrail.v1.incident_pb2 import IncidentSource
from casetrail.v1.types_pb2 import Kind
from domain import act, fold
from domain.detection import MOST_MATTERS, Finding, declaration, linking, observe
from tests.domain.story import OPENED, POLICY, RULES

MINUTE, HOUR = 60, 3600
COMPLAINT, INQUIRY, RETURN = Kind.KIND_COMPLAINT, Kind.KIND_INQUIRY, Kind.KIND_RETURN


class Log:
    """Events of many cases, as a log hands them out."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._cases = count(1)

    def add(self, at: int, case_id: str = "", *, late: int = 0, drill_id: str = "", **body: Any) -> None:  # noqa: ANN401 - a body
        event = Event(
            case_id=case_id or f"C-{next(self._cases)}", position=len(self.events) + 1, drill_id=drill_id, **body
        )
        event.at.seconds = OPENED + at
        event.recorded_at.seconds = OPENED + at + late
        self.events.append(event)

    def opened(self, at: int, category: str = "order", **fields: Any) -> None:  # noqa: ANN401 - of CaseOpened
        opened: dict[str, Any] = {
            "kind": COMPLAINT,
            "category": category,
            "time_base": TimeBase(mode=TimeBase.MODE_LIVE),
        } | fields
        self.add(at, drill_id=str(opened.get("drill_id", "")), case_opened=CaseOpened(**opened))

    def promise(self, at: int, *, broken: bool, clock: str = "first_response", late: int = 0) -> None:
        reckoned = Reckoning(name=clock)
        if broken:
            self.add(at, late=late, clock_breached=ClockBreached(clock=reckoned))
        else:
            self.add(at, late=late, clock_met=ClockMet(clock=reckoned))


def found_in(events: Iterable[Event]) -> list[Finding]:
    return observe(DetectionState(), events, POLICY)[1]


def rules_of(findings: Iterable[Finding]) -> list[str]:
    return [finding.rule for finding in findings if finding.declare]


@pytest.fixture
def log() -> Log:
    return Log()


# --- waves ---


def test_so_many_complaints_of_one_category_within_so_long_are_an_incident(log: Log) -> None:
    for number in range(20):
        log.opened(number * MINUTE)
    [finding] = found_in(log.events)
    assert (finding.rule, finding.what, finding.declare) == ("wave.category", "order", True)
    assert finding.case_ids == tuple(f"C-{n}" for n in range(1, 21))
    assert finding.figures == {"what": "order", "count": "20", "within_seconds": str(19 * MINUTE)}


@pytest.mark.parametrize(
    ("cases", "apart"),
    [(19, MINUTE), (200, 95)],  # one too few; a steady stream that never is 20 within 30 minutes
)
def test_fewer_or_slower_ones_are_none(log: Log, cases: int, apart: int) -> None:
    for number in range(cases):
        log.opened(number * apart)
    assert found_in(log.events) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"category": ""},
        {"kind": INQUIRY},
        {"time_base": TimeBase(mode=TimeBase.MODE_IMPORTED)},
        {"time_base": TimeBase(mode=TimeBase.MODE_SCALED, scale=60)},
        {"silent": True},
        {"drill_id": "DRL-1"},
    ],
)
def test_other_kinds_history_rehearsals_and_drills_do_not_count(log: Log, fields: dict[str, Any]) -> None:
    for number in range(40):
        log.opened(number, **fields)
    assert found_in(log.events) == []


def test_categories_are_counted_apart(log: Log) -> None:
    for number in range(38):
        log.opened(number, "order" if number % 2 else "refund")
    assert found_in(log.events) == []


def test_a_product_has_a_rule_of_its_own_for_complaints_and_returns(log: Log) -> None:
    for number in range(10):
        log.opened(number * MINUTE, f"c{number}", kind=RETURN if number % 2 else COMPLAINT, product_id="MUG-01")
    assert [(finding.rule, finding.what) for finding in found_in(log.events)] == [("wave.product", "MUG-01")]


def test_a_category_that_is_known_only_later_counts_from_then_and_once_a_case(log: Log) -> None:
    for number in range(19):
        log.opened(number, "")
        log.add(100 + number, f"C-{number + 1}", classified=Classified(category="order"))
        log.add(200 + number, f"C-{number + 1}", classified=Classified(category="order"))
    assert found_in(log.events) == []
    log.opened(300)
    assert rules_of(found_in(log.events)) == ["wave.category"]


def test_a_matter_is_declared_once_and_what_comes_meanwhile_belongs_to_it(log: Log) -> None:
    for number in range(60):
        log.opened(number * MINUTE)
    first, *further = found_in(log.events)
    assert first.declare
    assert len(further) == 40
    assert {(finding.declare, finding.request_id) for finding in further} == {(False, first.request_id)}
    assert [finding.case_ids for finding in further][:2] == [("C-21",), ("C-22",)]


def test_when_the_quiet_is_over_it_is_declared_again_under_another_request(log: Log) -> None:
    for start in (0, 5 * HOUR):
        for number in range(20):
            log.opened(start + number)
    findings = [finding for finding in found_in(log.events) if finding.declare]
    assert len({finding.request_id for finding in findings}) == 2


# --- the incident that was declared ---


def a_wave(log: Log, at: int, cases: int = 20) -> None:
    for number in range(cases):
        log.opened(at + number)


def an_incident(log: Log, at: int, declared: Finding, number: int = 1) -> str:
    """The declaration has come to the log."""
    incident_id = f"INC-{number}"
    opened = CaseOpened(kind=Kind.KIND_INCIDENT, time_base=TimeBase(mode=TimeBase.MODE_LIVE))
    log.add(at, incident_id, key=declared.request_id, case_opened=opened)
    return incident_id


END: dict[str, dict[str, Any]] = {
    "followed up": {"incident_followed_up": IncidentFollowedUp()},
    "closed": {"case_closed": CaseClosed()},
}


def test_a_second_wave_belongs_to_the_incident_while_that_goes_on(log: Log) -> None:
    a_wave(log, 0)
    incident = an_incident(log, 30, found_in(log.events)[0])
    log.add(40, incident, incident_contained=IncidentContained())
    log.add(50, incident, incident_resolved=IncidentResolved())
    a_wave(log, HOUR)
    first, *further = found_in(log.events)
    assert {(finding.declare, finding.request_id) for finding in further} == {(False, first.request_id)}
    assert len(further) == 20


@pytest.mark.parametrize("end", END)
def test_a_second_wave_after_the_incidents_end_is_counted_anew_and_is_another_incident(log: Log, end: str) -> None:
    a_wave(log, 0)
    incident = an_incident(log, 30, found_in(log.events)[0])
    log.add(40, incident, **END[end])
    a_wave(log, HOUR, 19)
    assert len(found_in(log.events)) == 1
    log.opened(HOUR + 19)
    first, second = found_in(log.events)
    assert second.declare
    assert second.request_id != first.request_id
    assert set(second.case_ids).isdisjoint(first.case_ids)
    assert len(second.case_ids) == 20
    protovalidate.validate(_numbered(declaration(second, POLICY)))


@pytest.mark.parametrize("end", END)
def test_what_came_too_late_for_an_incident_counts_towards_the_next(log: Log, end: str) -> None:
    a_wave(log, 0)
    first = found_in(log.events)[0]
    incident = an_incident(log, 30, first)
    for case_id in first.case_ids:
        log.add(30, incident, case_linked=CaseLinked(case_id=case_id))
    log.opened(40)
    log.add(50, "C-21", classified=Classified(category="order"))
    log.add(60, incident, **END[end])
    a_wave(log, 70, 19)
    second = found_in(log.events)[-1]
    assert second.declare
    assert second.case_ids == tuple(f"C-{n}" for n in range(21, 41))


def test_a_third_wave_is_told_from_the_second(log: Log) -> None:
    for number in (1, 2, 3):
        a_wave(log, number * HOUR)
        declared = [finding for finding in found_in(log.events) if finding.declare][-1]
        log.add(number * HOUR + 40, an_incident(log, number * HOUR + 30, declared, number), case_closed=CaseClosed())
    declared_at_all = [finding.request_id for finding in found_in(log.events) if finding.declare]
    assert len(declared_at_all) == len(set(declared_at_all)) == 3


def test_an_incident_is_about_its_own_matter_alone(log: Log) -> None:
    a_wave(log, 0)
    for number in range(20):
        log.opened(100 + number, "refund")
    order, refund = found_in(log.events)
    incident = an_incident(log, 200, order, 1)
    an_incident(log, 210, refund, 2)
    log.add(220, incident, case_closed=CaseClosed())
    for number in range(20):
        log.opened(HOUR + number, "refund")
    a_wave(log, HOUR + 100)
    assert [(finding.what, finding.declare) for finding in found_in(log.events) if finding.declare] == [
        ("order", True),
        ("refund", True),
        ("order", True),
    ]


def test_an_incident_that_is_reopened_is_the_matters_again(log: Log) -> None:
    a_wave(log, 0)
    incident = an_incident(log, 30, found_in(log.events)[0])
    log.add(40, incident, incident_followed_up=IncidentFollowedUp())
    log.add(50, incident, incident_reopened=IncidentReopened())
    a_wave(log, HOUR)
    assert rules_of(found_in(log.events)) == ["wave.category"]


def test_the_end_of_another_incident_ends_no_quiet(log: Log) -> None:
    a_wave(log, 0)
    an_incident(log, 30, found_in(log.events)[0])
    log.add(40, "INC-2", case_closed=CaseClosed())
    a_wave(log, HOUR)
    assert rules_of(found_in(log.events)) == ["wave.category"]


def test_the_end_of_a_matters_earlier_incident_does_not_end_its_later_one(log: Log) -> None:
    a_wave(log, 0)
    earlier = an_incident(log, 30, found_in(log.events)[0], 1)
    log.add(40, earlier, incident_followed_up=IncidentFollowedUp())
    a_wave(log, HOUR)
    an_incident(log, HOUR + 30, found_in(log.events)[-1], 2)
    log.add(HOUR + 40, earlier, case_closed=CaseClosed())
    a_wave(log, 2 * HOUR)
    assert rules_of(found_in(log.events)) == ["wave.category", "wave.category"]


def test_broken_promises_after_the_incidents_end_are_counted_anew(log: Log) -> None:
    for number in range(50):
        log.promise(number, broken=True)
    incident = an_incident(log, 60, found_in(log.events)[0])
    log.add(70, incident, case_closed=CaseClosed())
    for number in range(49):
        log.promise(80 + number, broken=True)
    assert len(found_in(log.events)) == 1
    log.promise(200, broken=True)
    assert rules_of(found_in(log.events)) == ["breaches.first_response"] * 2


# --- broken promises ---


def test_too_large_a_part_of_broken_promises_is_an_incident(log: Log) -> None:
    for number in range(50):
        log.promise(number, broken=number >= 35)
    [finding] = found_in(log.events)
    assert (finding.rule, finding.what, finding.case_ids) == ("breaches.first_response", "first_response", ())
    assert finding.figures == {"what": "first_response", "broken": "15", "of": "50", "percent": "30"}


@pytest.mark.parametrize(("promises", "broken"), [(49, 49), (50, 14)])
def test_too_few_promises_or_too_small_a_part_are_none(log: Log, promises: int, broken: int) -> None:
    for number in range(promises):
        log.promise(number, broken=number >= promises - broken)
    assert found_in(log.events) == []


def test_a_promise_that_was_broken_long_ago_counts_no_more(log: Log) -> None:
    for number in range(40):
        log.promise(number, broken=True)
    for number in range(40):
        log.promise(HOUR + number, broken=False)
    log.promise(HOUR + 100, broken=True)
    assert found_in(log.events) == []


def test_all_promises_together_have_a_rule_and_those_of_incidents_are_left_out(log: Log) -> None:
    for number in range(200):
        log.promise(number, broken=True, clock="task")
    assert found_in(log.events) == []
    for number in range(200):
        log.promise(number, broken=True, clock="resolution")
    assert rules_of(found_in(log.events)) == ["breaches.any"]


def test_what_is_told_long_after_it_was_due_is_no_sign_of_now(log: Log) -> None:
    for number in range(60):
        log.promise(number, broken=True, late=2 * HOUR)
    assert found_in(log.events) == []


def test_what_is_dated_ahead_of_its_writing_is_of_a_rehearsal_on_compressed_time(log: Log) -> None:
    for number in range(60):
        log.promise(number, broken=True, late=-1)
    assert found_in(log.events) == []


# --- the fold ---


def test_it_does_not_matter_in_which_pages_the_log_is_read(log: Log) -> None:
    for number in range(120):
        log.opened(number * 20, "order" if number % 3 else "refund")
        log.promise(number * 20, broken=number % 2 == 0)
    whole = observe(DetectionState(), log.events, POLICY)
    state, found = DetectionState(), []
    for start in range(0, len(log.events), 7):
        # A page that overlaps the one before is read as if it did not.
        state, more = observe(state, log.events[max(0, start - 3) : start + 7], POLICY)
        found += more
    assert (state, found) == whole
    assert state.position == len(log.events)


def test_the_given_state_is_left_as_it_was(log: Log) -> None:
    log.opened(0)
    state = DetectionState()
    assert observe(state, log.events, POLICY)[0] != DetectionState()
    assert state == DetectionState()


def test_its_memory_does_not_grow_with_the_log(log: Log) -> None:
    for number in range(3 * MOST_MATTERS):
        log.opened(number, f"category {number}")
    for number in range(3000):
        log.opened(number, "order")
        log.promise(number * HOUR, broken=True)
        log.add(number, note_added=NoteAdded())
    state, _ = observe(DetectionState(), log.events, POLICY)
    assert len(state.sightings) <= MOST_MATTERS
    assert max(len(seen.seen) for seen in state.sightings.values()) <= 20
    assert len(state.incidents) <= MOST_MATTERS
    assert all(len(tally.slices) <= 22 for tally in state.tallies.values())


def test_a_fold_that_begins_anew_finds_it_under_the_same_request(log: Log) -> None:
    for number in range(30):
        log.opened(number * 10)
    again = found_in(log.events[5:])
    assert again[0].request_id == found_in(log.events)[0].request_id
    assert again[0].case_ids != found_in(log.events)[0].case_ids


# --- what follows ---


def test_a_finding_declares_an_incident_with_its_figures_and_cases(log: Log) -> None:
    for number in range(20):
        log.opened(number)
    [finding] = found_in(log.events)
    command = declaration(finding, POLICY)
    protovalidate.validate(command)
    command.case_id = "INC-1"
    case = fold(act(None, command, OPENED + HOUR, RULES))
    assert case.subject == "Many complaints about order"
    assert case.category == "order"
    assert case.incident.level == 3
    assert not case.incident.graded
    assert case.incident.source.by == IncidentSource.BY_RULE
    assert case.incident.source.inputs["count"] == "20"
    assert len(case.incident.cases) == 20


def test_a_case_that_comes_later_is_linked_once(log: Log) -> None:
    for number in range(21):
        log.opened(number)
    first, second = found_in(log.events)
    case = fold(act(None, _numbered(declaration(first, POLICY)), OPENED, RULES))
    command = linking(second, case.case_id)
    protovalidate.validate(command)
    case = fold(act(case, command, OPENED, RULES), case)
    assert case.incident.cases[-1].case_id == "C-21"


def _numbered(command: Command) -> Command:
    command.case_id = "INC-1"
    return command
