"""The shop over HTTP and JSON: one object each way, the idempotency key in a header."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from activities.shop import (
    Item,
    Order,
    OrderState,
    OutOfStockError,
    Parcel,
    Receipt,
    Reservation,
    Scan,
    ScanStatus,
    ShopRefusedError,
    ShopUnavailableError,
)


class HttpShop:
    """A shop at a base URL."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str, mark: Mapping[str, str] | None = None) -> None:
        """Speak through a session that somebody else opens and closes; see ``connect`` and ``marked``."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._mark = mark or {}

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, base_url: str, *, timeout_seconds: float = 10.0, token: str | None = None
    ) -> AsyncIterator[Self]:
        """Open the shop at a base URL; the bearer token, if any, goes with every call."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
            yield cls(http, base_url)

    def marked(self, header: str, value: str) -> "HttpShop":
        """The same shop, where every call carries one more header."""
        return HttpShop(self._http, self._base_url, {**self._mark, header: value})

    async def order(self, order_id: str) -> Order | None:
        """Return the order, or ``None`` when the shop knows none of this id."""
        try:
            return _order(await self._get(f"/orders/{_segment(order_id)}"))
        except ShopRefusedError as refused:
            if refused.reason == "ORDER_UNKNOWN":
                return None
            raise

    async def refund(self, order_id: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        """Give back money that was paid for an order."""
        body = {"order_id": order_id, "amount_minor": amount_minor, "currency": currency}
        return _receipt(await self._post("/refunds", body, idempotency_key))

    async def compensate(self, beneficiary: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        """Give money for harm done; the beneficiary is an order's id or a customer's."""
        body = {"beneficiary": beneficiary, "amount_minor": amount_minor, "currency": currency}
        return _receipt(await self._post("/compensations", body, idempotency_key))

    async def reserve(self, order_id: str, sku: str, quantity: int, idempotency_key: str) -> Reservation:
        """Keep pieces back for an exchange, or raise ``OutOfStockError``."""
        body = {"order_id": order_id, "sku": sku, "quantity": quantity}
        try:
            return _reservation(await self._post("/reservations", body, idempotency_key))
        except ShopRefusedError as refused:
            if refused.reason == "OUT_OF_STOCK":
                raise OutOfStockError(sku, refused.message) from refused
            raise

    async def dispatch(self, reservation: Reservation, idempotency_key: str) -> Parcel:
        """Send what was reserved."""
        path = f"/reservations/{_segment(reservation.reservation_id)}/dispatch"
        return _parcel(await self._post(path, {}, idempotency_key))

    async def release(self, reservation: Reservation, idempotency_key: str) -> None:
        """Put what was reserved back on the shelf."""
        path = f"/reservations/{_segment(reservation.reservation_id)}/release"
        await self._post(path, {}, idempotency_key)

    async def parcel(self, carrier: str, tracking_no: str) -> list[Scan]:
        """Return a parcel's scans, oldest first; none when the carrier has not seen it yet."""
        try:
            answer = await self._get(f"/parcels/{_segment(carrier)}/{_segment(tracking_no)}/scans")
        except ShopRefusedError as refused:
            if refused.reason == "PARCEL_UNKNOWN":
                return []
            raise
        return sorted((_scan(scan) for scan in answer.each("scans")), key=lambda scan: scan.at)

    async def ask_carrier(self, carrier: str, tracking_no: str, question: str, idempotency_key: str) -> str:
        """Ask the carrier about a parcel and return the carrier's reference."""
        path = f"/parcels/{_segment(carrier)}/{_segment(tracking_no)}/inquiries"
        return (await self._post(path, {"question": question}, idempotency_key)).text("reference")

    async def _get(self, path: str) -> "_Answer":
        return await self._call("GET", path)

    async def _post(self, path: str, body: Mapping[str, object], idempotency_key: str) -> "_Answer":
        return await self._call("POST", path, body, {"Idempotency-Key": idempotency_key})

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "_Answer":
        url = URL(self._base_url + path, encoded=True)
        headers = {**self._mark, **(headers or {})}
        try:
            # A redirect would repeat a POST as a GET, and could carry the token to another host.
            async with self._http.request(method, url, json=body, headers=headers, allow_redirects=False) as response:
                status, content = response.status, await response.read()
        except TimeoutError as error:
            raise ShopUnavailableError(f"the shop did not answer in time: {method} {path}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ShopUnavailableError(f"the shop cannot be reached: {method} {path}: {error}") from error
        return _understood(f"{method} {path}", status, content)


# Statuses that blame the caller for the moment (its credentials, its pace), not what it asks for.
_PASSING: Final = frozenset({401, 408, 425, 429})
_CLIENT_ERRORS: Final = range(400, 500)
_SUCCESSES: Final = range(200, 300)


def _understood(call: str, status: int, content: bytes) -> "_Answer":
    if status in _SUCCESSES:
        return _Answer(call, _json(call, content))
    if status not in _CLIENT_ERRORS or status in _PASSING:
        raise ShopUnavailableError(f"the shop answered {call} with status {status}")
    # Without a reason this is a proxy's or a wrong address's 4xx, not a decision of the shop's.
    refusal = _Answer(f"{call} (status {status})", _json(f"{call} (status {status})", content))
    raise ShopRefusedError(refusal.text("reason"), refusal.text("message"))


def _json(call: str, content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ShopUnavailableError(f"the shop's answer to {call} is not JSON") from error


def _segment(value: str) -> str:
    """Quote a value as one segment of a path; these three would name another path instead."""
    if value in {"", ".", ".."}:
        raise ShopRefusedError("IDENTIFIER_INVALID", f"{value!r} cannot name anything at the shop")
    return quote(value, safe="")


_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_INT64: Final = range(2**63)


class _Answer:
    """One JSON object of the shop's, read strictly: whatever is not as agreed makes the answer unusable."""

    def __init__(self, call: str, value: object) -> None:
        self._call = call
        if not isinstance(value, dict):
            raise self._malformed("it is not an object")
        self._fields = value

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str) or not value:
            raise self._malformed(f"{name!r} must be a text that is not empty")
        return value

    def currency(self) -> str:
        value = self.text("currency")
        if not _CURRENCY.fullmatch(value):
            raise self._malformed("'currency' must be an ISO 4217 code")
        return value

    def number(self, name: str) -> int:
        value = self._fields.get(name)
        if type(value) is not int or value not in _INT64:
            raise self._malformed(f"{name!r} must be a whole number from 0 to 2^63 - 1")
        return value

    def instant(self, name: str) -> datetime:
        text = self.text(name)
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            raise self._malformed(f"{name!r} must be an ISO 8601 time") from None
        if instant.tzinfo is None:
            raise self._malformed(f"{name!r} must say its offset from UTC")
        return instant.astimezone(UTC)

    def instant_or_none(self, name: str) -> datetime | None:
        return None if self._fields.get(name) is None else self.instant(name)

    def part(self, name: str) -> "_Answer | None":
        value = self._fields.get(name)
        return None if value is None else _Answer(f"{self._call}, {name!r}", value)

    def each(self, name: str) -> list["_Answer"]:
        values = self._fields.get(name)
        if not isinstance(values, list):
            raise self._malformed(f"{name!r} must be a list")
        return [_Answer(f"{self._call}, in {name!r}", value) for value in values]

    def _malformed(self, why: str) -> ShopUnavailableError:
        return ShopUnavailableError(f"the shop's answer to {self._call} cannot be used: {why}")


def _order(answer: _Answer) -> Order:
    parcel = answer.part("parcel")
    return Order(
        order_id=answer.text("order_id"),
        customer=answer.text("customer"),
        state=OrderState(answer.text("state")),
        currency=answer.currency(),
        paid_minor=answer.number("paid_minor"),
        refunded_minor=answer.number("refunded_minor"),
        items=tuple(_item(item) for item in answer.each("items")),
        paid_at=answer.instant_or_none("paid_at"),
        delivered_at=answer.instant_or_none("delivered_at"),
        parcel=_parcel(parcel) if parcel else None,
    )


def _item(answer: _Answer) -> Item:
    return Item(
        sku=answer.text("sku"),
        title=answer.text("title"),
        category=answer.text("category"),
        quantity=answer.number("quantity"),
        price_minor=answer.number("price_minor"),
    )


def _receipt(answer: _Answer) -> Receipt:
    return Receipt(
        receipt_id=answer.text("receipt_id"),
        amount_minor=answer.number("amount_minor"),
        currency=answer.currency(),
        at=answer.instant("at"),
    )


def _reservation(answer: _Answer) -> Reservation:
    return Reservation(
        reservation_id=answer.text("reservation_id"),
        order_id=answer.text("order_id"),
        sku=answer.text("sku"),
        quantity=answer.number("quantity"),
    )


def _parcel(answer: _Answer) -> Parcel:
    return Parcel(carrier=answer.text("carrier"), tracking_no=answer.text("tracking_no"))


def _scan(answer: _Answer) -> Scan:
    return Scan(at=answer.instant("at"), place=answer.text("place"), status=ScanStatus(answer.text("status")))
