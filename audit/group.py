"""A group: batches of many callers, decided one after the other to be written in one transaction.

What is decided here is the same on every database: which batch is written, known before or behind; where its events
come to stand; and what the projection says after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from audit.encryption import Key, case_place, encrypted_fields
from audit.envelope import Draft, Place, StoredEvent, drafts_of, seal, sealed_event
from audit.log import LOG_ITSELF, Batch, Need
from audit.merkle import Frontier, Growth
from audit.projection import Findable, findable, milliseconds, newest_effect
from audit.questions import Question
from casetrail.personal import copied, take_out
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event

INDEX_COLUMNS: Final = (
    "opened",
    "case_id",
    *Findable._fields,
    "seq",
    "leaf_hash",
    "body",
)
"""What an append writes of a case into the projection, in this order."""

_KEPT_COLUMNS: Final = frozenset({"opened", "case_id", "opened_at"})

_INDEX_CHANGES: Final = ", ".join(f"{name} = excluded.{name}" for name in INDEX_COLUMNS if name not in _KEPT_COLUMNS)
INDEX_CONFLICT: Final = f"ON CONFLICT (opened) DO UPDATE SET {_INDEX_CHANGES}"
"""How a row that stands already changes: a case keeps some columns from its first one."""

NEED_COLUMNS: Final = ("opened", "next_wake", "effects_since", "effects_seq", "armed_seq")
"""What an append writes of what a case needs from Temporal, in this order."""

NEED_CONFLICT: Final = """
  ON CONFLICT (opened) DO UPDATE SET
  next_wake = excluded.next_wake, effects_seq = excluded.effects_seq,
  effects_since = CASE WHEN excluded.effects_since IS NOT NULL
    THEN coalesce(need.effects_since, excluded.effects_since) END
  WHERE (need.next_wake, need.effects_seq) IS DISTINCT FROM (excluded.next_wake, excluded.effects_seq)
"""
"""How a need that stands already changes; effects are pending since the first of them, until there is a break."""


class PreparedBatch(NamedTuple):
    """A batch made ready by its caller: all of it that does not depend on its place in the log.

    Attributes:
        findable: None for what happens to the log itself, of which there is no projection.
        dek_id: The key that personal fields are encrypted with; None where there are none.
        besides: What is changed in the same transaction, after its events are there and before the head moves.
    """

    case_id: str
    expected_seq: int
    key: str
    drafts: Sequence[Draft]
    findable: Findable | None
    newest_effect: int
    need: Need
    body: bytes
    dek_id: str | None
    besides: Sequence[Question] = ()


@dataclass(frozen=True)
class Written:
    """The batch is in the log, as part of this group."""

    batch: PreparedBatch
    stored: Sequence[StoredEvent]
    previous: Sequence[bytes]
    group: "Group"

    @cached_property
    def events(self) -> list[Event]:
        """Its events, complete; made when they are asked for first."""
        return [
            sealed_event(draft, stored, previous)
            for draft, stored, previous in zip(self.batch.drafts, self.stored, self.previous, strict=True)
        ]


class KeyIsKnown(NamedTuple):
    """Its key was written before."""


class CaseHasMoved(NamedTuple):
    """The case has not the seq that was expected."""


class CaseIsArchived(NamedTuple):
    """The case is in an archive, and nothing more is written to it here."""


class SubjectIsErased(NamedTuple):
    """The key of its personal data was destroyed meanwhile."""


Fate = Written | KeyIsKnown | CaseHasMoved | CaseIsArchived | SubjectIsErased


class Tip(NamedTuple):
    """Where a case ends."""

    seq: int
    leaf_hash: bytes
    opened: int


NOWHERE = Tip(seq=0, leaf_hash=b"", opened=0)

ARCHIVED: Final = -1
"""Stands where a tip's seq does, of a case that is in an archive."""


class Head(NamedTuple):
    """Where the log ends.

    Attributes:
        log: Its id.
        size: How many events it has.
        recorded_at: When the last one was written, in microseconds since 1970.
        frontier: The right edge of its tree: `Frontier.parse(size, …)` of what `log_head` keeps.
    """

    log: str
    size: int
    recorded_at: int
    frontier: Frontier


