"""The ladder: who hears of a broken promise, when, and why; until somebody acknowledges."""

from itertools import pairwise

import pytest

from casetrail.short_forms import duration_text
from casetrail.v1.clock_pb2 import Climb
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Role
from casetrail.words import word_of
from domain import expire, fold
from tests.domain.story import POLICY, Story, refused, rules_with, seconds

FAR = "30d"


def steps(story: Story, clock: str) -> list[tuple[int, str, str]]:
    """Step, role and reason of every step that a clock's ladder took."""
    return [
        (body.step, word_of(Role.DESCRIPTOR, body.role), word_of(Climb.Why.DESCRIPTOR, body.why))
        for body in story.bodies("EscalationStepped")
        if body.clock_name == clock
    ]


def test_it_climbs_until_somebody_acknowledges_and_says_why(story: Story) -> None:
    story.open("inquiry")
    story.wait("3h")
    assert list(zip(story.times("EscalationStepped"), steps(story, "first_response"), strict=True)) == [
        ("30s", (1, "team_lead", "breached")),
        ("10m30s", (2, "supervisor", "unacknowledged")),
        ("40m30s", (3, "director", "unacknowledged")),
        ("1h40m30s", (4, "executive", "unacknowledged")),
    ]
    reasons = [event.reason for event in story.events if event.HasField("escalation_stepped")]
    assert {reason.rule for reason in reasons} == {"ladder.response"}
    assert dict(reasons[1].inputs) == {"clock": story.find("first_response").clock_id, "why": "unacknowledged"}


@pytest.mark.parametrize(
    ("clock", "kind", "roles"),
    [
        ("first_response", "complaint", ["team_lead", "supervisor", "director", "executive"]),
        ("acceptance", "complaint", ["team_lead", "supervisor", "director", "executive"]),
        ("resolution", "inquiry", ["supervisor", "director", "executive"]),
        ("handling", "complaint", ["supervisor", "director", "executive"]),
        ("investigation", "complaint", ["director", "executive"]),
    ],
)
def test_every_promise_has_the_ladder_of_the_rules(story: Story, clock: str, kind: str, roles: list[str]) -> None:
    story.open(kind)
    story.wait(FAR)
    assert [role for _, role, _ in steps(story, clock)][: len(roles)] == roles


def test_every_step_alerts_its_role_under_its_number(story: Story) -> None:
    story.open("inquiry")
    story.wait("11m")
    alerts = [(body.role, body.step, body.clock_id) for body in story.bodies("StaffAlerted")]
    clock_id = story.find("first_response").clock_id
    assert alerts == [(20, 1, clock_id), (30, 2, clock_id)]


def test_the_top_knocks_again_in_doubled_intervals(story: Story) -> None:
    story.rules = rules_with(lambda policy: setattr(policy.clocks["first_response"].targets[0], "calendar", "always"))
    story.open("inquiry")
    story.wait("31h")
    top = [seconds(time) for time in story.times("EscalationStepped", "first_response")][3:]
    assert [duration_text(later - earlier) for earlier, later in pairwise(top)] == ["2h", "4h", "8h"]
    assert {role for _, role, _ in steps(story, "first_response")[3:]} == {"executive"}


def test_intervals_are_counted_on_the_clocks_own_calendar(story: Story) -> None:
    story.now += 11 * 3600 + 55 * 60  # 21:55, five minutes before the desk closes
    story.open("inquiry")
    story.wait("12h")
    assert story.times("EscalationStepped") == ["30s", "10h10m30s", "10h40m30s", "11h40m30s"]


def test_acknowledging_stops_the_calls_but_not_the_clock(story: Story) -> None:
    story.open("inquiry")
    types = story.at("+5m").team_lead().acknowledge(why="I take it")
    assert types[-1] == "EscalationAcknowledged"
    assert story.clock("first_response") == "running"
    story.wait("3h")
    assert story.times("EscalationStepped") == ["30s"]
    with refused("NOTHING_TO_DO"):
        story.team_lead().acknowledge()
    story.agent().reply("Sorry")
    assert story.last("ClockMetLate").late_seconds == 3 * 3600 + 5 * 60 - 30


