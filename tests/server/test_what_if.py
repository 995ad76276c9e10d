"""AuditService.WhatIf over a real socket: an imported log, run again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from casetrail import scenario_file
from casetrail.client import Client
from casetrail.errors import CasetrailError
from casetrail.play.playback import Playback
from casetrail.play.sending import send_history
from casetrail.v1 import command_pb2 as c
from casetrail.v1.audit_service_pb2 import CaseRerun, ClockEnd
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Kind
from tests.play.logs import SAMPLE, SERVICENOW, plans
from tests.policies import shipped_policy
from tests.server.running import Running
from tests.server.test_incidents import LEAD, an_incident

SCENARIO = Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml"


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
    policy = shipped_policy()
    policy.policy_id = "another-1"
    for target in policy.clocks["first_response"].targets:
        target.within.seconds = 86_400
        target.ClearField("warn_before")
    return policy


async def test_under_the_same_policy_nothing_differs_in_the_whole_sample(auditor: Client) -> None:
    found = await reruns(auditor, shipped_policy())

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
    policy = shipped_policy()
    [one] = [rerun async for rerun in auditor.what_if(policy, case_ids=["INC0000045"])]

    assert one.case_id == "INC0000045"
    named = ["INC0000045", "INC0000060"]
    assert [rerun.case_id async for rerun in auditor.what_if(policy, case_ids=named)] == named
    assert [rerun.case_id async for rerun in auditor.what_if(policy, case_ids=named[::-1])] == named[::-1]
    assert await reruns(auditor, policy, CaseFilter(kinds=[Kind.KIND_RETURN])) == []


@pytest.fixture
async def lead(running: Running) -> AsyncIterator[Client]:
    running.principals.write_text(running.principals.read_text() + LEAD)
    async with Client(running.address, "iris-secret") as client:
        yield client


async def test_an_incident_is_run_again_like_any_case(lead: Client) -> None:
    incident_id = await an_incident(lead, c.ConfirmNature(nature="The payment provider is down"), level=3)
    await lead.incidents.lead(incident_id, c.GradeIncident(level=2, why="orders are lost"))

    [same] = await reruns(lead, shipped_policy())
    [other] = await reruns(lead, without_tasks())

    assert (same.kind, len(same.remarks)) == (Kind.KIND_INCIDENT, 0)
    assert [clock for clock in same.clocks if clock.recorded.verdict != clock.what_if.verdict] == []
    gone = [clock for clock in other.clocks if clock.what_if.verdict == ClockEnd.VERDICT_ABSENT]
    assert {clock.name for clock in gone} == {"task"}
    assert len(gone) == 3


def without_tasks() -> Policy:
    policy = changed()
    for level in policy.incidents.levels:
        del level.tasks[:]
    return policy


async def test_cases_of_drills_are_run_again_only_when_they_are_asked_for(lead: Client) -> None:
    scenario = scenario_file.load(SCENARIO)
    drill_id = (await lead.drills.start(scenario)).drill.case_id
    policy = shipped_policy()

    left_out = await reruns(lead, policy)
    included = await reruns(lead, policy, CaseFilter(include_drills=True))
    named = [rerun async for rerun in lead.what_if(policy, case_ids=[drill_id])]

    assert left_out == []
    assert [rerun.case_id for rerun in included] == [rerun.case_id for rerun in named] == [drill_id]
    assert [list(rerun.remarks) for rerun in named] == [[]]


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
