"""Emergency incidents: graded, led, told about, worked on by departments, followed up, looked back at."""

from collections.abc import Sequence

import pytest

from casetrail.v1.effect_pb2 import Effect
from casetrail.v1.incident_pb2 import Incident, IncidentNotice, IncidentSource, IncidentTask, LinkedCase
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Priority, Role
from casetrail.words import value_of, word_of
from domain import awaited
from domain.lifecycles.linked import follow_up_over
from tests.domain.story import Story, refused, rules_with

DEPARTMENTS = {
    1: ["operations", "technology", "legal", "customer-care"],
    2: ["operations", "technology", "customer-care"],
    3: ["operations", "customer-care"],
    4: ["customer-care"],
}


def graded(story: Story, level: int = 2, case_ids: Sequence[str] = ()) -> Story:
    """Declared, confirmed and graded at once."""
    story.declare(level, case_ids=case_ids)
    story.lead().confirm_nature("The payment gateway is down")
    story.lead().grade_incident(level)
    return story


def tell_users(story: Story, text: str = "We are on it", notice: str = "N1") -> None:
    story.agent().draft_notice(text, audience="all users")
    story.executive().approve_notice(notice)
    story.executive().send_notice(notice)
    story.outcome("public_notice", notice_published={})


def finish_tasks(story: Story) -> None:
    for task in story.case.incident.tasks:
        if task.state != IncidentTask.STATE_DONE:
            story.agent("olga").complete_task(task.task_id)


def resolved(story: Story, level: int = 4, case_ids: Sequence[str] = ()) -> Story:
    """Over, with whatever the level asks for done."""
    graded(story, level, case_ids)
    story.executive().assume_command()
    finish_tasks(story)
    if level <= 2:
        tell_users(story)
    story.executive().contain_incident("Switched to the other gateway")
    story.executive().resolve_incident("The gateway is back")
    return story


def task_state(story: Story, task_id: str = "T1") -> str:
    [task] = [task for task in story.case.incident.tasks if task.task_id == task_id]
    return word_of(IncidentTask.State.DESCRIPTOR, task.state)


def notice_state(story: Story, notice_id: str = "N1") -> str:
    [notice] = [notice for notice in story.case.incident.notices if notice.notice_id == notice_id]
    return word_of(IncidentNotice.State.DESCRIPTOR, notice.state)


def linked(story: Story) -> dict[str, str]:
    return {case.case_id: word_of(LinkedCase.State.DESCRIPTOR, case.state) for case in story.case.incident.cases}


def accept_links(story: Story) -> None:
    for effect in story.pending("link"):
        story.report(effect.effect_id, link_accepted={"case_id": effect.link.case_id})


def waits(story: Story) -> list[str]:
    return list(story.case.incident.waits_for)


# --- declared ---


@pytest.mark.parametrize(
    ("role", "by"), [("incident_lead", "person"), ("agent", "person"), ("service", "backend"), ("executive", "person")]
)
def test_people_and_backends_declare_it_and_the_record_says_which(story: Story, role: str, by: str) -> None:
    story.declare(by=role, inputs={"failed_payments": "40%"})
    source = story.case.incident.source
    assert word_of(IncidentSource.By.DESCRIPTOR, source.by) == by
    assert source.inputs["failed_payments"] == "40%"
    assert story.stage == "declared"


def test_a_customer_declares_none(story: Story) -> None:
    with refused("ROLE_NOT_ALLOWED"):
        story.declare(by="customer")


def test_nobody_but_detection_says_that_a_rule_found_it(story: Story) -> None:
    with refused("ROLE_NOT_ALLOWED", match="only detection"):
        story.declare(rule="wave.category")
    story.declare(by="system", rule="wave.category")
    assert story.case.incident.source.by == IncidentSource.BY_RULE


@pytest.mark.parametrize(("field", "value"), [("silent", True), ("source", "OLD-1")])
def test_it_is_of_now_and_is_not_kept_silent(story: Story, field: str, value: object) -> None:
    with refused("INVALID", match="of now"):
        story.declare(0, "importer", **{field: value})


@pytest.mark.parametrize(
    ("level", "told"), [(0, "incident_lead"), (1, "executive"), (2, "supervisor"), (3, "team_lead"), (4, "agent")]
)
def test_whoever_is_to_lead_is_told_at_once(story: Story, level: int, told: str) -> None:
    story.declare(level)
    assert word_of(Role.DESCRIPTOR, story.last("StaffAlerted").role) == told


@pytest.mark.parametrize(
    ("level", "crisis", "clocks"),
    [
        (0, "unspecified", {"initial_response": "30m"}),
        (1, "unspecified", {"initial_response": "30m", "public_notice": "2h"}),
        (2, "unspecified", {"initial_response": "30m", "public_notice": "2h"}),
        (3, "unspecified", {"initial_response": "30m"}),
        (4, "unspecified", {"initial_response": "30m"}),
        (4, "ordinary", {"initial_response": "30m", "public_notice": "2h"}),
        (0, "major", {"initial_response": "30m", "public_notice": "2h"}),
        (3, "critical", {"initial_response": "30m", "public_notice": "2h"}),
    ],
)
def test_what_is_promised_from_the_declaration_on(
    story: Story, level: int, crisis: str, clocks: dict[str, str]
) -> None:
    story.declare(level, crisis=crisis)
    assert story.clocks() == clocks


