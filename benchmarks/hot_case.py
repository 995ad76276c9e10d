"""What a command costs a case with few events, and one with thousands: by turns, so that both meet the same machine."""

import asyncio
import time
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

from benchmarks.closed_loop import TEXT
from casetrail import Client
from casetrail.commands import command
from casetrail.v1.command_pb2 import AddNote
from casetrail.v1.types_pb2 import Words

YOUNG: Final = range(10, 500)
"""The events of the young case that are timed."""

OLD: Final = range(4_510, 5_000)
"""And those of the old one: as many."""

_NOTE: Final = AddNote(words=Words(text=TEXT))
_BATCH: Final = 500


class _Case:
    """A case that gains one event with each note."""

    def __init__(self, client: Client, case_id: str, seq: int) -> None:
        self._client = client
        self._case_id = case_id
        self._seq = seq

    @classmethod
    async def opened(cls, client: Client) -> "_Case":
        answer = await client.open(
            kind="inquiry", customer="C-1", channel="web", subject="Where is my parcel?", category="order"
        )
        return cls(client, answer.case.case_id, answer.case.seq)

    async def grow(self, seq: int) -> None:
        """Take notes until the case has so many events."""
        while self._seq < seq:
            notes = [command(self._case_id, _NOTE) for _ in range(min(_BATCH, seq - self._seq))]
            results = await self._client.batch(notes)
            self._seq = results[-1].done.events[-1].seq

    async def note(self) -> float:
        """Take one note; returns how long the answer took, in seconds."""
        sent = time.perf_counter()
        await self._client.execute(self._case_id, _NOTE)
        return time.perf_counter() - sent


async def measure(client: Client) -> Mapping[str, Any]:
    """Time notes on a young and on an old case by turns.

    Returns:
        The median of each, in seconds, and how many notes that is.
    """
    young, old = await asyncio.gather(_Case.opened(client), _Case.opened(client))
    await young.grow(YOUNG.start - 1)
    await old.grow(OLD.start - 1)
    times: list[tuple[float, float]] = []
    for turn in range(len(YOUNG)):
        # Who goes first changes, so that nobody always comes after the other's commit.
        if turn % 2:
            times.append((await young.note(), await old.note()))
        else:
            late = await old.note()
            times.append((await young.note(), late))
    return {"young": median(t for t, _ in times), "old": median(t for _, t in times), "notes": len(times)}
