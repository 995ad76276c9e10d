"""A scenario's file: what is wrong in it is said with file, line and field."""

import re
from pathlib import Path

import pytest

from casetrail.scenario_file import ScenarioError, load

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "scenarios").glob("*.yaml"))

RIGHT = """\
id: small
title: Small
locale: en
injects:
  - id: outage
    at: 0s
    title: It is down
    declare: {subject: down, channel: app, suspected_level: 1}
  - id: calls
    at: 30m
    title: Customers call
    wave: {count: 3, over: 10m, kind: inquiry, channel: phone, subject: down}
expectations:
  - id: graded
    title: It is graded
    after: outage
    event: incident_graded
    where: {level: "1"}
    by: [director]
    within: 30m
    score: 10
    phase: detection
  - id: answered
    title: All are answered
    after: calls
    event: replied
    of: calls
    count: 3
    within: 30m
    score: 10
    phase: response
participants:
  - name: duty-director
    role: director
    delay: {median: 5m, p90: 10m}
    answers:
      - to: case_opened
        of: outage
        do: {grade_incident: {level: 1, why: down}}
"""


def problems(tmp_path: Path, text: str, scale: float = 0) -> list[str]:
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path, scale=scale)
    except ScenarioError as wrong:
        return [str(problem).removeprefix(f"{path}:") for problem in wrong.problems]
    return []


def changed(old: str, new: str) -> str:
    assert RIGHT.count(old) >= 1, old
    return RIGHT.replace(old, new, 1)


def test_a_right_scenario_has_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, RIGHT) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_right(path: Path) -> None:
    assert load(path).expectations


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_can_run_at_240_times(path: Path) -> None:
    assert load(path, scale=240).injects


def test_a_scenario_is_shipped_in_both_languages() -> None:
    stems = {path.name.split(".")[0] for path in SHIPPED}
    assert stems == {"system-failure", "complaint-wave", "public-opinion", "several-lines"}
    for stem in stems:
        english, chinese = (load(ROOT / "scenarios" / f"{stem}.{language}.yaml") for language in ("en", "zh-CN"))
        assert (english.locale, chinese.locale) == ("en", "zh-CN")
        assert english.id == chinese.id, "runs of both are runs of one scenario"
        for one, other in zip(english.expectations, chinese.expectations, strict=True):
            assert (one.id, one.event, one.within, one.score, one.by) == (
                other.id, other.event, other.within, other.score, other.by
            )  # fmt: skip


WRONG = {
    "unknown role": (changed("by: [director]", "by: [directer]"), 19, "expectations[0].by[0]", "did you mean"),
    "unknown participant's role": (changed("role: director", "role: boss"), 34, "participants[0].role", "unknown"),
    "expectation before its inject": (
        changed("after: calls", "after: outage").replace(
            "of: calls\n    count: 3\n    within: 30m", "of: calls\n    count: 3\n    within: 20m"
        ),
        27,
        "expectations[1].of",
        "is expected by 20m, before its inject calls happens at 30m",
    ),
    "expectation after nothing": (changed("after: outage", "after: outege"), 16, "expectations[0].after", "outage"),
    "ids that overlap": (changed("id: graded", "id: outage"), 14, "expectations[0].id", "injects[0] already"),
    "id twice": (changed("id: calls", "id: outage"), 9, "injects[1].id", "is the id of injects[0] already"),
    "unknown event": (
        changed("event: replied", "event: replyed"),
        26,
        "expectations[1].event",
        'did you mean "replied"',
    ),
    "unknown field of an event": (changed('{level: "1"}', '{leval: "1"}'), 18, "expectations[0].where.leval", "level"),
    "more cases than there are": (
        changed("count: 3\n    within", "count: 4\n    within"),
        28,
        "expectations[1].count",
        "more than",
    ),
    "late before it is due": (
        changed("within: 30m\n    score", "within: 30m\n    late_until: 10m\n    score"),
        21,
        "expectations[0].late_until",
        "shorter",
    ),
    "a move that no case would take": (
        changed("level: 1, why", "level: 9, why"),
        39,
        "participants[0].answers[0].do.grade_incident.level",
        "4",
    ),
    "slower than half": (changed("p90: 10m", "p90: 1m"), 35, "participants[0].delay.p90", "shorter than median"),
    "cases of what brings none": (
        changed(
            "wave: {count: 3, over: 10m, kind: inquiry, channel: phone, subject: down}",
            "silence: {role: agent, lasts: 1h}",
        ),
        27,
        "expectations[1].of",
        "calls brings no cases",
    ),
    "no time": (changed("    at: 30m\n", ""), 9, "injects[1].at", "is missing"),
    "nothing that happens": (
        changed("    wave: {count: 3, over: 10m, kind: inquiry, channel: phone, subject: down}\n", ""),
        9,
        "injects[1]",
        "needs one of declare, wave, message, silence, fault",
    ),
    "an answer that does nothing": (
        changed("do: {grade_incident: {level: 1, why: down}}", "do: {}"),
        39,
        "participants[0].answers[0].do",
        "needs one of assign, accept, ",
    ),
    "a word where the event has a number": (
        changed('{level: "1"}', "{level: critical}"),
        18,
        "expectations[0].where.level",
        '"critical" is not a whole number',
    ),
}


