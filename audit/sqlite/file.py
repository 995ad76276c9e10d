"""The database file: opened with the right settings, or refused with what is wrong and what to do."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pysqlite3.dbapi2 as sqlite

from audit import tables
from audit.log import LogDamagedError, LogUnavailableError, NoLogError

SCHEMA_VERSION: Final = 8

Connection = Any
"""A connection of the driver, which has no types."""

_APPLICATION = int.from_bytes(b"CATS", "big")
_STATEMENTS = 512  # prepared ones that a connection keeps: one for each size of a group, of each table

_DAMAGED = {
    sqlite.SQLITE_CORRUPT: "is damaged",
    sqlite.SQLITE_NOTADB: "is no SQLite database",
    sqlite.SQLITE_FORMAT: "is no SQLite database",
}
_NO_TEXT = "Could not decode to UTF-8"
NO_TABLE: Final = "no such table"
"""What SQLite's error about it begins with."""

_UNAVAILABLE = {
    sqlite.SQLITE_BUSY: "is locked by another process: end what holds it, then ask again",
    sqlite.SQLITE_LOCKED: "is locked by another process: end what holds it, then ask again",
    sqlite.SQLITE_FULL: "cannot grow because the disk is full: free some space, then ask again",
    sqlite.SQLITE_READONLY: "cannot be written: give this process the right to write the file and its folder",
    sqlite.SQLITE_PERM: "cannot be opened: give this process the right to read and write it and its folder",
    sqlite.SQLITE_AUTH: "cannot be opened: give this process the right to read and write it and its folder",
    sqlite.SQLITE_CANTOPEN: "cannot be opened: its folder must exist and be writable",
    sqlite.SQLITE_IOERR: "cannot be read or written because the disk fails or is full: look at the system's log",
    sqlite.SQLITE_NOMEM: "cannot be used because memory is exhausted",
}


