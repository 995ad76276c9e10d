"""The long-running work of each lifecycle, against fakes of shop and mail server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.shop import Scan, ScanStatus
from casetrail.v1.event_pb2 import CallbackMade
from casetrail.v1.types_pb2 import Kind, RemedyKind, ReturnReason, Stage
from tests.asked import EMAIL, names, returning
from tests.fakes import CornerShop, Mailbox
from tests.workflows.stories import complaint_that_is_told, return_that_is_received
from tests.workflows.world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_return_is_refunded_once_and_the_customer_is_told(world: World) -> None:
    case_id = await return_that_is_received(world, RemedyKind.REMEDY_KIND_REFUND)

    await world.do(case_id, inspect={"passed": True})

    refunded = (await world.until(case_id, "refunded"))[0].refunded
    await world.until(case_id, "customer_told", 3)
    assert refunded.amount_minor == 19_900
    assert refunded.reference
    assert world.shop.calls.count("refund") == 1
    assert (await world.case(case_id)).stage == Stage.STAGE_TOLD
    assert len(world.mailbox.to(EMAIL)) == 3


async def test_a_shop_that_is_away_is_asked_again_until_it_has_refunded(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, shop=CornerShop(away_for=2)) as one:
        case_id = await one.open(Kind.KIND_RETURN)
        await one.until(case_id, "order_found")
        assert one.shop.calls == ["order"] * 3


async def test_an_exchange_reserves_dispatches_and_follows_the_parcel_until_it_arrives(world: World) -> None:
    case_id = await return_that_is_received(world, RemedyKind.REMEDY_KIND_EXCHANGE)
    await world.do(case_id, inspect={"passed": True})
    await world.until(case_id, "exchange_dispatched")
    now = datetime.now(UTC)
    world.shop.scans.append(Scan(now, "Hangzhou", ScanStatus.PICKED_UP))
    world.shop.scans.append(Scan(now, "Hangzhou", ScanStatus.IN_TRANSIT))
    await world.pass_time(case_id, timedelta(hours=3))
    await world.until(case_id, "parcel_scanned", 2)

    world.shop.scans.append(Scan(now + timedelta(hours=4), "Xi'an", ScanStatus.DELIVERED))
    await world.pass_time(case_id, timedelta(hours=3))

    await world.until(case_id, "parcel_delivered")
    happened = names(await world.events(case_id))
    assert happened.count("parcel_scanned") == 2
    assert happened.count("parcel_delivered") == 1
    assert world.shop.calls.count("reserve") == world.shop.calls.count("dispatch") == 1
    assert world.shop.stock == 4
    asked = world.shop.calls.count("parcel")
    await world.pass_time(case_id, timedelta(hours=3))
    assert world.shop.calls.count("parcel") == asked


async def test_an_exchange_that_is_out_of_stock_becomes_an_offer(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, shop=CornerShop(stock=0)) as one:
        case_id = await return_that_is_received(one, RemedyKind.REMEDY_KIND_EXCHANGE)
        await one.do(case_id, inspect={"passed": True})
        await one.until(case_id, "exchange_unavailable")
        await one.until(case_id, "alternative_offered")
        assert "dispatch" not in one.shop.calls


async def test_an_exchange_that_will_not_be_dispatched_goes_back_on_the_shelf(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, shop=CornerShop(refuses={"dispatch": "ADDRESS_REFUSED"})) as one:
        case_id = await return_that_is_received(one, RemedyKind.REMEDY_KIND_EXCHANGE)
        await one.do(case_id, inspect={"passed": True})
        failed = (await one.until(case_id, "exchange_failed"))[0].exchange_failed
        assert failed.why == "ADDRESS_REFUSED"
        assert one.shop.calls[-3:] == ["reserve", "dispatch", "release"]
        assert one.shop.stock == 5


async def test_a_refund_that_the_shop_refuses_is_reported_not_repeated(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, shop=CornerShop(refuses={"refund": "ALREADY_REFUNDED"})) as one:
        case_id = await return_that_is_received(one, RemedyKind.REMEDY_KIND_REFUND)
        await one.do(case_id, inspect={"passed": True})
        failed = (await one.until(case_id, "refund_failed"))[0].refund_failed
        assert failed.why == "ALREADY_REFUNDED"
        assert one.shop.calls.count("refund") == 1


async def test_a_complaints_follow_up_call_is_reminded_of_when_it_may_be_made_and_owed_until_it_was(
    world: World,
) -> None:
    case_id = await complaint_that_is_told(world)
    scheduled = next(event for event in await world.events(case_id) if event.HasField("callback_scheduled"))

    await world.pass_time(case_id, timedelta(hours=23))
    assert "callback_reminded" not in names(await world.events(case_id))
    await world.pass_time(case_id, timedelta(hours=2))
    reminded = (await world.until(case_id, "callback_reminded"))[0]

    assert reminded.at.seconds >= scheduled.callback_scheduled.not_before.seconds
    assert list(reminded.callback_reminded.people) == ["amy"]
    assert any(effect.HasField("callback") for effect in (await world.case(case_id)).pending_effects)
    outcome = await world.do(case_id, record_callback={"result": CallbackMade.RESULT_SATISFIED})
    assert not any(effect.HasField("callback") for effect in outcome.case.pending_effects)
    await world.pass_time(case_id, timedelta(hours=30))
    assert names(await world.events(case_id)).count("callback_reminded") == 1


async def test_two_cases_of_one_customer_are_merged_and_the_duplicate_ends(world: World) -> None:
    first, duplicate = await world.open(), await world.open()

    await world.do(duplicate, merge={"into_case_id": first, "why": "same kettle"})

    await world.until(duplicate, "merge_accepted")
    absorbed = (await world.until(first, "duplicate_absorbed"))[0].duplicate_absorbed
    assert absorbed.case_id == duplicate
    await world.ended(duplicate)
    assert (await world.case(duplicate)).stage == Stage.STAGE_CLOSED


async def test_a_merger_that_the_other_case_refuses_is_reported_and_the_case_goes_on(world: World) -> None:
    first = await world.open(customer={"customer_id": "somebody else"})
    duplicate = await world.open()

    await world.do(duplicate, merge={"into_case_id": first, "why": "same kettle"})

    refused = (await world.until(duplicate, "merge_refused"))[0].merge_refused
    assert refused.why.startswith("CANNOT_JOIN")
    assert (await world.case(duplicate)).stage != Stage.STAGE_CLOSED


async def test_a_link_is_noted_in_both_cases(world: World) -> None:
    first, second = await world.open(), await world.open()
    await world.do(second, link={"case_id": first, "relation": 1})
    await world.until(second, "link_accepted")
    assert [link.case_id for link in (await world.case(first)).links] == [second]


async def test_a_letter_that_no_mailbox_takes_is_reported_and_somebody_else_is_told(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, mailbox=Mailbox(refused={EMAIL})) as one:
        case_id = await one.open()
        failed = (await one.until(case_id, "notification_failed"))[0].notification_failed
        assert EMAIL not in failed.why
        assert "550" in failed.why


async def test_an_alert_that_finds_nobody_says_so_and_climbs_at_once(
    environment: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with world(environment, tmp_path, mailbox=Mailbox(refused={"chloe@staff.example"})) as one:
        case_id = await one.open()
        await one.until(case_id, "notification_delivered")
        await one.pass_time(case_id, timedelta(minutes=2))
        await one.until(case_id, "staff_unreachable")
        steps = await one.until(case_id, "escalation_stepped", 2)
        assert steps[1].at.seconds - steps[0].at.seconds < 60


async def test_a_quality_return_is_called_back_too(world: World) -> None:
    request = returning(reason=ReturnReason.RETURN_REASON_QUALITY)
    case_id = await world.open(Kind.KIND_RETURN, return_request=request)
    await world.until(case_id, "order_found")
    await world.do(case_id, accept={})
    await world.until(case_id, "eligibility_decided")
    await world.do(case_id, receive_goods={})
    await world.do(case_id, inspect={"passed": True})
    await world.until(case_id, "callback_scheduled")
