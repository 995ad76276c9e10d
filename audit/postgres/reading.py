"""Reading: a few connections that many callers share, and what they ask."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import lru_cache
from itertools import count
from typing import Any, Final

import psycopg

from audit.postgres.server import Connection, Server, is_broken, is_idle
from audit.questions import Question

_CONNECTIONS: Final = 4
_AT_ONCE: Final = 2000  # rows that are fetched at once where all are wanted

Row = tuple[Any, ...]


class Readers:
    """Reads in autocommit mode, so that each query sees what was committed when it began."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._free = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[Connection] = []

    async def read(self, question: Question) -> list[Row]:
        """All rows that a question asks for.

        A connection that broke while nobody used it is replaced, and so is one that breaks now: reading twice is
        harmless.

        Raises:
            LogUnavailableError: The database does not answer.
        """
        text = placeholders(question.text)
        for again in (False, True):
            async with self._lent() as connection:
                try:
                    with self._server.deadline(connection):
                        return await (await connection.execute(text, question.values, binary=True)).fetchall()
                except psycopg.DataError as error:
                    if "NUL" in str(error):
                        return []  # PostgreSQL holds no text with a zero character, so nothing is found by one
                    raise self._server.translated(error) from error
                except psycopg.Error as error:
                    if again or not is_broken(connection, error):
                        raise self._server.translated(error) from error
                    await connection.close()
                    await self._close_idle()  # what broke this one has broken them too
        raise AssertionError

    async def close(self) -> None:
        """Let go of all connections, those that are lent when they come back."""
        for _ in range(_CONNECTIONS):
            await self._free.acquire()
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        async with self._free:
            while self._idle and not is_idle(self._idle[-1]):
                await self._idle.pop().close()
            connection = (
                self._idle.pop() if self._idle else await self._server.connect(patience=self._server.timeouts.patience)
            )
            try:
                yield connection
            finally:
                if is_idle(connection):
                    self._idle.append(connection)
                else:
                    await connection.close()


def rows_of(connection: psycopg.Connection[Row], question: Question) -> Iterator[Row]:
    """The rows that a question asks for, one by one, within a transaction of a thread."""
    with closing(connection.cursor(f"rows_{next(_numbers)}", binary=True)) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(placeholders(question.text), question.values)
        yield from cursor


def streamed(connection: psycopg.Connection[Row], question: Question) -> Iterator[Row]:
    """The same in less time of both sides; nothing else can be asked until the last row is read."""
    with closing(connection.cursor(binary=True)) as cursor:
        yield from cursor.stream(placeholders(question.text), question.values, binary=True, size=_AT_ONCE)


_numbers = count()


@lru_cache(maxsize=512)
def placeholders(query: str) -> str:
    """A query with its `:name`s as the driver wants them."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", query)
