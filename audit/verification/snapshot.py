"""What is verified: the log as of one moment, whatever it is read from."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from audit.envelope import StoredEvent
from audit.log import ArchivedCase
from audit.merkle import Subtree
from audit.projection import Findable


class Projected(NamedTuple):
    """A case as the projection has it.

    Attributes:
        opened: Position of its first event.
        findable: The columns that it is found by.
        leaf_hash: Of its last event.
        body: Its bytes.
    """

    case_id: str
    opened: int
    findable: Findable
    seq: int
    leaf_hash: bytes
    body: bytes


class Placed(NamedTuple):
    """Where an event stands in the log, as far as the columns say it."""

    position: int
    case_id: str
    seq: int
    recorded_at: int
    leaf_hash: bytes


class CaseRange(NamedTuple):
    """Cases by their ids: those behind one, up to and with another; without a bound where there is none."""

    after: str | None = None
    last: str | None = None


ALL_CASES: Final = CaseRange()


class Snapshot(Protocol):
    """The log as of one moment, or one case of it."""

    @property
    def log(self) -> str:
        """The log's id."""

    @property
    def size(self) -> int | None:
        """How many events the head says there are; None when this is one case only."""

    @property
    def frontier(self) -> bytes:
        """What the head says the right edge of the tree is."""

    def subtrees(self) -> Iterable[Subtree]:
        """What is stored of the tree; nothing when this is one case only."""

    def checkpoints(self) -> Iterable[tuple[int, bytes, str]]:
        """Size, root and note of the published checkpoints, by size; none when this is one case only."""

    def cosigned_alone(self) -> Iterable[int]:
        """Sizes that witnesses have signed and of which no checkpoint is there; none when this is one case only."""

    def places(self) -> Iterable[Placed]:
        """Where the events stand, in the order of the log."""

    def ranges(self) -> Iterable[CaseRange]:
        """All cases there can be, in parts of about as many events each."""

    def by_case(self, cases: CaseRange) -> Iterable[StoredEvent]:
        """The events of some cases, by case id and seq."""

    def projected(self, cases: CaseRange) -> Iterable[Projected]:
        """The projection of some cases, by case id."""

    def archived(self) -> Iterable[ArchivedCase]:
        """What was ever archived, of this case or of all, by archive and case id."""

    def policies(self) -> Iterable[tuple[str, str, bytes]]:
        """Digest, id and body of each policy."""
