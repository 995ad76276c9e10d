"""A bare batch insert: what writing the bytes of events costs a database, and nothing besides.

The rows of `event` and `payload` are inserted ready made, into the same tables with the same indexes and checks, with
the same durability, by one connection that does nothing else: as many to a transaction as the log writes, by
`executemany` into SQLite, by an array for each column into PostgreSQL. Nothing is looked up, numbered, hashed, signed
or projected.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from audit import stores
from audit.envelope import EVENT_COLUMNS, StoredEvent
from audit.postgres.server import Server
from audit.sqlite.file import Connection, DatabaseFile

_EVENT = ("bigint", "text", "integer", "text", "integer", "text", "bytea", "bytea", "bigint")
_PAYLOAD = ("bigint", "text", "bytea")
_EVENT_INTO = f"event ({', '.join(EVENT_COLUMNS)})"


class Bare(Protocol):
    """Writes rows in one transaction."""

    def insert(self, rows: Sequence[StoredEvent]) -> None:
        """Return after the commit."""


@contextmanager
def opened(url: str) -> Iterator[Bare]:
    """Write into a database that has a log's tables, and into which no log is written."""
    if path := stores.sqlite_path(url):
        connection = DatabaseFile(Path(path), busy_timeout=5.0).connect()
        try:
            yield _Sqlite(connection)
        finally:
            connection.close()
        return
    with Server(url).connect_for_long() as postgres:
        postgres.autocommit = True
        yield _Postgres(postgres)


class _Sqlite:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, rows: Sequence[StoredEvent]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        marks = ", ".join("?" * len(EVENT_COLUMNS))
        self._connection.executemany(
            f"INSERT INTO {_EVENT_INTO} VALUES ({marks})",  # noqa: S608 - our own names
            [row[: len(EVENT_COLUMNS)] for row in rows],
        )
        self._connection.executemany(
            "INSERT INTO payload VALUES (?, ?, ?)", [(row.position, row.dek_id, row.payload) for row in rows]
        )
        self._connection.execute("COMMIT")


class _Postgres:
    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def insert(self, rows: Sequence[StoredEvent]) -> None:
        with self._connection.pipeline():
            self._connection.execute("BEGIN")
            self._insert(_EVENT_INTO, _EVENT, [row[: len(EVENT_COLUMNS)] for row in rows])
            self._insert("payload", _PAYLOAD, [(row.position, row.dek_id, row.payload) for row in rows])
            self._connection.execute("COMMIT")

    def _insert(self, table: str, types: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        arrays = ", ".join(f"%b::{type_}[]" for type_ in types)
        self._connection.execute(
            f"INSERT INTO {table} SELECT * FROM unnest({arrays})",  # noqa: S608 - our own names
            [list(column) for column in zip(*rows, strict=True)],
        )
