"""The orders that a new demo shop starts with: one for each situation that a case may meet.

Always the same orders; their times are relative to the moment when the shop is first opened, because what a
customer may ask depends on how long ago the parcel came.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Goods:
    """What is sold: the price is that of one piece."""

    sku: str
    title: str
    category: str
    price_minor: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be entered into the shop's books."""

    order_id: str
    customer: str
    state: str
    goods: tuple[Goods, ...]
    currency: str = "CNY"
    paid_at: datetime | None = None
    delivered_at: datetime | None = None
    carrier: str = ""
    tracking_no: str = ""


SHIRT = Goods("SHIRT-M", "棉质衬衫 M 码", "apparel", 19_900)
PHONE = Goods("PHONE-X", "智能手机 X", "electronics", 329_900)
PHONE_CASE = Goods("CASE-X", "手机壳", "accessories", 4_900)
KETTLE = Goods("KETTLE-1", "电热水壶", "home", 15_900)
RING = Goods("RING-ENGRAVED", "刻字戒指", "custom_made", 88_000)
CHERRIES = Goods("CHERRIES-2KG", "车厘子 2 公斤", "fresh", 16_800)
DRESS = Goods("DRESS-S", "连衣裙 S 码", "apparel", 45_900)
BLENDER = Goods("BLENDER-2", "破壁机", "home", 59_900)

STOCK = {
    SHIRT.sku: 100,
    PHONE.sku: 20,
    PHONE_CASE.sku: 500,
    KETTLE.sku: 50,
    RING.sku: 0,
    CHERRIES.sku: 30,
    DRESS.sku: 0,
    BLENDER.sku: 10,
}


def demo_orders(now: datetime) -> Iterator[NewOrder]:
    """Write the demo orders as of an instant."""
    yield _delivered("D1001", "customer-1", now - 2 * _DAY, SHIRT)
    yield _delivered("D1002", "customer-1", now - 20 * _DAY, PHONE, PHONE_CASE)
    yield _delivered("D1003", "customer-2", now - 3 * _DAY, RING)
    yield _delivered("D1004", "customer-2", now - 6 * _HOUR, CHERRIES)
    yield _delivered("D1005", "customer-3", now - 5 * _DAY, DRESS)
    yield _delivered("D1006", "customer-4", now - 10 * _DAY, KETTLE)
    yield _dispatched("D1007", "customer-5", now - 1 * _DAY, BLENDER)
    yield _dispatched("D1008", "customer-6", now - 4 * _DAY, SHIRT)
    yield NewOrder("D1009", "customer-7", "paid", (KETTLE,), paid_at=now - 3 * _HOUR)
    yield NewOrder("D1010", "customer-7", "unpaid", (PHONE,))
    yield NewOrder("D1011", "customer-8", "cancelled", (SHIRT,), paid_at=now - 9 * _DAY)


def _delivered(order_id: str, customer: str, at: datetime, *goods: Goods) -> NewOrder:
    paid_at = at - 3 * _DAY
    tracking_no = f"SF{order_id[1:]}0001"
    return NewOrder(order_id, customer, "delivered", goods, "CNY", paid_at, at, "SF", tracking_no)


def _dispatched(order_id: str, customer: str, paid_at: datetime, *goods: Goods) -> NewOrder:
    tracking_no = f"SF{order_id[1:]}0001"
    return NewOrder(order_id, customer, "dispatched", goods, "CNY", paid_at, None, "SF", tracking_no)
