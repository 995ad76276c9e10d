"""Cases from the first message to the end, as workflows live them; their histories are kept for replay."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from activities.shop import Scan, ScanStatus
from casetrail import scenario_file
from casetrail.v1.command_pb2 import Command
from casetrail.v1.drill_service_pb2 import StartDrillRequest
from casetrail.v1.event_pb2 import CallbackMade
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Kind, Remedy, RemedyKind, Words
from domain.drills import script
from engine.naming import EXECUTE, SCHEDULED_DRILL
from tests.asked import AMY, DANIEL, ERIN, command, declaring, returning
from tests.workflows.world import World

Story = Callable[[World], Awaitable[str]]


async def return_that_is_received(one: World, wanted: RemedyKind.ValueType) -> str:
    """A return whose goods are back and wait for inspection."""
    case_id = await one.open(Kind.KIND_RETURN, return_request=returning(wanted))
    await one.until(case_id, "order_found")
    await one.do(case_id, accept={})
    await one.until(case_id, "eligibility_decided")
    await one.do(case_id, receive_goods={})
    return case_id


async def complaint_that_is_told(one: World) -> str:
    """A complaint that was settled, and whose customer is to be called back."""
    case_id = await one.open(Kind.KIND_COMPLAINT, order_id="O-1")
    await one.do(case_id, accept={"words": Words(text="I am sorry.")})
    await one.do(case_id, investigate={})
    remedy = Remedy(kind=RemedyKind.REMEDY_KIND_COMPENSATION, amount_minor=2_000, currency="CNY")
    await one.do(case_id, propose={"remedy": remedy, "words": Words(text="20 yuan for the trouble")})
    await one.until(case_id, "notification_delivered", 2)
    await one.do(case_id, agree={})
    await one.until(case_id, "compensated")
    await one.until(case_id, "callback_scheduled")
    return case_id


async def inquiry_that_escalates_and_is_answered(one: World) -> str:
    case_id = await one.open()
    await one.until(case_id, "notification_delivered")
    await one.pass_time(case_id, timedelta(minutes=30))
    await one.until(case_id, "staff_reached", 2)
    await one.do(case_id, assign={"to": "amy"})
    await one.do(case_id, acknowledge={})
    await one.handle(case_id).execute_update(EXECUTE, command(case_id, reply={"words": Words(text="Tomorrow.")}))
    await one.do(case_id, resolve={"words": Words(text="It arrives tomorrow.")})
    await one.until(case_id, "notification_delivered", 2)
    await one.pass_time(case_id, timedelta(days=30))
    await one.ended(case_id)
    return case_id


async def inquiry_about_a_parcel(one: World) -> str:
    case_id = await one.open(parcel={"carrier": "swift", "tracking_no": "T-1"})
    await one.until(case_id, "notification_delivered")
    now = datetime.now(UTC)
    one.shop.scans.append(Scan(now, "Hangzhou", ScanStatus.PICKED_UP))
    await one.pass_time(case_id, timedelta(hours=2))
    await one.until(case_id, "parcel_scanned")
    one.shop.scans.append(Scan(now + timedelta(hours=3), "Xi'an", ScanStatus.DELIVERED))
    await one.pass_time(case_id, timedelta(hours=2))
    await one.until(case_id, "parcel_delivered")
    await one.do(case_id, withdraw={"why": "it is here"})
    await one.wake(case_id)
    await one.ended(case_id)
    return case_id


async def complaint_that_is_called_back(one: World) -> str:
    case_id = await complaint_that_is_told(one)
    await one.pass_time(case_id, timedelta(hours=25))
    await one.until(case_id, "callback_reminded")
    await one.do(case_id, record_callback={"result": CallbackMade.RESULT_SATISFIED})
    await one.pass_time(case_id, timedelta(days=30))
    await one.ended(case_id)
    return case_id


async def return_that_is_refunded(one: World) -> str:
    case_id = await return_that_is_received(one, RemedyKind.REMEDY_KIND_REFUND)
    await one.do(case_id, inspect={"passed": True})
    await one.until(case_id, "customer_told", 3)
    await one.do(case_id, confirm={"satisfied": True})
    await one.wake(case_id)
    await one.ended(case_id)
    return case_id


async def return_that_is_exchanged(one: World) -> str:
    case_id = await return_that_is_received(one, RemedyKind.REMEDY_KIND_EXCHANGE)
    await one.do(case_id, inspect={"passed": True})
    await one.until(case_id, "exchange_dispatched")
    one.shop.scans.append(Scan(datetime.now(UTC), "Xi'an", ScanStatus.DELIVERED))
    await one.pass_time(case_id, timedelta(hours=2))
    await one.until(case_id, "parcel_delivered")
    await one.pass_time(case_id, timedelta(days=30))
    await one.ended(case_id)
    return case_id


async def return_whose_exchange_is_not_dispatched(one: World) -> str:
    one.shop.refuses["dispatch"] = "ADDRESS_REFUSED"
    case_id = await return_that_is_received(one, RemedyKind.REMEDY_KIND_EXCHANGE)
    await one.do(case_id, inspect={"passed": True})
    await one.until(case_id, "exchange_failed")
    await one.do(case_id, withdraw={"why": "never mind"})
    await one.wake(case_id)
    await one.ended(case_id)
    return case_id


async def inquiry_that_becomes_a_complaint(one: World) -> str:
    case_id = await one.open()
    await one.until(case_id, "notification_delivered")
    outcome = await one.do(case_id, reclassify={"kind": Kind.KIND_COMPLAINT, "why": "angry, and rightly so"})
    await one.wake(case_id)
    await one.looked_at(case_id, outcome.case.seq)
    await one.do(case_id, withdraw={"why": "no more"})
    await one.wake(case_id)
    await one.ended(case_id)
    return case_id


async def declared(one: World, *, scale: float = 0, **more: Any) -> str:  # noqa: ANN401 - fields of Declaration
    """An incident that daniel, a supervisor, declares."""
    return (await one.engine.execute(declaring(scale=scale, **more))).case.case_id


async def _announced(one: World, incident_id: str, number: int, text: str) -> None:
    """A notice is drafted, approved, sent and out."""
    await one.do(incident_id, actor=DANIEL, draft_notice={"text": text, "audience": "all users"})
    await one.do(incident_id, actor=ERIN, approve_notice={"notice_id": f"N{number}"})
    await one.do(incident_id, actor=DANIEL, send_notice={"notice_id": f"N{number}"})
    await one.until(incident_id, "notice_published", number)


async def incident_that_is_led_to_its_end(one: World) -> str:
    customer = await one.open(Kind.KIND_COMPLAINT)
    incident_id = await declared(one, suspected_level=2, case_ids=[customer], inputs={"orders lost": "120"})
    await one.until(incident_id, "link_accepted")
    await one.do(incident_id, actor=DANIEL, assume_command={})
    await one.do(incident_id, actor=DANIEL, confirm_nature={"nature": "the payment gateway is down"})
    await one.do(incident_id, actor=DANIEL, grade_incident={"level": 2, "why": "every second order fails"})
    await one.until(incident_id, "department_reached", 3)
    await one.do(incident_id, actor=AMY, accept_task={"task_id": "T2", "owner": "tang"})
    await one.do(incident_id, actor=AMY, refuse_task={"task_id": "T1", "why": "we cannot see orders"})
    await one.do(
        incident_id, actor=DANIEL, reassign_task={"task_id": "T1", "department": "technology", "why": "they can"}
    )
    await one.until(incident_id, "department_reached", 4)
    await _announced(one, incident_id, 1, "Paying fails for some of you. We work on it.")
    await one.until(incident_id, "relay_accepted")
    for number in (1, 2, 3):
        await one.do(incident_id, actor=AMY, complete_task={"task_id": f"T{number}", "result": "done"})
    # Temporal does not move the time of a workflow whose children run.
    await one.wake(incident_id)
    await one.pass_time(incident_id, timedelta(minutes=100))
    await one.until(incident_id, "clock_warned")
    await _announced(one, incident_id, 2, "Still being worked on.")
    await one.do(incident_id, actor=DANIEL, contain_incident={"how": "the old gateway takes over"})
    await one.do(incident_id, actor=ERIN, resolve_incident={"how": "Paying works again."})
    await one.until(customer, "incident_ended")
    await _announced(one, incident_id, 3, "Paying works again.")
    await one.do(customer, withdraw={"why": "it works"})
    await one.pass_time(incident_id, timedelta(hours=1))
    await one.until(incident_id, "case_followed_up")
    await one.do(incident_id, actor=DANIEL, finish_follow_up={})
    filed = {"cause": "a certificate ran out", "measures": "renewed", "lessons": "watch certificates"}
    await one.do(incident_id, actor=DANIEL, file_report=filed)
    await one.do(incident_id, actor=DANIEL, close_incident={})
    await one.wake(incident_id)
    await one.ended(incident_id)
    return incident_id


# Ten minutes of it are a second.
_SCALE: Final = 600.0
_SCENARIO: Final = """\
id: short
title: Short
locale: en
scale: 600
injects:
  - {id: outage, at: 0s, title: Down, declare: {subject: Down, channel: app, suspected_level: 3}}
  - {id: shop-down, at: 0s, title: The shop fails, fault: {system: shop, lasts: 20m}}
  - {id: away, at: 10m, title: Nobody is there, silence: {role: agent, lasts: 20m}}
  - id: calls
    at: 10m
    title: Customers ask
    wave: {kind: inquiry, count: 2, over: 20m, channel: chat, subject: What is the matter?}
  - {id: press, at: 20m, title: The press asks, message: {to: outage, text: "Well?", sender: press}}
