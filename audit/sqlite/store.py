"""The log in one SQLite file: write-ahead log, full synchronization, one writer in each process.

Several processes may share the file. A short read is done at once on the event loop, since it takes tens of
microseconds and waits for nobody; longer ones in a thread of their own.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from audit.group import CaseHasMoved, Fate, KeyIsKnown, prepare, written_events
from audit.log import (
    Appended,
    AppendResult,
    Batch,
    Behind,
    CasePage,
    Known,
    LogDamagedError,
    LogUnavailableError,
    Unserved,
    Verification,
)
from audit.projection import milliseconds
from audit.sqlite import listing, reading, verifying
from audit.sqlite.bell import Bell
from audit.sqlite.file import Connection, DatabaseFile
from audit.sqlite.writer import Errand, Writer
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.event_pb2 import Event

_PAGE: Final = 500  # events read at once while following or catching up

P = ParamSpec("P")
T = TypeVar("T")


def _microseconds() -> int:
    return time.time_ns() // 1000


class SqliteLog:
    """A `Log` in one file, for one event loop.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, *, busy_timeout: float = 5.0, clock: Callable[[], int] = _microseconds) -> None:
        """Open the file, and create it if it is missing.

        Args:
            path: The file; its folder exists.
            busy_timeout: How long to wait for another process's transaction, in seconds.
            clock: The real time in microseconds since 1970.

        Raises:
            LogUnavailableError: The file, or this SQLite, cannot be used.
            LogDamagedError: The file is broken.
        """
        self.path = path
        self._file = DatabaseFile(path, busy_timeout=busy_timeout)
        self._near = _Reader(self._file, busy_timeout=0)
        self._far = _Reader(self._file)
        self._thread = ThreadPoolExecutor(1, "log-reader")
        self._bell = Bell(lambda: self._near.read(reading.data_version))
        self._writer = Writer(self._file, clock=clock, on_growth=self._bell.ring)
        self._closed = False

    @property
    def groups(self) -> int:
        """How many transactions this process has committed; appended batches share them."""
        return self._writer.groups

    async def append(self, batch: Batch) -> AppendResult:
        """Write a batch; many callers share one commit.

        A caller that is cancelled meanwhile does not know whether it was written, and asks again with the same key.

        Raises:
            LogUnavailableError: Nothing was written.
            LogDamagedError: The log contradicts itself.
            ValueError: The batch is not one that a log can hold.
        """
        self._check_open()
        prepared = prepare(batch)
        fate: Fate = await self._writer.submit(prepared)
        if isinstance(fate, KeyIsKnown):
            known = await self.find_key(batch.case_id, batch.key)
            if known is None:
                raise ValueError(f"{batch.key} is the key of what time brought to {batch.case_id}, not of a request")
            return known
        if isinstance(fate, CaseHasMoved):
            return Behind(await self._all_after(batch.case_id, batch.expected_seq))
        return Appended(written_events(prepared, fate))

    async def find_key(self, case_id: str, key: str) -> Known | None:
        """The events that a request has written in a case, those that time owed before it included."""
        return await self._read_now(reading.find_key, case_id, key)

    async def read_case(self, case_id: str) -> Case | None:
        """The case from the projection, as of the last commit of any process."""
        return await self._read_now(reading.read_case, case_id)

    async def events(self, case_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a case, in order."""
        return await self._read(reading.events_of_case, case_id, after_seq=after_seq, limit=limit)

    async def scan(self, *, after_position: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of all cases, in the order of commits, without a gap."""
        return await self._read(reading.events_of_all, after_position=after_position, limit=limit)

    async def size(self) -> int:
        """The position of the last event."""
        return await self._read_now(reading.size)

    async def follow(self, *, after_position: int) -> AsyncIterator[Event]:
        """Every event after a position: what is there, then what comes, from any process.

        Ends when the log is closed.
        """
        with self._bell.listening():
            while not self._closed:
                heard = self._bell.rings
                events = await self.scan(after_position=after_position, limit=_PAGE)
                for event in events:
                    yield event
                    after_position = event.position
                if not events:
                    await self._bell.rung_after(heard)

    async def list_cases(self, case_filter: CaseFilter, *, page_size: int, token: str) -> CasePage:
        """Cases by filter, the newest first.

        Raises:
            ValueError: The token is of another filter, or no token.
        """
        return await self._read(listing.list_cases, case_filter, page_size=page_size, token=token)

    async def unserved(
        self, *, now: datetime, wake_grace: float, effect_grace: float, limit: int
    ) -> Sequence[Unserved]:
        """Cases whose need is not armed, or whose time or effect was not served within its grace (seconds)."""
        return await self._read(
            listing.unserved, now=now, wake_grace=wake_grace, effect_grace=effect_grace, limit=limit
        )

    async def arm(self, case_id: str, *, seq: int, wake: datetime | None, now: datetime) -> None:
        """Note that Temporal knows the case as of `seq` and will wake it at `wake`; also that it was served now."""
        values = (seq, milliseconds(wake), milliseconds(now), case_id, seq)
        await self._errand(
            lambda connection: connection.execute(
                # Answers may overtake each other: what is known of a later event stays.
                "UPDATE case_index SET armed_seq = ?, armed_wake = ?, served_at = ? "
                "WHERE case_id = ? AND coalesce(armed_seq, 0) <= ?",
                values,
            ).close(),
        )

    async def disarm_all(self) -> int:
        """Forget what Temporal knows, of every open case: its memory is another. Returns how many there are."""
        return await self._errand(
            lambda connection: int(
                connection.execute(
                    "UPDATE case_index SET armed_seq = NULL, armed_wake = NULL, served_at = NULL "
                    "WHERE live = 1 OR next_wake IS NOT NULL OR effects_since IS NOT NULL",
                ).rowcount,
            ),
        )

    async def keep_policy(self, digest: str, policy_id: str, body: bytes) -> None:
        """Keep a policy for ever, so that a case can be decided under it years later.

        Raises:
            ValueError: The digest is not the SHA-256 of the body, hex.
        """
        if hashlib.sha256(body).hexdigest() != digest:
            raise ValueError(f"{digest} is not the digest of policy {policy_id}")
        await self._errand(
            lambda connection: connection.execute(
                "INSERT INTO policy (digest, policy_id, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (digest, policy_id, body),
            ).close(),
        )

    async def policies(self) -> Sequence[tuple[str, str, bytes]]:
        """Every policy that was ever in force: digest, id, body, the oldest first."""
        return await self._read(reading.policies)

    async def remember(self, name: str, value: str) -> str | None:
        """Store a small operational fact, such as which Temporal it was; returns what was stored before."""

        def exchange(connection: Connection) -> str | None:
            before = connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchall()
            connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))
            return before[0][0] if before else None

        return await self._errand(exchange)

    async def verify(self, case_id: str = "") -> Verification:
        """Check hashes, chain, numbering and projection of one case, or of the whole log, as of now."""
        self._check_open()
        with self._file.errors():
            connection = self._file.connect()
        checking = asyncio.create_task(asyncio.to_thread(self._verify, connection, case_id))
        try:
            return await asyncio.shield(checking)
        except asyncio.CancelledError:
            if not checking.done():
                connection.interrupt()
            with suppress(LogUnavailableError):
                await checking
            raise
        finally:
            connection.close()

    async def gauges(self, *, now: datetime) -> dict[str, int]:
        """How many open cases, running and overdue clocks, and unserved cases there are."""
        return await self._read(listing.gauges, now=now)

    async def close(self) -> None:
        """Finish what was begun and let go of the database; followers end."""
        if self._closed:
            return
        self._closed = True
        self._bell.ring()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._thread.shutdown)
        self._far.close()
        self._near.close()

    def _verify(self, connection: Connection, case_id: str) -> Verification:
        with self._file.errors():
            return verifying.verify(connection, case_id)

    async def _errand(self, run: Callable[[Connection], T]) -> T:
        self._check_open()
        done: T = await self._writer.submit(Errand(run))
        return done

    async def _read(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read in the readers' thread."""
        self._check_open()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._far.read(read, *args, **kwargs))

    async def _read_now(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read at once; where that would have to wait, in the readers' thread."""
        self._check_open()
        try:
            return self._near.read(read, *args, **kwargs)
        except LogUnavailableError:
            return await self._read(read, *args, **kwargs)

    async def _all_after(self, case_id: str, seq: int) -> list[Event]:
        found: list[Event] = []
        while events := await self.events(case_id, after_seq=seq, limit=_PAGE):
            found += events
            seq = events[-1].seq
        return found

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailableError(f"the log {self.path} is closed")


class _Reader:
    """A connection for reading, opened anew after each error."""

    def __init__(self, file: DatabaseFile, *, busy_timeout: float | None = None) -> None:
        self._file = file
        self._busy_timeout = busy_timeout
        self._connection: Connection | None = None

    def read(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with self._file.errors():
                if self._connection is None:
                    self._connection = self._file.connect(busy_timeout=self._busy_timeout)
                return read(self._connection, *args, **kwargs)
        except (LogUnavailableError, LogDamagedError):
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
