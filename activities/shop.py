"""The shop's own systems, as a case needs them: orders, money given back, exchanges and parcels.

Whatever changes something at the shop carries an idempotency key: asked again under the same key, the shop does
nothing and gives its first answer again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ShopError(Exception):
    """What the shop did not do."""


class ShopUnavailableError(ShopError):
    """Transient: no answer, or none that can be understood. It may have been done: ask again, same key."""


class ShopRefusedError(ShopError):
    """Final: the shop understood and will not do it, for a ``reason`` that programs can rely on."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep the stable reason apart from the text for people."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class OutOfStockError(ShopError):
    """There are not enough pieces to reserve; nothing was reserved."""

    def __init__(self, sku: str, message: str) -> None:
        """Name what is missing."""
        super().__init__(message)
        self.sku = sku


class OrderState(StrEnum):
    """How far an order has come; a word of the shop's that is not listed here reads as ``OTHER``."""

    UNPAID = "unpaid"
    PAID = "paid"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    OTHER = "other"

    @classmethod
    def _missing_(cls, _value: object) -> "OrderState":
        return cls.OTHER


class ScanStatus(StrEnum):
    """What a carrier did with a parcel; a word that is not listed here reads as ``OTHER``."""

    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    FAILED_ATTEMPT = "failed_attempt"
    RETURNED = "returned"
    OTHER = "other"

    @classmethod
    def _missing_(cls, _value: object) -> "ScanStatus":
        return cls.OTHER


@dataclass(frozen=True, slots=True)
class Parcel:
    """Where to ask for a parcel."""

    carrier: str
    tracking_no: str


@dataclass(frozen=True, slots=True)
class Scan:
    """One sign of life of a parcel."""

    at: datetime
    place: str
    status: ScanStatus


@dataclass(frozen=True, slots=True)
class Item:
    """What was bought; the price is that of one piece."""

    sku: str
    title: str
    category: str
    quantity: int
    price_minor: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the shop's books have it; amounts in minor units of its currency."""

    order_id: str
    customer: str
    state: OrderState
    currency: str
    paid_minor: int
    refunded_minor: int
    items: tuple[Item, ...]
    paid_at: datetime | None
    delivered_at: datetime | None
    parcel: Parcel | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The shop's word that money was given."""

    receipt_id: str
    amount_minor: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reservation:
    """Pieces kept back for an exchange until they are dispatched or released."""

    reservation_id: str
    order_id: str
    sku: str
    quantity: int


class Shop(Protocol):
    """What a case may ask of the shop. Every call may raise ``ShopUnavailableError`` or ``ShopRefusedError``."""

    async def order(self, order_id: str) -> Order | None:
        """Return the order, or ``None`` when the shop knows none of this id."""

    async def refund(self, order_id: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        """Give back money that was paid for an order."""

    async def compensate(self, beneficiary: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        """Give money for harm done; the beneficiary is an order's id or a customer's."""

    async def reserve(self, order_id: str, sku: str, quantity: int, idempotency_key: str) -> Reservation:
        """Keep pieces back for an exchange, or raise ``OutOfStockError``."""

    async def dispatch(self, reservation: Reservation, idempotency_key: str) -> Parcel:
        """Send what was reserved."""

    async def release(self, reservation: Reservation, idempotency_key: str) -> None:
        """Put what was reserved back on the shelf."""

    async def parcel(self, carrier: str, tracking_no: str) -> list[Scan]:
        """Return a parcel's scans, oldest first; none when the carrier has not seen it yet."""

    async def ask_carrier(self, carrier: str, tracking_no: str, question: str, idempotency_key: str) -> str:
        """Ask the carrier about a parcel and return the carrier's reference."""
