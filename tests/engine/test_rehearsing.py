"""Cases that are part of a drill."""

from pathlib import Path

import pytest

from casetrail.scenario_file import load
from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import Command, ReportOutcome
from casetrail.v1.effect_pb2 import InjectFailed, Outcome
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Stage, Words
from domain import Rejected
from domain.draft import SYSTEM
from domain.drills import script
from engine.engine import Engine
from tests.asked import ERIN, command, opening

SCENARIO = load(Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml")


async def _start(engine: Engine, scenario: Scenario = SCENARIO) -> Case:
    asked = Command(request_id="start", actor=ERIN, open=script.opening(scenario, 60))
    return (await engine.execute(asked)).case


async def test_a_case_joins_a_drill_that_is_under_way_and_its_clock(engine: Engine) -> None:
    drill = await _start(engine)
    joined = (await engine.execute(opening(drill_id=drill.case_id))).case
    assert joined.is_drill
    assert joined.time_base == drill.time_base


async def test_no_case_joins_a_drill_that_is_over_though_nobody_has_looked_back_yet(engine: Engine) -> None:
    only_one = Scenario(
        id=SCENARIO.id, title=SCENARIO.title, injects=SCENARIO.injects[:1], expectations=SCENARIO.expectations[:1]
    )
    drill = await _start(engine, only_one)
    begun = await engine.execute(command(drill.case_id, note={"words": Words(text="The inject is due")}))
    inject = next(effect for effect in begun.case.pending_effects if effect.HasField("inject"))
    failed = Outcome(inject_failed=InjectFailed(inject_id=SCENARIO.injects[0].id, why="It failed"))
    reported = ReportOutcome(effect_id=inject.effect_id, outcome=failed)
    over = await engine.execute(
        Command(case_id=drill.case_id, request_id="failed", actor=SYSTEM, report_outcome=reported)
    )
    assert over.case.stage == Stage.STAGE_RETROSPECTIVE
    with pytest.raises(Rejected, match="no drill that is under way") as refused:
        await engine.execute(opening(drill_id=drill.case_id))
    assert refused.value.code == "CANNOT_JOIN"
