"""The board of an incident, frame by frame."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from casetrail.board import WIDE, View, frame, is_news
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.clock_pb2 import Climb, Clock
from casetrail.v1.effect_pb2 import StaffAlerted, StaffReached
from casetrail.v1.event_pb2 import ClockBreached, Event, IncidentContained, NoteAdded
from casetrail.v1.incident_pb2 import Incident, IncidentNotice, IncidentTask, LinkedCase
from casetrail.v1.types_pb2 import Actor, Kind, Role, Stage, Words

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(minutes: float) -> Timestamp:
    return Timestamp(seconds=int(NOON.timestamp() + 60 * minutes))


def an_incident() -> Case:
    return Case(
        case_id="INC-1",
        kind=Kind.KIND_INCIDENT,
        stage=Stage.STAGE_GRADED,
        subject="Paying \x1b[31mfails",
        opened_at=at(0),
        time_base=TimeBase(mode=TimeBase.MODE_LIVE),
        clocks=[
            Clock(
                name="notice_update",
                state=Clock.STATE_RUNNING,
                target_seconds=3600,
                due_at=at(60),
                warn_seconds=900,
            ),
            Clock(
                name="task",
                subject="T1",
                state=Clock.STATE_RUNNING,
                target_seconds=1800,
                due_at=at(30),
                breached=True,
                climb=Climb(steps=2, role=Role.ROLE_DIRECTOR, next_at=at(50)),
            ),
            Clock(name="initial_response", state=Clock.STATE_MET, target_seconds=1800),
        ],
        incident=Incident(
            level=1,
            graded=True,
            commander="feng",
            commander_role=Role.ROLE_EXECUTIVE,
            tasks=[
                IncidentTask(
                    task_id="T1",
                    department="legal",
                    what="Check it",
                    state=IncidentTask.STATE_REFUSED,
                    remark="not ours",
                )
            ],
            notices=[
                IncidentNotice(
                    notice_id="N1",
                    text="We know.",
                    audience="all users",
                    state=IncidentNotice.STATE_SENT,
                    sent_at=at(10),
                )
            ],
            cases=[LinkedCase(case_id="CMP-1", state=LinkedCase.STATE_LINKED, notice_id="N1")],
            waits_for=["task T1 of legal (refused)"],
        ),
    )


EVENTS = [
    Event(
        case_id="INC-1",
        at=at(n),
        actor=Actor(name="feng", role=Role.ROLE_EXECUTIVE),
        incident_contained=IncidentContained(how=f"step {n}"),
    )
    for n in range(40)
]


def drawn(
    case: Case,
    *,
    minutes: float = 45,
    width: int = WIDE,
    height: int = 0,
    events: list[Event] | None = None,
    trouble: str = "",
) -> str:
    console = Console(width=width, height=height or 60, highlight=False, color_system=None)
    view = View(case, events or [], NOON + timedelta(minutes=minutes), width, height, UTC, trouble)
    with console.capture() as captured:
        console.print(frame(view))
    return captured.get()


@pytest.mark.parametrize("width", [80, WIDE, 200])
def test_a_frame_says_what_its_leader_must_see(width: int) -> None:
    shown = drawn(an_incident(), width=width)
    for word in (
        "LEVEL 1 CRITICAL",
        "feng (executive)",
        "declared 45:00 ago",
        "15:00 left",
        "15:00 OVER",
        "step 2: director",
        "task T1 of legal (refused)",
        "refused",
        "sent 35:00 ago  to all users",
        "1 customer’s case: 1 told, 0 followed up",
        "1 kept",
    ):
        assert word in shown
    assert all(len(line) <= width for line in shown.splitlines())
    assert "\x1b" not in shown


def test_on_a_narrow_terminal_a_task_keeps_its_number_and_what_happened_its_words() -> None:
    happened = Event(at=at(0), actor=Actor(name="amy"), note_added=NoteAdded(words=Words(text="the old one")))
    shown = drawn(an_incident(), width=40, events=[happened])
    assert "│ T1  legal" in shown
    assert "note: “the old one”" in shown
    assert all(len(line) <= 40 for line in shown.splitlines())


def test_a_task_that_was_called_off_stays_on_the_board_with_the_reason() -> None:
    case = an_incident()
    case.incident.tasks[0].state = IncidentTask.STATE_CANCELLED
    case.incident.tasks[0].remark = "it was the provider"
    shown = drawn(case, width=160)
    assert "cancelled" in shown
    assert "it was the provider" in shown


def test_what_is_late_comes_first() -> None:
    shown = drawn(an_incident())
    assert shown.index("task T1  ") < shown.index("notice update  ")


def test_clocks_count_down_in_case_time() -> None:
    case = an_incident()
    case.time_base.CopyFrom(TimeBase(mode=TimeBase.MODE_SCALED, origin=at(0), scale=60))
    shown = drawn(case, minutes=0.5)
    assert "declared 30:00 ago" in shown
    assert "30:00 left" in shown
    assert "time runs ×60" in shown


@pytest.mark.parametrize(("width", "height"), [(WIDE, 30), (WIDE, 45), (90, 40), (90, 60)])
def test_a_frame_fits_the_terminal_and_shows_the_newest_events(width: int, height: int) -> None:
    shown = drawn(an_incident(), width=width, height=height, events=EVENTS)
    assert len(shown.splitlines()) <= height
    assert "step 39" in shown
    assert "step 0”" not in shown


def test_a_frame_that_may_be_old_says_so() -> None:
    assert "NOT UP TO DATE: nothing answers" in drawn(an_incident(), trouble="nothing answers")


def test_a_drill_and_an_incident_that_nobody_leads_are_plain_to_see() -> None:
    case = an_incident()
    case.is_drill = True
    case.incident.commander = ""
    shown = drawn(case)
    assert "DRILL 演练" in shown
    assert "led by NOBODY" in shown


def test_a_young_and_a_closed_incident_can_be_shown() -> None:
    young = Case(case_id="INC-1", kind=Kind.KIND_INCIDENT, stage=Stage.STAGE_DECLARED, opened_at=at(0))
    assert "NOT GRADED" in drawn(young)
    young.stage = Stage.STAGE_CLOSED
    assert "nothing: it is closed" in drawn(young)


def test_an_event_that_escalates_stands_out_among_the_last() -> None:
    breach = Event(case_id="INC-1", at=at(30), clock_breached=ClockBreached())
    assert "BREACHED" in drawn(an_incident(), events=[breach])


def test_what_is_only_about_to_happen_is_no_news() -> None:
    assert not is_news(Event(staff_alerted=StaffAlerted(text="an incident is declared")))
    assert is_news(Event(staff_reached=StaffReached(people=["daniel"])))
