"""The log in one SQLite file: write-ahead log, full synchronization, one writer in each process.

Several processes may share the file. A short read is done at once on the event loop, since it takes tens of
microseconds and waits for nobody; longer ones in a thread of their own.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from audit import archive_questions
from audit.bell import Bell
from audit.envelope import StoredEvent
from audit.group import Fate, PreparedBatch
from audit.log import ClosedCase, LogDamagedError, LogUnavailableError, Verification
from audit.questions import Answer, Question
from audit.sqlite import reading, verifying
from audit.sqlite.file import Connection, DatabaseFile
from audit.sqlite.writer import Errand, Writer
from audit.store import Rows, Store
from audit.verification.kept_outside import KeptOutside

_POLL_EVERY: Final = 0.1  # seconds between looks at what other processes have committed

T = TypeVar("T")


def _microseconds() -> int:
    return time.time_ns() // 1000


class SqliteLog(Store):
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
        self._name = str(path)
        self._file = DatabaseFile(path, busy_timeout=busy_timeout)
        self._near = _Reader(self._file, busy_timeout=0)
        self._far = _Reader(self._file)
        self._thread = ThreadPoolExecutor(1, "log-reader")
        self._bell = Bell(self._watch)
        self._writer = Writer(self._file, clock=clock, on_growth=self._bell.ring)

    @property
    def groups(self) -> int:
        """How many transactions this process has committed; appended batches share them."""
        return self._writer.groups

    async def _submit(self, batch: PreparedBatch) -> Fate:
        fate: Fate = await self._writer.submit(batch)
        return fate

    async def _change(self, *changes: Question) -> Sequence[Answer]:
        self._check_open()
        answers: list[Answer] = await self._writer.submit(
            Errand(lambda connection: [reading.change(connection, change) for change in changes])
        )
        return answers

    def _removal(self, archive_id: str, cases: Sequence[ClosedCase]) -> Sequence[Question]:
        return archive_questions.removal(archive_id, cases)

    def _payload_back(self, row: StoredEvent) -> Question:
        return archive_questions.payload_back(row)

    async def _ask(self, question: Question, understand: Callable[[Rows], T], *, brief: bool = False) -> T:
        """Ask at once what is brief; where that would have to wait, and else, in the readers' thread."""
        self._check_open()
        if brief:
            with suppress(LogUnavailableError):
                return self._near.ask(question, understand)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._far.ask(question, understand))

    async def verify(self, case_id: str = "", outside: KeptOutside | None = None) -> Verification:
        """Check hashes, chain, numbering and projection of one case, or of the whole log, as of now."""
        self._check_open()
        return await verifying.verify(self._file, self._keys, case_id, outside)

    async def close(self) -> None:
        """Finish what was begun and let go of the database; followers end."""
        if self._closed:
            return
        self._closed = True
        self._bell.stop()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._thread.shutdown)
        self._far.close()
        self._near.close()
        await self._close_keys()

    async def _watch(self, ring: Callable[[], None]) -> None:
        """Look for other processes' commits; a look costs microseconds."""
        seen = None
        while True:
            try:
                version = self._near.ask(reading.DATA_VERSION, list)
            except (LogUnavailableError, LogDamagedError):
                version = None  # the listeners' own read says what is wrong
            if version is None or version != seen:
                seen = version
                ring()
            await asyncio.sleep(_POLL_EVERY)


class _Reader:
    """A connection for reading, opened anew after each error."""

    def __init__(self, file: DatabaseFile, *, busy_timeout: float | None = None) -> None:
        self._file = file
        self._busy_timeout = busy_timeout
        self._connection: Connection | None = None

    def ask(self, question: Question, understand: Callable[[Rows], T]) -> T:
        try:
            with self._file.errors():
                if self._connection is None:
                    self._connection = self._file.connect(busy_timeout=self._busy_timeout)
                return understand(reading.answer(self._connection, question))
        except (LogUnavailableError, LogDamagedError):
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