def test_acknowledging_one_clock_leaves_the_others_climbing(story: Story) -> None:
    story.open("complaint")
    story.at("+15m").team_lead().acknowledge(story.find("acceptance").clock_id)
    assert story.find("acceptance").climb.acknowledged
    assert not story.find("first_response").climb.acknowledged
    story.team_lead().acknowledge()
    assert story.find("first_response").climb.acknowledged


def test_keeping_the_promise_stops_the_calls(story: Story) -> None:
    story.open("inquiry")
    story.at("+5m").agent().reply("Sorry")
    story.wait("3h")
    assert story.times("EscalationStepped") == ["30s"]


def test_a_step_with_nobody_to_reach_goes_on_at_once_and_says_so(story: Story) -> None:
    story.open("inquiry")
    story.wait("30s")
    types = story.at("+50s").outcome("staff_alert", staff_unreachable={"why": "nobody on duty"})
    assert types == ["StaffUnreachable", "EscalationStepped", "StaffAlerted"]
    assert story.times("EscalationStepped") == ["30s", "50s"]
    assert steps(story, "first_response")[1] == (2, "supervisor", "unreachable")
    story.wait("29m59s")
    assert len(story.types("EscalationStepped")) == 2
    story.wait("1s")
    assert steps(story, "first_response")[2] == (3, "director", "unacknowledged")


def test_nobody_anywhere_is_found_out_within_one_second_under_keys_of_their_own(story: Story) -> None:
    story.open("inquiry")
    story.wait("30s")
    for _ in range(4):
        story.outcome("staff_alert", staff_unreachable={})
    assert [role for _, role, _ in steps(story, "first_response")] == [
        "team_lead", "supervisor", "director", "executive",
    ]  # fmt: skip
    assert set(story.times("EscalationStepped")) == {"30s"}
    timed = [event.key for event in story.events if event.HasField("escalation_stepped") and event.key]
    assert len(timed) == 1, "the steps after it came of a report, and have its key"


def test_at_the_top_an_unreachable_executive_is_knocked_at_again_in_time(story: Story) -> None:
    story.open("inquiry")
    story.wait("30s")
    for _ in range(4):
        story.outcome("staff_alert", staff_unreachable={})
    assert story.find("first_response").climb.HasField("next_at")
    story.wait("2h")
    assert steps(story, "first_response")[4] == (5, "executive", "unreachable")


def test_a_ladder_that_ends_below_the_executive_does_not_run_in_circles(story: Story) -> None:
    def short(policy: Policy) -> None:
        del policy.ladders["response"].steps[1:]

    story.rules = rules_with(short)
    story.open("inquiry")
    story.wait("30s")
    assert story.outcome("staff_alert", staff_unreachable={}) == ["StaffUnreachable"]
    story.wait("2h")
    assert steps(story, "first_response") == [(1, "team_lead", "breached"), (2, "team_lead", "unreachable")]


def test_a_late_report_about_a_step_that_was_overtaken_moves_nothing(story: Story) -> None:
    story.open("inquiry")
    story.wait("11m")
    assert story.outcome("staff_alert", staff_unreachable={}) == ["StaffUnreachable"]
    assert len(story.types("EscalationStepped")) == 2


def test_an_acknowledged_escalation_is_not_woken_by_an_unreachable_colleague(story: Story) -> None:
    story.open("inquiry")
    story.wait("30s")
    story.team_lead().acknowledge()
    assert story.outcome("staff_alert", staff_unreachable={}) == ["StaffUnreachable"]
    assert not story.find("first_response").climb.HasField("next_at")


def test_an_alert_that_is_no_step_goes_up_one_role_when_nobody_is_there(story: Story) -> None:
    story.open("complaint")
    story.agent().escalate("May I?")
    story.outcome("staff_alert", staff_unreachable={})
    assert [body.role for body in story.bodies("StaffAlerted")] == [20, 30]
    assert story.case.decision.needed_role == 20


def test_whom_an_alert_reached_is_on_record(story: Story) -> None:
    story.open("inquiry")
    story.wait("30s")
    assert story.outcome("staff_alert", staff_reached={"people": ["tom"]}) == ["StaffReached"]
    assert not story.pending("staff_alert")


