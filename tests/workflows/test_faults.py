"""What may go wrong between Temporal, the worker and the log: nothing is lost, and nothing is done twice."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from casetrail.v1.types_pb2 import Channel, Kind
from engine.nudge import TemporalWaker
from engine.sweep import Pace, Sweep
from tests.asked import EMAIL, names
from tests.fakes import Mailbox, NotedNudges
from tests.waiting import become_true
from tests.workflows.world import World, virtual_time, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- a workflow task that fails after the log has committed ----------------------------------------------------------


class FailingAfterTheLook(Interceptor):
    """Fails the first workflow task in which a look at the case has come back, as a dying server would."""

    failures: ClassVar[int] = 0

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - Temporal's name
    ) -> type[WorkflowInboundInterceptor] | None:
        return _FailingInbound


class _FailingInbound(WorkflowInboundInterceptor):
    looks = 0

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_CountingLooks(outbound, self))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002, ANN401 - Temporal's names
        living = asyncio.create_task(super().execute_workflow(input))
        await workflow.wait_condition(lambda: bool(self.looks))
        if not FailingAfterTheLook.failures:
            FailingAfterTheLook.failures += 1
            raise RuntimeError("the server went away before it had this task")
        return await living


class _CountingLooks(WorkflowOutboundInterceptor):
    def __init__(self, following: WorkflowOutboundInterceptor, inbound: _FailingInbound) -> None:
        super().__init__(following)
        self._inbound = inbound

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - Temporal's names
        handle = super().start_local_activity(input)
        handle.add_done_callback(self._count)
        return handle

    def _count(self, _: object) -> None:
        self._inbound.looks += 1


# --- an activity whose worker dies after the outside thing was done --------------------------------------------------


@dataclass
class DyingAfterTheWork(Interceptor):
    """Loses what the first attempts of an activity answered."""

    name: str
    deaths: int = 1
    attempts: Counter[str] = field(default_factory=Counter)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's names
        return _Dying(next, self)


class _Dying(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, plan: DyingAfterTheWork) -> None:
        super().__init__(following)
        self._plan = plan

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 - Temporal's names
        result = await super().execute_activity(input)
        name = input.fn.__name__
        self._plan.attempts[name] += 1
        if name == self._plan.name and self._plan.attempts[name] <= self._plan.deaths:
            raise RuntimeError("the worker died before Temporal had the answer")
        return result


async def test_a_workflow_task_that_fails_after_the_look_committed_adds_nothing_twice(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    FailingAfterTheLook.failures = 0
    async with world(environment, tmp_path, waker=NotedNudges(), interceptors=[FailingAfterTheLook()]) as one:
        one.clock.move(one.clock.now() + timedelta(minutes=5))
        case_id = await one.open()
        one.clock.move(one.clock.now() + timedelta(minutes=5))
        await one.wake(case_id)
        await one.until(case_id, "notification_delivered")

        assert FailingAfterTheLook.failures == 1
        happened = names(await one.events(case_id))
        assert happened.count("clock_breached") == 1
        assert happened.count("notification_delivered") == 1
        history = await one.handle(case_id).fetch_history()
        assert any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED for event in history.events)


async def test_an_effect_whose_answer_is_lost_is_done_once_and_reported_once(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    plan = DyingAfterTheWork("notify", deaths=2)
    async with world(environment, tmp_path, interceptors=[plan]) as one:
        case_id = await one.open()
        await one.until(case_id, "customer_told")
        await one.looked_at(case_id, 6)

        async def was_tried_once_more() -> bool:
            return plan.attempts["notify"] > plan.deaths

        await become_true(was_tried_once_more)
        assert names(await one.events(case_id)).count("notification_delivered") == 1
        assert len(one.mailbox.to(EMAIL)) == 1


async def test_an_effect_is_tried_again_until_its_outcome_is_in_the_log(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, mailbox=Mailbox(away_for=2)) as one:
        case_id = await one.open()
        await one.until(case_id, "notification_delivered")
        assert one.mailbox.attempts == 3
        assert len({letter.message_id for letter in one.mailbox.letters}) == 1


# --- nudges ----------------------------------------------------------------------------------------------------------


async def test_a_nudge_that_was_lost_is_made_good_by_the_sweep(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, waker=NotedNudges()) as one:
        case_id = await one.open()
        assert one.waker == NotedNudges([case_id])
        async with _sweeping(one):
            await one.until(case_id, "notification_delivered")


async def test_nudges_that_are_doubled_bring_nothing_twice(world: World) -> None:
    case_id = await world.open()
    await asyncio.gather(*(world.wake(case_id) for _ in range(8)))
    await world.until(case_id, "customer_told")
    await world.looked_at(case_id, 6)
    happened = names(await world.events(case_id))
    assert happened.count("notification_delivered") == 1
    assert len(world.mailbox.letters) == 1


async def test_the_workflow_of_a_case_that_a_command_closes_ends_long_before_its_next_timer(world: World) -> None:
    case_id = await world.open(channel=Channel.CHANNEL_WEB, customer={"customer_id": "without an address"})
    await world.wake(case_id)

    async def waits_for_its_timer() -> bool:
        history = await world.handle(case_id).fetch_history()
        return history.events[-1].event_type == EventType.EVENT_TYPE_TIMER_STARTED

    await become_true(waits_for_its_timer)
    await world.do(case_id, withdraw={"why": "found it"})

    async def is_over() -> bool:
        return (await world.handle(case_id).describe()).status == WorkflowExecutionStatus.COMPLETED

    await become_true(is_over)


async def test_a_nudge_that_comes_after_the_end_changes_nothing(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    await world.do(case_id, withdraw={"why": "found it"})
    await world.wake(case_id)
    await world.ended(case_id)
    before = names(await world.events(case_id))

    await world.wake(case_id)

    await world.ended(case_id)
    assert names(await world.events(case_id)) == before


async def test_a_timer_that_fires_late_dates_everything_by_when_it_was_due(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    due = next(clock for clock in (await world.case(case_id)).clocks if clock.name == "first_response").due_at
    world.clock.move(world.clock.now() + timedelta(hours=1))

    await world.wake(case_id)

    breach = (await world.until(case_id, "clock_breached"))[0]
    assert breach.at == due
    assert breach.recorded_at.seconds < due.seconds + 3600


async def test_a_workflow_that_was_terminated_is_started_again_by_the_sweep(world: World) -> None:
    case_id = await world.open()
    await world.until(case_id, "notification_delivered")
    await world.looked_at(case_id, 6)
    await world.handle(case_id).terminate("an operator's slip")
    world.clock.move(world.clock.now() + timedelta(hours=1))
    async with _sweeping(world):
        await world.until(case_id, "escalation_stepped")


async def test_the_workflow_of_a_case_that_the_log_does_not_have_fails_and_says_so(world: World) -> None:
    await _waker(world).wake("INQ-not-here", Kind.KIND_INQUIRY)
    with pytest.raises(Exception, match="Workflow execution failed") as failure:
        await world.ended("INQ-not-here")
    assert "UNKNOWN_CASE" in repr(failure.value.__cause__)


# --- continue as new -------------------------------------------------------------------------------------------------


async def test_a_workflow_continues_as_new_only_after_the_effect_in_flight_and_loses_none(tmp_path: Path) -> None:
    async with (
        await virtual_time("limit.historyCount.suggestContinueAsNew=40") as environment,
        world(environment, tmp_path) as one,
    ):
        gate = asyncio.Event()
        send = one.mailbox.send

        async def slowly(message: Any) -> None:  # noqa: ANN401 - the fake's own
            await gate.wait()
            await send(message)

        one.mailbox.send = slowly  # type: ignore[method-assign]  # a mail server that takes its time
        case_id = await one.open()
        await one.wake(case_id)
        first = (await one.handle(case_id).describe()).run_id
        for seq in range(10):
            await one.do(case_id, note={"words": {"text": f"note {seq}"}})
            await one.wake(case_id)
            await one.looked_at(case_id, 5 + seq)
        history = await one.handle(case_id).fetch_history()
        assert len(history.events) > 40
        assert (await one.handle(case_id).describe()).run_id == first

        gate.set()
        await one.until(case_id, "customer_told")
        await one.wake(case_id)

        async def is_another_run() -> bool:
            return (await one.handle(case_id).describe()).run_id != first

        await become_true(is_another_run)
        assert len(one.mailbox.letters) == 1
        assert names(await one.events(case_id)).count("notification_delivered") == 1
        await one.pass_time(case_id, timedelta(minutes=2))
        await one.until(case_id, "clock_breached")


# --- what the tests above share --------------------------------------------------------------------------------------


def _waker(one: World) -> TemporalWaker:
    return TemporalWaker(one.environment.client, task_queue=one.queue)


class _sweeping:  # noqa: N801 - reads as a phrase
    """A sweep without patience, until the block ends."""

    def __init__(self, one: World) -> None:
        pace = Pace(every=0.1, first=0.0, unhurried=0.0, again=0.5, wake_grace=0.1)
        self._sweep = Sweep(one.log, one.environment.client, _waker(one), pace=pace, now=one.clock.now)
        self._stop = asyncio.Event()

    async def __aenter__(self) -> None:
        self._running = asyncio.create_task(self._sweep.run(self._stop))

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._running
