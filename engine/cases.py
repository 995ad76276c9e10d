"""The cases that this process knows: a cache, never the truth."""

from asyncio import Lock
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice

from casetrail.v1.case_pb2 import Case


class Held:
    """One case as this process last saw it, changed only by whoever holds it.

    Attributes:
        case: The fold, perhaps behind the log; None when nothing is known. It is replaced, never changed.
        armed: When its workflow is believed to wake, in real time; None when nothing is known of that.
    """

    __slots__ = ("_users", "armed", "case", "lock")

    def __init__(self) -> None:
        self.case: Case | None = None
        self.armed: datetime | None = None
        self.lock = Lock()
        self._users = 0

    @property
    def in_use(self) -> bool:
        """Whether somebody holds the case or waits for it."""
        return self._users > 0

    @asynccontextmanager
    async def alone(self) -> AsyncIterator["Held"]:
        """Hold the case, after those who asked earlier: callers of one case take turns instead of overtaking."""
        self._users += 1
        try:
            async with self.lock:
                yield self
        finally:
            self._users -= 1


class Cases:
    """The cases used last, up to a number of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: OrderedDict[str, Held] = OrderedDict()

    def of(self, case_id: str) -> Held:
        """A case's place in the cache, which those used longest ago may have to leave."""
        held = self._held.get(case_id)
        if held is None:
            self._make_room()
            held = self._held[case_id] = Held()
        self._held.move_to_end(case_id)
        return held

    def peek(self, case_id: str) -> Case | None:
        """A case as this process last saw it, if it did."""
        held = self._held.get(case_id)
        return held.case if held else None

    def _make_room(self) -> None:
        excess = len(self._held) + 1 - self._capacity
        if excess <= 0:
            return
        # One that is in use must stay: a second lock for the same case would let two decide at once.
        idle = (case_id for case_id, held in self._held.items() if not held.in_use)
        for case_id in list(islice(idle, excess)):
            del self._held[case_id]
