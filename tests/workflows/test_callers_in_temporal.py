"""Callers that live in Temporal: the workflow's update and query answer as the engine does."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from casetrail.v1.case_service_pb2 import ExecuteResponse
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Actor, Role, Stage, Words
from engine.naming import EXECUTE
from tests.asked import command, names
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _execute(one: World, asked: Command, *, of: str = "") -> ExecuteResponse:
    response: ExecuteResponse = await one.handle(of or asked.case_id).execute_update(
        EXECUTE, asked, result_type=ExecuteResponse
    )
    return response


async def _reason(one: World, asked: Command, **more: Any) -> str:  # noqa: ANN401 - any field
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await _execute(one, asked, **more)
    assert isinstance(failure.value.cause, ApplicationError)
    return failure.value.cause.type or ""


async def test_a_command_through_the_workflow_is_in_the_log_with_where_it_came_from(world: World, case_id: str) -> None:
    response = await _execute(world, command(case_id, assign={"to": "amy"}))

    assert names(response.events) == ["assigned"]
    assert response.case.owner == "amy"
    written = (await world.events(case_id))[-1]
    assert written.assigned.to == "amy"
    assert written.actor.via == "temporal"
    assert response.receipt.position == written.position


async def test_the_same_request_again_is_answered_as_the_first_time(world: World, case_id: str) -> None:
    asked = command(case_id, request_id="same", assign={"to": "amy"})
    first = await _execute(world, asked)
    again = await _execute(world, asked)
    assert again.repeated_request
    assert not first.repeated_request
    assert again.events == first.events


async def test_a_refusal_carries_its_reason_and_leaves_the_workflow_well(world: World, case_id: str) -> None:
    assert await _reason(world, command(case_id, inspect={"passed": True})) == "WRONG_KIND"
    assert (await _execute(world, command(case_id, assign={"to": "amy"}))).case.owner == "amy"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (command("", assign={"to": ""}), "INVALID"),
        (command("", close={}), "ROLE_NOT_ALLOWED"),
        (command("", report_outcome={"effect_id": "x", "outcome": {"link_failed": {}}}), "ROLE_NOT_ALLOWED"),
        (command("", actor=None, assign={"to": "amy"}), "UNKNOWN_PRINCIPAL"),
        (command("", actor=Actor(name="me", role=Role.ROLE_SYSTEM), assign={"to": "amy"}), "ROLE_NOT_ALLOWED"),
    ],
)
async def test_what_a_server_would_refuse_is_refused(world: World, case_id: str, asked: Command, reason: str) -> None:
    asked.case_id = case_id
    assert await _reason(world, asked) == reason


async def test_a_command_for_another_case_leaves_no_trace_in_history(world: World, case_id: str) -> None:
    before = len((await world.handle(case_id).fetch_history()).events)
    assert await _reason(world, command("INQ-other", assign={"to": "amy"}), of=case_id) == "INVALID"
    assert len((await world.handle(case_id).fetch_history()).events) == before


async def test_the_answer_that_temporal_keeps_has_no_personal_data(world: World, case_id: str) -> None:
    response = await _execute(world, command(case_id, assign={"to": "amy"}))
    assert not response.case.subject
    assert not response.case.customer.email
    assert response.case.customer.customer_id == "cu-1"


async def test_callers_at_once_are_all_answered_and_the_log_has_each_once(world: World, case_id: str) -> None:
    asked = [command(case_id, note={"words": Words(text=f"note {n}")}) for n in range(8)]
    responses = await asyncio.gather(*(_execute(world, each) for each in asked))
    assert all(names(response.events) == ["note_added"] for response in responses)
    assert names(await world.events(case_id)).count("note_added") == 8


async def test_the_query_tells_the_last_look_which_agrees_with_the_log(world: World, case_id: str) -> None:
    response = await _execute(world, command(case_id, assign={"to": "amy"}))
    step = await world.looked_at(case_id, response.case.seq)
    assert step.seq == (await world.case(case_id)).seq
    assert step.stage == Stage.STAGE_ACCEPTED
