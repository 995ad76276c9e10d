"""The log in a PostgreSQL database, which any number of processes on any number of machines append to and read.

Each process has one connection that writes, a few that read, and while somebody follows the log one that listens.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from typing import Final, Self, TypeVar

import psycopg

from audit.archive_questions import as_json, payload_of
from audit.bell import Bell
from audit.envelope import StoredEvent
from audit.group import Fate, PreparedBatch
from audit.log import ClosedCase, LogDamagedError, LogUnavailableError, Verification
from audit.postgres import schema, verifying
from audit.postgres.reading import Readers
from audit.postgres.rows import CHANNEL
from audit.postgres.server import Server, Timeouts
from audit.postgres.writer import Errand, Writer
from audit.questions import Answer, Question
from audit.store import Rows, Store
from audit.verification.kept_outside import KeptOutside

HAS_KEY: Final = "hashtextextended(key, 0) = hashtextextended(:key, 0) AND key = :key"
"""How it is said of a row that it has a key: the index has keys by their hash."""

_LOOK_EVERY: Final = 1.0  # seconds between looks where no notification comes
_MANY: Final = 50  # rows that are better understood in another thread

T = TypeVar("T")


def _microseconds() -> int:
    return time.time_ns() // 1000


class PostgresLog(Store):
    """A `Log` in one database, for one event loop."""

    _has_key = HAS_KEY

    def __init__(self, server: Server, *, clock: Callable[[], int] = _microseconds) -> None:
        """Work on a database whose schema is right; `open` finds out whether it is."""
        self._name = server.name
        self._server = server
        self._readers = Readers(server)
        self._bell = Bell(self._watch)
        self._writer = Writer(server, clock=clock, on_growth=self._bell.ring)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        timeouts: Timeouts = Timeouts(),
        clock: Callable[[], int] = _microseconds,
    ) -> Self:
        """Open the log in a database that `casetrail-db init` has prepared. Nothing in it is changed.

        Args:
            url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or whatever else libpq takes.
            timeouts: How long something may take.
            clock: The real time in microseconds since 1970.

        Raises:
            ValueError: The URL is none.
            LogUnavailableError: The database is not there, does not let us in, or has not the schema that this
                version of Casetrail works with.
        """
        server = Server(url, timeouts)
        await schema.check_at(server)
        return cls(server, clock=clock)

    @property
    def groups(self) -> int:
        """How many transactions this process has committed; appended batches share them."""
        return self._writer.groups

    async def verify(self, case_id: str = "", outside: KeptOutside | None = None) -> Verification:
        """Check hashes, chain, numbering and projection of one case, or of the whole log, as of now."""
        self._check_open()
        return await verifying.verify(self._server, self._keys, case_id, outside)

    async def close(self) -> None:
        """Finish what was begun and let go of the database; followers end."""
        if self._closed:
            return
        self._closed = True
        self._bell.stop()
        await self._writer.stop()
        await self._readers.close()
        await self._close_keys()

    async def _submit(self, batch: PreparedBatch) -> Fate:
        fate: Fate = await self._writer.submit(batch)
        return fate

    async def _change(self, *changes: Question) -> Sequence[Answer]:
        self._check_open()
        answers: list[Answer] = await self._writer.submit(Errand(changes))
        return answers

    def _removal(self, archive_id: str, cases: Sequence[ClosedCase]) -> Sequence[Question]:
        return [
            Question(
                "SELECT archive_cases(:archive_id, :cases::jsonb)", {"archive_id": archive_id, "cases": as_json(cases)}
            )
        ]

    def _payload_back(self, row: StoredEvent) -> Question:
        return Question("SELECT restore_payload(:pos, :dek_id, :payload)", payload_of(row))

    async def _ask(self, question: Question, understand: Callable[[Rows], T], *, brief: bool = False) -> T:
        self._check_open()
        rows = await self._readers.read(question)
        if brief or len(rows) < _MANY:
            return understand(rows)
        return await asyncio.to_thread(understand, rows)

    async def _watch(self, ring: Callable[[], None]) -> None:
        """Ring when a commit is notified, and every second: a notification may get lost with its connection."""
        while True:
            # The listeners' own read says what is wrong.
            with suppress(LogUnavailableError, LogDamagedError, psycopg.Error):
                async with await self._server.connect() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    ring()  # what was committed before the first notification
                    while not connection.closed:
                        async with aclosing(connection.notifies(timeout=_LOOK_EVERY, stop_after=1)) as notified:
                            async for _ in notified:
                                pass
                        ring()
            ring()
            await asyncio.sleep(_LOOK_EVERY)