expectations:
  - {id: confirmed, title: Looked at, after: outage, event: nature_confirmed, within: 40m, score: 10, phase: detection}
  - id: answered
    title: Answered
    after: calls
    event: replied
    count: 2
    within: 20m
    late_until: 30m
    score: 10
    phase: response
participants:
  - name: duty-lead
    role: team_lead
    delay: {median: 10m}
    answers: [{to: case_opened, of: outage, do: {confirm_nature: {nature: A gateway}}}]
  - name: duty-agent
    role: agent
    delay: {median: 10m}
    answers: [{to: case_opened, of: calls, do: {reply: {words: {text: We are on it}}}}]
"""


def _scenario() -> Scenario:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "short.yaml"
        file.write_text(_SCENARIO)
        return scenario_file.load(file)


async def drill_that_nobody_has_looked_back_at(one: World) -> str:
    """All kinds of injects, an expectation that is met and one that nobody meets."""
    start = Command(request_id="drill", actor=ERIN, open=script.opening(_scenario(), _SCALE))
    drill_id = (await one.engine.execute(start)).case.case_id
    await one.until(drill_id, "drill_cleared")
    return drill_id


async def drill_that_runs_to_its_end(one: World) -> str:
    """Played, and looked back at."""
    drill_id = await drill_that_nobody_has_looked_back_at(one)
    await one.do(drill_id, actor=ERIN, remark_drill={"problem": "Nobody answered the calls."})
    await one.wake(drill_id)
    await one.ended(drill_id)
    return drill_id


async def drill_that_a_schedule_starts(one: World) -> str:
    """Returns its workflow's id, which is no case's."""
    workflow_id = "drill/yearly-2026-11-01T02:00:00Z"
    drill_id: str = await one.environment.client.execute_workflow(
        SCHEDULED_DRILL,
        StartDrillRequest(scenario=_scenario(), scale=_SCALE),
        id=workflow_id,
        task_queue=one.queue,
        result_type=str,
    )
    await one.do(drill_id, actor=ERIN, abort_drill={"why": "seen enough"})
    await one.until(drill_id, "drill_cleared")
    await one.ended(drill_id)
    return workflow_id


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        inquiry_that_escalates_and_is_answered,
        inquiry_about_a_parcel,
        inquiry_that_becomes_a_complaint,
        complaint_that_is_called_back,
        return_that_is_refunded,
        return_that_is_exchanged,
        return_whose_exchange_is_not_dispatched,
        incident_that_is_led_to_its_end,
        drill_that_runs_to_its_end,
        drill_that_a_schedule_starts,
    )
}