def test_a_false_alarm_ends_it_while_it_is_not_graded(story: Story) -> None:
    story.declare(1)
    assert story.director().dismiss_incident("A test ran") == [
        "Withdrawn",
        "ClockCancelled",
        "ClockCancelled",
        "CaseClosed",
    ]
    assert story.wake is None


def test_once_it_is_graded_or_users_were_told_it_is_no_false_alarm(story: Story) -> None:
    story.declare(2)
    tell_users(story)
    with refused("NOT_YET", match="users were told"):
        story.director().dismiss_incident("A test ran")
    story.lead().grade_incident(2)
    with refused("WRONG_STAGE"):
        story.director().dismiss_incident("A test ran")


# --- the initial response ---


def test_the_initial_response_is_kept_when_its_nature_is_confirmed_and_only_once(story: Story) -> None:
    story.declare(2)
    assert story.at("29m59s").agent().confirm_nature("The gateway is down")[-2:] == ["NatureConfirmed", "ClockMet"]
    with refused("ALREADY_SO"):
        story.agent().confirm_nature("Something else")


@pytest.mark.parametrize(
    ("level", "steps"),
    [
        (1, [("30m", "director"), ("40m", "executive")]),
        (2, [("30m", "supervisor"), ("45m", "director"), ("1h15m", "executive")]),
        (3, [("30m", "team_lead"), ("1h", "supervisor")]),
        (4, [("30m", "team_lead")]),
    ],
)
def test_a_late_initial_response_climbs_the_ladder_of_the_level(
    story: Story, level: int, steps: list[tuple[str, str]]
) -> None:
    story.declare(level)
    story.wait("80m")
    climbed = [
        (time, word_of(Role.DESCRIPTOR, body.role))
        for time, body in zip(story.times("EscalationStepped"), story.bodies("EscalationStepped"), strict=True)
        if body.clock_name == "initial_response"
    ]
    assert climbed[: len(steps)] == steps


def test_the_emergency_team_can_take_an_escalation_on(story: Story) -> None:
    story.declare(2)
    story.wait("31m")
    assert story.lead().acknowledge() == ["EscalationAcknowledged"]


# --- graded, up and down ---


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_level_decides_which_departments_get_a_task_each_with_its_own_clock(story: Story, level: int) -> None:
    graded(story, level)
    within = {1: "1h", 2: "4h", 3: "1d", 4: "3d"}[level]
    assert [task.department for task in story.case.incident.tasks] == DEPARTMENTS[level]
    clocks = [clock for clock in story.case.clocks if clock.name == "task"]
    assert [clock.subject for clock in clocks] == [f"T{n + 1}" for n in range(len(DEPARTMENTS[level]))]
    assert story.due("task") == within
    assert [effect.task.department for effect in story.pending("task")] == DEPARTMENTS[level]


def test_the_reason_and_what_it_looked_at_are_on_record(story: Story) -> None:
    story.declare(3)
    story.lead().grade_incident(1, why="Nobody can pay", inputs={"users": "120000"})
    body = story.last("IncidentGraded")
    assert (body.old_level, body.level, body.why, dict(body.inputs)) == (3, 1, "Nobody can pay", {"users": "120000"})
    [event] = [event for event in story.events if event.HasField("incident_graded")]
    assert (event.reason.rule, dict(event.reason.inputs)) == ("incident.level", {"users": "120000"})


def test_grading_up_measures_by_the_new_level_what_has_elapsed_stays(story: Story) -> None:
    graded(story, 3)
    story.at("20m").lead().grade_incident(1)
    # What operations had a day for is now due an hour after it was asked.
    assert story.find("task").target_seconds == 3600
    task = next(clock for clock in story.case.clocks if clock.subject == "T1")
    assert (task.elapsed_seconds, task.ladder) == (1200, "incident_critical")
    assert task.due_at.seconds == story.opened + 3600
    assert [task.department for task in story.case.incident.tasks] == [
        "operations",
        "customer-care",
        "technology",
        "legal",
    ]


def test_a_first_notice_that_becomes_owed_counts_from_the_declaration(story: Story) -> None:
    graded(story, 3)
    story.at("1h30m").lead().grade_incident(2)
    assert story.due("public_notice") == "2h"
    assert story.find("public_notice").elapsed_seconds == 5400
    story.end()


def test_graded_up_too_late_the_first_notice_is_overdue_at_once(story: Story) -> None:
    graded(story, 3)
    assert "ClockBreached" in story.at("3h").lead().grade_incident(2)
    assert story.find("public_notice").breached


def test_grading_down_gives_more_time_and_asks_for_no_notice_any_more(story: Story) -> None:
    graded(story, 1)
    assert "ClockCancelled" in story.at("10m").lead().grade_incident(3)
    assert story.clock("public_notice") == "cancelled"
    assert story.due("task") == "1d"


def test_a_broken_promise_is_not_mended_by_grading_down(story: Story) -> None:
    graded(story, 1)
    story.at("2h").lead().grade_incident(4)
    tasks = [clock for clock in story.case.clocks if clock.name == "task"]
    assert all(clock.breached for clock in tasks)
    assert {clock.ladder for clock in tasks} == {"incident_minor"}


