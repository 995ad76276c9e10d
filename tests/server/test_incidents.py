"""IncidentService over a real socket, on a real log and engine."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from casetrail import Client, InvalidRequest, NotAllowed, NotFound, Refused
from casetrail.incidents import Step
from casetrail.v1 import command_pb2 as c
from casetrail.v1.incident_service_pb2 import IncidentWritten
from casetrail.v1.types_pb2 import Actor, Role, Stage
from tests.server.running import Running, serving, token_hash

LEAD = (
    f"  - {{name: iris, roles: [incident_lead], may_act_as: [director], token_sha256: {token_hash('iris-secret')}}}\n"
)
DIRECTOR = Actor(name="erin", role=Role.ROLE_DIRECTOR)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as it:
        it.principals.write_text(it.principals.read_text() + LEAD)
        yield it


@pytest.fixture
async def iris(running: Running) -> AsyncIterator[Client]:
    async with Client(running.address, "iris-secret") as client:
        yield client


async def an_incident(client: Client, *steps: Step, level: int = 2, request_id: str = "declare-1") -> str:
    written = await client.incidents.declare(subject="Paying fails", suspected_level=level, request_id=request_id)
    for step in steps:
        await client.incidents.lead(written.case.case_id, step)
    return written.case.case_id


async def test_an_incident_is_declared_once_and_read_as_any_case(iris: Client) -> None:
    first = await iris.incidents.declare(subject="Paying fails", inputs={"orders": "12"}, request_id="d")
    again = await iris.incidents.declare(subject="Paying fails", inputs={"orders": "12"}, request_id="d")
    assert (again.case, again.receipt, again.repeated_request) == (first.case, first.receipt, True)
    assert not first.repeated_request
    assert await iris.get(first.case.case_id) == first.case
    assert first.case.stage == Stage.STAGE_DECLARED
    assert first.case.incident.source.inputs["orders"] == "12"


async def test_an_incident_without_a_word_of_what_happened_is_refused(iris: Client) -> None:
    with pytest.raises(InvalidRequest, match="say what happened"):
        await iris.incidents.declare(subject=" \t")


async def test_each_step_is_a_command_with_its_events_and_receipt(iris: Client) -> None:
    incident_id = await an_incident(iris)
    graded: IncidentWritten = await iris.incidents.lead(
        incident_id, c.GradeIncident(level=2, why="orders are lost"), request_id="g"
    )
    assert graded.events[0].HasField("incident_graded")
    assert graded.receipt.position == graded.events[-1].position
    assert len(graded.case.incident.tasks) == 3
    assert (
        await iris.incidents.lead(incident_id, c.GradeIncident(level=2, why="orders are lost"), request_id="g")
    ) == (IncidentWritten(case=graded.case, events=graded.events, receipt=graded.receipt, repeated_request=True))


async def test_who_acts_is_whom_the_caller_may_act_for(iris: Client) -> None:
    incident_id = await an_incident(iris, c.DraftNotice(text="We know.", audience="all users"))
    with pytest.raises(NotAllowed, match="BEYOND_AUTHORITY"):
        await iris.incidents.lead(incident_id, c.ApproveNotice(notice_id="N1"))
    approved = await iris.incidents.lead(incident_id, c.ApproveNotice(notice_id="N1"), actor=DIRECTOR)
    assert approved.case.incident.notices[0].approved_by == "erin"
    assert approved.events[0].actor.via == "iris"
    with pytest.raises(NotAllowed) as caught:
        await iris.incidents.lead(incident_id, c.CloseIncident(), actor=Actor(name="x", role=Role.ROLE_EXECUTIVE))
    assert [wrong.field for wrong in caught.value.field_violations] == ["call.on_behalf_of.role"]


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (c.GradeIncident(level=5, why="x"), "grade_incident.level"),
        (c.AcceptTask(task_id="one"), "accept_task.task_id"),
        (c.DraftNotice(audience="all"), "draft_notice.text"),
    ],
)
async def test_a_wrong_field_is_named_as_it_is_called_in_the_request(iris: Client, step: Step, field: str) -> None:
    incident_id = await an_incident(iris)
    with pytest.raises(InvalidRequest) as caught:
        await iris.incidents.lead(incident_id, step)
    assert [wrong.field for wrong in caught.value.field_violations] == [field]


async def test_a_step_of_an_incident_is_refused_for_another_kind_of_case(iris: Client, running: Running) -> None:
    opened = await running.open()
    with pytest.raises(Refused, match="WRONG_KIND"):
        await iris.incidents.lead(opened.case.case_id, c.GradeIncident(level=2, why="x"))
    with pytest.raises(Refused, match="WRONG_KIND"):
        await iris.incidents.report(opened.case.case_id)
    with pytest.raises(NotFound):
        await iris.incidents.report("INC-NOPE")


async def test_what_comes_too_early_names_what_it_waits_for(iris: Client) -> None:
    grade = c.GradeIncident(level=2, why="orders are lost")
    incident_id = await an_incident(iris, grade, c.AssumeCommand(), c.ContainIncident(how="old gateway"))
    with pytest.raises(Refused, match="NOT_YET") as caught:
        await iris.incidents.lead(incident_id, c.ResolveIncident(how="it works"))
    for awaited in ("the first notice to users", "task T1 of operations", "its nature to be confirmed"):
        assert awaited in caught.value.message


async def test_only_the_engine_says_that_a_rule_found_something(iris: Client) -> None:
    incident_id = await an_incident(iris)
    with pytest.raises(NotAllowed):
        await iris.incidents.lead(incident_id, c.LinkCases(case_ids=["INQ-1"], rule="wave.category"))
    with pytest.raises(NotAllowed, match="only the engine itself"):
        await iris.execute("INQ-1", c.EndIncident(incident_id=incident_id))  # type: ignore[arg-type] # not offered


async def test_incidents_are_listed_by_level_the_newest_first(iris: Client, running: Running) -> None:
    await running.open()
    levels = [3, 2, 3, 4]
    numbers = [await an_incident(iris, level=level, request_id=f"d{n}") for n, level in enumerate(levels)]
    listed = [case.case_id async for case in iris.incidents.list(levels=[3], page_size=1)]
    assert sorted(listed) == sorted([numbers[0], numbers[2]])
    assert len([case async for case in iris.incidents.list()]) == 4
    await iris.incidents.lead(numbers[0], c.DismissIncident(why="a false alarm"))
    assert numbers[0] not in [case.case_id async for case in iris.incidents.list(open_only=True)]


async def test_an_incident_is_watched_from_its_first_event_to_those_to_come(iris: Client) -> None:
    incident_id = await an_incident(iris)
    seen = []
    async with asyncio.timeout(20):
        async for answer in iris.incidents.watch(incident_id):
            seen.append(answer.event.WhichOneof("body"))
            if answer.event.seq == 1:
                await iris.incidents.lead(incident_id, c.ConfirmNature(nature="the gateway"))
            if seen[-1] == "nature_confirmed":
                break
    assert seen[0] == "case_opened"


@pytest.mark.parametrize("html", [False, True])
async def test_the_same_log_gives_the_same_report(iris: Client, html: bool) -> None:
    incident_id = await an_incident(iris, c.ConfirmNature(nature="the gateway"))
    first = await iris.incidents.report(incident_id, html=html, locale="zh-CN")
    assert first == await iris.incidents.report(incident_id, html=html, locale="zh-CN")
    assert first.sha256 == sha256(first.content).hexdigest()
    assert "事件处理报告" in first.content.decode()
    assert first.media_type.startswith("text/html" if html else "text/markdown")
    assert first.seq == (await iris.get(incident_id)).seq