class DatabaseFile:
    """Where the log is, and how it is opened.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, *, busy_timeout: float, read_only: bool = False) -> None:
        """Create the file if it is missing, and its tables; bring one of an older version up to date.

        Args:
            path: The file; its folder exists.
            busy_timeout: How long to wait for another process's transaction, in seconds.
            read_only: Only look at a log of this version; nothing is created or changed.

        Raises:
            LogUnavailableError: The file cannot be used: locked, forbidden, of something else or of a newer Casetrail.
            LogDamagedError: It is no database, or a broken one.
        """
        check_sqlite(sqlite.sqlite_version)
        self.path = path
        self._busy_timeout = busy_timeout
        self._mode = "ro" if read_only else "rw"
        with self.errors():
            if read_only:
                self._look()
            else:
                self._create()
                self._settle()
        self._identity = self._identify()

    def connect(self, *, busy_timeout: float | None = None) -> Connection:
        """A new connection in autocommit mode, usable from any thread, by one at a time.

        It opens an existing file only: a log that was taken away must not begin again at nothing.

        Args:
            busy_timeout: How long to wait for another process's transaction, where not as long as usual.
        """
        return self._connect(self._mode, self._busy_timeout if busy_timeout is None else busy_timeout)

    @property
    def can_be_held(self) -> bool:
        """Whether this process may keep others from writing."""
        return os.access(self.path, os.W_OK)

    @contextmanager
    def nobody_writing(self) -> Iterator[None]:
        """While several connections begin to read: they see the same. Writers wait these milliseconds."""
        connection = self._connect("rw", self._busy_timeout)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
        finally:
            connection.close()

    def check_in_place(self) -> None:
        """Make sure that the path still leads to the file that was opened.

        Raises:
            LogUnavailableError: It was moved, deleted or replaced, so that what is written would be lost.
        """
        if self._identify() != self._identity:
            raise LogUnavailableError(
                f"the log {self.path} was moved, deleted or replaced: put it back, with its -wal file, "
                "or start again on what is there",
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the driver's errors into the log's, naming the file and what to do."""
        try:
            yield
        except sqlite.IntegrityError:
            raise
        except (sqlite.Error, OSError) as error:
            raise self._translated(error) from error

    def _connect(self, mode: str, busy_timeout: float) -> Connection:
        connection = sqlite.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=busy_timeout,
            isolation_level=None,
            cached_statements=_STATEMENTS,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = FULL")
        # Else what an INSERT OR REPLACE deletes is deleted without asking the triggers.
        connection.execute("PRAGMA recursive_triggers = ON")
        # Else what was moved, replaced or deleted stays readable in the file, also of a case that an archive has taken.
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _create(self) -> None:
        # Its owner's alone: what customers said stands in it. SQLite gives its side files the same rights.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    def _settle(self) -> None:
        connection = self.connect()
        try:
            self._use_wal(connection)
            self._check_schema(connection)
            if user_version(connection) < SCHEMA_VERSION:
                from audit.sqlite.upgrading import upgrade  # noqa: PLC0415 - Alembic takes 0.3 s, for most starts in vain

                upgrade(connection, SCHEMA_VERSION)
            connection.execute(tables.ALL.text)
        finally:
            connection.close()

    def _look(self) -> None:
        if not self.path.exists():
            raise NoLogError.of_file(self.path)
        with closing(self.connect()) as connection:
            self._check_schema(connection)
            version = user_version(connection)
            if not version:
                raise NoLogError.without_tables(self.path)
            if version < SCHEMA_VERSION:
                raise LogUnavailableError(
                    f"the log {self.path} has an older schema ({version}; this Casetrail needs {SCHEMA_VERSION}): "
                    "run `casetrail-db upgrade`"
                )
            connection.execute(tables.ALL.text)

    def _use_wal(self, connection: Connection) -> None:
        # Two processes that turn a new file to WAL at once: SQLite answers one of them "locked" without waiting.
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _check_schema(self, connection: Connection) -> None:
        ((application,),) = connection.execute("PRAGMA application_id").fetchall()
        version = user_version(connection)
        ((made,),) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        if application != _APPLICATION and made:
            raise LogUnavailableError(f"{self.path} is the database of something else: choose another file")
        if version > SCHEMA_VERSION:
            raise LogUnavailableError(
                f"the log {self.path} was written by a newer Casetrail (schema {version}; this one knows "
                f"{SCHEMA_VERSION}): run that one",
            )

    def _identify(self) -> tuple[int, int]:
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def _translated(self, error: Exception) -> LogUnavailableError | LogDamagedError:
        if isinstance(error, OSError):
            return LogUnavailableError(f"the log {self.path} cannot be opened: {error.strerror}")
        if str(error).startswith(NO_TABLE):
            return tables.gone(str(self.path), str(error))
        # SQLite keeps any bytes as text; that they are none is found by the driver.
        damaged = "holds text that is no UTF-8" if str(error).startswith(_NO_TEXT) else _DAMAGED.get(_code_of(error))
        if damaged:
            return LogDamagedError(
                f"the log {self.path} {damaged} ({error}): keep a copy of it, restore the newest backup",
            )
        return LogUnavailableError(f"the log {self.path} {trouble_of(error)} ({error})")


def user_version(connection: Connection) -> int:
    """Version of a file's schema; 0 before the first."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    return int(version)


def trouble_of(error: Exception) -> str:
    """Why a file cannot be used now, and what to do."""
    return _UNAVAILABLE.get(_code_of(error), "cannot be used")


def _code_of(error: Exception) -> int:
    """SQLite's code of an error, without its extension; 0 where it has none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def check_sqlite(version: str) -> None:
    """Refuse an SQLite that can corrupt a write-ahead log.

    The WAL-reset defect came with 3.7.0 and was repaired in 3.51.3, and in 3.50.7 and 3.44.6 of older lines.

    Raises:
        LogUnavailableError: This version has the defect, or no write-ahead log at all.
    """
    number = tuple(int(part) for part in version.split("."))
    sound = number >= (3, 51, 3) or (3, 50, 7) <= number < (3, 51) or (3, 44, 6) <= number < (3, 45)
    if not sound:
        raise LogUnavailableError(
            f"SQLite {version} can corrupt a write-ahead log (WAL-reset defect): use 3.51.3 or later, "
            "as pysqlite3 0.6.1 bundles it, or 3.50.7, or 3.44.6",
        )
