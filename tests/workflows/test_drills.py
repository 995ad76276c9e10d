"""Drills as workflows live them: a script played by its clock, and one that a schedule starts."""

import pytest

from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.drill_pb2 import DrillExpectation, DrillInject
from casetrail.v1.types_pb2 import Kind, Stage
from engine.numbers import numbers
from tests.workflows.stories import drill_that_a_schedule_starts, drill_that_runs_to_its_end
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_drill_plays_its_script_and_judges_what_came_of_it(world: World) -> None:
    drill = (await world.case(await drill_that_runs_to_its_end(world))).drill
    assert {planned.state for planned in drill.injects} == {DrillInject.STATE_MADE}
    assert {judged.id: judged.verdict for judged in drill.expectations} == {
        "confirmed": DrillExpectation.VERDICT_MET,
        "answered": DrillExpectation.VERDICT_MISSED,  # the agents were away
    }
    assert drill.score == 10


async def test_what_a_schedule_starts_has_the_number_of_its_workflow(world: World) -> None:
    workflow_id = await drill_that_a_schedule_starts(world)
    every = CaseFilter(kinds=[Kind.KIND_DRILL], include_drills=True)
    found = (await world.log.list_cases(every, page_size=10, token="")).cases
    assert [drill.case_id for drill in found] == [next(iter(numbers(Kind.KIND_DRILL, "schedule", workflow_id)))]
    assert found[0].stage == Stage.STAGE_CLOSED
    assert found[0].drill.aborted
