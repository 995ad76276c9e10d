"""A demo shop over HTTP: what ``activities.shop`` asks of a shop, with fault switches and views for tests.

For the engine::

    GET  /orders/{order_id}
    POST /refunds                                {order_id, amount_minor, currency}
    POST /compensations                          {beneficiary, amount_minor, currency}
    POST /reservations                           {order_id, sku, quantity}
    POST /reservations/{id}/dispatch, /release   {}
    GET  /parcels/{carrier}/{tracking_no}/scans
    POST /parcels/{carrier}/{tracking_no}/inquiries   {question}

Every POST of these carries an ``Idempotency-Key``. An error is ``{reason, message}``. For people and tests::

    POST /orders                                 {customer, items, order_id?, state?, paid_at?, ...}
    POST /faults                                 {mode, count?, delay_ms?, path?}
    GET  /admin/orders, /calls, /receipts, /stock, /reservations, /inquiries
    PUT  /admin/stock/{sku}                      {quantity}
    POST /admin/parcels/{carrier}/{tracking_no}  {}, also /scans {status, place?, at?}, /deliver, /stall
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import web

from embedded import shop_books, shop_keys, shop_parcels
from embedded.database import Database
from embedded.serving import field, json_object, malformed, refusals, required, serving
from embedded.shop_books import LARGEST, Books
from embedded.shop_faults import FaultSwitch
from embedded.shop_keys import Keys
from embedded.shop_orders import Goods, NewOrder
from embedded.shop_parcels import Parcels, Scan

Json = dict[str, Any]
Clock = Callable[[], datetime]

_SCHEMA: Final = shop_books.SCHEMA + shop_parcels.SCHEMA + shop_keys.SCHEMA


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DemoShop:
    """A running demo shop."""

    url: str

    @classmethod
    @asynccontextmanager
    async def start(
        cls, *, port: int = 0, path: Path | None = None, scan_scale: float | None = None, clock: Clock = _now
    ) -> AsyncIterator[Self]:
        """Run a shop until the block ends; with a path it goes on from its file.

        With a scan scale, parcels travel by themselves: at 60, an hour of their journey takes a minute.
        """
        with closing(Database(path, _SCHEMA)) as database:
            counter = _Counter(database, clock, scan_scale)
            async with serving(_application(counter, FaultSwitch()), port) as url:
                yield cls(url)


class _Counter:
    """Where requests are taken: reads them, lets the books act, writes the answer."""

    def __init__(self, database: Database, clock: Clock, scan_scale: float | None) -> None:
        self._db = database
        self._clock = clock
        self.parcels = Parcels(database, clock, scan_scale)
        self.books = Books(database, self.parcels, clock)
        self.keys = Keys(database)

    async def order(self, request: web.Request) -> web.Response:
        return web.json_response(self.books.order(request.match_info["order_id"]))

    async def enter_order(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        with self._db.transaction():
            order = self.books.enter(_new_order(body, self.books.next_order_id(), self._clock()))
        return web.json_response(order, status=201)

    async def refund(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        order_id = required(body, "order_id", str)
        money = (required(body, "amount_minor", int), required(body, "currency", str))
        return self._once(request, body, lambda: self.books.refund(order_id, *money))

    async def compensate(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        beneficiary = required(body, "beneficiary", str)
        money = (required(body, "amount_minor", int), required(body, "currency", str))
        return self._once(request, body, lambda: self.books.compensate(beneficiary, *money))

    async def reserve(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        pieces = (required(body, "sku", str), required(body, "quantity", int))
        order_id = required(body, "order_id", str)
        return self._once(request, body, lambda: self.books.reserve(order_id, *pieces))

    async def dispatch(self, request: web.Request) -> web.Response:
        reservation_id = request.match_info["reservation_id"]
        return self._once(request, {}, lambda: self.books.dispatch(reservation_id))

    async def release(self, request: web.Request) -> web.Response:
        reservation_id = request.match_info["reservation_id"]
        return self._once(request, {}, lambda: self.books.release(reservation_id))

    async def scans(self, request: web.Request) -> web.Response:
        return web.json_response(self.parcels.scans(*_parcel(request)))

    async def ask_carrier(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        question = required(body, "question", str)
        return self._once(request, body, lambda: self.parcels.ask(*_parcel(request), question))

    async def hand_over(self, request: web.Request) -> web.Response:
        return web.json_response(self.parcels.hand_over(*_parcel(request)), status=201)

    async def scan(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        scan = Scan(
            at=_instant(body, "at") or self._clock(),
            place=field(body, "place", "转运中心"),
            status=required(body, "status", str),
        )
        return web.json_response(self.parcels.scan(*_parcel(request), scan), status=201)

    async def deliver(self, request: web.Request) -> web.Response:
        scan = Scan(self._clock(), "收件地址", "delivered")
        return web.json_response(self.parcels.scan(*_parcel(request), scan), status=201)

    async def stall(self, request: web.Request) -> web.Response:
        return web.json_response(self.parcels.stall(*_parcel(request)))

    async def count_stock(self, request: web.Request) -> web.Response:
        quantity = required(await json_object(request), "quantity", int)
        return web.json_response(self.books.count_stock(request.match_info["sku"], quantity))

    def _once(self, request: web.Request, content: Json, act: Callable[[], Json]) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        return web.json_response(self.keys.once(key, f"{request.method} {request.path}", content, act))


def _application(counter: _Counter, faults: FaultSwitch) -> web.Application:
    app = web.Application(middlewares=[refusals, faults.spoil])
    parcel = "/parcels/{carrier}/{tracking_no}"
    app.add_routes(
        [
            web.get("/orders/{order_id}", counter.order),
            web.post("/orders", counter.enter_order),
            web.post("/refunds", counter.refund),
            web.post("/compensations", counter.compensate),
            web.post("/reservations", counter.reserve),
            web.post("/reservations/{reservation_id}/dispatch", counter.dispatch),
            web.post("/reservations/{reservation_id}/release", counter.release),
            web.get(f"{parcel}/scans", counter.scans),
            web.post(f"{parcel}/inquiries", counter.ask_carrier),
            web.post("/faults", faults.set),
            web.get("/admin/orders", _view(lambda: {"orders": counter.books.orders()})),
            web.get("/admin/calls", _view(lambda: {"calls": counter.keys.calls()})),
            web.get("/admin/receipts", _view(lambda: {"receipts": counter.books.receipts()})),
            web.get("/admin/stock", _view(lambda: {"stock": counter.books.stock()})),
            web.get("/admin/reservations", _view(lambda: {"reservations": counter.books.reservations()})),
            web.get("/admin/inquiries", _view(lambda: {"inquiries": counter.parcels.inquiries()})),
            web.put("/admin/stock/{sku}", counter.count_stock),
            web.post(f"/admin{parcel}", counter.hand_over),
            web.post(f"/admin{parcel}/scans", counter.scan),
            web.post(f"/admin{parcel}/deliver", counter.deliver),
            web.post(f"/admin{parcel}/stall", counter.stall),
        ]
    )
    return app


def _view(read: Callable[[], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def view(_: web.Request) -> web.Response:
        return web.json_response(read())

    return view


def _parcel(request: web.Request) -> tuple[str, str]:
    return request.match_info["carrier"], request.match_info["tracking_no"]


def _new_order(body: Json, next_id: str, now: datetime) -> NewOrder:
    """Read an order; one that says no more than customer and items was paid now."""
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise malformed("'items' must be a list that is not empty")
    state = field(body, "state", "paid")
    paid_at = _instant(body, "paid_at") or (None if state == "unpaid" else now)
    return NewOrder(
        order_id=field(body, "order_id", next_id),
        customer=required(body, "customer", str),
        state=state,
        goods=tuple(_goods(item) for item in items),
        currency=field(body, "currency", "CNY"),
        paid_at=paid_at,
        delivered_at=_instant(body, "delivered_at"),
        carrier=field(body, "carrier", "SF"),
        tracking_no=field(body, "tracking_no", ""),
    )


def _goods(item: object) -> Goods:
    if not isinstance(item, dict):
        raise malformed("an item must be an object")
    sku = required(item, "sku", str)
    goods = Goods(
        sku=sku,
        title=field(item, "title", sku),
        category=field(item, "category", "general"),
        price_minor=required(item, "price_minor", int),
        quantity=field(item, "quantity", 1),
    )
    if not 0 <= goods.price_minor <= LARGEST or not 1 <= goods.quantity <= LARGEST:
        raise malformed("an item's price or quantity is out of range")
    return goods


def _instant(body: Json, name: str) -> datetime | None:
    text = field(body, name, "")
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise malformed(f"{name!r} must be an ISO 8601 time") from None
    if instant.tzinfo is None:
        raise malformed(f"{name!r} must say its offset from UTC")
    return instant.astimezone(UTC)
