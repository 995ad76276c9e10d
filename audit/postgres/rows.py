"""The rows of a group, written by one statement, with an array for each column.

The statement is the same however many rows there are, so the server prepares it once. The driver would put each array
together element by element, asking each time what it is; here arrays are packed at once into the form that the server
reads.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg import postgres, pq
from psycopg.adapt import Dumper

from audit.envelope import EVENT_COLUMNS, StoredEvent
from audit.group import INDEX_COLUMNS, INDEX_CONFLICT, NEED_COLUMNS, NEED_CONFLICT, Group, Head

CHANNEL: Final = "casetrail"
"""What is notified of the log's new size by each commit that adds events."""

_HEAD: Final = struct.Struct(">iiIii")  # dimensions, whether there are nulls, the elements' type, how many, from which
_EMPTY: Final = struct.Struct(">iiI")
_LENGTH: Final = struct.Struct(">i")
_BIGINT: Final = struct.Struct(">iq")  # length and value
_NULL: Final = _LENGTH.pack(-1)


class _Array(bytes):
    """An array as the server reads it."""


class _Bigints(_Array):
    pass


class _Texts(_Array):
    pass


class _Byteas(_Array):
    pass


_OIDS: Final = {name: postgres.types[name].oid for name in ("int8", "text", "bytea")}


def _array(element: str, parts: Sequence[bytes]) -> bytes:
    oid = _OIDS[element]
    head = _HEAD.pack(1, _NULL in parts, oid, len(parts), 1) if parts else _EMPTY.pack(0, 0, oid)
    return head + b"".join(parts)


def _bigints(values: Iterable[int | None]) -> _Bigints:
    return _Bigints(_array("int8", [_NULL if value is None else _BIGINT.pack(8, value) for value in values]))


def _texts(values: Iterable[str]) -> _Texts:
    return _Texts(_array("text", [_measured(value.encode()) for value in values]))


def _byteas(values: Iterable[bytes]) -> _Byteas:
    return _Byteas(_array("bytea", [_measured(value) for value in values]))


def _measured(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


class _Packed(Dumper):
    """Passes an array on as it is."""

    format = pq.Format.BINARY

    def dump(self, obj: _Array) -> _Array:
        return obj


def _teach(kind: type[_Array], element: str) -> None:
    dumper = type(f"{kind.__name__}Dumper", (_Packed,), {"oid": postgres.types[element].array_oid})
    psycopg.adapters.register_dumper(kind, dumper)


_teach(_Bigints, "int8")
_teach(_Texts, "text")
_teach(_Byteas, "bytea")

_PACK: Final[Mapping[str, Callable[[Iterable[Any]], _Array]]] = {"bigint": _bigints, "text": _texts, "bytea": _byteas}

_EVENT: Final = ("bigint", "text", "bigint", "text", "bigint", "bytea", "bytea", "bigint", "text", "bytea")
"""Types of EVENT_COLUMNS; what is an integer in the table is made one of by the server."""

_SUBTREE: Final = ("bigint", "bigint", "bytea")
_INDEX: Final = tuple(
    {
        **dict.fromkeys(("case_id", "category", "owner", "team", "customer_id", "order_id", "drill_id"), "text"),
        **dict.fromkeys(("leaf_hash", "body"), "bytea"),
    }.get(name, "bigint")
    for name in INDEX_COLUMNS
)
_NEED: Final = ("bigint",) * len(NEED_COLUMNS)


_ROWS_OF: Final = "SELECT * FROM unnest"


def _insertion(into: str, types: Sequence[str]) -> str:
    """Insert rows that come as `columns` of these types."""
    arrays = ", ".join(f"%b::{type_}[]" for type_ in types)
    return f"INSERT INTO {into} {_ROWS_OF}({arrays})"


def _columns(types: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[_Array]:
    """Rows as an array for each column."""
    turned = list(zip(*rows, strict=True)) or [()] * len(types)
    return [_PACK[type_](column) for type_, column in zip(types, turned, strict=True)]


EVENTS: Final = _insertion(f"event ({EVENT_COLUMNS})", _EVENT)
"""Writes what `of_events` says."""

_UNNEEDED: Final = "DELETE FROM need WHERE opened = ANY(%b::bigint[])"
_UNLESS_ERASED: Final = "1 / (NOT EXISTS (SELECT FROM erased_key WHERE dek_id = ANY(%b::text[])))::integer"

WRITE: Final = f"""
  WITH
  events AS ({EVENTS}),
  subtrees AS ({_insertion("subtree", _SUBTREE)}),
  cases AS ({_insertion(f"case_index ({', '.join(INDEX_COLUMNS)})", _INDEX)} {INDEX_CONFLICT}),
  needs AS ({_insertion(f"need ({', '.join(NEED_COLUMNS)})", _NEED)} {NEED_CONFLICT}),
  unneeding AS ({_UNNEEDED})
  SELECT pg_notify('{CHANNEL}', %b), {_UNLESS_ERASED}
"""
"""Writes what `values` says; divides by zero where one of the keys that it must not find is erased."""

HEAD: Final = "UPDATE log_head SET size = %s, frontier = %s"
"""Moves the head to where `end_of` says."""


def end_of(head: Head) -> tuple[int, bytes]:
    """Where the log ends, as its head keeps it."""
    return head.size, head.frontier.stored


def of_events(events: Sequence[StoredEvent]) -> list[_Array]:
    """Events, for `EVENTS`."""
    return _columns(_EVENT, events)


def values(group: Group, *, unless_erased: Iterable[str] = ()) -> list[Any]:
    """All that a group writes but the head, for `WRITE`.

    Args:
        group: The group.
        unless_erased: Keys of personal data; where one of them is erased nothing is written.
    """
    return [
        *of_events(group.events),
        *_columns(_SUBTREE, group.growth.subtrees),
        *_columns(_INDEX, group.index.values()),
        *_columns(_NEED, group.needs.values()),
        _bigints(group.unneeding),
        str(group.head.size),
        _texts(unless_erased),
    ]
