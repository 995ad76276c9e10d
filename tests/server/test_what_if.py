"""AuditService.WhatIf over a real socket: an imported log, run again."""

from collections.abc import AsyncIterator

import pytest

from casetrail import policy_file
from casetrail.client import Client
from casetrail.errors import CasetrailError
from casetrail.play.playback import Playback
from casetrail.play.sending import send_history
from casetrail.v1.audit_service_pb2 import CaseRerun, ClockEnd
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Kind
from tests.play.logs import SAMPLE, SERVICENOW, plans
from tests.server.running import POLICY, Running


@pytest.fixture
async def auditor(running: Running) -> AsyncIterator[Client]:
    """A client of a log that holds the whole sample."""
    async with Client(running.address, "player-secret") as client:
        playbacks = [Playback(plan, live=False) for plan in plans(SAMPLE, SERVICENOW)]
        await send_history(client, playbacks, 16, lambda _: None)
        yield client


async def reruns(client: Client, policy: Policy, case_filter: CaseFilter | None = None) -> list[CaseRerun]:
    return [rerun async for rerun in client.what_if(policy, case_filter)]


def changed() -> Policy:
    policy = policy_file.load(POLICY)
    policy.policy_id = "another-1"
    for target in policy.clocks["first_response"].targets:
        target.within.seconds = 86_400
        target.ClearField("warn_before")
    return policy


async def test_under_the_same_policy_nothing_differs_in_the_whole_sample(auditor: Client) -> None:
    found = await reruns(auditor, policy_file.load(POLICY))

    assert len(found) == 16
    assert sum(rerun.seq for rerun in found) == (await auditor.verify()).events
    assert [clock for rerun in found for clock in rerun.clocks if clock.recorded != clock.what_if] == []
    assert [remark for rerun in found for remark in rerun.remarks] == []


async def test_a_longer_promise_would_have_been_kept_more_often(auditor: Client) -> None:
    found = await reruns(auditor, changed())

    differing = [
        (clock.name, clock.recorded.verdict, clock.what_if.verdict)
        for rerun in found
        for clock in rerun.clocks
        if clock.recorded.verdict != clock.what_if.verdict
    ]
    assert differing
    assert set(differing) == {("first_response", ClockEnd.VERDICT_BREACHED, ClockEnd.VERDICT_MET)}


async def test_cases_are_chosen_by_filter_and_by_number(auditor: Client) -> None:
    policy = policy_file.load(POLICY)
    [one] = [rerun async for rerun in auditor.what_if(policy, case_ids=["INC0000045"])]

    assert one.case_id == "INC0000045"
    assert await reruns(auditor, policy, CaseFilter(kinds=[Kind.KIND_RETURN])) == []


async def test_an_unknown_case_and_a_policy_without_work_are_refused(auditor: Client) -> None:
    with pytest.raises(CasetrailError, match="UNKNOWN_CASE"):
        [rerun async for rerun in auditor.what_if(changed(), case_ids=["INQ-NOPE"])]
    idle = changed()
    for calendar in idle.calendars.values():
        calendar.Clear()
        calendar.time_zone = "UTC"
    with pytest.raises(CasetrailError, match="INVALID"):
        await reruns(auditor, idle)


async def test_nothing_is_written(auditor: Client) -> None:
    before = (await auditor.verify()).events

    await reruns(auditor, changed())

    assert (await auditor.verify()).events == before
