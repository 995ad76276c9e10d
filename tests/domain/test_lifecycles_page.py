"""The users' page names everything that the core can do."""

import re
from pathlib import Path

import pytest

from casetrail.v1.types_pb2 import Kind, Stage
from domain.decide import ACTIONS
from domain.kinds import ALL, CUSTOMERS, DRILL, Kinds
from domain.promises import PROMISES, Promise
from tests.domain.story import POLICY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "lifecycles.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_.]+)`", PAGE))
RULES = {
    rule
    for source in (ROOT / "domain").rglob("*.py")
    for rule in re.findall(r'rule="([a-z_.]+)"', source.read_text(encoding="utf-8"))
}


KINDS = {
    "all": ALL,
    "all but drills": ALL - DRILL,
    "customers’": CUSTOMERS,
    **{name.removeprefix("KIND_").lower(): frozenset({kind}) for name, kind in Kind.items()},
}


def kinds_in_rows_of(name: str) -> Kinds:
    """The kinds in the second column of the rows that begin with a name; what else it says there is of some cases."""
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
    words = [word.strip() for row in rows for word in row[2].split(",")]
    return frozenset().union(*(KINDS[word] for word in words if word in KINDS))


@pytest.mark.parametrize("name", ["open", *ACTIONS, *(promise.name for promise in PROMISES), *sorted(RULES)])
def test_it_names_every_action_clock_and_rule(name: str) -> None:
    assert name in NAMED


def test_its_diagrams_show_every_stage() -> None:
    diagrams = "".join(re.findall(r"```mermaid(.*?)```", PAGE, re.DOTALL))
    stages = {name.removeprefix("STAGE_").lower() for name in Stage.keys()} - {"unspecified"}  # noqa: SIM118 - no dict
    assert stages <= set(re.findall(r"[a-z_]+", diagrams))


@pytest.mark.parametrize("action", ACTIONS)
def test_it_says_which_kinds_have_an_action(action: str) -> None:
    assert kinds_in_rows_of(action) == ACTIONS[action].kinds


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_it_says_which_kinds_have_a_clock(promise: Promise) -> None:
    assert kinds_in_rows_of(promise.name) == promise.kinds


@pytest.mark.parametrize("clock", [promise.name for promise in PROMISES])
def test_its_clocks_have_the_policys_ladders_and_pauses(clock: str) -> None:
    rule = POLICY.clocks[clock]
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{clock}` |"))
    stopped_by, ladder = [cell.strip() for cell in row.split("|")][5:7]
    words = {1: "customer", 2: "vendor", 3: "carrier", 4: "department"}
    assert stopped_by == (", ".join(words[cause] for cause in rule.pauses_for) or "nobody")
    assert ladder == f"`{rule.ladder}`"
