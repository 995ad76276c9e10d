"""A case's workflow keeps time for it."""

from datetime import timedelta

import pytest

from casetrail.v1.types_pb2 import Cause, Kind, Role, Stage, Words
from tests.asked import names
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_promise_that_nobody_keeps_climbs_its_ladder_each_step_on_its_second(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    due = next(clock for clock in (await world.case(case_id)).clocks if clock.name == "first_response").due_at

    await world.pass_time(case_id, timedelta(hours=2))

    events = await world.events(case_id)
    breach = next(event for event in events if event.HasField("clock_breached"))
    steps = [event for event in events if event.HasField("escalation_stepped")]
    assert breach.clock_breached.clock.name == "first_response"
    assert breach.at == breach.due == due
    assert steps[0].at == due
    assert [step.escalation_stepped.role for step in steps][:2] == [Role.ROLE_TEAM_LEAD, Role.ROLE_SUPERVISOR]
    assert all(step.at == step.due for step in steps)
    told = [letter.to for letter in world.mailbox.letters]
    assert "chloe@staff.example" in told
    assert "daniel@staff.example" in told


async def test_a_kept_promise_is_not_escalated_by_its_timer(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    await world.do(case_id, assign={"to": "amy"})
    await world.do(case_id, reply={"words": Words(text="It is on its way.")})

    await world.pass_time(case_id, timedelta(hours=1))

    assert "clock_breached" not in names(await world.events(case_id))


async def test_a_wait_ends_by_itself_and_its_clocks_go_on(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    await world.do(case_id, assign={"to": "amy"})
    await world.do(case_id, reply={"words": Words(text="Which colour?")})
    await world.do(case_id, wait={"cause": Cause.CAUSE_CUSTOMER, "at_most": timedelta(hours=2)})

    await world.pass_time(case_id, timedelta(hours=3))
    await world.until(case_id, "wait_ended")

    events = names(await world.events(case_id))
    assert events.index("wait_ended") > events.index("wait_started")
    assert events.index("clock_resumed") > events.index("clock_paused")


async def test_silence_closes_a_case_that_was_told_its_result_and_its_workflow_ends(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    await world.do(case_id, assign={"to": "amy"})
    await world.do(case_id, resolve={"words": Words(text="It arrives tomorrow."), "solution": "answered"})
    await world.until(case_id, "notification_delivered", 2)

    await world.pass_time(case_id, timedelta(days=30))

    await world.ended(case_id)
    assert (await world.case(case_id)).stage == Stage.STAGE_CLOSED
    assert names(await world.events(case_id))[-1] == "case_closed"
    assert (await world.log.verify()).findings == ()


async def test_a_closed_case_that_is_reopened_gets_a_workflow_again(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    await world.do(case_id, assign={"to": "amy"})
    await world.do(case_id, resolve={})
    await world.until(case_id, "notification_delivered", 2)
    await world.do(case_id, confirm={"satisfied": True})
    await world.wake(case_id)
    await world.ended(case_id)

    outcome = await world.do(case_id, reopen={"why": "broken again"})

    step = await world.looked_at(case_id, outcome.case.seq)
    assert not step.closed
    assert step.HasField("next_wake")


async def test_temporal_shows_stage_clocks_and_what_is_waited_for_but_no_word_of_the_customer(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    step = await world.looked_at(case_id, 5)
    history = (await world.handle(case_id).fetch_history()).to_json()

    assert "first_response is due" in step.summary
    assert step.waits_for == "first_response is due"
    for word in ("kettle", "Li Lei", "li.lei", "waited for a week"):
        assert word not in history


async def test_a_case_that_becomes_another_kind_goes_on_as_that_kinds_workflow(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")

    outcome = await world.do(case_id, reclassify={"kind": Kind.KIND_COMPLAINT, "why": "angry, and rightly so"})
    await world.wake(case_id)

    await world.looked_at(case_id, outcome.case.seq)
    assert (await world.handle(case_id).describe()).workflow_type == "Complaint"
