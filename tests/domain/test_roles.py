"""Who may do what, and how every refusal is provoked."""

import re
from pathlib import Path

import pytest

import domain
from casetrail.v1.types_pb2 import Actor, Role
from casetrail.words import value_of
from domain.authority import require_role, roles_for
from domain.decide import ACTIONS
from tests.domain.story import CUSTOMER, RETURN, Story, refused, rules_with

LADDER = {"agent", "team_lead", "supervisor", "director", "executive"}
STAFF = LADDER | {"service", "importer"}
ANYBODY = STAFF | {"customer"}
LEADS = LADDER - {"agent"}
SUPERVISORS = LEADS - {"team_lead"}
# In an incident the emergency team stands beside the ladder, and who acts is narrowed further by its level.
TEAM = {"incident_lead"}
RESPONDERS = STAFF | TEAM
ENGINE = frozenset({"system"})
DRILL_LEADS = LEADS | TEAM | {"admin", "service"}
EVERY_ROLE = {name.removeprefix("ROLE_").lower() for name in Role.keys()} - {"unspecified"}  # noqa: SIM118 - no dict

# What the operating rules say; everything else is the staff's.
MAY = {
    "open": ANYBODY | TEAM | {"system"},
    "note": RESPONDERS,
    "acknowledge": RESPONDERS,
    "receive_message": ANYBODY,
    "agree": ANYBODY,
    "negotiate": ANYBODY,
    "choose_alternative": ANYBODY,
    "ship_back": ANYBODY,
    "confirm": ANYBODY,
    "rate": ANYBODY,
    "reopen": ANYBODY,
    "withdraw": ANYBODY,
    "decide": LEADS,
    "review_dissatisfaction": SUPERVISORS,
    "change_policy": SUPERVISORS | {"admin"},
    "hand_over": SUPERVISORS | {"admin", "importer"},
    "import_row": {"importer"},
    "close": {"importer"},
    "confirm_nature": RESPONDERS | {"system"},
    "link_cases": RESPONDERS | {"system"},
    **dict.fromkeys(("accept_task", "refuse_task", "complete_task", "draft_notice", "follow_up_case"), RESPONDERS),
    **dict.fromkeys(("grade_incident", "dismiss_incident", "reopen_incident"), LEADS | TEAM),
    **dict.fromkeys(("add_task", "reassign_task", "reopen_task"), LEADS | TEAM),
    **dict.fromkeys(("assume_command", "hand_over_command", "contain_incident", "resolve_incident"), LADDER | TEAM),
    "cancel_task": LADDER | TEAM,
    **dict.fromkeys(("finish_follow_up", "file_report", "close_incident"), LADDER | TEAM),
    **dict.fromkeys(("approve_notice", "discard_notice", "send_notice"), LADDER | TEAM),
    **dict.fromkeys(("relay_notice", "end_incident", "end_drill_case"), ENGINE),
    "inject_by_hand": DRILL_LEADS,
    "abort_drill": DRILL_LEADS,
    "remark_drill": RESPONDERS | DRILL_LEADS,
    "absorb": {"system"},
    "report_outcome": {"system"},
}


@pytest.mark.parametrize("action", ["open", *ACTIONS])
def test_every_action_is_open_to_just_these_roles(action: str) -> None:
    allowed = MAY.get(action, STAFF)
    assert roles_for(action) == {value_of(Role, role) for role in allowed}
    for role in allowed:
        require_role(action, Actor(name="somebody", role=value_of(Role, role)))
    for role in EVERY_ROLE - allowed:
        with refused("ROLE_NOT_ALLOWED", match=f"you act as {role}"):
            require_role(action, Actor(name="somebody", role=value_of(Role, role)))


def test_nobody_acts_without_a_role() -> None:
    with refused("ROLE_NOT_ALLOWED"):
        require_role("note", Actor(name="somebody"))


# --- every refusal of the core ---


def _closed(story: Story) -> None:
    story.open("inquiry")
    story.customer().withdraw()


def _callback_too_early(story: Story) -> None:
    story.open("complaint")
    story.agent().accept("Sorry")
    story.agent().investigate()
    story.agent().resolve("It was like this")
    story.deliver("result")
    story.agent().record_callback("satisfied")


def _two_questions(story: Story) -> None:
    story.open("inquiry")
    story.agent().escalate("First?")
    story.agent().escalate("Second?")


def _beyond_authority(story: Story) -> None:
    story.open("inquiry")
    story.agent().escalate("May I?", to_role="director")
    story.team_lead().decide(granted=True)


def _a_policy_without_incidents(story: Story) -> None:
    story.rules = rules_with(lambda policy: policy.ClearField("incidents"))
    story.declare(2)


def _closed_then_note_then_reply(story: Story) -> None:
    _closed(story)
    assert story.agent().note("for the record") == ["NoteAdded"]
    story.agent().reply("Hello")


REFUSALS = {
    "INVALID": lambda story: (story.open("complaint"), story.agent().reclassify("return", return_request=RETURN)),
    "UNKNOWN_CASE": lambda story: story.agent().reply("Hello"),
    "CASE_EXISTS": lambda story: (story.open("inquiry"), story.open("inquiry")),
    "WRONG_STAGE": lambda story: (story.open("inquiry"), story.customer().confirm()),
    "WRONG_KIND": lambda story: (story.open("inquiry"), story.agent().propose({"kind": "refund"})),
    "CASE_CLOSED": _closed_then_note_then_reply,
    "NOTHING_TO_DO": lambda story: (story.open("inquiry"), story.agent().resume()),
    "ALREADY_SO": lambda story: (story.open("inquiry"), story.agent().assign("amy"), story.agent().assign("amy")),
    "TOO_EARLY": _callback_too_early,
    "NOT_YET": _two_questions,
    "WRONG_TIME": lambda story: (story.open("inquiry"), story.importer().close()),
    "UNKNOWN_EFFECT": lambda story: (story.open("inquiry"), story.report("CASE-1:99", staff_reached={})),
    "CANNOT_JOIN": lambda story: (story.open("inquiry"), story.agent().merge("CASE-1")),
    "ROLE_NOT_ALLOWED": lambda story: (story.open("inquiry"), story.customer().reply("I answer myself")),
    "BEYOND_AUTHORITY": _beyond_authority,
    "NO_RULES": _a_policy_without_incidents,
}


@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_has_its_reason_and_changes_nothing(story: Story, code: str) -> None:
    with refused(code, match="."):
        REFUSALS[code](story)


def test_no_refusal_of_the_core_is_forgotten() -> None:
    sources = (path.read_text() for path in Path(domain.__file__).parent.rglob("*.py"))
    given = {reason for source in sources for reason in re.findall(r"REFUSAL_REASON_([A-Z_]+)", source)}
    assert set(REFUSALS) == given


def test_an_outcome_must_be_one_of_its_effect(story: Story) -> None:
    story.open("inquiry", customer=CUSTOMER)
    with refused("UNKNOWN_EFFECT", match="refunded is no outcome"):
        story.outcome("notification", refunded={})
    story.deliver("acknowledgement")
    with refused("UNKNOWN_EFFECT"):
        story.report("CASE-1:4", notification_delivered={})


def test_a_waiting_case_does_not_wait_twice_for_the_same(story: Story) -> None:
    story.open("inquiry")
    story.agent().wait("vendor", party="acme")
    with refused("ALREADY_SO"):
        story.agent().wait("vendor", party="acme")
    assert "WaitEnded" in story.agent().wait("vendor", party="other")
