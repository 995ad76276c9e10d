"""Commands as callers send them, and words for what came of them."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from casetrail.v1.case_pb2 import Customer
from casetrail.v1.command_pb2 import Command, Declaration, Open, ReturnRequest
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import (
    Actor,
    Channel,
    ItemState,
    Kind,
    Remedy,
    RemedyKind,
    ReturnItem,
    ReturnReason,
    Role,
    Words,
)

AMY = Actor(name="amy", role=Role.ROLE_AGENT)
DANIEL = Actor(name="daniel", role=Role.ROLE_SUPERVISOR)
ERIN = Actor(name="erin", role=Role.ROLE_DIRECTOR)
IMPORTER = Actor(name="history", role=Role.ROLE_IMPORTER)
EMAIL = "li.lei@customer.example"

_numbers = count(1)


def opening(kind: Kind.ValueType = Kind.KIND_INQUIRY, *, request_id: str = "", **more: Any) -> Command:  # noqa: ANN401 - fields of Open
    fields: dict[str, Any] = {
        "kind": kind,
        "channel": Channel.CHANNEL_CHAT,
        "customer": Customer(customer_id="cu-1", name="Li Lei", email=EMAIL, locale="en"),
        "subject": "Where is my kettle?",
        "words": Words(text="I have waited for a week."),
        **more,
    }
    if kind == Kind.KIND_RETURN:
        fields = {"order_id": "O-1", "return_request": returning()} | fields
    return Command(request_id=request_id or f"open-{next(_numbers)}", actor=AMY, open=Open(**fields))


def declaring(*, scale: float = 0, **more: Any) -> Command:  # noqa: ANN401 - fields of Declaration
    """An incident that daniel, a supervisor, declares."""
    command = opening(Kind.KIND_INCIDENT, subject="Paying fails", incident=Declaration(**more), scale=scale)
    command.open.ClearField("customer")
    command.actor.CopyFrom(DANIEL)
    return command


def returning(
    wanted: RemedyKind.ValueType = RemedyKind.REMEDY_KIND_REFUND,
    *,
    reason: ReturnReason.ValueType = ReturnReason.RETURN_REASON_CHANGED_MIND,
) -> ReturnRequest:
    remedy = Remedy(kind=wanted, amount_minor=19_900, currency="CNY")
    if wanted == RemedyKind.REMEDY_KIND_EXCHANGE:
        remedy = Remedy(kind=wanted, sku="SKU-2", quantity=1)
    return ReturnRequest(
        items=[ReturnItem(sku="SKU-1", quantity=1)],
        reason=reason,
        item_state=ItemState.ITEM_STATE_UNOPENED,
        wanted=remedy,
    )


def command(case_id: str, *, request_id: str = "", actor: Actor | None = AMY, **action: Any) -> Command:  # noqa: ANN401 - any action
    return Command(case_id=case_id, request_id=request_id or f"do-{next(_numbers)}", actor=actor, **action)


def names(events: Iterable[Event]) -> list[str]:
    return [event.WhichOneof("body") or "" for event in events]
