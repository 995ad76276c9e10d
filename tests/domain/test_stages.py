"""At which stages an action is possible: the table of docs/lifecycles.md, action by action and stage by stage."""

import re
from pathlib import Path
from typing import Any

import pytest

from casetrail.v1.case_pb2 import Case, Settlement
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Actor, Role, Stage
from casetrail.words import value_of
from domain import Rejected, decide
from tests.domain.story import OPENED, RULES, Story, refused

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycles.md").read_text(encoding="utf-8")
EVERY_STAGE = {name.removeprefix("STAGE_").lower() for name in Stage.keys()} - {"unspecified"}  # noqa: SIM118 - no dict

HOW = {"how": "Hello"}
TASK, NOTICE, PARCEL = {"task_id": "T1"}, {"notice_id": "N1"}, {"parcel": {"carrier": "sf", "tracking_no": "SF1"}}
REMEDY = {"remedy": {"kind": "repair"}}
BEFORE_A_SOLUTION = "opened accepted in_progress classified investigating proposed negotiating rejected awaiting_goods"
BEFORE_THE_END = "declared graded contained"

# kind of case, action, what it says, the stages that it is possible at
STAGES: list[tuple[str, str, dict[str, Any], str]] = [
    ("complaint", "accept", {}, "opened"),
    ("return", "accept", {}, "opened"),
    ("inquiry", "reclassify", {"kind": "complaint"}, BEFORE_A_SOLUTION),
    ("complaint", "classify", {"category": "order"}, "accepted classified"),
    ("complaint", "investigate", {}, "accepted classified"),
    ("complaint", "ask_department", {"department": "finance"}, "investigating proposed negotiating"),
    ("complaint", "record_finding", {"words": "Hello"}, "investigating proposed negotiating"),
    ("complaint", "propose", REMEDY, "investigating proposed negotiating"),
    ("return", "propose", REMEDY, "rejected in_progress proposed negotiating"),
    ("complaint", "negotiate", {}, "proposed"),
    ("return", "negotiate", {}, "proposed"),
    ("complaint", "agree", {}, "proposed negotiating rejected"),
    ("return", "agree", {}, "proposed negotiating rejected"),
    ("complaint", "carry_out", {}, "carrying_out"),
    ("return", "carry_out", {}, "carrying_out"),
    ("return", "decide_eligibility", {"eligible": True}, "accepted rejected"),
    ("return", "ship_back", PARCEL, "awaiting_goods"),
    ("return", "receive_goods", {}, "awaiting_goods"),
    ("return", "inspect", {"passed": True}, "received"),
    ("inquiry", "resolve", {}, "opened accepted in_progress"),
    ("complaint", "resolve", {}, "investigating negotiating"),
    ("return", "resolve", {}, "rejected in_progress negotiating"),
    ("inquiry", "confirm", {}, "resolved told"),
    ("inquiry", "rate", {"satisfied": True}, "told confirmed"),
    ("inquiry", "reopen", {}, "resolved told confirmed closed"),
    ("incident", "confirm_nature", {"nature": "Hello"}, BEFORE_THE_END),
    ("incident", "grade_incident", {"level": 3}, BEFORE_THE_END),
    ("incident", "add_task", {"department": "legal", "what": "look"}, BEFORE_THE_END),
    ("incident", "reopen_task", TASK, BEFORE_THE_END),
    ("incident", "draft_notice", {"text": "Hello", "audience": "all"}, f"{BEFORE_THE_END} resolved"),
    ("incident", "send_notice", NOTICE, f"{BEFORE_THE_END} resolved"),
    ("incident", "link_cases", {"case_ids": ["CASE-2"]}, f"{BEFORE_THE_END} resolved"),
    ("incident", "contain_incident", HOW, "graded"),
    ("incident", "resolve_incident", HOW, "contained"),
    ("incident", "follow_up_case", {"case_id": "CASE-2"} | HOW, "resolved"),
    ("incident", "finish_follow_up", {}, "resolved"),
    (
        "incident",
        "file_report",
        dict.fromkeys(("cause", "measures", "lessons"), "x"),
        "resolved followed_up retrospective",
    ),
    ("incident", "close_incident", {}, "followed_up retrospective"),
    ("incident", "dismiss_incident", {}, "declared"),
    ("incident", "reopen_incident", {}, "contained resolved followed_up retrospective"),
]