def test_the_same_level_again_is_refused_but_another_class_of_crisis_is_not(story: Story) -> None:
    graded(story, 3)
    with refused("ALREADY_SO"):
        story.lead().grade_incident(3)
    assert "ClockStarted" in story.lead().grade_incident(3, crisis="critical")
    assert story.clock("public_notice") == "running"
    # And once it is a crisis it stays one until somebody says otherwise.
    story.lead().grade_incident(4)
    assert awaited.crisis_word(story.case.incident.crisis) == "critical"
    story.lead().grade_incident(4, no_crisis=True)
    assert awaited.crisis_word(story.case.incident.crisis) == ""
    assert (story.clock("public_notice"), story.case.incident.notice_role) == ("cancelled", Role.ROLE_TEAM_LEAD)
    with refused("ALREADY_SO"):
        story.lead().grade_incident(4, no_crisis=True)


def test_an_agent_does_not_grade(story: Story) -> None:
    story.declare(3)
    with refused("ROLE_NOT_ALLOWED"):
        story.agent().grade_incident(1)


# --- who leads ---


@pytest.mark.parametrize(
    ("level", "may", "may_not"),
    [
        (1, ["executive"], ["director", "supervisor", "incident_lead", "agent"]),
        (2, ["supervisor", "director", "executive", "incident_lead"], ["team_lead", "agent"]),
        (3, ["team_lead", "executive", "incident_lead"], ["agent"]),
        (4, ["agent", "executive", "incident_lead"], []),
    ],
)
def test_the_level_decides_who_leads(level: int, may: list[str], may_not: list[str]) -> None:
    for role in may:
        story = graded(Story(), level)
        assert story.acting(role, "ann").assume_command() == ["CommandAssumed"]
        assert (story.case.incident.commander, story.case.owner) == ("ann", "ann")
    for role in may_not:
        story = graded(Story(), level)
        with refused("BEYOND_AUTHORITY"):
            story.acting(role).assume_command()


def test_nobody_leads_what_has_no_level(story: Story) -> None:
    story.declare()
    with refused("NOT_YET", match="grade it first"):
        story.executive().assume_command()


def test_command_is_handed_over_to_somebody_who_may_lead(story: Story) -> None:
    graded(story, 2)
    story.supervisor("sue").assume_command()
    with refused("ALREADY_SO", match="sue leads"):
        story.director().assume_command()
    with refused("BEYOND_AUTHORITY"):
        story.supervisor("sue").hand_over_command("tom", role="team_lead")
    with refused("BEYOND_AUTHORITY", match="whoever leads"):
        story.team_lead().hand_over_command("ivy", role="incident_lead")
    story.supervisor("sue").hand_over_command("ivy", role="incident_lead")
    assert story.case.incident.commander == "ivy"
    assert story.last("CommandAssumed").handed_over_by == "sue"
    assert story.last("StaffAlerted").owner == "ivy"


def test_graded_up_it_waits_for_somebody_who_may_lead_and_the_old_commander_goes_on(story: Story) -> None:
    graded(story, 2)
    story.supervisor("sue").assume_command()
    story.lead().grade_incident(1)
    assert "somebody to lead it (executive)" in waits(story)
    assert word_of(Role.DESCRIPTOR, story.last("StaffAlerted").role) == "executive"
    assert story.supervisor("sue").contain_incident("Switched") == ["IncidentContained"]
    assert story.executive().assume_command() == ["CommandAssumed"]
    assert "somebody to lead it (executive)" not in waits(story)


@pytest.mark.parametrize(
    ("named", "may"),
    [
        (["team_lead", "director"], {"team_lead", "supervisor", "director", "executive"}),
        (["incident_lead"], {"incident_lead"}),
        (["incident_lead", "director"], {"incident_lead", "director", "executive"}),
        ([], set[str]()),
    ],
)
def test_who_may_lead_is_named_or_stands_above_somebody_who_is(named: list[str], may: set[str]) -> None:
    incident = Incident(commander_roles=[value_of(Role, role) for role in named])
    assert {word_of(Role.DESCRIPTOR, role) for role in Role.values() if awaited.may_lead(role, incident)} == may


# --- tasks ---


def test_a_task_is_accepted_and_done_by_somebody_of_the_department(story: Story) -> None:
    graded(story, 4)
    assert story.agent("cara").accept_task("T1") == ["TaskAccepted"]
    assert story.case.incident.tasks[0].owner == "cara"
    assert story.at("2h").agent("cara").complete_task("T1", result="Done") == ["TaskCompleted", "ClockMet"]
    assert not story.pending("task")


def test_a_refused_task_is_still_owed_and_whoever_leads_is_told(story: Story) -> None:
    graded(story, 4)
    story.lead("ivy").assume_command()
    story.agent().refuse_task("T1", why="Not ours")
    assert (task_state(story), story.clock("task")) == ("refused", "running")
    assert (story.last("StaffAlerted").owner, story.pending("task")) == ("ivy", [])
    story.lead().reassign_task("T1", department="operations")
    assert task_state(story) == "asked"
    assert [effect.task.department for effect in story.pending("task")] == ["operations"]
    assert len(story.times("ClockStarted", "task")) == 1


def test_a_task_that_was_not_done_after_all_gets_a_new_clock(story: Story) -> None:
    graded(story, 4)
    story.agent().complete_task("T1")
    assert story.at("1h").lead().reopen_task("T1") == ["TaskReopened", "TaskRequested", "ClockStarted"]
    assert story.due("task") == "3d1h"
    assert story.case.incident.tasks[0].reopenings == 1