class Group:
    """What one transaction writes, as its batches are decided one after the other.

    When all are decided, the store writes `events`, `index`, `needs`, `growth.subtrees` and `head` (its size, and
    `head.frontier.stored`), deletes the needs of the `unneeding`, and commits.

    Attributes:
        before: Where the log ended.
        tips: Where the cases end that they wrote to.
        events: All that is to be inserted.
        index: The projection's row of each case, in the order of INDEX_COLUMNS.
        needs: What each case needs, in the order of NEED_COLUMNS, by where it was opened.
        unneeding: Where the cases were opened that need nothing.
    """

    def __init__(
        self,
        head: Head,
        tips_before: dict[str, Tip],
        keys: set[tuple[str, str]],
        erased: set[str],
        now: int,
    ) -> None:
        """Begin a group.

        Args:
            head: Where the log ends.
            tips_before: Where the cases end that the batches are for; a new case is not among them. The log itself
                (LOG_ITSELF) is not in the projection: its tip is its last event's, with any `opened`.
            keys: The batches' keys that are in the log already, with their case.
            erased: The batches' encryption keys that were destroyed.
            now: The real time in microseconds since 1970.
        """
        self.before = head
        self._size = head.size
        self.tips: dict[str, Tip] = {}
        self.events: list[StoredEvent] = []
        self.index: dict[str, tuple[Any, ...]] = {}
        self.needs: dict[int, tuple[Any, ...]] = {}
        self.unneeding: set[int] = set()
        self._tips_before = tips_before
        self._keys = keys
        self._erased = erased
        self._recorded_at = max(now, head.recorded_at)

    @cached_property
    def growth(self) -> Growth:
        """What the log's tree becomes. To be asked for only when the last batch is decided."""
        return self.before.frontier.grow([event.leaf_hash for event in self.events])

    @property
    def head(self) -> Head:
        """Where the log ends after the batches. To be asked for only when the last one is decided."""
        if not self.events:
            return self.before
        return Head(self.before.log, self._size, self._recorded_at, self.growth.frontier)

    def decide(self, batch: PreparedBatch) -> Fate:
        """Give the next batch its place, or say why it has none."""
        tip = self.tips.get(batch.case_id) or self._tips_before.get(batch.case_id, NOWHERE)
        if tip.seq == ARCHIVED:
            return CaseIsArchived()
        if (batch.case_id, batch.key) in self._keys:
            return KeyIsKnown()
        if batch.dek_id in self._erased:
            return SubjectIsErased()
        if tip.seq != batch.expected_seq:
            return CaseHasMoved()
        return self._take(batch, tip)

    def _take(self, batch: PreparedBatch, tip: Tip) -> Written:
        stored: list[StoredEvent] = []
        previous = [tip.leaf_hash]
        opened = tip.opened or self._size + 1
        for number, draft in enumerate(batch.drafts, start=1):
            place = Place(
                log=self.before.log,
                position=self._size + number,
                seq=tip.seq + number,
                previous=previous[-1],
                recorded_at=self._recorded_at,
            )
            event = seal(draft, place)
            stored.append(event)
            previous.append(event.leaf_hash)
        self._size = stored[-1].position
        self.tips[batch.case_id] = tip = Tip(stored[-1].seq, stored[-1].leaf_hash, opened)
        self.events += stored
        if batch.findable is not None:
            self.index[batch.case_id] = _index_row(batch, batch.findable, tip)
            self._note_need(batch, batch.findable, opened)
        if batch.key:
            self._keys.add((batch.case_id, batch.key))
        return Written(batch, stored, previous[:-1], self)

    def _note_need(self, batch: PreparedBatch, found_by: Findable, opened: int) -> None:
        """Keep what a case needs while it is live or needs anything, and nothing of it after that."""
        wake, effects = batch.need.wake, batch.need.effects
        if not (found_by.live or effects or wake is not None):
            self.needs.pop(opened, None)
            self.unneeding.add(opened)
            return
        self.unneeding.discard(opened)
        self.needs[opened] = (
            opened,
            milliseconds(wake),
            self._recorded_at // 1000 if effects else None,
            batch.newest_effect if effects else None,
            batch.expected_seq + 1,
        )


def _index_row(batch: PreparedBatch, found_by: Findable, tip: Tip) -> tuple[Any, ...]:
    return (tip.opened, batch.case_id, *found_by, tip.seq, tip.leaf_hash, batch.body)


def besides(batches: Sequence[PreparedBatch], fates: Sequence[Fate]) -> list[Question]:
    """What is changed beside the events of the batches that are written."""
    return [
        change
        for batch, fate in zip(batches, fates, strict=True)
        if isinstance(fate, Written)
        for change in batch.besides
    ]


def prepare(batch: Batch, encryption: Key | None = None) -> PreparedBatch:
    """Take a batch apart in its caller's time, so that the writer has little to do and nobody can change it meanwhile.

    Args:
        batch: The batch.
        encryption: What personal fields are encrypted with; None leaves them readable.

    Raises:
        ValueError: The batch contradicts itself.
    """
    _check(batch)
    case = batch.case
    return PreparedBatch(
        case_id=batch.case_id,
        expected_seq=batch.expected_seq,
        key=batch.key,
        drafts=drafts_of(
            batch.events,
            first_seq=batch.expected_seq + 1,
            key=batch.key,
            digest=batch.digest,
            encryption=encryption,
        ),
        findable=findable(case) if case is not None else None,
        newest_effect=newest_effect(case) or case.seq if case is not None else 0,
        need=batch.need,
        body=kept_body(case, encryption) if case is not None else b"",
        dek_id=encryption.key_id if encryption is not None else None,
    )


def kept_body(case: Case, encryption: Key | None) -> bytes:
    """A case as the projection keeps it."""
    if encryption is None:
        return case.SerializeToString(deterministic=True)
    kept = copied(case)
    taken = take_out(kept)
    if taken.fields:
        kept.encrypted.CopyFrom(encrypted_fields(taken, encryption, case_place(case)))
    return kept.SerializeToString(deterministic=True)


def _check(batch: Batch) -> None:
    if not batch.events:
        raise ValueError(f"a batch of {batch.case_id} without events")
    if (batch.case is None) != (batch.case_id == LOG_ITSELF):
        raise ValueError(f"{batch.case_id} {'lacks' if batch.case is None else 'cannot have'} a case")
    if batch.case is not None and (batch.case.case_id, batch.case.seq) != (
        batch.case_id,
        batch.expected_seq + len(batch.events),
    ):
        raise ValueError(f"the case given with a batch of {batch.case_id} is not the fold after its events")
    for seq, event in enumerate(batch.events, start=batch.expected_seq + 1):
        if event.case_id != batch.case_id or event.seq not in (0, seq):
            raise ValueError(f"{event.case_id}:{event.seq} stands where {batch.case_id}:{seq} belongs")
    if batch.key and all(event.key != batch.key for event in batch.events):
        raise ValueError(f"no event of this batch of {batch.case_id} has its key")
