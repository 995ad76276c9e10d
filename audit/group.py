"""A group: batches of many callers, decided one after the other to be written in one transaction.

What is decided here is the same on every database: which batch is written, known before or behind; where its events come
to stand; and what the projection says after them.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from audit.envelope import Draft, Place, StoredEvent, drafts_of, seal, sealed_event
from audit.log import Batch, Need
from audit.projection import Findable, findable, milliseconds, newest_effect
from casetrail.v1.event_pb2 import Event

INDEX_COLUMNS: Final = (
    "opened",
    "case_id",
    *Findable._fields,
    "seq",
    "leaf_hash",
    "next_wake",
    "effects",
    "effects_seq",
    "effects_since",
    "body",
)
"""What an append writes of a case into the projection, in this order."""

KEPT_COLUMNS: Final = frozenset({"opened", "case_id", "opened_at", "effects_since"})
"""Of them, those that a case keeps from its first row, or that follow a rule of their own."""


class PreparedBatch(NamedTuple):
    """A batch made ready by its caller: all of it that does not depend on its place in the log."""

    case_id: str
    expected_seq: int
    key: str
    drafts: Sequence[Draft]
    findable: Findable
    newest_effect: int
    need: Need
    body: bytes


class Written(NamedTuple):
    """The batch is in the log."""

    stored: Sequence[StoredEvent]
    previous: Sequence[bytes]


class KeyIsKnown(NamedTuple):
    """Its key was written before."""


class CaseHasMoved(NamedTuple):
    """The case has not the seq that was expected."""


Fate = Written | KeyIsKnown | CaseHasMoved


class Tip(NamedTuple):
    """Where a case ends."""

    seq: int
    leaf_hash: bytes
    opened: int


NOWHERE = Tip(seq=0, leaf_hash=b"", opened=0)


class Head(NamedTuple):
    """Where the log ends."""

    log: str
    size: int
    recorded_at: int


class Group:
    """What one transaction writes, as its batches are decided one after the other."""

    def __init__(self, head: Head, tips_before: dict[str, Tip], keys: set[tuple[str, str]], now: int) -> None:
        self.head = head
        self.tips: dict[str, Tip] = {}
        self.events: list[StoredEvent] = []
        self.index: dict[str, tuple[Any, ...]] = {}
        self._tips_before = tips_before
        self._keys = keys
        self._recorded_at = max(now, head.recorded_at)

    def decide(self, batch: PreparedBatch) -> Fate:
        if (batch.case_id, batch.key) in self._keys:
            return KeyIsKnown()
        tip = self.tips.get(batch.case_id) or self._tips_before.get(batch.case_id, NOWHERE)
        if tip.seq != batch.expected_seq:
            return CaseHasMoved()
        return self._take(batch, tip)

    def _take(self, batch: PreparedBatch, tip: Tip) -> Written:
        stored: list[StoredEvent] = []
        previous = [tip.leaf_hash]
        opened = tip.opened or self.head.size + 1
        for number, draft in enumerate(batch.drafts, start=1):
            place = Place(
                log=self.head.log,
                position=self.head.size + number,
                seq=tip.seq + number,
                previous=previous[-1],
                recorded_at=self._recorded_at,
            )
            event = seal(draft, place)
            stored.append(event)
            previous.append(event.leaf_hash)
        self.head = Head(self.head.log, stored[-1].position, self._recorded_at)
        self.tips[batch.case_id] = tip = Tip(stored[-1].seq, stored[-1].leaf_hash, opened)
        self.events += stored
        self.index[batch.case_id] = self._index_row(batch, tip)
        if batch.key:
            self._keys.add((batch.case_id, batch.key))
        return Written(stored, previous[:-1])

    def _index_row(self, batch: PreparedBatch, tip: Tip) -> tuple[Any, ...]:
        return (
            tip.opened,
            batch.case_id,
            *batch.findable,
            tip.seq,
            tip.leaf_hash,
            milliseconds(batch.need.wake),
            batch.need.effects,
            batch.newest_effect if batch.need.effects else 0,
            self._recorded_at // 1000 if batch.need.effects else None,
            batch.body,
        )


def prepare(batch: Batch) -> PreparedBatch:
    """Take a batch apart, so that the writer has little to do and nobody can change it meanwhile.

    Raises:
        ValueError: The batch contradicts itself.
    """
    _check(batch)
    return PreparedBatch(
        case_id=batch.case_id,
        expected_seq=batch.expected_seq,
        key=batch.key,
        drafts=drafts_of(batch.events, key=batch.key, digest=batch.digest),
        findable=findable(batch.case),
        newest_effect=newest_effect(batch.case) or batch.case.seq,
        need=batch.need,
        body=batch.case.SerializeToString(deterministic=True),
    )


def _check(batch: Batch) -> None:
    if not batch.events:
        raise ValueError(f"a batch of {batch.case_id} without events")
    if batch.case.case_id != batch.case_id or batch.case.seq != batch.expected_seq + len(batch.events):
        raise ValueError(f"the case given with a batch of {batch.case_id} is not the fold after its events")
    for seq, event in enumerate(batch.events, start=batch.expected_seq + 1):
        if event.case_id != batch.case_id or event.seq not in (0, seq):
            raise ValueError(f"{event.case_id}:{event.seq} stands where {batch.case_id}:{seq} belongs")
    if batch.key and all(event.key != batch.key for event in batch.events):
        raise ValueError(f"no event of this batch of {batch.case_id} has its key")


def written_events(batch: PreparedBatch, written: Written) -> list[Event]:
    """The complete events of a batch that was written."""
    return [
        sealed_event(draft, stored, previous)
        for draft, stored, previous in zip(batch.drafts, written.stored, written.previous, strict=True)
    ]