def test_the_supervisor_takes_an_inquiry_over_that_is_not_solved_in_a_day(story: Story) -> None:
    story.open("inquiry")
    story.agent("amy").assign("amy")
    story.at("+10s").agent("amy").reply("Hello")
    story.wait("24h")
    assert (story.case.owner, story.case.team) == ("", "supervisor")
    assert [body.takes_over for body in story.bodies("EscalationStepped")] == [True]


def test_a_top_that_is_knocked_at_again_takes_the_case_from_nobody(story: Story) -> None:
    story.rules = rules_with(lambda policy: policy.ladders["takeover"].steps.__delitem__(slice(1, None)))
    story.open("inquiry")
    story.at("+10s").agent("amy").reply("Hello")
    story.wait("24h")
    story.agent("bob").assign("bob")
    story.wait("9h")
    assert [(body.step, body.takes_over) for body in story.bodies("EscalationStepped")] == [(1, True), (2, False)]
    assert story.case.owner == "bob"


def test_the_owner_is_warned_before_a_promise_breaks(story: Story) -> None:
    story.open("inquiry")
    story.agent("amy").assign("amy")
    story.at("+10s").agent("amy").reply("Hello")
    story.wait("20h")
    assert story.times("ClockWarned", "resolution") == ["20h"]
    assert (story.last("StaffAlerted").owner, story.last("StaffAlerted").step) == ("amy", 0)
    story.wait("3h59m49s")
    assert not story.times("ClockBreached", "resolution")


def test_while_nobody_has_the_case_nobody_is_warned(story: Story) -> None:
    story.open("inquiry")
    story.at("+10s").agent("amy").reply("Hello")
    story.wait("20h")
    assert story.times("ClockWarned", "resolution") == ["20h"]
    assert not story.types("StaffAlerted")


def test_whoever_leads_an_incident_is_warned_as_what_they_are_and_a_department_as_its_agent(story: Story) -> None:
    story.declare(2)
    story.lead().confirm_nature("The gateway is down")
    story.lead().grade_incident(2)
    story.supervisor("sue").assume_command()
    story.agent("olga").accept_task("T1")
    story.wait("3h")
    clocks = {clock.clock_id: f"{clock.name} {clock.subject}".strip() for clock in story.case.clocks}
    warned = {
        clocks[body.clock_id]: (body.owner, word_of(Role.DESCRIPTOR, body.role))
        for body in story.bodies("StaffAlerted")
        if body.text.endswith("is due soon")
    }
    leads = ("sue", "supervisor")
    assert warned == {"public_notice": leads, "task T1": ("olga", "agent"), "task T2": leads, "task T3": leads}


def test_a_warning_comes_again_after_a_pause_only_when_it_had_not_come_before(story: Story) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+10h").agent().wait("customer")
    story.at("+20h").agent().resume()
    story.wait(FAR)
    assert story.times("ClockWarned", "resolution") == ["1d6h"]
    assert story.times("ClockBreached", "resolution") == ["1d10h"]


def test_a_promise_broken_before_a_pause_stays_broken_and_goes_on_climbing(story: Story) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+25h").agent().wait("customer")
    story.at("+27h").agent().resume()
    assert story.times("EscalationStepped", "resolution") == ["1d", "1d2h"]
    story.agent().resolve("Done")
    clock = story.find("resolution")
    assert story.last("ClockMetLate").late_seconds == 3600, "the pause is not counted as lateness"
    assert clock.due_at.seconds - story.opened == 86_400, "the due time that it missed stays on record"


def test_a_silent_case_escalates_on_record_and_alerts_nobody(story: Story) -> None:
    story.open("inquiry", silent=True)
    story.wait("11m")
    assert len(story.types("EscalationStepped")) == 2
    assert not story.types("StaffAlerted")


def test_the_longest_silence_stays_within_what_a_calendar_can_count(story: Story) -> None:
    story.open("inquiry")
    events = expire(story.case, story.opened + 10 * 366 * 86_400, story.rules)
    case = fold(events, story.case)
    assert {clock.climb.HasField("next_at") for clock in case.clocks if clock.breached} == {True}
    assert len(events) < 200, "a forgotten case does not fill the log"


def test_the_policys_ladders_end_at_the_top() -> None:
    assert {ladder.steps[-1].role for ladder in POLICY.ladders.values()} == {Role.ROLE_EXECUTIVE}