def opened(kind: str) -> Story:
    story = Story()
    if kind == "incident":
        story.declare(2)
        story.lead().grade_incident(2)
    else:
        story.open(kind)
    return story


def possible_at(stage: str, story: Story, case: Case, action: str, said: dict[str, Any]) -> bool:
    """Whether the stage allows it; that something else speaks against it is another matter."""
    case.stage = value_of(Stage, stage)
    command = story.command(Actor(name="eve", role=Role.ROLE_EXECUTIVE), action, **said)
    return refusal_of(case, command) not in ("WRONG_STAGE", "CASE_CLOSED")


def refusal_of(case: Case, command: Command) -> str:
    """Why a case refuses a command; empty when it does not."""
    try:
        decide(case, command, OPENED, RULES)
    except Rejected as error:
        return error.code
    return ""


@pytest.mark.parametrize(("kind", "action", "said", "stages"), STAGES, ids=lambda given: str(given).split(" ")[0])
def test_an_action_is_possible_at_just_these_stages(kind: str, action: str, said: dict[str, Any], stages: str) -> None:
    story = opened(kind)
    case = Case()
    case.CopyFrom(story.case)

    assert {each for each in EVERY_STAGE if possible_at(each, story, case, action, said)} == set(stages.split())


@pytest.mark.parametrize("kind", ["complaint", "return"])
def test_after_a_remedy_failed_another_one_is_proposed_while_it_is_being_carried_out(kind: str) -> None:
    story = opened(kind)
    case = Case()
    case.CopyFrom(story.case)
    case.settlement.state = Settlement.STATE_FAILED

    assert {each for each in EVERY_STAGE if possible_at(each, story, case, "propose", REMEDY)} == {"carrying_out"}


@pytest.mark.parametrize(("kind", "action", "said", "stages"), STAGES, ids=lambda given: str(given).split(" ")[0])
def test_the_page_names_the_stages(kind: str, action: str, said: dict[str, Any], stages: str) -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in PAGE.splitlines() if line.startswith("| `")]
    also_called = {"all", "customers’"} if kind != "incident" else {"all"}
    [cell] = [
        row[2] for row in rows if f"`{action}`" in row[0].split(", ") and (kind in row[1] or row[1] in also_called)
    ]
    expanded = cell.replace("before there is a solution", BEFORE_A_SOLUTION.replace("_", " ")).replace(
        "contained and after", "contained, resolved, followed up, retrospective"
    )
    assert [stage for stage in stages.split() if stage.replace("_", " ") not in expanded] == []


# --- whoever leads an incident ---

OF_THE_LEADER: list[tuple[str, str, dict[str, Any]]] = [
    ("graded", "hand_over_command", {"to": "ann", "role": "executive"}),
    ("graded", "cancel_task", TASK),
    ("graded", "contain_incident", HOW),
    ("contained", "resolve_incident", HOW),
    ("resolved", "finish_follow_up", {}),
    ("resolved", "file_report", dict.fromkeys(("cause", "measures", "lessons"), "x")),
    ("retrospective", "close_incident", {}),
]


@pytest.mark.parametrize(("stage", "action", "said"), OF_THE_LEADER, ids=lambda given: str(given).split(" ")[0])
def test_only_whoever_leads_or_may_ends_a_stage(stage: str, action: str, said: dict[str, Any]) -> None:
    story = opened("incident")
    story.supervisor("sue").assume_command()
    case = Case()
    case.CopyFrom(story.case)
    case.stage = value_of(Stage, stage)
    case.incident.commander, case.incident.commander_role = "amy", Role.ROLE_AGENT

    for role, name, may in (("agent", "bob", False), ("agent", "amy", True), ("supervisor", "sam", True)):
        command = story.command(Actor(name=name, role=value_of(Role, role)), action, **said)
        assert (refusal_of(case, command) != "BEYOND_AUTHORITY") == may, name


def test_who_leads_is_named_to_whoever_may_not() -> None:
    story = opened("incident")
    with refused("BEYOND_AUTHORITY", match=re.escape("leads CASE-1 (nobody), or the role of supervisor")):
        story.agent().contain_incident("Hello")
    story.supervisor("sue").assume_command()
    with refused("BEYOND_AUTHORITY", match=re.escape("leads CASE-1 (sue), or the role of supervisor")):
        story.agent().contain_incident("Hello")
