"""Nudges: one at a time for each case, never in the caller's way."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from casetrail.v1.types_pb2 import Kind
from engine.nudge import TemporalWaker
from engine.traffic import Traffic
from tests.waiting import until

INQUIRY = Kind.KIND_INQUIRY


@dataclass
class SlowTemporal:
    """Takes starts when the test lets it, or refuses them."""

    started: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    ended: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False
    at_once: int = 0
    most_at_once: int = 0

    async def start_workflow(
        self,
        workflow: str,
        _run: object,
        *,
        id: str,  # noqa: A002 - the client's signature
        id_conflict_policy: WorkflowIDConflictPolicy,
        start_signal: str | None = None,
        **_more: Any,  # noqa: ANN401 - likewise
    ) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.gate.wait()
        self.at_once -= 1
        if self.away:
            raise RPCError("no connection", RPCStatusCode.UNAVAILABLE, b"")
        if id in self.running and id_conflict_policy == WorkflowIDConflictPolicy.FAIL:
            raise WorkflowAlreadyStartedError(id, workflow)
        if start_signal:
            self.told.append(id)
        self.started.append(f"{workflow} {id}")

    def get_workflow_handle(self, workflow_id: str) -> "SlowHandle":
        return SlowHandle(self, workflow_id)


@dataclass
class SlowHandle:
    """A workflow that runs, or does not."""

    temporal: SlowTemporal
    workflow_id: str

    async def signal(self, _name: str, **_more: Any) -> None:  # noqa: ANN401 - the client's signature
        await self.temporal.gate.wait()
        if self.workflow_id not in self.temporal.running:
            raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")
        self.temporal.ended.append(self.workflow_id)


@pytest.fixture
def temporal() -> SlowTemporal:
    return SlowTemporal()


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def waker(temporal: SlowTemporal, traffic: Traffic) -> TemporalWaker:
    return TemporalWaker(cast("Client", temporal), traffic=traffic)


async def test_a_nudge_starts_the_workflow_of_the_cases_kind(waker: TemporalWaker, temporal: SlowTemporal) -> None:
    temporal.gate.set()
    waker.nudge("CMP-1", Kind.KIND_COMPLAINT)
    await waker.drain(5)
    assert temporal.started == ["Complaint case/CMP-1"]


async def test_a_new_cases_workflow_is_started_and_told_nothing(waker: TemporalWaker, temporal: SlowTemporal) -> None:
    temporal.gate.set()
    waker.nudge("INQ-1", INQUIRY, new=True)
    await waker.drain(5)
    assert (temporal.started, temporal.told) == (["Inquiry case/INQ-1"], [])


async def test_a_new_case_whose_workflow_runs_already_is_told(waker: TemporalWaker, temporal: SlowTemporal) -> None:
    temporal.gate.set()
    temporal.running.add("case/INQ-1")
    waker.nudge("INQ-1", INQUIRY, new=True)
    await waker.drain(5)
    assert temporal.told == ["case/INQ-1"]


async def test_the_workflow_of_a_closed_case_is_told_and_none_is_started(
    waker: TemporalWaker, temporal: SlowTemporal
) -> None:
    temporal.gate.set()
    temporal.running.add("case/INQ-1")
    waker.let_end("INQ-1")
    waker.let_end("INQ-2")
    await waker.drain(5)
    assert (temporal.ended, temporal.started) == (["case/INQ-1"], [])


async def test_a_case_that_closes_before_its_nudge_was_sent_gets_neither(
    waker: TemporalWaker, temporal: SlowTemporal, traffic: Traffic
) -> None:
    temporal.gate.set()
    with traffic.command():
        waker.nudge("INQ-1", INQUIRY, lambda: False, urgent=False, new=True)
        waker.let_end("INQ-1")
        await waker.drain(5)
    assert (temporal.started, temporal.ended) == ([], [])


@pytest.mark.parametrize("urgent", [False, True])
async def test_a_case_that_is_reopened_before_its_workflow_was_let_go_is_woken(
    waker: TemporalWaker, temporal: SlowTemporal, traffic: Traffic, urgent: bool
) -> None:
    temporal.gate.set()
    with traffic.command():
        waker.let_end("INQ-1")
        waker.nudge("INQ-1", INQUIRY, urgent=urgent)
        await waker.drain(5)
    assert temporal.started == ["Inquiry case/INQ-1"]


async def test_what_a_new_case_needs_while_it_is_started_is_told_afterwards(
    waker: TemporalWaker, temporal: SlowTemporal
) -> None:
    waker.nudge("INQ-1", INQUIRY, new=True)
    await asyncio.sleep(0)  # let it begin
    waker.nudge("INQ-1", INQUIRY)
    temporal.gate.set()
    await waker.drain(5)
    assert temporal.told == ["case/INQ-1"]


async def test_a_case_that_was_new_when_its_nudge_began_to_wait_is_still_so(
    waker: TemporalWaker, temporal: SlowTemporal, traffic: Traffic
) -> None:
    temporal.gate.set()
    with traffic.command():
        waker.nudge("INQ-1", INQUIRY, urgent=False, new=True)
        waker.nudge("INQ-1", INQUIRY)
        await waker.drain(5)
    assert (temporal.started, temporal.told) == (["Inquiry case/INQ-1"], [])


async def test_nudges_while_one_is_under_way_become_one_more(waker: TemporalWaker, temporal: SlowTemporal) -> None:
    waker.nudge("INQ-1", INQUIRY)
    await asyncio.sleep(0)  # let it begin
    for _ in range(10):
        waker.nudge("INQ-1", INQUIRY)
    temporal.gate.set()
    await waker.drain(5)
    assert len(temporal.started) == 2


async def test_only_so_many_are_sent_at_once(waker: TemporalWaker, temporal: SlowTemporal) -> None:
    for number in range(100):
        waker.nudge(f"INQ-{number}", INQUIRY)
    await asyncio.sleep(0)
    temporal.gate.set()
    await waker.drain(5)
    assert temporal.most_at_once == 32
    assert len(temporal.started) == 100


async def test_a_case_that_needs_nothing_any_more_is_left_in_peace(
    waker: TemporalWaker, temporal: SlowTemporal
) -> None:
    temporal.gate.set()
    waker.nudge("INQ-1", INQUIRY, lambda: False)
    await waker.drain(5)
    assert temporal.started == []


async def test_a_temporal_that_is_away_is_said_once_and_nobody_queues_up(
    waker: TemporalWaker, temporal: SlowTemporal
) -> None:
    temporal.away = True
    temporal.gate.set()
    with capture_logs() as lines:
        for number in range(50):
            waker.nudge(f"INQ-{number}", INQUIRY)
            await waker.drain(5)
    assert [line["event"] for line in lines] == ["temporal cannot be asked; the sweep will wake what needs it"]
    temporal.away = False
    with capture_logs() as lines:
        await waker.wake("INQ-1", INQUIRY)
    assert temporal.started == ["Inquiry case/INQ-1"]


async def test_what_has_time_yields_to_commands_and_to_what_is_urgent(
    waker: TemporalWaker, temporal: SlowTemporal, traffic: Traffic
) -> None:
    temporal.gate.set()
    with traffic.command():
        waker.nudge("INQ-1", INQUIRY, urgent=False)
        waker.nudge("INQ-2", INQUIRY, urgent=False)
        waker.nudge("INQ-3", INQUIRY)
        await until(lambda: len(temporal.started) >= 2)
        assert temporal.started == ["Inquiry case/INQ-3", "Inquiry case/INQ-1"]
    await waker.drain(5)
    assert temporal.started[2:] == ["Inquiry case/INQ-2"]


async def test_what_becomes_urgent_waits_no_longer_and_is_sent_once(
    waker: TemporalWaker, temporal: SlowTemporal, traffic: Traffic
) -> None:
    temporal.gate.set()
    with traffic.command():
        for number in range(1000):
            waker.nudge(f"INQ-{number}", INQUIRY, urgent=False)
        waker.nudge("INQ-999", INQUIRY)
        await until(lambda: bool(temporal.started))
    assert temporal.started[0] == "Inquiry case/INQ-999"
    await waker.drain(5)
    assert sorted(temporal.started) == sorted(f"Inquiry case/INQ-{number}" for number in range(1000))


async def test_a_stop_waits_for_what_has_time_as_well(
    waker: TemporalWaker, temporal: SlowTemporal, traffic: Traffic
) -> None:
    temporal.gate.set()
    with traffic.command():
        for number in range(1000):
            waker.nudge(f"INQ-{number}", INQUIRY, urgent=False)
        async with asyncio.timeout(10):
            await waker.drain(10)
    assert len(temporal.started) == 1000


async def test_draining_gives_up_on_what_takes_too_long(waker: TemporalWaker, temporal: SlowTemporal) -> None:
    waker.nudge("INQ-1", INQUIRY)
    await waker.drain(0.05)
    assert temporal.started == []
