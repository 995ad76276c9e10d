"""What a running workflow is asked, and whether it says the same as the log."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from temporalio.client import Client

from audit.log import Log
from casetrail.scenario_file import load
from casetrail.v1.audit_service_pb2 import CrossCheckRequest, CrossCheckResponse
from casetrail.v1.command_pb2 import AddNote, Command, Withdraw
from casetrail.v1.types_pb2 import Actor, Role, Words
from domain import Rejected
from domain.drills import script
from server.crosscheck import CrossCheckServicer
from server.principals import Principal
from server.temporal import Temporal
from tests.asked import IMPORTER, opening
from tests.waiting import become_true
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCENARIO = Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml"
ERIN = Actor(name="erin", role=Role.ROLE_EXECUTIVE)
AUDITOR = Principal("auditor", frozenset(), frozenset(), "")


async def connected(world: World) -> Temporal:
    async def connect() -> Client:
        return world.environment.client

    temporal = Temporal(connect)
    await temporal.connect()
    return temporal


async def checked(world: World, case_id: str = "", *, log: Log | None = None) -> Sequence[CrossCheckResponse]:
    servicer = CrossCheckServicer(world.engine, log or world.log, await connected(world))
    return [answer async for answer in servicer.cross_check(CrossCheckRequest(case_id=case_id), AUDITOR)]


async def note(world: World, case_id: str) -> int:
    """Something that wakes no workflow."""
    return (await world.do(case_id, note=AddNote(words=Words(text="seen")))).case.seq


async def test_a_workflow_that_is_behind_is_nudged_and_asked_again(world: World) -> None:
    case_id = await world.open()
    await world.wake(case_id)
    await world.looked_at(case_id, 1)
    seq = await note(world, case_id)

    step = await (await connected(world)).look(case_id, seq)

    assert step.seq >= seq


async def test_log_projection_and_workflow_of_a_living_case_agree(world: World) -> None:
    case_id = await world.open()
    await note(world, case_id)

    [answer] = await checked(world)

    assert (answer.case_id, answer.workflow_expected) == (case_id, True)
    assert answer.seq >= 2
    assert not answer.differences


async def test_a_drill_is_compared_as_any_other_case(world: World) -> None:
    start = Command(request_id="drill", actor=ERIN, open=script.opening(load(SCENARIO), 0))
    drill_id = (await world.engine.execute(start)).case.case_id

    [answer] = [answer for answer in await checked(world) if answer.case_id == drill_id]

    assert (answer.workflow_expected, list(answer.differences)) == (True, [])


async def test_a_workflow_that_does_not_run_is_a_difference_and_is_said(world: World) -> None:
    case_id = await world.open()
    await world.wake(case_id)
    await world.looked_at(case_id, 1)
    await world.handle(case_id).terminate("for the test")

    [answer] = await checked(world, case_id)

    assert [found.reason for found in answer.differences] == ["WORKFLOW_NOT_RUNNING"]
    with pytest.raises(Rejected, match="is terminated"):
        await (await connected(world)).look(case_id, 1)


async def test_of_a_closed_case_no_workflow_is_expected_and_asking_it_says_that_it_is_completed(world: World) -> None:
    case_id = await world.open()
    await world.wake(case_id)
    await world.looked_at(case_id, 1)
    await world.do(case_id, withdraw=Withdraw(why="never mind"))
    await world.wake(case_id)
    await world.ended(case_id)

    async def is_completed() -> bool:
        try:
            await (await connected(world)).look(case_id, 1)
        except Rejected as refusal:
            return refusal.code == "WORKFLOW_NOT_RUNNING" and "is completed" in refusal.message
        return False

    await become_true(is_completed)
    assert await checked(world) == []
    [answer] = await checked(world, case_id)
    assert (answer.workflow_expected, list(answer.differences)) == (False, [])


async def test_of_an_imported_case_no_workflow_is_expected(world: World) -> None:
    imported = opening(source="INC-1", silent=True)
    imported.actor.CopyFrom(IMPORTER)
    imported.case_id = "INC-1"
    imported.at.seconds = 1_450_000_000
    await world.engine.execute(imported)

    [answer] = await checked(world)

    assert (answer.workflow_expected, list(answer.differences)) == (False, [])


class Tampered:
    """A log whose projection says something else."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def read_case(self, case_id: str) -> object:
        case = await self._log.read_case(case_id)
        if case is not None:
            case.owner = "somebody else"
        return case


async def test_a_projection_that_is_not_the_fold_is_a_difference(world: World) -> None:
    case_id = await world.open()

    [answer] = await checked(world, case_id, log=Tampered(world.log))  # type: ignore[arg-type] # the rest is the log's

    assert [found.reason for found in answer.differences] == ["PROJECTION_DIFFERS"]
    assert "owner" in answer.differences[0].message