@pytest.mark.parametrize("stands", ["asked", "accepted", "refused"])
def test_a_task_that_is_called_off_is_awaited_by_nobody_and_its_clock_stops(story: Story, stands: str) -> None:
    graded(story, 4)
    story.lead("ivy").assume_command()
    if stands == "accepted":
        story.agent("cara").accept_task("T1")
    elif stands == "refused":
        story.agent("cara").refuse_task("T1", why="Not ours")
    assert any("task T1" in awaited for awaited in story.case.incident.waits_for)
    types = story.at("1h").lead("ivy").cancel_task("T1", why="It was the provider")
    assert types[:2] == ["TaskCancelled", "ClockCancelled"]
    assert (task_state(story), story.clock("task"), story.pending("task")) == ("cancelled", "cancelled", [])
    assert story.case.incident.tasks[0].remark == "It was the provider"
    assert not any("task" in awaited for awaited in story.case.incident.waits_for)
    story.lead("ivy").contain_incident("Gone")
    assert "IncidentResolved" in story.lead("ivy").resolve_incident("Gone")


def test_whoever_was_asked_for_a_task_hears_that_it_is_called_off_and_whoever_refused_does_not(story: Story) -> None:
    graded(story, 4)
    story.lead().add_task("legal", what="Read the contract")
    story.agent("cara").accept_task("T1")
    for task, owner, department in (("T1", "cara", "customer-care"), ("T2", "", "legal")):
        story.executive().cancel_task(task)
        told = story.last("StaffAlerted")
        assert (told.owner, told.department, told.text) == (owner, department, f"task {task} is called off")
    story.lead().add_task("legal", what="Read it again")
    story.agent().refuse_task("T3")
    assert story.executive().cancel_task("T3") == ["TaskCancelled", "ClockCancelled"]


def test_a_late_task_that_is_called_off_calls_nobody_any_more(story: Story) -> None:
    graded(story, 1)
    story.wait("61m")
    for task in story.case.incident.tasks:
        story.executive().cancel_task(task.task_id)
    steps = len(story.bodies("EscalationStepped"))
    story.wait("2d")
    assert not [body for body in story.bodies("EscalationStepped")[steps:] if body.clock_name == "task"]


def test_only_whoever_leads_or_may_calls_a_task_off(story: Story) -> None:
    graded(story, 1)
    story.executive("eve").assume_command()
    with refused("BEYOND_AUTHORITY", match="eve"):
        story.supervisor().cancel_task("T1")
    story.executive("eve").cancel_task("T1")
    with refused("NOTHING_TO_DO", match="cancelled"):
        story.executive("eve").cancel_task("T1")


def test_a_task_that_was_called_off_is_not_asked_for_again_by_a_level_but_can_be_reopened(story: Story) -> None:
    graded(story, 4)
    story.executive().cancel_task("T1")
    story.lead().grade_incident(3)
    story.lead().grade_incident(4)
    assert [task.task_id for task in story.case.incident.tasks if task.department == "customer-care"] == ["T1"]
    assert story.lead().reopen_task("T1") == ["TaskReopened", "TaskRequested", "ClockStarted"]
    assert (task_state(story), story.clock("task")) == ("asked", "running")


def test_tasks_can_be_added_while_it_goes_on(story: Story) -> None:
    story.declare()
    story.lead().add_task("legal", what="Read the contract", owner="lou")
    assert story.pending("task")[0].task.owner == "lou"
    assert story.due("task") == "3d"


def test_a_late_task_climbs_its_own_ladder(story: Story) -> None:
    graded(story, 1)
    story.agent().complete_task("T1")
    story.wait("61m")
    late = [body.clock_id for body in story.bodies("EscalationStepped")]
    assert len(set(late)) == 3


def test_its_owner_is_warned_of_a_task_and_the_commander_of_the_rest(story: Story) -> None:
    graded(story, 2)
    story.supervisor("sue").assume_command()
    story.agent("cara").accept_task("T1")
    story.at("3h").wait("0s")
    warned = [body.owner for body in story.bodies("StaffAlerted") if "due soon" in body.text]
    assert sorted(set(warned)) == ["cara", "sue"]


def test_a_department_that_cannot_be_reached_is_reported_and_the_task_stays_owed(story: Story) -> None:
    graded(story, 4)
    story.lead("ivy").assume_command()
    story.outcome("task", department_unreachable={"why": "nobody there"})
    assert "cannot be reached about task T1" in story.last("StaffAlerted").text
    assert story.outcome("task", department_reached={"people": ["cara"]}) == ["DepartmentReached"]
    assert len(story.pending("task")) == 1


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("accept_task", {"task_id": "T9"}),
        ("reopen_task", {"task_id": "T1"}),
        ("complete_task", {"task_id": "T9"}),
        ("cancel_task", {"task_id": "T9"}),
    ],
)
def test_a_task_that_is_not_there_or_not_so_far_is_refused(
    story: Story, action: str, fields: dict[str, object]
) -> None:
    graded(story, 4)
    with refused("NOTHING_TO_DO"):
        getattr(story.lead(), action)(**fields)


def test_a_department_that_refused_can_be_given_the_task_again(story: Story) -> None:
    graded(story, 4)
    department = story.case.incident.tasks[0].department
    story.agent().accept_task("T1")
    with refused("ALREADY_SO"):
        story.lead().reassign_task("T1", department=department, owner="amy")
    story.agent().refuse_task("T1", why="Not ours")
    assert story.case.incident.tasks[0].remark == "Not ours"
    assert "TaskRequested" in story.lead().reassign_task("T1", department=department, owner="amy")
    assert task_state(story) == "asked"


def test_a_task_is_taken_on_by_whoever_says_so_or_is_named(story: Story) -> None:
    graded(story, 3)
    story.agent("olga").accept_task("T1")
    story.agent("olga").accept_task("T2", owner="mei")
    assert [task.owner for task in story.case.incident.tasks] == ["olga", "mei"]


