"""The subjects' keys in a PostgreSQL schema of their own, `casetrail_keys`, of any database that was prepared."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import psycopg

from audit.key_table import Run
from audit.log import LogUnavailableError
from audit.postgres.reading import placeholders
from audit.postgres.server import Server
from audit.questions import Answer, Question

SCHEMA: Final = "casetrail_keys"
"""The database schema that the keys are in."""

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")


class PostgresKeys:
    """A `KeyDatabase` in one schema."""

    holding: Final = " FOR SHARE"

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            LogUnavailableError: The database cannot be used, or was not prepared.
            ValueError: The URL is none.
        """
        self._server = Server(url)
        self.name = self._server.name
        self.url = url
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self.within(lambda run: run(Question("SELECT count(*) FROM kek", {})))

    def within(self, work: Callable[[Run], T]) -> T:
        """Do some work in one transaction; once more on a new connection where the first one broke.

        Raises:
            LogUnavailableError: The database cannot be used.
            ValueError: It cannot hold a name.
        """
        with self._lock:
            for again in (False, True):
                connection = self._connected()
                try:
                    with connection.transaction():
                        return work(partial(_run, connection))
                except psycopg.OperationalError as error:
                    broken = connection.closed
                    self._disconnect()
                    if again or not broken:
                        raise self._translated(error) from error
                except psycopg.DataError as error:
                    raise ValueError(f"PostgreSQL cannot hold this: {error}") from error
                except psycopg.Error as error:
                    self._disconnect()
                    raise self._translated(error) from error
        raise AssertionError

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._disconnect()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._server.connect_in_thread()
            self._connection.autocommit = True
            self._connection.execute(f"SET search_path = {SCHEMA}")
            # What is encrypted with a key is acknowledged only when the key is on the disk.
            self._connection.execute("SET synchronous_commit = on")
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _translated(self, error: psycopg.Error) -> Exception:
        if isinstance(error, psycopg.errors.UndefinedTable):
            return LogUnavailableError(
                f"the subjects' keys: {self.name} has no tables for them: restore them, or where there never were any, "
                f"run `casetrail-db init` ({error.diag.message_primary})"
            )
        translated = self._server.translated(error)
        return LogUnavailableError(f"the subjects' keys: {translated}")


def _run(connection: Connection, question: Question) -> Answer:
    cursor = connection.execute(placeholders(question.text), question.values, binary=True)
    return Answer(cursor.fetchall() if cursor.description else [], cursor.rowcount)
