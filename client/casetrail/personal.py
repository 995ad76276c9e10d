"""What the contract marks as personal: left out of a message, or taken out of it and put back."""

from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from casetrail.v1.options_pb2 import personal
from casetrail.v1.types_pb2 import PersonalFields

MessageT = TypeVar("MessageT", bound=Message)


def without_personal_data(message: MessageT) -> MessageT:
    """A copy of a message in which every field that can hold personal data is empty."""
    copy = copied(message)
    take_out(copy)
    return copy


def copied(message: MessageT) -> MessageT:
    """A copy of a message."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def may_be_personal(descriptor: Descriptor) -> bool:
    """Whether messages of a type can hold personal data."""
    return bool(_ways(descriptor))


def take_out(message: Message, path: tuple[int, ...] = ()) -> PersonalFields:
    """Empty the personal fields of a message; returns what they held.

    Args:
        message: The message.
        path: The way to it, where it is part of another one.
    """
    taken = PersonalFields()
    _take_out(message, path, taken)
    return taken


def put_back(message: Message, taken: PersonalFields) -> None:
    """Fill the personal fields of a message again.

    Raises:
        ValueError: They are not of this message.
    """
    for field in taken.fields:
        target: Any = message
        try:
            *way, last = field.path
            steps = iter(way)
            for number in steps:
                descriptor = target.DESCRIPTOR.fields_by_number[number]
                target = getattr(target, descriptor.name)
                if descriptor.is_repeated:
                    target = target[next(steps)]
            setattr(target, target.DESCRIPTOR.fields_by_number[last].name, field.value)
        except (KeyError, IndexError, TypeError, AttributeError, StopIteration) as error:
            raise ValueError(f"there is no field {list(field.path)}") from error


def _take_out(message: Message, path: tuple[int, ...], taken: PersonalFields) -> None:
    ways = _ways(message.DESCRIPTOR)
    if not ways:
        return
    for field, value in message.ListFields():
        is_personal = ways.get(field.number)
        if is_personal is None:
            continue
        here = (*path, field.number)
        if is_personal:
            taken.fields.add(path=here, value=value)
            message.ClearField(field.name)
        elif field.is_repeated:
            for index, part in enumerate(value):
                _take_out(part, (*here, index), taken)
        else:
            _take_out(value, here, taken)


@cache
def _ways(descriptor: Descriptor) -> dict[int, bool]:
    """The fields that are personal (True) and those that lead to such fields (False), by their numbers."""
    return {field.number: _is_personal(field) for field in descriptor.fields if _leads(field, frozenset())}


def _leads(field: FieldDescriptor, above: frozenset[str]) -> bool:
    """Whether a field is personal, or leads to one that is."""
    if _is_personal(field):
        return True
    below = field.message_type
    # The contract has no map with personal data in its values.
    if below is None or below.GetOptions().map_entry or below.full_name in above:
        return False
    return any(_leads(part, above | {below.full_name}) for part in below.fields)


def _is_personal(field: FieldDescriptor) -> bool:
    marked: bool = field.GetOptions().Extensions[personal]
    if marked and (field.is_repeated or field.type != FieldDescriptor.TYPE_STRING):
        raise TypeError(f"{field.full_name} is marked as personal; only a single text can be")
    return marked