def test_a_task_that_is_opened_again_is_settled_no_more(story: Story) -> None:
    graded(story, 4)
    story.agent().complete_task("T1")
    assert story.case.incident.tasks[0].HasField("settled_at")
    story.lead().reopen_task("T1")
    assert not story.case.incident.tasks[0].HasField("settled_at")


def test_whoever_leads_and_still_may_is_not_looked_for_at_another_level(story: Story) -> None:
    graded(story, 3)
    story.executive().assume_command()
    told = len(story.bodies("StaffAlerted"))
    story.lead().grade_incident(4)
    assert not [body for body in story.bodies("StaffAlerted")[told:] if "needs somebody to lead" in body.text]


def test_without_a_level_nobody_approves_a_notice(story: Story) -> None:
    story.declare()
    story.agent().draft_notice("We are on it", audience="all users")
    with refused("NOT_YET", match="no level"):
        story.executive().approve_notice("N1")


# --- notices ---


@pytest.mark.parametrize(
    ("level", "crisis", "needed"),
    [
        (1, "unspecified", "executive"),
        (2, "unspecified", "director"),
        (3, "unspecified", "supervisor"),
        (4, "unspecified", "team_lead"),
        (4, "ordinary", "supervisor"),
        (3, "major", "director"),
        (4, "critical", "executive"),
        (1, "ordinary", "executive"),
    ],
)
def test_a_notice_is_approved_with_the_authority_that_level_and_crisis_ask_for(
    story: Story, level: int, crisis: str, needed: str
) -> None:
    story.declare(level, crisis=crisis)
    story.agent().draft_notice("We are on it", audience="all users")
    below = {"executive": "director", "director": "supervisor", "supervisor": "team_lead", "team_lead": "agent"}[needed]
    for role in (below, "incident_lead"):
        with refused("BEYOND_AUTHORITY", match=needed.replace("_", " ")):
            story.acting(role).approve_notice("N1")
    assert story.acting(needed).approve_notice("N1") == ["NoticeApproved"]


def test_a_draft_is_not_sent_and_what_was_sent_is_not_approved_again(story: Story) -> None:
    graded(story, 2)
    story.agent().draft_notice("We are on it", audience="all users")
    with refused("NOTHING_TO_DO", match="draft"):
        story.lead().send_notice("N1")
    story.director().approve_notice("N1")
    with refused("ALREADY_SO"):
        story.director().approve_notice("N1")
    story.lead().send_notice("N1")
    with refused("NOTHING_TO_DO", match="sending"):
        story.lead().discard_notice("N1")


def test_graded_up_an_approved_notice_must_be_approved_again(story: Story) -> None:
    graded(story, 2)
    story.agent().draft_notice("We are on it", audience="all users")
    story.director().approve_notice("N1")
    story.lead().grade_incident(1)
    with refused("NOT_YET", match="approve it again"):
        story.lead().send_notice("N1")
    story.executive().approve_notice("N1")
    assert "NoticeRequested" in story.lead().send_notice("N1")


def test_the_first_notice_keeps_its_promise_when_users_can_read_it_and_the_next_is_promised(story: Story) -> None:
    graded(story, 2)
    story.at("1h").agent().draft_notice("We are on it", audience="buyers of MUG-01")
    story.director().approve_notice("N1")
    story.director().send_notice("N1")
    assert story.clock("public_notice") == "running"
    story.at("1h5m").outcome("public_notice", notice_published={"reference": "banner-7"})
    assert story.clock("public_notice") == "met"
    assert story.due("notice_update") == "3h5m"
    [notice] = story.case.incident.notices
    assert (notice.text, notice.audience, notice.approved_by) == ("We are on it", "buyers of MUG-01", "dan")


def test_each_notice_promises_the_next_until_the_end(story: Story) -> None:
    graded(story, 1)
    story.executive().assume_command()
    tell_users(story)
    story.at("50m")
    tell_users(story, "Still on it", "N2")
    assert story.due("notice_update") == "1h50m"
    finish_tasks(story)
    story.executive().contain_incident("Switched")
    story.executive().resolve_incident("It is back")
    assert story.clock("notice_update") == "cancelled"
    tell_users(story, "It is over", "N3")
    assert story.clock("notice_update") == "cancelled"
    assert story.clock("result_feedback") == "met"


def test_an_incident_is_not_over_while_a_notice_lies_unsent(story: Story) -> None:
    resolved(story)
    story.agent().draft_notice("It is over", audience="all users")
    assert "notice N1 (draft)" in waits(story)
    with refused("NOT_YET", match="N1"):
        story.executive().finish_follow_up()
    story.executive().discard_notice("N1")
    assert story.executive().finish_follow_up() == ["IncidentFollowedUp"]


def test_a_notice_that_could_not_be_published_is_sent_again(story: Story) -> None:
    graded(story, 2)
    story.supervisor("sue").assume_command()
    story.agent().draft_notice("We are on it", audience="all users")
    story.director().approve_notice("N1")
    story.director().send_notice("N1")
    story.outcome("public_notice", notice_failed={"why": "the app's banner service is down"})
    assert (notice_state(story), story.clock("public_notice")) == ("failed", "running")
    assert story.last("StaffAlerted").owner == "sue"
    story.director().send_notice("N1")
    story.outcome("public_notice", notice_published={})
    assert (notice_state(story), story.clock("public_notice")) == ("sent", "met")


