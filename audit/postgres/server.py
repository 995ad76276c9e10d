"""The way to a PostgreSQL server: connections with the right settings, and errors in words that say what to do."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import conninfo, pq

from audit import tables
from audit.log import LogDamagedError, LogUnavailableError

SCHEMA: Final = "casetrail"
"""The database schema that the log's tables are in."""

# What it has to say comes as an exception too, to who can do something about it.
logging.getLogger("psycopg").setLevel(logging.ERROR)

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_FIRST_PAUSE: Final = 0.05  # seconds between attempts to connect
_LONGEST_PAUSE: Final = 0.5

# Where the URL says nothing else. A way that is cut without a word is noticed within a quarter of a minute.
_WAY: Final = {
    "application_name": "casetrail",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

# What is said of an error, by its SQLSTATE or the first two characters of it.
_ADVICE: Final = {
    "3F000": "has no tables here: run `casetrail-db init`",
    "42703": "has tables of another Casetrail: run `casetrail-db status`",
    "42501": "refuses this role: give it its rights with `casetrail-db init`",
    "25006": "may only be read: it is a standby, or was set so",
    "53100": "cannot grow because the disk is full: free some space, then ask again",
    "53300": "has too many connections: raise max_connections, or run fewer processes",
    "53": "lacks memory or disk: look at the server's log",
    "55P03": "is locked by another transaction: end what holds it, then ask again",
    "40P01": "was in a deadlock: ask again",
    "57014": "did not answer in time: ask again, or look at what the server does",
    "57": "is being shut down or started: ask again",
    "58": "cannot be read or written because the disk fails: look at the server's log",
}
_LAST_WORDS: Final = frozenset({"57P01", "57P02", "57P03"})  # it shuts down, crashed elsewhere, or starts
_DAMAGED: Final = {"XX001": "is damaged", "XX002": "has a damaged index"}

# A failed connection has no SQLSTATE, only words; these are the ones with an advice of their own.
_WORDS: Final = {
    "password authentication failed": "refuses role or password: look at CASETRAIL_LOG, or run `casetrail-db init`",
    "no password supplied": "wants a password: put it into CASETRAIL_LOG or PGPASSWORD",
    "no pg_hba.conf entry": "lets nobody in from here: look at its pg_hba.conf",
    "does not exist": "lacks this database or role: run `casetrail-db init`",
    "too many c": "has too many connections: raise max_connections, or run fewer processes",
    "connection slots are": "has too many connections: raise max_connections, or run fewer processes",
    "system is s": "is being shut down or started: ask again",
    "server closed the connection": "is being shut down or started: ask again",
    "Connection refused": "is not there: start it, or look at host and port in CASETRAIL_LOG",
}


class Timeouts(NamedTuple):
    """How long something may take, in seconds.

    Attributes:
        lock: Waiting for another process's append.
        statement: One statement, as the server counts.
        answer: One transaction, as we count: after that the way to the server is taken to be broken.
        patience: Trying to connect again, after a connection broke.
    """

    lock: float = 5.0
    statement: float = 20.0
    answer: float = 30.0
    patience: float = 3.0


class Server:
    """A database of a PostgreSQL server, by its URL.

    Attributes:
        url: Where it is; not to be shown.
        name: The URL for people: without its password, and without what is as usual.
        timeouts: What every connection keeps to.
    """

    def __init__(self, url: str, timeouts: Timeouts = Timeouts()) -> None:
        """Note where it is.

        Raises:
            ValueError: This is no URL of a PostgreSQL database.
        """
        try:
            self._url = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its words may repeat the password
            raise ValueError("no PostgreSQL URL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
        if not str(self._url.get("port", "0")).replace(",", "").isdecimal():
            raise ValueError("no PostgreSQL URL: its port is no number")
        if "@" in str(self._url.get("host", "")):
            raise ValueError("no PostgreSQL URL: an @ in user or password is written %40")
        self.url: Final = url
        self.name: Final = _shown(self._url)
        self.timeouts: Final = timeouts

    async def connect(self, *, patience: float = 0) -> Connection:
        """A new connection in autocommit mode.

        Args:
            patience: For how long to go on trying, in seconds.

        Raises:
            LogUnavailableError: There is no way to the database.
        """
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + patience, _FIRST_PAUSE
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(**self._settings(), autocommit=True)
            except psycopg.Error as error:
                if loop.time() + pause > deadline:
                    raise self.translated(error) from error
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                connection.prepare_threshold = 0  # the same few statements all day
                return connection

    def connect_for_long(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A blocking connection without time limits, for a thread that reads everything, or for an upgrade.

        Raises:
            LogUnavailableError: There is no way to the database.
        """
        return self._connect_in_thread(limited=False)

    def connect_in_thread(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A blocking connection with the usual time limits, for a thread.

        Raises:
            LogUnavailableError: There is no way to the database.
        """
        return self._connect_in_thread(limited=True)

    def _connect_in_thread(self, *, limited: bool) -> psycopg.Connection[tuple[Any, ...]]:
        with self.errors():
            return psycopg.Connection.connect(**self._settings(limited=limited))

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the driver's errors into the log's, naming the database and what to do."""
        try:
            yield
        except psycopg.Error as error:
            raise self.translated(error) from error

    @contextmanager
    def deadline(self, connection: Connection) -> Iterator[None]:
        """Within the block, a connection that does not answer for too long is hung up, which ends the wait."""
        timer = asyncio.get_running_loop().call_later(self.timeouts.answer, _hang_up, connection)
        try:
            yield
        finally:
            timer.cancel()

    def translated(self, error: psycopg.Error) -> LogUnavailableError | LogDamagedError:
        """An error in the log's terms."""
        words = " ".join(str(error).split())
        state = error.sqlstate or ""
        if isinstance(error, psycopg.errors.UndefinedTable):
            return tables.gone(self.name, error.diag.message_primary or words)
        if damaged := _DAMAGED.get(state):
            return LogDamagedError(f"the log {self.name} {damaged} ({words}): keep a copy, restore the newest backup")
        advice = _ADVICE.get(state) or _ADVICE.get(state[:2])
        if advice is None:
            advice = next((advice for part, advice in _WORDS.items() if part in words), "cannot be used")
        return LogUnavailableError(f"the log {self.name} {advice} ({words})")

    def _settings(self, *, limited: bool = True) -> dict[str, Any]:
        """What a connection is made with: the URL first, then what it leaves open."""
        return {**_WAY, **self._url, "options": f"{self._url.get('options') or ''} {self._options(limited=limited)}"}

    def _options(self, *, limited: bool) -> str:
        timeouts = self.timeouts
        settings = {
            "search_path": SCHEMA,
            "default_transaction_isolation": r"read\ committed",
            "lock_timeout": _milliseconds(timeouts.lock),
            "statement_timeout": _milliseconds(timeouts.statement if limited else 0),
            # A process that hangs while it holds the head must not stop the others for ever.
            "idle_in_transaction_session_timeout": _milliseconds(timeouts.answer if limited else 0),
        }
        return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _hang_up(connection: Connection) -> None:
    """Shut the way to the server, so that who waits for an answer gets an error."""
    if connection.closed:
        return
    with socket.socket(fileno=socket.dup(connection.fileno())) as way:
        way.shutdown(socket.SHUT_RDWR)


def _shown(url: dict[str, Any]) -> str:
    user = f"{url['user']}@" if "user" in url else ""
    port = f":{url['port']}" if "port" in url else ""
    return f"postgresql://{user}{url.get('host', '')}{port}/{url.get('dbname', '')}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def is_broken(connection: Connection, error: psycopg.Error) -> bool:
    """Whether an error ended the connection. The server's last words may come before its end is noticed."""
    return connection.closed or error.sqlstate in _LAST_WORDS


def is_idle(connection: Connection) -> bool:
    """Whether a connection can be used again: open, and in no transaction."""
    return not connection.closed and connection.info.transaction_status == pq.TransactionStatus.IDLE
