"""What every store of the log does alike, whichever database is below: answer an append, and be followed."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Final

from audit.bell import Bell
from audit.group import CaseHasMoved, Fate, KeyIsKnown, PreparedBatch, prepare, written_events
from audit.log import Appended, AppendResult, Batch, Behind, Known, LogUnavailableError
from casetrail.v1.event_pb2 import Event

_PAGE: Final = 500  # events read at once while following or catching up


class Store(ABC):
    """A log for one event loop, on some database."""

    _name: str
    """What errors call this log."""

    _bell: Bell
    _closed = False

    @abstractmethod
    async def find_key(self, case_id: str, key: str) -> Known | None:
        """The events that a request has written in a case, those that time owed before it included."""

    @abstractmethod
    async def events(self, case_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a case, in order."""

    @abstractmethod
    async def scan(self, *, after_position: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of all cases, in the order of commits, without a gap."""

    @abstractmethod
    async def _submit(self, batch: PreparedBatch) -> Fate:
        """Have a batch written; returns after the commit."""

    async def append(self, batch: Batch) -> AppendResult:
        """Write a batch; many callers share one commit.

        A caller that is cancelled meanwhile does not know whether it was written, and asks again with the same key.

        Raises:
            LogUnavailableError: Nothing was written, or the same key asked again tells what was.
            LogDamagedError: The log contradicts itself.
            ValueError: The batch is not one that a log can hold.
        """
        self._check_open()
        prepared = prepare(batch)
        fate = await self._submit(prepared)
        if isinstance(fate, KeyIsKnown):
            known = await self.find_key(batch.case_id, batch.key)
            if known is None:
                raise ValueError(f"{batch.key} is the key of what time brought to {batch.case_id}, not of a request")
            return known
        if isinstance(fate, CaseHasMoved):
            return Behind(await self._all_after(batch.case_id, batch.expected_seq))
        return Appended(written_events(prepared, fate), fate.group.growth)

    async def follow(self, *, after_position: int) -> AsyncIterator[Event]:
        """Every event after a position: what is there, then what comes, from any process.

        What is found is decided by position alone; the bell only says when to look. Ends when the log is closed.
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

    async def _all_after(self, case_id: str, seq: int) -> list[Event]:
        found: list[Event] = []
        while events := await self.events(case_id, after_seq=seq, limit=_PAGE):
            found += events
            seq = events[-1].seq
        return found

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailableError(f"the log {self._name} is closed")