# --- what it waits for ---


def test_what_it_waits_for_is_shown_and_named_in_the_refusal(story: Story) -> None:
    story.declare(2)
    assert waits(story) == ["its nature to be confirmed", "its level"]
    story.lead().grade_incident(2)
    story.supervisor().assume_command()
    story.agent().draft_notice("We are on it", audience="all users")
    story.agent().refuse_task("T2")
    story.supervisor().contain_incident("Switched")
    expected = [
        "its nature to be confirmed",
        "the first notice to users",
        "task T1 of operations (asked)",
        "task T2 of technology (refused)",
        "task T3 of customer-care (asked)",
        "notice N1 (draft)",
    ]
    assert waits(story) == expected
    with refused("NOT_YET", match="first notice.*T2 of technology .refused.*N1 .draft."):
        story.supervisor().resolve_incident("It is back")


def test_a_notice_that_is_not_to_go_out_is_discarded_and_holds_nothing_up(story: Story) -> None:
    graded(story, 4)
    story.agent().draft_notice("Perhaps", audience="all users")
    story.agent().discard_notice("N1", why="Nobody has noticed")
    assert waits(story) == ["somebody to lead it (agent or incident lead)", "task T1 of customer-care (asked)"]


def test_it_is_contained_before_it_is_over(story: Story) -> None:
    graded(story, 4)
    story.executive().assume_command()
    finish_tasks(story)
    with refused("WRONG_STAGE"):
        story.executive().resolve_incident("It is back")


def test_only_whoever_leads_or_may_lead_ends_a_stage(story: Story) -> None:
    graded(story, 2)
    with refused("BEYOND_AUTHORITY"):
        story.team_lead().contain_incident("Switched")
    assert story.director().contain_incident("Switched") == ["IncidentContained"]


def test_what_customers_read_of_the_end_takes_whoever_approves_notices(story: Story) -> None:
    graded(story, 2, case_ids=["C-1"])
    story.supervisor().assume_command()
    finish_tasks(story)
    tell_users(story)
    story.supervisor().contain_incident("Switched")
    accept_links(story)
    for who in (story.supervisor(), story.lead()):
        with refused("BEYOND_AUTHORITY", match="takes the role that approves its notices, director"):
            who.resolve_incident("It is back")
    assert "FollowUpRequested" in story.director().resolve_incident("It is back")


def test_an_end_that_no_customer_reads_takes_only_whoever_leads(story: Story) -> None:
    graded(story, 4, case_ids=["C-1"])
    story.lead().assume_command()
    finish_tasks(story)
    story.lead().contain_incident("Switched")
    assert "IncidentResolved" in story.lead().resolve_incident("It is back")


def test_users_who_were_told_hear_that_it_is_over(story: Story) -> None:
    resolved(story, 2)
    assert waits(story) == ["a last notice to users: it is over"]
    with refused("NOT_YET", match="last notice"):
        story.executive().finish_follow_up()
    tell_users(story, "It is over", "N2")
    assert story.executive().finish_follow_up() == ["IncidentFollowedUp"]


# --- the report and the end ---


@pytest.mark.parametrize("level", [1, 2])
def test_a_critical_or_major_one_is_not_closed_without_its_report(story: Story, level: int) -> None:
    resolved(story, level)
    tell_users(story, "It is over", "N2")
    story.executive().finish_follow_up()
    with refused("NOT_YET", match="its report"):
        story.executive().close_incident()
    story.executive().file_report("A certificate had expired", measures="It is watched", lessons="Watch them all")
    assert story.stage == "retrospective"
    assert story.executive().close_incident() == ["CaseClosed"]


@pytest.mark.parametrize("level", [3, 4])
def test_smaller_ones_may_be_closed_without_one(story: Story, level: int) -> None:
    resolved(story, level)
    story.executive().finish_follow_up()
    assert story.stage == "followed_up"
    assert story.executive().close_incident() == ["ClockCancelled", "CaseClosed"]
    with refused("CASE_CLOSED", match="closed for good"):
        story.lead().reopen_incident("It burns again")


def test_grading_down_is_no_way_around_the_report(story: Story) -> None:
    graded(story, 1)
    story.lead().grade_incident(4)
    story.executive().assume_command()
    finish_tasks(story)
    story.executive().contain_incident("Switched")
    story.executive().resolve_incident("It is back")
    story.executive().finish_follow_up()
    with refused("NOT_YET", match="its report"):
        story.executive().close_incident()


def test_the_report_is_due_in_72_hours_and_may_be_filed_before_the_follow_up_ends(story: Story) -> None:
    resolved(story)
    assert story.due("retrospective") == "3d"
    story.executive().file_report("A", measures="B", lessons="C")
    assert (story.stage, story.clock("retrospective")) == ("resolved", "met")
    story.executive().file_report("A and more", measures="B", lessons="C")
    assert story.case.incident.report.cause == "A and more"
    story.executive().finish_follow_up()
    assert story.stage == "retrospective"


def test_what_was_not_over_after_all_is_responded_to_again(story: Story) -> None:
    resolved(story, 2, case_ids=["C-1"])
    accept_links(story)
    tell_users(story, "It is over", "N2")
    story.executive().file_report("A", measures="B", lessons="C")
    story.lead().reopen_incident("It is down again")
    assert (story.stage, story.clock("notice_update")) == ("graded", "running")
    assert linked(story) == {"C-1": "linked"}
    assert not story.pending("follow_up")
    assert not story.case.incident.HasField("report")
    story.executive().contain_incident("Switched again")
    assert story.executive().resolve_incident("Now it is over").count("FollowUpRequested") == 1


