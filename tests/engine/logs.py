"""Logs with something in their way, over a real one."""

import asyncio
from typing import Any, cast

from audit.log import AppendResult, Batch, Log, LogUnavailableError


class _Around:
    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the log has there
        return getattr(self._log, name)


class AnswersThatGetLost(_Around):
    """Commits, and never tells: as for a caller who hangs up."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.committed = asyncio.Event()

    async def append(self, batch: Batch) -> AppendResult:
        await self._log.append(batch)
        self.committed.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody comes here")


class OftenUnavailable(_Around):
    """Cannot be used while it is told so."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.away = False

    async def append(self, batch: Batch) -> AppendResult:
        if self.away:
            raise LogUnavailableError("disk full")
        return await self._log.append(batch)


class CountingReads(_Around):
    """Counts what is asked besides appending."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.reads: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the log has there
        if name != "append":
            self.reads.append(name)
        return super().__getattr__(name)


def as_log(around: _Around) -> Log:
    return cast("Log", around)
