"""The shop port over real sockets: money and goods move once, refusals have reasons, faults are transient."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from activities.http_shop import HttpShop
from activities.shop import (
    OrderState,
    OutOfStockError,
    Parcel,
    Reservation,
    Scan,
    ScanStatus,
    ShopRefusedError,
    ShopUnavailableError,
)
from embedded.mailbox import DemoMailbox
from embedded.shop import DemoShop

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Back:
    """The shop's back office: what tests arrange and look at behind the engine's back."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        async with self._http.request(method, self._url + path, json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def fault(self, mode: str, **more: object) -> None:
        await self.ask("POST", "/faults", {"mode": mode, **more})

    async def receipts(self) -> list[dict[str, Any]]:
        return list((await self.ask("GET", "/admin/receipts"))["receipts"])

    async def calls(self, key: str) -> int:
        calls = (await self.ask("GET", "/admin/calls"))["calls"]
        return sum(call["calls"] for call in calls if call["key"] == key)

    async def sell(self, **more: object) -> str:
        items = [{"sku": "MUG", "title": "马克杯", "category": "home", "price_minor": 5_000, "quantity": 2}]
        order = await self.ask("POST", "/orders", {"customer": "li", "items": items, **more})
        return str(order["order_id"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def demo(clock: Clock) -> AsyncIterator[DemoShop]:
    async with DemoShop.start(clock=clock) as demo:
        yield demo


@pytest.fixture
async def shop(demo: DemoShop) -> AsyncIterator[HttpShop]:
    async with HttpShop.connect(demo.url) as shop:
        yield shop


@pytest.fixture
async def back(demo: DemoShop) -> AsyncIterator[Back]:
    async with aiohttp.ClientSession() as http:
        yield Back(demo.url, http)


async def test_a_drill_has_books_and_faults_of_its_own(shop: HttpShop, demo: DemoShop) -> None:
    one, other = (shop.marked("X-Casetrail-Drill", drill) for drill in ("DRL-1", "DRL-2"))
    receipts = [await each.refund("D1001", 1_000, "CNY", "k") for each in (one, other, shop)]
    assert len(receipts) == 3
    for each in (one, other, shop):
        order = await each.order("D1001")
        assert order is not None
        assert order.refunded_minor == 1_000, "paid back once in each of them"
    async with aiohttp.ClientSession(headers={"X-Casetrail-Drill": "DRL-1"}) as http:
        await Back(demo.url, http).fault("down")
    with pytest.raises(ShopUnavailableError):
        await one.order("D1001")
    assert await other.order("D1001")
    assert await shop.order("D1001")


async def test_order_is_read_as_the_books_have_it(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell(
        state="delivered",
        paid_at="2026-03-01T10:00:00+08:00",
        delivered_at="2026-03-02T03:00:00Z",
        carrier="YTO",
        tracking_no="Y1",
    )
    order = await shop.order(order_id)
    assert order is not None
    assert (order.customer, order.state, order.currency) == ("li", OrderState.DELIVERED, "CNY")
    assert (order.paid_minor, order.refunded_minor) == (10_000, 0)
    assert (order.items[0].title, order.items[0].category, order.items[0].quantity) == ("马克杯", "home", 2)
    assert order.paid_at == datetime(2026, 3, 1, 2, tzinfo=UTC)
    assert order.delivered_at == datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert order.parcel == Parcel("YTO", "Y1")


async def test_state_that_casetrail_does_not_know_reads_as_other(shop: HttpShop, back: Back) -> None:
    order = await shop.order(await back.sell(state="in_customs"))
    assert order is not None
    assert order.state is OrderState.OTHER


@pytest.mark.parametrize("order_id", ["D9999", "D1001/../D1002", "订单?", "%2e%2e", "D1001#"])
async def test_order_that_the_shop_does_not_know_is_none(shop: HttpShop, order_id: str) -> None:
    assert await shop.order(order_id) is None


@pytest.mark.parametrize("order_id", ["", ".", ".."])
async def test_id_that_cannot_be_part_of_an_address_is_refused(shop: HttpShop, order_id: str) -> None:
    with pytest.raises(ShopRefusedError) as refused:
        await shop.order(order_id)
    assert refused.value.reason == "IDENTIFIER_INVALID"


async def test_refund_asked_again_under_its_key_gives_the_same_receipt_and_pays_once(
    shop: HttpShop, back: Back
) -> None:
    order_id = await back.sell()
    first = await shop.refund(order_id, 4_000, "CNY", "case-1:refund")
    again = await shop.refund(order_id, 4_000, "CNY", "case-1:refund")
    assert first == again
    assert (first.amount_minor, first.currency, first.at) == (4_000, "CNY", NOON)
    assert [receipt["amount_minor"] for receipt in await back.receipts()] == [4_000]
    assert await back.calls("case-1:refund") == 2
    order = await shop.order(order_id)
    assert order is not None
    assert order.refunded_minor == 4_000


async def test_refund_whose_answer_was_lost_is_paid_once(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    await back.fault("lost", count=1, path="/refunds")
    with pytest.raises(ShopUnavailableError):
        await shop.refund(order_id, 4_000, "CNY", "k")
    receipt = await shop.refund(order_id, 4_000, "CNY", "k")
    assert [paid["receipt_id"] for paid in await back.receipts()] == [receipt.receipt_id]
    assert await back.calls("k") == 2


async def test_refunds_asked_at_once_under_one_key_pay_once(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    receipts = await asyncio.gather(*(shop.refund(order_id, 100, "CNY", "k") for _ in range(8)))
    assert len(set(receipts)) == 1
    assert len(await back.receipts()) == 1


async def test_key_used_for_something_else_is_refused(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    await shop.refund(order_id, 4_000, "CNY", "k")
    for other in (
        shop.refund(order_id, 4_001, "CNY", "k"),
        shop.compensate(order_id, 4_000, "CNY", "k"),
        shop.reserve(order_id, "MUG", 1, "k"),
    ):
        with pytest.raises(ShopRefusedError) as refused:
            await other
        assert refused.value.reason == "IDEMPOTENCY_KEY_REUSED"
    assert len(await back.receipts()) == 1


@pytest.mark.parametrize(
    ("amount_minor", "currency", "reason"),
    [
        (10_001, "CNY", "AMOUNT_EXCEEDS_PAID"),
        (2**63 - 1, "CNY", "AMOUNT_EXCEEDS_PAID"),
        (2**63, "CNY", "AMOUNT_INVALID"),
        (0, "CNY", "AMOUNT_INVALID"),
        (-1, "CNY", "AMOUNT_INVALID"),
        (1, "USD", "CURRENCY_MISMATCH"),
    ],
)
async def test_refund_that_the_order_does_not_bear_is_refused(
    shop: HttpShop, back: Back, amount_minor: int, currency: str, reason: str
) -> None:
    with pytest.raises(ShopRefusedError) as refused:
        await shop.refund(await back.sell(), amount_minor, currency, "k")
    assert refused.value.reason == reason
    assert refused.value.message
    assert await back.receipts() == []


async def test_refunds_together_do_not_exceed_what_was_paid(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    await shop.refund(order_id, 6_000, "CNY", "k1")
    with pytest.raises(ShopRefusedError, match="AMOUNT_EXCEEDS_PAID"):
        await shop.refund(order_id, 4_001, "CNY", "k2")
    await shop.refund(order_id, 4_000, "CNY", "k3")


async def test_order_that_was_never_paid_is_not_refunded(shop: HttpShop, back: Back) -> None:
    with pytest.raises(ShopRefusedError, match="AMOUNT_EXCEEDS_PAID"):
        await shop.refund(await back.sell(state="unpaid"), 1, "CNY", "k")


async def test_money_is_refused_to_whom_the_shop_does_not_know(shop: HttpShop) -> None:
    with pytest.raises(ShopRefusedError, match="ORDER_UNKNOWN"):
        await shop.refund("D9999", 1, "CNY", "k1")
    with pytest.raises(ShopRefusedError, match="BENEFICIARY_UNKNOWN"):
        await shop.compensate("nobody", 1, "CNY", "k2")


async def test_compensation_goes_to_an_order_or_a_customer_and_is_no_refund(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    await shop.compensate(order_id, 20_000, "CNY", "k1")
    await shop.compensate("li", 500, "CNY", "k2")
    assert [(paid["kind"], paid["beneficiary"]) for paid in await back.receipts()] == [
        ("compensation", order_id),
        ("compensation", "li"),
    ]
    order = await shop.order(order_id)
    assert order is not None
    assert order.refunded_minor == 0


async def test_exchange_takes_from_the_shelf_and_sends_once(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    await back.ask("PUT", "/admin/stock/MUG", {"quantity": 3})
    reservation = await shop.reserve(order_id, "MUG", 2, "k:reserve")
    assert reservation == await shop.reserve(order_id, "MUG", 2, "k:reserve")
    parcel = await shop.dispatch(reservation, "k:dispatch")
    assert parcel == await shop.dispatch(reservation, "k:dispatch")
    assert (await back.ask("GET", "/admin/stock"))["stock"]["MUG"] == 1
    with pytest.raises(ShopRefusedError, match="RESERVATION_ENDED"):
        await shop.release(reservation, "k:release")


async def test_released_pieces_are_back_on_the_shelf(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    reservation = await shop.reserve(order_id, "MUG", 2, "k:reserve")
    await shop.release(reservation, "k:release")
    await shop.release(reservation, "k:release")
    assert (await back.ask("GET", "/admin/stock"))["stock"]["MUG"] == 10
    with pytest.raises(ShopRefusedError, match="RESERVATION_ENDED"):
        await shop.dispatch(reservation, "k:dispatch")


async def test_out_of_stock_reserves_nothing_and_leaves_the_key_usable(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    await back.ask("PUT", "/admin/stock/MUG", {"quantity": 1})
    with pytest.raises(OutOfStockError) as missing:
        await shop.reserve(order_id, "MUG", 2, "k")
    assert missing.value.sku == "MUG"
    assert (await back.ask("GET", "/admin/reservations"))["reservations"] == []
    await back.ask("PUT", "/admin/stock/MUG", {"quantity": 2})
    assert (await shop.reserve(order_id, "MUG", 2, "k")).quantity == 2


async def test_exchange_of_what_does_not_exist_is_refused(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    for call, reason in (
        (shop.reserve(order_id, "NO-SUCH", 1, "k1"), "SKU_UNKNOWN"),
        (shop.reserve("D9999", "MUG", 1, "k2"), "ORDER_UNKNOWN"),
        (shop.reserve(order_id, "MUG", 0, "k3"), "QUANTITY_INVALID"),
        (shop.dispatch(Reservation("RS000099", order_id, "MUG", 1), "k4"), "RESERVATION_UNKNOWN"),
    ):
        with pytest.raises(ShopRefusedError) as refused:
            await call
        assert refused.value.reason == reason


async def test_parcel_shows_its_scans_and_its_delivery_reaches_the_order(
    shop: HttpShop, back: Back, clock: Clock
) -> None:
    order_id = await back.sell(state="dispatched", carrier="SF", tracking_no="SF 1/2")
    assert await shop.parcel("SF", "SF 1/2") == []
    await back.ask("POST", "/admin/parcels/SF/SF%201%2F2/scans", {"status": "in_transit", "place": "杭州"})
    clock.now += timedelta(hours=5)
    await back.ask("POST", "/admin/parcels/SF/SF%201%2F2/deliver")
    assert await shop.parcel("SF", "SF 1/2") == [
        Scan(NOON, "杭州", ScanStatus.IN_TRANSIT),
        Scan(clock.now, "收件地址", ScanStatus.DELIVERED),
    ]
    order = await shop.order(order_id)
    assert order is not None
    assert (order.state, order.delivered_at) == (OrderState.DELIVERED, clock.now)


async def test_parcel_that_the_carrier_has_not_seen_has_no_scans_and_can_be_asked_about(
    shop: HttpShop, back: Back
) -> None:
    assert await shop.parcel("SF", "NEVER-SEEN") == []
    reference = await shop.ask_carrier("SF", "NEVER-SEEN", "包裹在哪里?", "k")
    assert reference == await shop.ask_carrier("SF", "NEVER-SEEN", "包裹在哪里?", "k")
    inquiries = (await back.ask("GET", "/admin/inquiries"))["inquiries"]
    assert [(inquiry["reference"], inquiry["question"]) for inquiry in inquiries] == [(reference, "包裹在哪里?")]


async def test_parcel_travels_by_itself_at_the_scale_until_it_stalls(clock: Clock) -> None:
    async with (
        DemoShop.start(clock=clock, scan_scale=60) as demo,
        HttpShop.connect(demo.url) as shop,
        aiohttp.ClientSession() as http,
    ):
        back = Back(demo.url, http)
        for tracking_no in ("MOVES", "STALLS"):
            await back.ask("POST", f"/admin/parcels/SF/{tracking_no}")
        clock.now += timedelta(minutes=9)
        await back.ask("POST", "/admin/parcels/SF/STALLS/stall")
        clock.now += timedelta(minutes=30)
        arrived, stalled = await shop.parcel("SF", "MOVES"), await shop.parcel("SF", "STALLS")
    assert arrived[-1].status is ScanStatus.DELIVERED
    assert arrived[-1].at == NOON + timedelta(minutes=34)
    assert arrived[: len(stalled)] == stalled
    assert [scan.status for scan in stalled] == [ScanStatus.PICKED_UP, ScanStatus.IN_TRANSIT]


async def test_parcel_that_was_delivered_by_hand_travels_no_further(clock: Clock) -> None:
    async with (
        DemoShop.start(clock=clock, scan_scale=60) as demo,
        HttpShop.connect(demo.url) as shop,
        aiohttp.ClientSession() as http,
    ):
        await Back(demo.url, http).ask("POST", "/admin/parcels/SF/1/deliver")
        clock.now += timedelta(hours=1)
        assert [scan.status for scan in await shop.parcel("SF", "1")][-1] is ScanStatus.DELIVERED
        under_way, stalled = await shop.parcel("SF", "SF10070001"), await shop.parcel("SF", "SF10080001")
    assert [scan.status for scan in under_way][-1] is ScanStatus.DELIVERED
    assert [scan.status for scan in stalled][-1] is ScanStatus.IN_TRANSIT


async def test_demo_orders_cover_delivered_under_way_stalled_and_unpaid(shop: HttpShop) -> None:
    orders = [await shop.order(f"D{number}") for number in range(1001, 1012)]
    assert {order.state for order in orders if order} == set(OrderState) - {OrderState.OTHER}
    assert NOON - (await shop.parcel("SF", "SF10080001"))[-1].at > timedelta(hours=48)
    assert NOON - (await shop.parcel("SF", "SF10070001"))[-1].at < timedelta(hours=24)


@pytest.mark.parametrize("mode", ["down", "flaky", "lost"])
async def test_fault_is_transient_and_over_after_its_count(shop: HttpShop, back: Back, mode: str) -> None:
    await back.fault(mode, count=1)
    with pytest.raises(ShopUnavailableError):
        await shop.ask_carrier("SF", "1", "?", "k")
    assert await shop.order("D1001")


async def test_flaky_shop_fails_every_other_call(shop: HttpShop, back: Back) -> None:
    await back.fault("flaky", path="/orders")
    results = await asyncio.gather(*(shop.order("D1001") for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, ShopUnavailableError) for result in results) == 3


async def test_shop_that_is_down_did_nothing(shop: HttpShop, back: Back) -> None:
    order_id = await back.sell()
    await back.fault("down", count=1)
    with pytest.raises(ShopUnavailableError, match="503"):
        await shop.refund(order_id, 1, "CNY", "k")
    assert await back.receipts() == []


async def test_shop_slower_than_the_timeout_is_unavailable(demo: DemoShop, back: Back) -> None:
    await back.fault("slow", count=1, delay_ms=400)
    async with HttpShop.connect(demo.url, timeout_seconds=0.1) as hasty:
        with pytest.raises(ShopUnavailableError, match="in time"):
            await hasty.order("D1001")


async def test_shop_that_does_not_listen_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with HttpShop.connect(f"http://127.0.0.1:{port}") as shop:
        with pytest.raises(ShopUnavailableError, match="cannot be reached"):
            await shop.order("D1001")


async def test_restarted_shop_knows_its_refunds_and_their_keys(tmp_path: Path) -> None:
    file = tmp_path / "shop.sqlite3"
    async with DemoShop.start(path=file) as demo, HttpShop.connect(demo.url) as shop:
        before = await shop.refund("D1001", 1_000, "CNY", "k")
        reservation = await shop.reserve("D1001", "SHIRT-M", 1, "k:reserve")
    async with DemoShop.start(path=file) as demo, HttpShop.connect(demo.url) as shop:
        assert await shop.refund("D1001", 1_000, "CNY", "k") == before
        order = await shop.order("D1001")
        parcel = await shop.dispatch(reservation, "k:dispatch")
    assert parcel.tracking_no
    assert order is not None
    assert order.refunded_minor == 1_000


@asynccontextmanager
async def crooked(answer: Callable[[web.Request], web.Response]) -> AsyncIterator[HttpShop]:
    """Open a shop whose server answers every call in one way."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server, HttpShop.connect(str(server.make_url("/")), token="secret") as shop:
        yield shop


RECEIPT = {"receipt_id": "R1", "amount_minor": 5, "currency": "CNY", "at": "2026-03-02T12:00:00Z"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        json.dumps({name: value for name, value in RECEIPT.items() if name != "receipt_id"}).encode(),
        json.dumps(RECEIPT | {"receipt_id": 7}).encode(),
        json.dumps(RECEIPT | {"amount_minor": "5"}).encode(),
        json.dumps(RECEIPT | {"amount_minor": 5.0}).encode(),
        json.dumps(RECEIPT | {"amount_minor": True}).encode(),
        json.dumps(RECEIPT | {"amount_minor": -5}).encode(),
        json.dumps(RECEIPT | {"amount_minor": 2**63}).encode(),
        json.dumps(RECEIPT | {"currency": "yuan"}).encode(),
        json.dumps(RECEIPT | {"at": "yesterday"}).encode(),
        json.dumps(RECEIPT | {"at": "2026-03-02T12:00:00"}).encode(),
    ],
)
async def test_answer_that_is_not_as_agreed_is_unavailable_and_says_so(body: bytes) -> None:
    async with crooked(lambda _: web.Response(body=body)) as shop:
        with pytest.raises(ShopUnavailableError, match="the shop's answer to POST /refunds"):
            await shop.refund("D1", 5, "CNY", "k")


@pytest.mark.parametrize("status", [301, 302, 401, 408, 425, 429, 500, 502, 503, 504])
async def test_status_that_is_no_decision_is_unavailable(status: int) -> None:
    body = {"reason": "SOMETHING", "message": "something"}
    headers = {"Location": "/elsewhere"}
    async with crooked(lambda _: web.json_response(body, status=status, headers=headers)) as shop:
        with pytest.raises(ShopUnavailableError, match=str(status)):
            await shop.order("D1")


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
async def test_client_error_is_final_only_with_a_reason(status: int) -> None:
    body = {"reason": "CLOSED", "message": "the order is closed"}
    async with crooked(lambda _: web.json_response(body, status=status)) as shop:
        with pytest.raises(ShopRefusedError) as refused:
            await shop.order("D1")
        assert (refused.value.reason, refused.value.message) == ("CLOSED", "the order is closed")
    async with crooked(lambda _: web.Response(text="not here", status=status)) as shop:
        with pytest.raises(ShopUnavailableError, match=str(status)):
            await shop.order("D1")


async def test_token_and_key_go_with_the_call() -> None:
    seen: list[tuple[str | None, str | None]] = []

    def note(request: web.Request) -> web.Response:
        seen.append((request.headers.get("Authorization"), request.headers.get("Idempotency-Key")))
        return web.json_response(RECEIPT)

    async with crooked(note) as shop:
        await shop.refund("D1", 5, "CNY", "case-1:refund")
    assert seen == [("Bearer secret", "case-1:refund")]


async def test_shop_and_mailbox_run_as_one_process_until_told_to_stop(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embedded.services", "--data", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        endpoints = json.loads(await process.stdout.readline())
        async with HttpShop.connect(endpoints["shop"]) as shop:
            await shop.refund("D1001", 1_000, "CNY", "k")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
    async with DemoShop.start(path=tmp_path / "shop.sqlite3") as demo, HttpShop.connect(demo.url) as shop:
        order = await shop.order("D1001")
    async with DemoMailbox.start(path=tmp_path / "mailbox.sqlite3"):
        assert order is not None
        assert order.refunded_minor == 1_000
