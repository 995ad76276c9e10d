"""Reads requests and checks them against the rules that stand in the contract."""

from typing import Final, TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

from casetrail.v1.errors_pb2 import RefusalReason
from domain.refusal import Rejected
from server.errors import InvalidRequest, Violation

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
    if found := protovalidate.collect_violations(request):
        raise InvalidRequest([_violation(each) for each in found])
    return request


def warm(kind: type[Message]) -> None:
    """Compile the rules of a message now, rather than during its first call."""
    protovalidate.collect_violations(kind())


def _violation(found: protovalidate.Violation) -> Violation:
    """Name the field as `commands[3].open.customer.email`."""
    path = ""
    for element in found.proto.field.elements if found.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return Violation(path, found.proto.message)
