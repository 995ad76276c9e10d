"""Leaves out what the contract marks as personal, so that it does not get into Temporal's histories."""

from functools import cache
from typing import TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from casetrail.v1.options_pb2 import personal

MessageT = TypeVar("MessageT", bound=Message)


def without_personal_data(message: MessageT) -> MessageT:
    """A copy of a message in which every field that can hold personal data is empty."""
    copy = type(message)()
    copy.CopyFrom(message)
    _clear(copy)
    return copy


def _clear(message: Message) -> None:
    for name in _personal_fields(message.DESCRIPTOR):
        message.ClearField(name)
    for field, value in message.ListFields():
        if field.message_type is None or _is_map(field):
            continue
        for part in value if field.is_repeated else (value,):
            _clear(part)


def _is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map: the contract has none with personal data in its values."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


@cache
def _personal_fields(descriptor: Descriptor) -> tuple[str, ...]:
    return tuple(field.name for field in descriptor.fields if field.GetOptions().Extensions[personal])
