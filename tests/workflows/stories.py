"""Cases from the first message to the end, as workflows live them; their histories are kept for replay."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.shop import Scan, ScanStatus
from casetrail.v1.event_pb2 import CallbackMade
from casetrail.v1.types_pb2 import Kind, Remedy, RemedyKind, Words
from engine.naming import EXECUTE
from tests.asked import command, returning
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
    )
}
