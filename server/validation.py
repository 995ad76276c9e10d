"""Reads requests and checks them against the rules that stand in the contract."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

from casetrail.v1.case_service_pb2 import ExecuteRequest
from casetrail.v1.errors_pb2 import RefusalReason
from domain.refusal import Rejected
from server.errors import InvalidRequest, Violation
from server.one_action import with_one_action

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024

RequestT = TypeVar("RequestT", bound=Message)


def read(kind: type[RequestT], data: bytes) -> RequestT:
    """Read a request that keeps the rules of the contract.

    Raises:
        Rejected: It is larger than `MAX_REQUEST_BYTES`.
        InvalidRequest: It is no such message, or breaks rules; with the paths of the wrong fields.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_TOO_LARGE,
            f"the message has {len(data)} bytes; at most {MAX_REQUEST_BYTES} are taken",
        )
    try:
        request = kind.FromString(data)
    except DecodeError:
        raise InvalidRequest([Violation("", f"the bytes are no {kind.DESCRIPTOR.full_name}")]) from None
    checked = with_one_action(request, data) if isinstance(request, ExecuteRequest) else request
    if found := protovalidate.collect_violations(checked):
        raise InvalidRequest([_violation(each) for each in found])
    # PostgreSQL holds no such text, and what is refused must not depend on the database.
    if b"\0" in data and (path := _zero_character(request)):
        raise InvalidRequest([Violation(path, "a text cannot hold a zero character")])
    return request


def warm(kind: type[Message]) -> None:
    """Compile the rules of a message now, rather than during its first call."""
    protovalidate.collect_violations(kind())


def _zero_character(message: Message) -> str:
    """Path of the first text with a zero character; empty where there is none."""
    for field, value in message.ListFields():
        for each in _parts(value):
            if isinstance(each, str) and "\0" in each:
                return field.name
            if isinstance(each, Message) and (below := _zero_character(each)):
                return f"{field.name}.{below}"
    return ""


def _parts(value: Any) -> Iterable[object]:  # noqa: ANN401 - whatever a field holds
    """What a field holds: one value, or many, or the keys and values of a map."""
    if isinstance(value, Mapping):
        return [*value, *value.values()]
    if isinstance(value, Message | str | bytes) or not isinstance(value, Iterable):
        return [value]
    return value


def _violation(found: protovalidate.Violation) -> Violation:
    """Name the field as `commands[3].open.customer.email`."""
    path = ""
    for element in found.proto.field.elements if found.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return Violation(path, found.proto.message)
