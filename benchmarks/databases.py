"""The databases that a log is measured on: SQLite, and a PostgreSQL of its own; every commit is on the disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import stores
from tests.postgres_server import Databases, PostgresServer

# What PostgreSQL comes with, said aloud where it matters: nothing is acknowledged before it is on the disk. Only its
# clean-up looks every second and not every minute: what a desk writes in months is written in two minutes here.
_SETTINGS: Final = ("fsync=on", "synchronous_commit=on", "full_page_writes=on", "autovacuum_naptime=1s")


@dataclass(frozen=True, slots=True)
class Database:
    """A database system.

    Attributes:
        name: What it is called.
        large: URL of a log, empty at first, as the others.
        small: Of another one.
        bare: Of a third one, into which no log is written, only rows of events.
        ready: Of a fourth one, into which every row goes that a log writes, ready made.
    """

    name: str
    large: str
    small: str
    bare: str
    ready: str


@asynccontextmanager
async def databases(folder: Path) -> AsyncIterator[list[Database]]:
    """Have them until the block ends."""
    (folder / "postgres").mkdir()
    server = await asyncio.to_thread(PostgresServer.make, folder / "postgres", _SETTINGS)
    try:
        fresh = await asyncio.to_thread(Databases, server)
        names = ("large", "small", "bare", "ready")
        yield [
            Database("SQLite", *(stores.sqlite_url(folder / f"{name}.db") for name in names)),
            Database("PostgreSQL", *[await asyncio.to_thread(fresh) for _ in names]),
        ]
    finally:
        await asyncio.to_thread(server.end)
