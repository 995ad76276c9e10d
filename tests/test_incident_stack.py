"""Incidents as their leaders have them: the whole stack, by the command line; and detection that dies and goes on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from casetrail import Client
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.command_pb2 import Command, Open
from casetrail.v1.types_pb2 import Channel, Kind
from embedded.stack import Stack
from tests.programs import CASETRAIL, Ran
from tests.test_stack import PATIENCE, cli

pytestmark = pytest.mark.asyncio(loop_scope="module")

DANIEL = ("--as", "daniel:supervisor")
ERIN = ("--as", "erin:director")
TANG = ("--as", "tang:agent")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack.start(data=tmp_path_factory.mktemp("stack")) as running:
        yield running


async def said(stack: Stack, *words: str) -> Ran:
    """How `casetrail WORDS` ends, and what it prints."""
    return await asyncio.to_thread(
        CASETRAIL.run, *words, CASETRAIL_ADDRESS=stack.address, CASETRAIL_DATA=str(stack.data), COLUMNS="130"
    )


async def incident(stack: Stack, *words: str) -> dict[str, Any]:
    """The incident after `casetrail incident WORDS`."""
    answer = await cli(stack.address, stack.data, "incident", *words)
    case: dict[str, Any] = answer["written"]["case"]
    return case


async def happened(stack: Stack, case_id: str, name: str, times: int = 1) -> Case:
    """Wait until an event has happened so often; returns the case then."""
    async with asyncio.timeout(PATIENCE), Client(stack.address, stack.token) as client:
        async for answer in client.watch(case_id):
            times -= answer.event.WhichOneof("body") == name
            if times == 0:
                return answer.case
    raise AssertionError(name)


async def test_an_incident_from_its_declaration_to_its_report(  # noqa: PLR0915 - one story
    stack: Stack, tmp_path: Path
) -> None:
    opening = ("open", "complaint", "--customer", "C-1", "--subject", "I paid twice", "--email", "li@customer.example")
    customer = (await cli(stack.address, stack.data, *opening))["case"]["caseId"]
    seen = ("--level", "2", "--figure", "orders lost=120", "--case", customer)
    number = (await incident(stack, "declare", "Paying fails", *seen, *DANIEL))["caseId"]
    await happened(stack, number, "link_accepted")
    await incident(stack, "lead", number, *DANIEL)
    await incident(stack, "confirm", number, "--nature", "the gateway is down", *DANIEL)
    graded = await incident(stack, "grade", number, "2", "--why", "every second order fails", *DANIEL)
    assert [task["department"] for task in graded["incident"]["tasks"]] == ["operations", "technology", "customer-care"]
    await happened(stack, number, "department_reached", 3)

    await incident(stack, "task", "refuse", number, "T1", "--why", "we see no orders", "--as", "omar:agent")
    await incident(stack, "task", "reassign", number, "T1", "--department", "technology", "--why", "they do", *DANIEL)
    await incident(stack, "task", "accept", number, "T1", *TANG)
    await happened(stack, number, "department_reached", 4)

    for count, text in enumerate(("Paying fails for some of you.", "We still work on it."), 1):
        await incident(stack, "notice", "draft", number, "--text", text, *DANIEL)
        refused = await said(stack, "incident", "notice", "approve", number, f"N{count}", *DANIEL)
        assert refused[0] == 1
        assert "BEYOND_AUTHORITY" in refused[2]
        await incident(stack, "notice", "approve", number, f"N{count}", *ERIN)
        await incident(stack, "notice", "send", number, f"N{count}", *DANIEL)
        await happened(stack, number, "notice_published", count)
    assert (await happened(stack, customer, "notice_relayed", 2)).incidents[0].notice_id == "N2"

    await incident(stack, "contain", number, "--how", "the old gateway takes over", *DANIEL)
    code, _, why = await said(stack, "incident", "resolve", number, "--how", "it works", *DANIEL)
    assert code == 1
    assert "waits for task T1 of technology (accepted)" in why
    for task in ("T1", "T2", "T3"):
        await incident(stack, "task", "done", number, task, "--result", "done", *TANG)
    await incident(stack, "resolve", number, "--how", "it works again", *ERIN)
    await happened(stack, customer, "incident_ended")
    await incident(stack, "notice", "draft", number, "--text", "Paying works again.", *DANIEL)
    await incident(stack, "notice", "approve", number, "N3", *ERIN)
    await incident(stack, "notice", "send", number, "N3", *DANIEL)
    await happened(stack, number, "notice_published", 3)

    code, frame, _ = await said(stack, "incident", "board", number, "--once")
    assert code == 0
    assert "LEVEL 2 MAJOR" in frame
    assert f"the follow-up of {customer}" in frame
    await incident(stack, "follow-up", number, "--case", customer, "--how", "called", *DANIEL)
    await incident(stack, "follow-up", number, *DANIEL)
    code, _, why = await said(stack, "incident", "close", number, *DANIEL)
    assert code == 1
    assert "its report" in why
    filed = ("--cause", "a certificate ran out", "--measures", "renewed", "--lessons", "watch certificates")
    await incident(stack, "file", number, *filed, *DANIEL)
    assert (await incident(stack, "close", number, *DANIEL))["stage"] == "STAGE_CLOSED"

    page = tmp_path / "report.html"
    code, told, _ = await said(stack, "incident", "report", number, "--html", "--locale", "zh-CN", "--out", str(page))
    assert code == 0
    assert "SHA-256" in told
    assert "事件处理报告" in page.read_text()
    _, markdown, _ = await said(stack, "incident", "report", number)
    assert "a certificate ran out" in markdown
    assert markdown == (await said(stack, "incident", "report", number))[1]
    _, listed, _ = await said(stack, "incident", "list")
    assert number in listed


def complaints(count: int, category: str) -> list[Command]:
    return [
        Command(
            open=Open(
                kind=Kind.KIND_COMPLAINT,
                channel=Channel.CHANNEL_WEB,
                customer=Customer(customer_id=f"C-{number}"),
                subject="It does not work",
                category=category,
            )
        )
        for number in range(count)
    ]


async def first_detected(client: Client, category: str) -> Case:
    """Follow the log until an incident about a category is declared."""
    async for event in client.watch_events():
        opened = event.case_opened
        if opened.kind == Kind.KIND_INCIDENT and opened.category == category:
            return await client.get(event.case_id)
    raise AssertionError(category)


async def detected(client: Client, category: str) -> list[Case]:
    return [case async for case in client.incidents.list() if case.category == category]


async def test_a_wave_is_declared_once_though_detection_is_killed_in_its_middle(stack: Stack) -> None:
    async with asyncio.timeout(PATIENCE), Client(stack.address, stack.token) as client:
        await client.batch(complaints(12, "payment"))
        await stack.kill("worker-critical")
        await client.batch(complaints(8, "payment"))
        one = await first_detected(client, "payment")
        assert one.incident.source.rule == "wave.category"
        assert one.incident.source.inputs["count"] == "20"
        await stack.kill("worker-critical")
        await stack.ready("worker-critical")
        # What comes while it is quiet belongs to the incident that there is.
        await client.batch(complaints(1, "payment"))
        async for answer in client.incidents.watch(one.case_id):
            if len(answer.case.incident.cases) == 21:
                break
        assert [case.case_id for case in await detected(client, "payment")] == [one.case_id]


async def test_a_critical_incident_is_answered_while_a_wave_of_inquiries_is_worked_on(stack: Stack) -> None:
    inquiries = [
        Command(
            open=Open(
                kind=Kind.KIND_INQUIRY,
                channel=Channel.CHANNEL_EMAIL,
                customer=Customer(customer_id=f"W-{number}", email=f"w{number}@customer.example"),
                subject="Where is it?",
            )
        )
        for number in range(400)
    ]
    async with Client(stack.address, stack.token) as client:
        await client.batch(inquiries)
        written = await client.incidents.declare(subject="Everything is down", suspected_level=1)
        await happened(stack, written.case.case_id, "staff_reached")
        still_waiting = [case async for case in client.list() if case.pending_effects]
        seen = [event.WhichOneof("body") async for event in client.events(after_position=written.receipt.position)]
    assert still_waiting, "the wave was over first: this shows nothing"
    answered_first = seen[: seen.index("staff_reached")].count("notification_delivered")
    assert answered_first < len(inquiries) / 2
