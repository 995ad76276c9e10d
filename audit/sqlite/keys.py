"""The subjects' keys in an SQLite file of their own."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import pysqlite3.dbapi2 as sqlite

from audit.key_table import Run
from audit.log import LogUnavailableError
from audit.sqlite import reading
from audit.sqlite.file import Connection, check_sqlite, trouble_of

_SCHEMA: Final = Path(__file__).parents[2] / "migrations" / "keys.sqlite.sql"
_VERSION: Final = 1
_PATIENCE: Final = 5.0  # seconds for another process's transaction

T = TypeVar("T")


class SqliteKeys:
    """A `KeyDatabase` in one file, which only its owner can read.

    There is no write-ahead log, and what is overwritten is overwritten in the file: a destroyed key is nowhere.
    """

    holding: Final = ""  # a transaction that writes is alone anyway

    def __init__(self, path: Path) -> None:
        """Open the file; make it where it is missing.

        Raises:
            LogUnavailableError: It cannot be used.
        """
        check_sqlite(sqlite.sqlite_version)
        self.name = str(path)
        self.url = f"sqlite:///{path.absolute()}"
        self._lock = threading.Lock()
        with self._errors():
            # SQLite gives its journal the same rights.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = _connect(path)
            _settle(self._connection)

    def within(self, work: Callable[[Run], T]) -> T:
        """Do some work in one transaction."""
        with self._lock, self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                done = work(lambda question: reading.change(self._connection, question))
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite ends it by itself where the disk is full
                    self._connection.execute("ROLLBACK")
                raise
            return done

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite.Error as error:
            raise LogUnavailableError(f"the subjects' keys {self.name} {trouble_of(error)} ({error})") from error
        except OSError as error:
            raise LogUnavailableError(f"the subjects' keys {self.name} cannot be opened: {error.strerror}") from error


def _connect(path: Path) -> Connection:
    connection = sqlite.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA secure_delete = ON")
    # A commit is the removal of the journal: without the folder on the disk, losing power would take it back.
    connection.execute("PRAGMA synchronous = EXTRA")
    return connection


def _settle(connection: Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version > _VERSION:
        raise sqlite.DatabaseError("they were written by a newer Casetrail: run that one")
    if version < _VERSION:
        for statement in _SCHEMA.read_text(encoding="utf-8").split(";\n"):
            connection.execute(statement)
    connection.execute("COMMIT")
