"""In which fields two messages of one type differ, as paths and words. Generic: it knows protobuf, no lifecycle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.short_forms import duration_text
from casetrail.words import spoken

# What tells the items of a list apart, where they have it; else their place does.
_IDENTITIES = ("clock_id", "effect_id", "parcel_id", "case_id", "sku", "name", "cause")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not the same.

    Attributes:
        path: For example `clocks[first_response#2].state`.
        old: What it was, in words; empty when there was nothing.
        new: What it is; likewise.
    """

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.path}: {self.old or 'nothing'} → {self.new or 'nothing'}"


def differences(old: Message, new: Message, zone: tzinfo | None = None) -> Iterator[Difference]:
    """Every field in which a message has changed, in the contract's order.

    Args:
        old: The message before.
        new: The message after, of the same type.
        zone: The reader's time zone; None for that of this machine.
    """
    return _of_messages(old, new, "", zone)


def _of_messages(old: Message, new: Message, path: str, zone: tzinfo | None) -> Iterator[Difference]:
    for field in cast("Sequence[FieldDescriptor]", new.DESCRIPTOR.fields):
        before, after = getattr(old, field.name), getattr(new, field.name)
        here = f"{path}.{field.name}" if path else field.name
        if _is_map(field):
            yield from _of_items(_text_items(field, before, zone), _text_items(field, after, zone), here)
        elif field.is_repeated and field.message_type:
            yield from _of_lists(before, after, here, zone)
        elif field.is_repeated:
            yield from _of_texts(_joined(field, before, zone), _joined(field, after, zone), here)
        elif _is_leaf(field):
            yield from _of_texts(_shown(old, field, zone), _shown(new, field, zone), here)
        else:
            yield from _of_messages(before, after, here, zone)


def _of_lists(old: Sequence[Message], new: Sequence[Message], path: str, zone: tzinfo | None) -> Iterator[Difference]:
    before, after = _by_identity(old), _by_identity(new)
    for identity in [*before, *(identity for identity in after if identity not in before)]:
        was, becomes = before.get(identity), after.get(identity)
        if becomes is None:
            # What it held was told when it came.
            yield Difference(f"{path}[{identity}]", "there", "")
        else:
            yield from _of_messages(was or type(becomes)(), becomes, f"{path}[{identity}]", zone)


def _by_identity(items: Sequence[Message]) -> Mapping[str, Message]:
    found: dict[str, Message] = {}
    for place, item in enumerate(items):
        name = next((name for name in _IDENTITIES if name in item.DESCRIPTOR.fields_by_name), "")
        field = cast("FieldDescriptor", item.DESCRIPTOR.fields_by_name.get(name))
        identity = _text(field, getattr(item, name), None) if name else ""
        found[identity if identity and identity not in found else f"{identity}{place}"] = item
    return found


def _of_items(old: Mapping[str, str], new: Mapping[str, str], path: str) -> Iterator[Difference]:
    for key in sorted({*old, *new}):
        yield from _of_texts(old.get(key, ""), new.get(key, ""), f"{path}[{key}]")


def _of_texts(old: str, new: str, path: str) -> Iterator[Difference]:
    if old != new:
        yield Difference(path, old, new)


def _text_items(field: FieldDescriptor, items: Mapping[Any, Any], zone: tzinfo | None) -> Mapping[str, str]:
    value = cast("FieldDescriptor", field.message_type.fields_by_name["value"])  # type: ignore[union-attr] # a map
    return {str(key): _text(value, item, zone) for key, item in items.items()}


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _is_leaf(field: FieldDescriptor) -> bool:
    return field.message_type is None or field.message_type.full_name in (
        Timestamp.DESCRIPTOR.full_name,
        Duration.DESCRIPTOR.full_name,
    )


def _joined(field: FieldDescriptor, items: Sequence[Any], zone: tzinfo | None) -> str:
    return ", ".join(_text(field, item, zone) for item in items)


def _shown(message: Message, field: FieldDescriptor, zone: tzinfo | None) -> str:
    """A single value in words; empty where there is none to speak of."""
    value = getattr(message, field.name)
    if field.has_presence:
        return _text(field, value, zone) if message.HasField(field.name) else ""
    return _text(field, value, zone) if value else ""


def _text(field: FieldDescriptor, value: Any, zone: tzinfo | None) -> str:  # noqa: ANN401 - as the field has it
    if field.enum_type:
        return spoken(field.enum_type, value)
    match value:
        case Timestamp():
            return f"{value.ToDatetime(UTC).astimezone(zone):%Y-%m-%d %H:%M:%S}"
        case Duration():
            return duration_text(value.seconds)
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
