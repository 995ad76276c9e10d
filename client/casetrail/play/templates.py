"""Texts with cells in them: `Caller {caller_id}`, `{caller_id|slug}@example.test`."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from casetrail.file_problems import FieldPath

_PART = re.compile(r"\{\{|\}\}|\{([^{}|]+)(?:\|([^{}|]*))?\}|[{}]")


class TemplateError(ValueError):
    """A text is no template."""


def slug(text: str) -> str:
    """Make one word of small letters, digits and dashes: `Caller 2403` is `caller-2403`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


_FORMS: dict[str, Callable[[str], str]] = {"": str, "slug": slug}


@dataclass(frozen=True, slots=True)
class Template:
    """A text with cells in it.

    Attributes:
        parts: Plain texts, and cells as (column, form).
    """

    parts: tuple[str | tuple[str, str], ...]

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it takes cells from."""
        return frozenset(part[0] for part in self.parts if isinstance(part, tuple))

    def fill(self, cells: Mapping[str, str]) -> str:
        """Put a row's cells in."""
        return "".join(part if isinstance(part, str) else _FORMS[part[1]](cells[part[0]]) for part in self.parts)


@cache
def parse(text: str) -> Template:
    """Read a template.

    Raises:
        TemplateError: A brace stands alone, or a form is unknown.
    """
    parts: list[str | tuple[str, str]] = []
    end = 0
    for found in _PART.finditer(text):
        parts.append(text[end : found.start()])
        parts.append(_part(found))
        end = found.end()
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part))


def _part(found: re.Match[str]) -> str | tuple[str, str]:
    whole, column, form = found.group(0), found.group(1), found.group(2) or ""
    if whole in ("{{", "}}"):
        return whole[0]
    if column is None:
        raise TemplateError(f"`{whole}` stands alone; write `{whole * 2}` for the brace itself")
    if form not in _FORMS:
        raise TemplateError(f"`{whole}`: there is no form `{form}`; use `slug`")
    return column, form


def texts(message: Message) -> Iterator[str]:
    """Every text in a message and the messages in it."""
    return (text for _, text in texts_at(message))


def texts_at(message: Message, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """Every text in a message and the messages in it, with where it stands."""
    for field, value in message.ListFields():
        single = isinstance(value, Message | str)
        if field.type not in (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_STRING):
            continue
        for number, item in enumerate([value] if single else value):
            here = (*path, field.name) if single else (*path, field.name, number)
            if isinstance(item, Message):
                yield from texts_at(item, here)
            else:
                yield here, item


def fill_texts(message: Message, cells: Mapping[str, str]) -> None:
    """Take every text in a message for a template and put a row's cells in."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                fill_texts(inner, cells)
        elif field.type == FieldDescriptor.TYPE_STRING:
            if isinstance(value, str):
                setattr(message, field.name, parse(value).fill(cells))
            else:
                value[:] = [parse(text).fill(cells) for text in value]
