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

A call that names a drill, ``X-Casetrail-Drill``, comes to a counter that is this drill's alone: with books and faults
of its own, which end with the process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler

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

_DRILL: Final = "X-Casetrail-Drill"
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
        with closing(Database(path, _SCHEMA)) as database, ExitStack() as ending:

            def for_a_drill() -> _Counter:
                return _Counter(ending.enter_context(closing(Database(None, _SCHEMA))), clock, scan_scale)

            counters = _Counters(_Counter(database, clock, scan_scale), for_a_drill)
            async with serving(_application(counters), port) as url:
                yield cls(url)


class _Counter:
    """Where requests are taken: reads them, lets the books act, writes the answer."""

    def __init__(self, database: Database, clock: Clock, scan_scale: float | None) -> None:
        self._db = database
        self._clock = clock
        self.parcels = Parcels(database, clock, scan_scale)
        self.books = Books(database, self.parcels, clock)
        self.keys = Keys(database)
        self.faults = FaultSwitch()

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


class _Counters:
    """The counter for everybody, and those of drills, each made at its first call."""

    def __init__(self, usual: _Counter, make: Callable[[], _Counter]) -> None:
        self._usual = usual
        self._make = make
        self._of_drills: dict[str, _Counter] = {}

    def of(self, request: web.Request) -> _Counter:
        """Where a request is taken."""
        drill = request.headers.get(_DRILL, "")
        if not drill:
            return self._usual
        if drill not in self._of_drills:
            self._of_drills[drill] = self._make()
        return self._of_drills[drill]


def _application(counters: _Counters) -> web.Application:
    @web.middleware
    async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await counters.of(request).faults.spoil(request, handler)

    def taken(act: Callable[[_Counter, web.Request], Awaitable[web.Response]]) -> Handler:
        async def take(request: web.Request) -> web.Response:
            return await act(counters.of(request), request)

        return take

    def view(read: Callable[[_Counter], Json]) -> Handler:
        async def show(request: web.Request) -> web.Response:
            return web.json_response(read(counters.of(request)))

        return show

    app = web.Application(middlewares=[refusals, spoil])
    parcel = "/parcels/{carrier}/{tracking_no}"
    app.add_routes(
        [
            web.get("/orders/{order_id}", taken(_Counter.order)),
            web.post("/orders", taken(_Counter.enter_order)),
            web.post("/refunds", taken(_Counter.refund)),
            web.post("/compensations", taken(_Counter.compensate)),
            web.post("/reservations", taken(_Counter.reserve)),
            web.post("/reservations/{reservation_id}/dispatch", taken(_Counter.dispatch)),
            web.post("/reservations/{reservation_id}/release", taken(_Counter.release)),
            web.get(f"{parcel}/scans", taken(_Counter.scans)),
            web.post(f"{parcel}/inquiries", taken(_Counter.ask_carrier)),
            web.post("/faults", taken(lambda counter, request: counter.faults.set(request))),
            web.get("/admin/orders", view(lambda counter: {"orders": counter.books.orders()})),
            web.get("/admin/calls", view(lambda counter: {"calls": counter.keys.calls()})),
            web.get("/admin/receipts", view(lambda counter: {"receipts": counter.books.receipts()})),
            web.get("/admin/stock", view(lambda counter: {"stock": counter.books.stock()})),
            web.get("/admin/reservations", view(lambda counter: {"reservations": counter.books.reservations()})),
            web.get("/admin/inquiries", view(lambda counter: {"inquiries": counter.parcels.inquiries()})),
            web.put("/admin/stock/{sku}", taken(_Counter.count_stock)),
            web.post(f"/admin{parcel}", taken(_Counter.hand_over)),
            web.post(f"/admin{parcel}/scans", taken(_Counter.scan)),
            web.post(f"/admin{parcel}/deliver", taken(_Counter.deliver)),
            web.post(f"/admin{parcel}/stall", taken(_Counter.stall)),
        ]
    )
    return app


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
