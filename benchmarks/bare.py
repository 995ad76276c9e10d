"""A bare batch insert: what writing the bytes of events costs a database, and nothing besides.

The rows of `event` are inserted ready made, into the same table with the same indexes and checks, with
the same durability, by one connection that does nothing else: as many to a transaction as the log writes, by
`executemany` into SQLite, by an array for each column into PostgreSQL. Nothing is looked up, numbered, hashed, signed
or projected.

Beside it, to see where an append's time goes: every row that the log writes with these events, ready made too, by the
log's own statements. That adds the case's row in the projection with its indexes, the head and the tree.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import psycopg

from audit import stores
from audit.envelope import StoredEvent
from audit.group import Group
from audit.postgres import rows
from audit.postgres.server import Server
from audit.sqlite import writer
from audit.sqlite.file import Connection, DatabaseFile

_EVENT: Final = f"{writer.EVENT} ({', '.join('?' * len(StoredEvent._fields))})"


class Bare(Protocol):
    """Writes rows in one transaction, and returns after the commit."""

    def insert(self, events: Sequence[StoredEvent]) -> None:
        """Write events."""

    def insert_all(self, group: Group) -> None:
        """Write every row that a group writes, and the head."""


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

    def insert(self, events: Sequence[StoredEvent]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(_EVENT, events)
        self._connection.execute("COMMIT")

    def insert_all(self, group: Group) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        writer.store(self._connection, group)
        self._connection.execute("COMMIT")


class _Postgres:
    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def insert(self, events: Sequence[StoredEvent]) -> None:
        with self._connection.pipeline():
            self._connection.execute("BEGIN")
            self._connection.execute(rows.EVENTS, rows.of_events(events))
            self._connection.execute("COMMIT")

    def insert_all(self, group: Group) -> None:
        with self._connection.pipeline():
            self._connection.execute("BEGIN")
            self._connection.execute(rows.WRITE, rows.values(group))
            self._connection.execute(rows.HEAD, rows.end_of(group.head))
            self._connection.execute("COMMIT")
