"""What a case may touch outside: a real one the world, one of a drill only what the drill has for itself.

Whoever does something for a case gets the outside from the errand, and has no other way out. So nothing of a drill
reaches a real customer, whichever activity it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NoReturn, Protocol

from activities.mail import Mailer, Message
from activities.shop import Order, Parcel, Receipt, Reservation, Scan, Shop, ShopRefusedError
from casetrail.v1.case_pb2 import Case

DRILL_HEADER: Final = "X-Casetrail-Drill"
MARK: Final = "[DRILL 演练]"
DEFAULT_SINK: Final = "drill+{drill}@localhost"

_NOTE: Final = "This is a drill. 这是一次演练。 Nothing of it concerns a real customer. {drill_id}"


@dataclass(frozen=True, slots=True)
class Outside:
    """What there is outside for a case."""

    mailer: Mailer
    shop: Shop


class Faults(Protocol):
    """Systems of a drill that can really be made to fail, for this drill and no other."""

    async def begin(self, drill_id: str, system: str) -> None:
        """Let `shop` or `mail` stop answering to a drill.

        Raises:
            FaultsUnavailableError: It cannot be done now.
            NoSuchSystemError: It can never be done here.
        """

    async def end(self, drill_id: str, system: str) -> None:
        """Let it answer again. Raises likewise."""


class FaultsUnavailableError(Exception):
    """Transient: the system that is to fail, or to answer again, cannot be told now."""


class NoSuchSystemError(Exception):
    """Final: drills have no such system here."""

    def __init__(self, system: str) -> None:
        """Say which."""
        super().__init__(f"drills have no {system} of their own here that could fail")


@dataclass(frozen=True, slots=True)
class NoFaults:
    """Nothing can be made to fail."""

    async def begin(self, drill_id: str, system: str) -> None:
        """Refuse."""
        del drill_id
        raise NoSuchSystemError(system)

    async def end(self, drill_id: str, system: str) -> None:
        """Refuse."""
        del drill_id
        raise NoSuchSystemError(system)


@dataclass(frozen=True, slots=True)
class NoShop:
    """The shop of drills where they have none of their own: it knows nothing and does nothing."""

    async def order(self, order_id: str) -> Order | None:
        """Know no order."""
        del order_id
        return None

    async def refund(self, order_id: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        """Refuse."""
        del order_id, amount_minor, currency, idempotency_key
        _refuse()

    async def compensate(self, beneficiary: str, amount_minor: int, currency: str, idempotency_key: str) -> Receipt:
        """Refuse."""
        del beneficiary, amount_minor, currency, idempotency_key
        _refuse()

    async def reserve(self, order_id: str, sku: str, quantity: int, idempotency_key: str) -> Reservation:
        """Refuse."""
        del order_id, sku, quantity, idempotency_key
        _refuse()

    async def dispatch(self, reservation: Reservation, idempotency_key: str) -> Parcel:
        """Refuse."""
        del reservation, idempotency_key
        _refuse()

    async def release(self, reservation: Reservation, idempotency_key: str) -> None:
        """Refuse."""
        del reservation, idempotency_key
        _refuse()

    async def parcel(self, carrier: str, tracking_no: str) -> list[Scan]:
        """Know no parcel."""
        del carrier, tracking_no
        return []

    async def ask_carrier(self, carrier: str, tracking_no: str, question: str, idempotency_key: str) -> str:
        """Refuse."""
        del carrier, tracking_no, question, idempotency_key
        _refuse()


def _refuse() -> NoReturn:
    raise ShopRefusedError("DRILL", "a drill does not reach the shop")


def sink_of(sink: str, drill_id: str) -> str:
    """The address that stands for everybody in one drill."""
    return sink.replace("{drill}", drill_id)


def _no_shop(drill_id: str) -> Shop:
    del drill_id
    return NoShop()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What drills have for themselves, each its own.

    Attributes:
        mailer: Takes their letters, which all go to the sink.
        sink: The address that stands for everybody; `{drill}` in it is the drill's number.
        shop: The shop of a drill; without one the shop is not reached.
        faults: What can be made to fail.
    """

    mailer: Mailer
    sink: str = DEFAULT_SINK
    shop: Callable[[str], Shop] = _no_shop
    faults: Faults = NoFaults()

    def of(self, drill_id: str) -> Outside:
        """The outside of one drill's cases."""
        return Outside(SinkMailer(self.mailer, sink_of(self.sink, drill_id), drill_id), self.shop(drill_id))


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, and which of it a case may touch."""

    real: Outside
    rehearsal: Rehearsal

    def of(self, case: Case) -> Outside:
        """What a case may touch."""
        return self.rehearsal.of(case.drill_id) if case.is_drill else self.real


@dataclass(frozen=True, slots=True)
class SinkMailer:
    """Sends every letter of a drill to the sink, and says that it is a drill."""

    mailer: Mailer
    sink: str
    drill_id: str

    async def send(self, message: Message) -> None:
        """Send a letter to the sink, or raise ``MailUnavailableError`` or ``MailRefusedError``."""
        headers: Mapping[str, str] = {**message.headers, DRILL_HEADER: self.drill_id}
        note = _NOTE.format(drill_id=self.drill_id)
        await self.mailer.send(
            replace(
                message,
                to=self.sink,
                subject=f"{MARK} {message.subject}",
                text=f"{note}\n\n{message.text}",
                headers=headers,
            )
        )