def test_whoever_leads_hears_that_it_was_not_over(story: Story) -> None:
    resolved(story)
    story.lead().reopen_incident()
    told = story.last("StaffAlerted")
    assert (told.text, told.owner) == ("the incident is not over", story.case.incident.commander)


def test_when_it_was_over_is_on_record_until_it_was_not(story: Story) -> None:
    resolved(story)
    assert story.case.resolved_at.seconds == story.now
    story.lead().reopen_incident()
    assert not story.case.HasField("resolved_at")


# --- the cases that it touches ---


def test_cases_are_linked_by_a_demand_on_each_and_once(story: Story) -> None:
    story.declare(2, case_ids=["C-1", "C-2"])
    assert [effect.link.case_id for effect in story.pending("link")] == ["C-1", "C-2"]
    assert all(effect.link.incident for effect in story.pending("link"))
    story.agent().link_cases(["C-2", "C-3"])
    assert linked(story) == {"C-1": "asked", "C-2": "asked", "C-3": "asked"}
    with refused("ALREADY_SO"):
        story.agent().link_cases(["C-3"])
    with refused("CANNOT_JOIN"):
        story.agent().link_cases(["CASE-1"])


def test_a_case_that_refused_may_be_asked_again(story: Story) -> None:
    story.declare(2, case_ids=["C-1"])
    story.outcome("link", link_failed={"case_id": "C-1", "why": "CANNOT_JOIN"})
    assert linked(story) == {"C-1": "refused"}
    story.agent().link_cases(["C-1"])
    assert linked(story) == {"C-1": "asked"}


def test_linked_cases_get_each_notice_and_a_late_one_the_last(story: Story) -> None:
    graded(story, 2, case_ids=["C-1"])
    accept_links(story)
    tell_users(story)
    assert [effect.relay.case_id for effect in story.pending("relay")] == ["C-1"]
    story.outcome("relay", relay_accepted={})
    assert story.case.incident.cases[0].notice_id == "N1"
    story.agent().link_cases(["C-2"])
    accept_links(story)
    [late] = story.pending("relay")
    assert (late.relay.case_id, late.relay.text) == ("C-2", "We are on it")


def test_a_case_that_links_itself_to_an_incident_is_touched_by_it(story: Story) -> None:
    graded(story, 2)
    tell_users(story)
    story.engine().absorb("C-7", only_link=True, customer_id="c-1")
    assert linked(story) == {"C-7": "linked"}
    assert [effect.relay.case_id for effect in story.pending("relay")] == ["C-7"]


def test_a_case_that_links_itself_to_an_incident_that_was_followed_up_gets_no_old_news(story: Story) -> None:
    resolved(story, 2)
    tell_users(story, "It is over", "N2")
    story.executive().finish_follow_up()
    assert story.engine().absorb("C-1", only_link=True) == ["Linked"]
    assert not linked(story)


def test_it_is_followed_up_when_every_linked_case_is(story: Story) -> None:
    resolved_with = graded(story, 4, case_ids=["C-1", "C-2", "C-3"])
    accept_links(resolved_with)
    story.executive().assume_command()
    finish_tasks(story)
    story.executive().contain_incident("Switched")
    assert story.executive().resolve_incident("It is back").count("FollowUpRequested") == 3
    story.outcome("follow_up", case_followed_up={})
    story.outcome("follow_up", follow_up_failed={"why": "CANNOT_JOIN"})
    told = story.last("StaffAlerted")
    assert (told.text, told.owner) == ("C-2 could not be followed up: see to its customer", story.case.owner)
    assert linked(story) == {"C-1": "followed_up", "C-2": "not_followed_up", "C-3": "following_up"}
    assert waits(story) == ["the follow-up of C-2", "the follow-up of C-3"]
    for case_id in ("C-2", "C-3"):
        story.agent().follow_up_case(case_id, how="Called")
    assert not story.pending("follow_up")
    with refused("NOTHING_TO_DO"):
        story.agent().follow_up_case("C-1", how="Called")
    assert story.executive().finish_follow_up() == ["IncidentFollowedUp"]


def test_a_case_that_is_found_after_the_end_is_followed_up_too(story: Story) -> None:
    resolved(story)
    story.agent().link_cases(["C-9"])
    accept_links(story)
    assert [effect.follow_up.case_id for effect in story.pending("follow_up")] == ["C-9"]


def test_a_case_that_is_found_after_the_last_word_gets_that_and_no_empty_letter(story: Story) -> None:
    resolved(story, 2)
    tell_users(story, "It is over", "N2")
    story.lead().link_cases(["C-9"])
    accept_links(story)
    assert not story.pending("relay")
    [effect] = story.pending("follow_up")
    assert (effect.follow_up.case_id, effect.follow_up.text) == ("C-9", "It is over")


def test_many_cases_are_named_only_in_part(story: Story) -> None:
    resolved(story)
    story.agent().link_cases([f"C-{n}" for n in range(12)])
    assert waits(story)[-2:] == ["the follow-up of C-4", "the follow-up of 7 more"]


# --- seen from the customer's case ---


def told_result(story: Story) -> None:
    story.open("inquiry")
    story.deliver("acknowledgement")
    story.agent().resolve("Done")
    story.deliver("result")


