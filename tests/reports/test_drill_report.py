"""The report of a drill: made from its events, byte by byte the same each time.

What was kept is written anew by `python -m tests.reports.test_drill_report`, to be looked at before it is committed.
"""

from pathlib import Path

import pytest

from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import AbortDrill, RemarkDrill
from casetrail.v1.drill_pb2 import DrillInject
from casetrail.v1.effect_pb2 import (
    CueSeen,
    ExpectationMet,
    ExpectationMetLate,
    ExpectationMissed,
    MoveFailed,
    SystemRestored,
)
from casetrail.v1.types_pb2 import Kind, Stage
from reports.drill import drill_report
from tests.domain.rehearsal import MINUTE, SCENARIO, Rehearsal
from tests.domain.story import OPENED

HERE = Path(__file__).parent
LOCALES = ("en", "zh-CN")


def rehearsed() -> Rehearsal:
    """A drill with everything in it: met, late and missed, a move that failed, a remark."""
    drill = Rehearsal()
    for minutes in (0, 10, 40):
        drill.until(minutes)
        for planned in list(drill.case.drill.injects):
            if planned.state == DrillInject.STATE_DUE:
                drill.made(planned.inject.id, *(["INC-1"] if planned.inject.id == "outage" else []))
    cue = CueSeen(move_id="duty-lead/0/INC-1:9", case_id="INC-1", event_id="INC-1:9")
    cue.happened_at.seconds = drill.now
    drill.report("observation", cue_seen=cue)
    drill.until(60)
    drill.report("move", move_failed=MoveFailed(why="NOTHING_TO_DO: nothing has escalated"))
    drill.report("restoration", system_restored=SystemRestored())
    late = ExpectationMetLate(expectation_id="graded", event_ids=["INC-1:8"], score=5)
    late.met_at.seconds = OPENED + 50 * MINUTE
    drill.report("observation", expectation_met_late=late)
    drill.do(remark_drill=RemarkDrill(problem="Nobody knew *who* grades.", improvement="Name a deputy | at night."))
    drill.until(700)
    drill.report("judgement", '"confirmed"', expectation_missed=ExpectationMissed(expectation_id="confirmed"))
    for expectation in SCENARIO.expectations[2:]:
        met = ExpectationMet(expectation_id=expectation.id, event_ids=["INC-1:9", "INQ-1:2"], score=expectation.score)
        met.met_at.seconds = OPENED + 60 * MINUTE
        drill.report("judgement", f'"{expectation.id}"', expectation_met=met)
    return drill


def reports() -> dict[str, str]:
    """Every report that is kept, by its file."""
    drill = rehearsed()
    cases = [Case(case_id="INC-1", kind=Kind.KIND_INCIDENT, stage=Stage.STAGE_CLOSED, subject="Checkout fails")]
    last = rehearsed().case
    last.case_id, last.drill.score = "DRL-0", 70
    found = {}
    for locale in LOCALES:
        document = drill_report(drill.events, cases, last, locale)
        found[f"drill.{locale}.md"] = document.to_markdown()
        found[f"drill.{locale}.html"] = document.to_html()
    return found


@pytest.mark.parametrize("name", sorted(reports()))
def test_the_report_is_the_one_that_was_kept(name: str) -> None:
    assert reports()[name] == (HERE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("locale", LOCALES)
def test_a_report_can_be_made_at_any_point_of_a_drill(locale: str) -> None:
    events = rehearsed().events
    for count in range(2, len(events) + 1):
        assert f" {count} " in drill_report(events[:count], [], None, locale).footer[0]


def test_a_drill_that_was_aborted_says_why() -> None:
    drill = Rehearsal()
    drill.do(abort_drill=AbortDrill(why="a real emergency"))
    assert "a real emergency" in drill_report(drill.events, [], None, "en").to_markdown()


if __name__ == "__main__":
    for file, text in reports().items():
        (HERE / file).write_text(text, encoding="utf-8")
