"""The contract's rules that a message breaks, in words that fit a file that a person wrote."""

import re
from collections.abc import Container, Iterator, Mapping
from typing import cast

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message

from casetrail import short_forms
from casetrail.file_problems import FieldPath, Finding
from casetrail.words import word_of

_EMPTY = frozenset({"string.min_len", "repeated.min_items", "map.min_pairs"})
_SECONDS = re.compile(r"\b([0-9]+)s\b")


def broken_rules(message: Message, *, hints: Mapping[str, str], leave_out: Container[str]) -> Iterator[Finding]:
    """Which field breaks which rule.

    Args:
        message: What is checked.
        hints: By the full name of a field with a pattern: what to write there, in words.
        leave_out: Ids of rules that are not looked at.
    """
    located = [
        (*_location(violation, message), violation)
        for violation in protovalidate.collect_violations(message)
        if violation.proto.rule_id not in leave_out
    ]
    for path, kind, violation in located:
        # A rule about a whole is judged when its parts are right; that one of them is missing is plain before.
        parts = any(len(path) < len(other) and other[: len(path)] == path for other, _, _ in located)
        if isinstance(kind, OneofDescriptor):
            yield Finding(path, f"needs one of {', '.join(field.name for field in kind.fields)}")
        elif not parts:
            yield Finding(path, _in_words(violation, kind, hints))


def _location(
    violation: protovalidate.Violation, message: Message
) -> tuple[FieldPath, FieldDescriptor | OneofDescriptor | None]:
    """The path of the field that breaks a rule, and the field; none where it is the message as a whole.

    Where none is there of several fields, it is the path of what should have one, and those that it could be.
    """
    path: list[str | int] = []
    kind: FieldDescriptor | None = None
    inside: Descriptor | None = cast("Descriptor", message.DESCRIPTOR)
    for step in violation.proto.field.elements if violation.proto.field else []:
        if inside is not None and step.field_name in inside.oneofs_by_name:
            return tuple(path), inside.oneofs_by_name[step.field_name]
        path.append(step.field_name)
        if step.subscript is not None:
            key = step.subscript.value
            path.append(key if step.subscript.field == "index" else str(key))
        if inside is not None:
            kind = inside.fields_by_name[step.field_name]
            inside = _value_type(kind)
    return tuple(path), kind


def _value_type(kind: FieldDescriptor) -> Descriptor | None:
    """The message that a field, an item or an entry of it is."""
    inner = kind.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return inner.fields_by_name["value"].message_type
    return inner


def _in_words(violation: protovalidate.Violation, kind: FieldDescriptor | None, hints: Mapping[str, str]) -> str:
    rule, value, wanted = violation.proto.rule_id, violation.field_value, violation.rule_value
    if rule == "required" or (rule in _EMPTY and not value):
        return "is missing"
    if kind is not None and kind.enum_type is not None and rule.startswith("enum."):
        if not value:
            return "is missing"
        allowed = [word_of(kind.enum_type, number) for number in wanted] if rule == "enum.in" else []
        instead = f"; write {', '.join(filter(None, allowed))}" if allowed else ""
        return f'"{word_of(kind.enum_type, value)}" cannot stand here{instead}'
    if rule == "string.in":
        return short_forms.unknown(value, wanted)
    if rule == "string.pattern" and kind is not None and kind.full_name in hints:
        return f"{short_forms.quoted(value)} does not fit; write {hints[kind.full_name]}" if value else "is missing"
    said = _SECONDS.sub(lambda found: short_forms.duration_text(int(found[1])), violation.proto.message)
    named = isinstance(value, str) and value and rule.startswith("string.")
    return f"{short_forms.quoted(value)} {said}" if named else said