@pytest.mark.parametrize(("text", "line", "field", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_line_and_field(tmp_path: Path, text: str, line: int, field: str, says: str) -> None:
    found = problems(tmp_path, text)
    assert any(
        (place := re.fullmatch(r"(\d+):(\d+) (\S+): (.*)", problem))
        and (int(place[1]), place[3]) == (line, field)
        and says in place[4]
        for problem in found
    ), found


def test_a_long_text_is_named_by_its_beginning(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, changed("title: Small", f"title: {'Small ' * 10_000}"))
    assert problem.startswith('2:8 title: "Small Small ')
    assert problem.endswith('…" must be at most 200 characters')
    assert len(problem) < 200


def test_a_scale_that_makes_a_wait_shorter_than_a_second_is_said_at_that_wait(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, RIGHT, scale=301)
    assert problem.startswith("35:21 participants[0].delay.median: 5m is 0.997 s of real time at a scale of 301")


@pytest.mark.parametrize(("what", "said"), [("silence", "role: agent"), ("fault", "system: shop")])
def test_what_an_inject_lasts_is_a_wait_as_well(tmp_path: Path, what: str, said: str) -> None:
    longer = changed("median: 5m", "median: 6m").replace(
        "expectations:\n",
        f"  - id: away\n    at: 40m\n    title: Away\n    {what}: {{{said}, lasts: 5m}}\nexpectations:\n",
        1,
    )
    (problem,) = problems(tmp_path, longer, scale=301)
    assert f"injects[2].{what}.lasts: 5m is 0.997 s of real time" in problem


@pytest.mark.parametrize(
    ("system", "at", "found"),
    [
        ("shop", "20m", ["is failing from 10m to 40m already, by first"]),
        ("shop", "40m", ["is failing from 10m to 40m already, by first"]),
        ("shop", "41m", []),
        ("mail", "20m", []),
    ],
)
def test_a_system_fails_again_only_after_it_has_answered(
    tmp_path: Path, system: str, at: str, found: list[str]
) -> None:
    # The end of the first would end the second as well.
    twice = changed(
        "expectations:\n",
        f"  - {{id: second, at: {at}, title: Down, fault: {{system: {system}, lasts: 1h}}}}\n"
        "  - {id: first, at: 10m, title: Down, fault: {system: shop, lasts: 30m}}\nexpectations:\n",
    )
    assert [problem.partition("injects[2].fault.system: ")[2] for problem in problems(tmp_path, twice)] == found


def test_two_participants_have_two_names(tmp_path: Path) -> None:
    twice = RIGHT + RIGHT[RIGHT.index("  - name: duty-director") :]
    (problem,) = problems(tmp_path, twice)
    assert problem.endswith('participants[1].name: "duty-director" stands here twice')


def test_the_scenarios_own_scale_counts_where_no_other_is_given(tmp_path: Path) -> None:
    fast = changed("locale: en\n", "locale: en\nscale: 3600\n")
    assert len(problems(tmp_path, fast)) == 4
    assert problems(tmp_path, fast, scale=60) == []