def test_a_notice_is_passed_on_as_a_letter_of_the_customers_own_case(story: Story) -> None:
    story.open("complaint")
    assert story.engine().relay_notice("INC-1", notice_id="N1", text="We are on it") == [
        "NoticeRelayed",
        "NotificationRequested",
    ]
    assert story.letters() == ["acknowledgement", "incident"]
    # It is no answer to what this customer asked.
    story.deliver("incident")
    assert story.clock("first_response") == "running"


def test_without_an_address_somebody_is_asked_to_tell_the_customer(story: Story) -> None:
    story.open("complaint", customer={"customer_id": "c-1"})
    story.agent().assign("amy")
    story.engine().relay_notice("INC-1", notice_id="N1", text="We are on it")
    assert (story.last("StaffAlerted").owner, story.last("StaffAlerted").text) == (
        "amy",
        "tell the customer what INC-1 says",
    )


def test_after_the_end_a_customer_who_knows_the_result_is_called_back(story: Story) -> None:
    told_result(story)
    story.engine().end_incident("INC-1", text="It is over")
    assert story.letters() == ["incident_over"]
    assert not follow_up_over(story.case, "INC-1")
    assert story.clock("follow_up") == "running"
    with refused("TOO_EARLY"):
        story.at("23h").agent().record_callback("satisfied")
    story.at("25h").agent().record_callback("satisfied")
    assert follow_up_over(story.case, "INC-1")


def test_a_case_that_is_still_worked_on_has_followed_up_when_it_is_closed(story: Story) -> None:
    story.open("inquiry")
    story.engine().end_incident("INC-1", text="It is over")
    assert story.clock("follow_up") == "none"
    assert not follow_up_over(story.case, "INC-1")
    story.customer().withdraw()
    assert follow_up_over(story.case, "INC-1")


def test_a_closed_case_tells_its_customer_and_owes_no_call(story: Story) -> None:
    story.open("inquiry")
    story.customer().withdraw()
    story.engine().end_incident("INC-1", text="It is over")
    assert follow_up_over(story.case, "INC-1")
    assert "incident_over" in story.letters()


@pytest.mark.parametrize("action", ["relay_notice", "end_incident", "absorb"])
@pytest.mark.parametrize(("mine", "theirs"), [("", "DRL-1"), ("DRL-1", ""), ("DRL-1", "DRL-2")])
def test_real_cases_and_drills_are_never_joined(story: Story, action: str, mine: str, theirs: str) -> None:
    story.open("inquiry", drill_id=mine)
    with refused("CANNOT_JOIN", match="stay apart"):
        getattr(story.engine(), action)("INC-1", drill_id=theirs)


def test_an_incident_is_no_customers_case_of_another(story: Story) -> None:
    graded(story, 2)
    with refused("CANNOT_JOIN", match="has no customer"):
        story.engine().absorb("INC-2", only_link=True, incident=True)


def test_a_customers_case_becomes_no_incident(story: Story) -> None:
    story.open("inquiry")
    with refused("WRONG_KIND", match="declare one"):
        story.agent().reclassify("incident")


def test_every_event_of_a_drill_says_so(story: Story) -> None:
    story.declare(1, drill_id="DRL-1")
    story.wait("2h")
    assert {event.drill_id for event in story.events} == {"DRL-1"}
    assert story.case.is_drill


@pytest.mark.parametrize(("asked", "priority"), [({}, "urgent"), ({"priority": "low"}, "low")])
def test_an_incident_is_urgent_unless_it_is_said_not_to_be(story: Story, asked: dict[str, str], priority: str) -> None:
    story.declare(4, **asked)
    assert word_of(Priority.DESCRIPTOR, story.case.priority) == priority


def test_what_an_incident_does_not_have_is_named(story: Story) -> None:
    graded(story, 4)
    with refused("NOTHING_TO_DO", match="CASE-1 has no notice N9"):
        story.executive().approve_notice("N9")
    with refused("NOTHING_TO_DO", match="CASE-1 has no task T9"):
        story.agent().accept_task("T9")


# --- the policy ---


def test_another_policy_measures_its_promises_anew(story: Story) -> None:
    graded(story, 2)

    def hurry(policy: object) -> None:
        for target in policy.clocks["task"].targets:  # type: ignore[attr-defined] # a Policy
            target.within.seconds = 600
            target.ClearField("warn_before")

    story.change_policy(rules_with(hurry))
    assert story.due("task") == "10m"


def test_who_leads_and_approves_under_another_policy_is_said_by_grading_again(story: Story) -> None:
    graded(story, 3)

    def stricter(policy: Policy) -> None:
        [level] = [one for one in policy.incidents.levels if one.level == 3]
        level.commander_roles[:] = [Role.ROLE_DIRECTOR]
        level.notice_role = Role.ROLE_EXECUTIVE
        level.report_required = True

    story.change_policy(rules_with(stricter))
    story.team_lead().grade_incident(3)
    incident = story.case.incident
    assert (list(incident.commander_roles), incident.notice_role) == ([Role.ROLE_DIRECTOR], Role.ROLE_EXECUTIVE)
    assert incident.report_required
    with refused("ALREADY_SO"):
        story.team_lead().grade_incident(3)


def test_each_demand_of_an_incident_is_pending_until_its_outcome(story: Story) -> None:
    graded(story, 2, case_ids=["C-1"])
    accept_links(story)
    tell_users(story)
    demands = {_demand(effect) for effect in story.pending()}
    assert demands == {"staff_alert", "task", "relay"}


def _demand(effect: Effect) -> str:
    return effect.WhichOneof("demand") or ""
