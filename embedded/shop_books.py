"""The demo shop's books and its rules: what was bought and paid, what is paid back, what is on the shelf."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from embedded.database import Database
from embedded.serving import Refusal, malformed
from embedded.shop_orders import STOCK, NewOrder, demo_orders
from embedded.shop_parcels import Parcels

Json = dict[str, Any]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, customer TEXT NOT NULL, state TEXT NOT NULL, currency TEXT NOT NULL,
    paid_minor INTEGER NOT NULL, items TEXT NOT NULL, paid_at TEXT, delivered_at TEXT,
    carrier TEXT NOT NULL, tracking_no TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS receipts (
    receipt_id TEXT PRIMARY KEY, kind TEXT NOT NULL, beneficiary TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reservations (
    reservation_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL,
    state TEXT NOT NULL);
"""

LARGEST: Final = 2**63 - 1
_USUAL_STOCK: Final = 10
_PACKING: Final = timedelta(hours=4)


class Books:
    """Orders, money and stock. Whoever calls brings the transaction."""

    def __init__(self, database: Database, parcels: Parcels, clock: Callable[[], datetime]) -> None:
        """Open the books; new ones get the demo orders."""
        self._db = database
        self._parcels = parcels
        self._clock = clock
        if not database.number("SELECT COUNT(*) FROM orders"):
            self._seed()

    def enter(self, order: NewOrder) -> Json:
        """Enter an order; what it sells is in stock from then on."""
        total = sum(goods.price_minor * goods.quantity for goods in order.goods)
        if total > LARGEST:
            raise malformed("the order's total is too large")
        if self._db.row("SELECT 1 FROM orders WHERE order_id = ?", (order.order_id,)):
            raise Refusal(409, "ORDER_EXISTS", f"there is an order {order.order_id!r}")
        items = json.dumps([asdict(goods) for goods in order.goods])
        self._db.run(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                order.order_id,
                order.customer,
                order.state,
                order.currency,
                total if order.paid_at else 0,
                items,
                _text(order.paid_at),
                _text(order.delivered_at),
                order.carrier,
                order.tracking_no,
            ),
        )
        for goods in order.goods:
            self._db.run("INSERT OR IGNORE INTO stock VALUES (?, ?)", (goods.sku, _USUAL_STOCK))
        if order.tracking_no:
            self._parcels.hand_over(order.carrier, order.tracking_no)
        return self.order(order.order_id)

    def next_order_id(self) -> str:
        """Return an id for an order that comes without one."""
        orders = self._db.number("SELECT COUNT(*) FROM orders")
        return f"T{10_001 + orders}"

    def order(self, order_id: str) -> Json:
        """Return an order with what was refunded so far."""
        row = dict(self._known_order(order_id))
        carrier, tracking_no = row.pop("carrier"), row.pop("tracking_no")
        parcel = {"carrier": carrier, "tracking_no": tracking_no} if tracking_no else None
        refunded = self._refunded(order_id)
        return {**row, "items": json.loads(row["items"]), "refunded_minor": refunded, "parcel": parcel}

    def orders(self) -> list[Json]:
        """Return all orders."""
        rows = self._db.rows("SELECT order_id FROM orders ORDER BY order_id")
        return [self.order(row["order_id"]) for row in rows]

    def refund(self, order_id: str, amount_minor: int, currency: str) -> Json:
        """Pay back, up to what was paid for the order."""
        order = self._known_order(order_id)
        _check_amount(amount_minor)
        if currency != order["currency"]:
            raise Refusal(422, "CURRENCY_MISMATCH", f"the order was paid in {order['currency']}")
        left = order["paid_minor"] - self._refunded(order_id)
        if amount_minor > left:
            raise Refusal(422, "AMOUNT_EXCEEDS_PAID", f"{left} can still be refunded")
        return self._pay("refund", order_id, amount_minor, currency)

    def compensate(self, beneficiary: str, amount_minor: int, currency: str) -> Json:
        """Pay for harm done, to the customer of an order or to a customer."""
        _check_amount(amount_minor)
        if not self._db.row("SELECT 1 FROM orders WHERE ? IN (order_id, customer)", (beneficiary,)):
            raise Refusal(404, "BENEFICIARY_UNKNOWN", f"there is no order and no customer {beneficiary!r}")
        return self._pay("compensation", beneficiary, amount_minor, currency)

    def receipts(self) -> list[Json]:
        """Return all money that was given."""
        return [dict(row) for row in self._db.rows("SELECT * FROM receipts ORDER BY receipt_id")]

    def stock(self) -> dict[str, int]:
        """Return the pieces on the shelf per SKU."""
        return {row["sku"]: row["quantity"] for row in self._db.rows("SELECT * FROM stock ORDER BY sku")}

    def count_stock(self, sku: str, quantity: int) -> dict[str, int]:
        """Set the pieces on the shelf."""
        if not 0 <= quantity <= LARGEST:
            raise malformed("'quantity' must be a number of pieces")
        self._db.run("REPLACE INTO stock VALUES (?, ?)", (sku, quantity))
        return {sku: quantity}

    def reserve(self, order_id: str, sku: str, quantity: int) -> Json:
        """Take pieces off the shelf for an exchange."""
        self._known_order(order_id)
        if quantity < 1:
            raise Refusal(422, "QUANTITY_INVALID", "at least one piece must be reserved")
        left = self.stock().get(sku)
        if left is None:
            raise Refusal(404, "SKU_UNKNOWN", f"the shop does not sell {sku!r}")
        if left < quantity:
            raise Refusal(409, "OUT_OF_STOCK", f"{left} pieces of {sku} are left")
        self.count_stock(sku, left - quantity)
        reservations = self._db.number("SELECT COUNT(*) FROM reservations")
        reservation_id = f"RS{reservations + 1:06d}"
        self._db.run(
            "INSERT INTO reservations VALUES (?, ?, ?, ?, 'reserved')",
            (reservation_id, order_id, sku, quantity),
        )
        return {"reservation_id": reservation_id, "order_id": order_id, "sku": sku, "quantity": quantity}

    def dispatch(self, reservation_id: str) -> Json:
        """Hand what was reserved to the carrier."""
        self._end_reservation(reservation_id, "dispatched")
        return self._parcels.hand_over("SF", f"SF9{reservation_id.removeprefix('RS')}")

    def release(self, reservation_id: str) -> Json:
        """Put what was reserved back on the shelf."""
        reservation = self._end_reservation(reservation_id, "released")
        sku = reservation["sku"]
        self.count_stock(sku, self.stock()[sku] + reservation["quantity"])
        return {"reservation_id": reservation_id}

    def reservations(self) -> list[Json]:
        """Return all reservations with their state."""
        return [dict(row) for row in self._db.rows("SELECT * FROM reservations ORDER BY reservation_id")]

    def _seed(self) -> None:
        with self._db.transaction():
            for sku, quantity in STOCK.items():
                self.count_stock(sku, quantity)
            for order in demo_orders(self._clock()):
                if order.tracking_no and order.paid_at:
                    start = order.paid_at + _PACKING
                    self._parcels.tell_past(order.carrier, order.tracking_no, start, order.delivered_at)
                self.enter(order)

    def _known_order(self, order_id: str) -> sqlite3.Row:
        row = self._db.row("SELECT * FROM orders WHERE order_id = ?", (order_id,))
        if row is None:
            raise Refusal(404, "ORDER_UNKNOWN", f"there is no order {order_id!r}")
        return row

    def _refunded(self, order_id: str) -> int:
        return self._db.number(
            "SELECT COALESCE(SUM(amount_minor), 0) FROM receipts WHERE kind = 'refund' AND beneficiary = ?",
            (order_id,),
        )

    def _pay(self, kind: str, beneficiary: str, amount_minor: int, currency: str) -> Json:
        receipts = self._db.number("SELECT COUNT(*) FROM receipts")
        receipt_id = f"RC{receipts + 1:06d}"
        at = self._clock().isoformat()
        self._db.run(
            "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?)",
            (receipt_id, kind, beneficiary, amount_minor, currency, at),
        )
        return {"receipt_id": receipt_id, "amount_minor": amount_minor, "currency": currency, "at": at}

    def _end_reservation(self, reservation_id: str, state: str) -> sqlite3.Row:
        row = self._db.row("SELECT * FROM reservations WHERE reservation_id = ?", (reservation_id,))
        if row is None:
            raise Refusal(404, "RESERVATION_UNKNOWN", f"there is no reservation {reservation_id!r}")
        if row["state"] != "reserved":
            raise Refusal(409, "RESERVATION_ENDED", f"{reservation_id} was {row['state']} before")
        self._db.run("UPDATE reservations SET state = ? WHERE reservation_id = ?", (state, reservation_id))
        return row


def _check_amount(amount_minor: int) -> None:
    if not 0 < amount_minor <= LARGEST:
        raise Refusal(422, "AMOUNT_INVALID", "an amount must be more than nothing")


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None
