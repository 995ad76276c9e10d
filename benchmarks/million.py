"""A log of a million events: written as fast as it goes, then paged through, verified and weighed."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import islice, zip_longest
from statistics import median
from typing import Any, Final

import psycopg

from audit import stores
from audit.log import Appended, Batch, Log
from benchmarks.lives import batches_of, lives
from domain import Rulebook
from engine.rulebooks import Rulebooks

_AT_ONCE: Final = 256  # cases that are led side by side
_PAGE: Final = 1000


async def fill(logs: Sequence[Log], rules: Rulebook, *, events: int) -> Mapping[str, Any]:
    """Simulate cases, and write each to all logs, until they have so many events.

    Returns:
        Events a second, the simulation and all logs together.
    """
    began = time.perf_counter()
    for log in logs:
        await Rulebooks.keep(log, rules.policy)
    sizes = [await log.size() for log in logs]
    written, cases = 0, lives(rules)
    while written + min(sizes) < events:
        led = [batches_of(steps) for steps in islice(cases, _AT_ONCE)]
        # The first batch of each case, then the second of each, as when many callers come.
        turns = [[batch for batch in turn if batch is not None] for turn in zip_longest(*led)]
        await asyncio.gather(*(_append(log, turns) for log in logs))
        written += sum(len(batch.events) for turn in turns for batch in turn)
    return {"written": written / (time.perf_counter() - began)}


async def _append(log: Log, turns: Sequence[Sequence[Batch]]) -> None:
    for turn in turns:
        for result in await asyncio.gather(*map(log.append, turn)):
            if not isinstance(result, Appended):
                raise TypeError(f"a new batch was answered with {result}")


async def page(log: Log) -> Mapping[str, Any]:
    """Read all events, a page after the other.

    Returns:
        Events a second, and the median seconds of a page in the first and in the last tenth.
    """
    times: list[float] = []
    position, events = 0, 0
    began = time.perf_counter()
    while True:
        asked = time.perf_counter()
        found = await log.scan(after_position=position, limit=_PAGE)
        if not found:
            break
        times.append(time.perf_counter() - asked)
        position, events = found[-1].position, events + len(found)
    tenth = max(1, len(times) // 10)
    return {
        "events": events,
        "rate": events / (time.perf_counter() - began),
        "first": median(times[:tenth]),
        "last": median(times[-tenth:]),
    }


async def verify(log: Log) -> Mapping[str, Any]:
    """Check all of it, as `VerifyCase` does.

    Raises:
        ValueError: It is not whole.
    """
    began = time.perf_counter()
    verified = await log.verify()
    took = time.perf_counter() - began
    if verified.findings:
        raise ValueError(f"the log that was just written is not whole: {verified.findings[0]}")
    return {"events": verified.events, "cases": verified.cases, "rate": verified.events / took}


def weigh(url: str) -> int:
    """Bytes of the database: all tables and indexes, and what its files have besides."""
    if path := stores.sqlite_path(url):
        return path.stat().st_size
    with psycopg.connect(url) as connection:
        ((size,),) = connection.execute("SELECT pg_database_size(current_database())").fetchall()
    return int(size)
