"""Incidents as workflows live them: tasks side by side, notices, linked cases, and a task queue of their own."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from casetrail.v1.incident_pb2 import IncidentTask, LinkedCase
from casetrail.v1.types_pb2 import Kind, Stage
from engine.naming import CRITICAL
from tests.asked import DANIEL, EMAIL, command
from tests.waiting import PATIENCE, become_true
from tests.workflows.stories import declared, incident_that_is_led_to_its_end
from tests.workflows.world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_incident_is_led_from_its_declaration_to_its_end(world: World) -> None:
    incident_id = await incident_that_is_led_to_its_end(world)
    case = await world.case(incident_id)
    assert case.stage == Stage.STAGE_CLOSED
    assert [task.state for task in case.incident.tasks] == [IncidentTask.STATE_DONE] * 3
    assert [linked.state for linked in case.incident.cases] == [LinkedCase.STATE_FOLLOWED_UP]
    assert [letter.text for letter in world.mailbox.to("all-users@notices.example")] == [
        "Paying fails for some of you. We work on it.",
        "Still being worked on.",
        "Paying works again.",
    ]
    customers = [letter.text for letter in world.mailbox.to("li.lei@customer.example")]
    assert any("Paying fails for some of you." in text for text in customers)


async def test_whoever_is_told_of_an_incident_reads_what_it_is_and_what_it_waits_for(world: World) -> None:
    incident_id = await declared(world, suspected_level=2)
    await world.until(incident_id, "staff_reached")
    (letter,) = [letter for letter in world.mailbox.to("daniel@staff.example") if incident_id in letter.subject]
    for line in ("Incident  Paying fails", "Level     2, as suspected", "Led by    nobody yet", "Waits for its level"):
        assert line in letter.text


async def test_tasks_are_workflows_of_their_own_that_end_when_they_are_settled(world: World) -> None:
    incident_id = await declared(world, suspected_level=2)
    await world.do(incident_id, actor=DANIEL, grade_incident={"level": 2, "why": "orders are lost"})
    await world.until(incident_id, "department_reached", 3)

    async def tasks(status: str) -> list[str]:
        query = f"WorkflowType = 'Task' AND ExecutionStatus = '{status}'"
        listed = world.environment.client.list_workflows(query)
        return [each.id async for each in listed if each.id.startswith(f"case/{incident_id}/")]

    async def all_run() -> bool:
        return len(await tasks("Running")) == 3

    await become_true(all_run)
    await world.do(incident_id, actor=DANIEL, complete_task={"task_id": "T1"})
    await world.wake(incident_id)

    async def one_is_over() -> bool:
        return len(await tasks("Running")) == 2 and len(await tasks("Completed")) == 1

    await become_true(one_is_over)
    await world.do(incident_id, actor=DANIEL, assume_command={})
    await world.do(incident_id, actor=DANIEL, cancel_task={"task_id": "T2", "why": "it was the provider"})
    await world.wake(incident_id)

    async def another_is_over() -> bool:
        return len(await tasks("Running")) == 1 and len(await tasks("Completed")) == 2

    await become_true(another_is_over)

    async def the_department_knows() -> bool:
        return any("task T2 is called off" in letter.subject for letter in world.mailbox.to("technology@staff.example"))

    await become_true(the_department_knows)


async def test_a_department_is_reminded_until_its_task_is_settled(world: World) -> None:
    incident_id = await declared(world, suspected_level=4, scale=900)  # half an hour is two seconds
    await world.do(incident_id, actor=DANIEL, grade_incident={"level": 4, "why": "a small one"})
    told = await world.until(incident_id, "department_reached", 3)
    assert {event.department_reached.people[0] for event in told} == {"chloe"}
    subjects = [letter.subject for letter in world.mailbox.to("chloe@staff.example") if "T1" in letter.subject]
    assert [subject.partition(": ")[2] for subject in subjects] == [
        "task T1 of customer-care",
        "reminder 1, task T1 of customer-care",
        "reminder 2, task T1 of customer-care",
    ]
    await world.do(incident_id, actor=DANIEL, complete_task={"task_id": "T1"})
    await world.wake(incident_id)

    async def is_over() -> bool:
        query = (
            f"WorkflowType = 'Task' AND ExecutionStatus = 'Completed' AND WorkflowId STARTS_WITH 'case/{incident_id}/'"
        )
        return [each.id async for each in world.environment.client.list_workflows(query)] != []

    await become_true(is_over)


async def test_a_department_without_anybody_is_told_to_whoever_leads(world: World) -> None:
    incident_id = await declared(world, suspected_level=3)
    await world.do(incident_id, actor=DANIEL, add_task={"department": "kitchen", "what": "Cook."})
    (event,) = await world.until(incident_id, "department_unreachable")
    assert event.department_unreachable.why == "nobody is there for 'kitchen'"


async def test_a_notice_for_an_audience_that_nobody_knows_fails_and_says_so(world: World) -> None:
    incident_id = await declared(world, suspected_level=4)
    await world.do(incident_id, actor=DANIEL, draft_notice={"text": "We know.", "audience": "the moon"})
    await world.do(incident_id, actor=DANIEL, approve_notice={"notice_id": "N1"})
    await world.do(incident_id, actor=DANIEL, send_notice={"notice_id": "N1"})
    (event,) = await world.until(incident_id, "notice_failed")
    assert "no audience 'the moon'" in event.notice_failed.why


async def _queue(world: World, case_id: str) -> str:
    return (await world.handle(case_id).describe()).task_queue


async def _moved_to(world: World, case_id: str, queue: str) -> None:
    async def is_there() -> bool:
        return await _queue(world, case_id) == queue

    await become_true(is_there)


async def test_an_incident_moves_to_the_critical_queue_and_back_with_its_level(world: World) -> None:
    incident_id = await declared(world, suspected_level=3)
    await world.until(incident_id, "staff_reached")
    assert await _queue(world, incident_id) == world.queue
    await world.do(incident_id, actor=DANIEL, grade_incident={"level": 1, "why": "it spreads"})
    await _moved_to(world, incident_id, world.queue + CRITICAL)
    await world.do(incident_id, actor=DANIEL, grade_incident={"level": 3, "why": "it does not"})
    await world.wake(incident_id)
    await _moved_to(world, incident_id, world.queue)


async def test_what_is_declared_critical_starts_on_the_critical_queue(world: World) -> None:
    incident_id = await declared(world, suspected_level=1)
    await world.until(incident_id, "staff_reached")
    described = await world.handle(incident_id).describe()
    assert described.task_queue == world.queue + CRITICAL
    assert described.status == WorkflowExecutionStatus.RUNNING


async def test_a_critical_incident_is_answered_while_nobody_works_on_the_ordinary_queue(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, ordinary=False) as one:
        await asyncio.gather(*(one.open() for _ in range(20)))
        incident_id = await declared(one, suspected_level=1)
        await asyncio.wait_for(one.until(incident_id, "staff_reached"), PATIENCE)
        assert not one.mailbox.to(EMAIL)


async def test_a_task_told_twice_by_a_retry_is_told_once(world: World) -> None:
    world.mailbox.away_for = 2
    incident_id = await declared(world, suspected_level=4)
    await world.do(incident_id, actor=DANIEL, grade_incident={"level": 4, "why": "a small one"})
    await world.until(incident_id, "department_reached")
    letters = [letter for letter in world.mailbox.to("chloe@staff.example") if "T1" in letter.subject]
    assert len({letter.message_id for letter in letters}) == 1


async def test_a_real_case_passes_a_notice_on_once_however_often_it_is_asked(world: World) -> None:
    customer = await world.open(Kind.KIND_COMPLAINT)
    incident_id = await declared(world, suspected_level=4)
    await world.do(incident_id, actor=DANIEL, link_cases={"case_ids": [customer]})
    await world.until(incident_id, "link_accepted")
    await world.do(incident_id, actor=DANIEL, draft_notice={"text": "We know.", "audience": "all users"})
    await world.do(incident_id, actor=DANIEL, approve_notice={"notice_id": "N1"})
    await world.do(incident_id, actor=DANIEL, send_notice={"notice_id": "N1"})
    await world.until(incident_id, "relay_accepted")
    relayed = [event.notice_relayed for event in await world.events(customer) if event.HasField("notice_relayed")]
    assert [(each.incident_id, each.notice_id, each.text) for each in relayed] == [(incident_id, "N1", "We know.")]


async def test_linking_a_case_that_is_not_there_is_refused_in_the_log(world: World) -> None:
    incident_id = await declared(world, suspected_level=4)
    await world.engine.execute(command(incident_id, actor=DANIEL, link_cases={"case_ids": ["INQ-NOPE"]}))
    (event,) = await world.until(incident_id, "link_failed")
    assert "UNKNOWN_CASE" in event.link_failed.why
