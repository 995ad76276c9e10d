"""Stand-ins at the ports to the world outside: a mail server, a shop, and whoever wakes workflows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from activities.mail import MailRefusedError, MailUnavailableError, Message
from activities.shop import (
    Item,
    Order,
    OrderState,
    OutOfStockError,
    Parcel,
    Receipt,
    Reservation,
    Scan,
    ShopRefusedError,
    ShopUnavailableError,
)
from casetrail.v1.types_pb2 import Kind

BOUGHT = datetime(2026, 3, 1, 8, tzinfo=UTC)


@dataclass
class NotedNudges:
    """A waker that only notes whom it was asked to wake."""

    nudged: list[str] = field(default_factory=list)
    urgent: list[bool] = field(default_factory=list, compare=False)
    new: list[bool] = field(default_factory=list, compare=False)
    still_needed: list[Callable[[], bool]] = field(default_factory=list, compare=False)
    let_go: list[str] = field(default_factory=list, compare=False)

    def let_end(self, case_id: str) -> None:
        self.let_go.append(case_id)

    def nudge(
        self,
        case_id: str,
        kind: Kind.ValueType,
        still_needed: Callable[[], bool] = lambda: True,
        *,
        level: int = 0,
        urgent: bool = True,
        new: bool = False,
    ) -> None:
        self.nudged.append(case_id)
        self.urgent.append(urgent)
        self.new.append(new)
        self.still_needed.append(still_needed)


@dataclass
class Mailbox:
    """A mail server that keeps every letter, can be away, and refuses some recipients."""

    letters: list[Message] = field(default_factory=list)
    attempts: int = 0
    away_for: int = 0
    refused: set[str] = field(default_factory=set)

    async def send(self, message: Message) -> None:
        self.attempts += 1
        if self.attempts <= self.away_for:
            raise MailUnavailableError(f"no connection for {message.to}")
        if message.to in self.refused:
            raise MailRefusedError(f"550 no such mailbox: {message.to}")
        self.letters.append(message)

    def to(self, address: str) -> list[Message]:
        return [letter for letter in self.letters if letter.to == address]


@dataclass
class CornerShop:
    """A shop with one order, which does everything once for each key."""

    stock: int = 5
    refuses: dict[str, str] = field(default_factory=dict)
    away_for: int = 0
    calls: list[str] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    answers: dict[str, object] = field(default_factory=dict)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if len(self.calls) <= self.away_for:
            raise ShopUnavailableError("no connection")
        if name in self.refuses:
            raise ShopRefusedError(self.refuses[name], "the shop will not do it")

    async def order(self, order_id: str) -> Order | None:
        self._call("order")
        if order_id != "O-1":
            return None
        item = Item("SKU-1", "kettle", "kitchen", 1, 19_900)
        return Order(order_id, "cu-1", OrderState.DELIVERED, "CNY", 19_900, 0, (item,), BOUGHT, datetime.now(UTC), None)

    async def refund(self, order_id: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        self._call("refund")
        return self._receipt(amount_minor, currency, idempotency_key)

    async def compensate(self, beneficiary: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        self._call("compensate")
        return self._receipt(amount_minor, currency, idempotency_key)

    async def reserve(self, order_id: str, sku: str, quantity: int, idempotency_key: str) -> Reservation:
        self._call("reserve")
        if quantity > self.stock:
            raise OutOfStockError(sku, "none left")
        if idempotency_key not in self.answers:
            self.stock -= quantity
            self.answers[idempotency_key] = Reservation(f"RS-{len(self.answers) + 1}", order_id, sku, quantity)
        answer = self.answers[idempotency_key]
        assert isinstance(answer, Reservation)
        return answer

    async def dispatch(self, reservation: Reservation, idempotency_key: str) -> Parcel:
        self._call("dispatch")
        self.answers.setdefault(idempotency_key, Parcel("swift", f"T-{reservation.reservation_id}"))
        answer = self.answers[idempotency_key]
        assert isinstance(answer, Parcel)
        return answer

    async def release(self, reservation: Reservation, idempotency_key: str) -> None:
        self._call("release")
        if idempotency_key not in self.answers:
            self.stock += reservation.quantity
            self.answers[idempotency_key] = True

    async def parcel(self, carrier: str, tracking_no: str) -> list[Scan]:
        self._call("parcel")
        return list(self.scans)

    async def ask_carrier(self, carrier: str, tracking_no: str, question: str, idempotency_key: str) -> str:
        self._call("ask_carrier")
        return "CA-1"

    def _receipt(self, amount_minor: int, currency: str, key: str) -> Receipt:
        self.answers.setdefault(key, Receipt(f"RC-{len(self.answers) + 1}", amount_minor, currency, BOUGHT))
        answer = self.answers[key]
        assert isinstance(answer, Receipt)
        return answer


@dataclass
class Switches:
    """The fault switches of the drills' own systems."""

    down: set[tuple[str, str]] = field(default_factory=set)

    async def begin(self, drill_id: str, system: str) -> None:
        self.down.add((drill_id, system))

    async def end(self, drill_id: str, system: str) -> None:
        self.down.discard((drill_id, system))
