"""Drills as workflows live them: a script played by its clock, and one that a schedule starts."""

from datetime import timedelta

import pytest

from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.drill_pb2 import DrillExpectation, DrillInject
from casetrail.v1.types_pb2 import Kind, Stage
from engine.numbers import numbers
from tests.workflows.stories import (
    drill_that_a_schedule_starts,
    drill_that_nobody_has_looked_back_at,
    drill_that_runs_to_its_end,
)
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


async def test_a_drill_that_nobody_looks_back_at_is_closed_after_somebody_heard_of_it(world: World) -> None:
    drill_id = await drill_that_nobody_has_looked_back_at(world)
    await world.wake(drill_id)
    await world.pass_time(drill_id, timedelta(hours=72) / 600)
    await world.ended(drill_id)
    assert (await world.case(drill_id)).stage == Stage.STAGE_CLOSED
    [reached] = await world.until(drill_id, "staff_reached")
    assert reached.staff_reached.people == ["erin"]


async def test_what_a_schedule_starts_has_the_number_of_its_workflow(world: World) -> None:
    workflow_id = await drill_that_a_schedule_starts(world)
    every = CaseFilter(kinds=[Kind.KIND_DRILL], include_drills=True)
    found = (await world.log.list_cases(every, page_size=10, token="")).cases
    assert [drill.case_id for drill in found] == [next(iter(numbers(Kind.KIND_DRILL, "schedule", workflow_id)))]
    assert found[0].stage == Stage.STAGE_CLOSED
    assert found[0].drill.aborted
