"""The log's contract: what every store of it offers, whichever database is below.

The log is the truth. A case is the fold of its events; the projection beside it is updated in the same transaction.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from audit.merkle import Growth
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.event_pb2 import Event

if TYPE_CHECKING:
    from audit.envelope import StoredEvent
    from audit.verify import Projected

LOG_ITSELF: Final = "@log"
"""Stands where a case's number stands in events of what happens to the log itself. No case can have it."""


class LogUnavailableError(Exception):
    """The log cannot be read or written now: locked, full, gone. Nothing has happened."""


class LogDamagedError(Exception):
    """What the log holds is not what it wrote."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a case needs from Temporal after an append.

    Attributes:
        wake: When time will owe something, in real time; None when it owes nothing.
        effects: Whether effects are pending.
    """

    wake: datetime | None
    effects: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that one case gains together, or not at all.

    Attributes:
        case_id: The case.
        expected_seq: How many events the writer knew of.
        key: The request that caused them, written at most once per case; empty for what time alone brought.
        digest: SHA-256 of the request, hex, so that an id used for something else is noticed.
        events: In order, with at, due, actor, key, reason and body. The log gives seq, position, id, hashes and
            recorded_at.
        case: The fold after them, for the projection; None for events of the log itself (LOG_ITSELF).
        need: What the case needs from Temporal after them.
    """

    case_id: str
    expected_seq: int
    key: str
    digest: str
    events: Sequence[Event]
    case: Case | None
    need: Need


@dataclass(frozen=True, slots=True)
class Appended:
    """The batch is in the log, as these complete events.

    Attributes:
        events: Complete.
        growth: What the commit made of the log's tree. All who were written in it share it.
    """

    events: Sequence[Event]
    growth: Growth


@dataclass(frozen=True, slots=True)
class Known:
    """The key was written before: what was, as it is in the log, and the digest of the request that wrote it.

    The events are those of the whole batch, what time owed before the request included.
    """

    events: Sequence[Event]
    digest: str


@dataclass(frozen=True, slots=True)
class Behind:
    """The case has moved on: the events that the writer did not know of (empty when it claimed more than there are)."""

    events: Sequence[Event]


AppendResult = Appended | Known | Behind


@dataclass(frozen=True, slots=True)
class Unserved:
    """A case that Temporal does not know to wake in time, or has not woken."""

    case_id: str
    kind: int
    wake: datetime | None
    effects: bool


@dataclass(frozen=True, slots=True)
class CasePage:
    """One page of cases, and the token of the next, empty at the end."""

    cases: Sequence[Case]
    next_token: str


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The tree as of a commit.

    Attributes:
        log: Id of the log.
        size: How many events it has.
        root: Hash over all of them.
    """

    log: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log has signed of its tree, and published.

    Attributes:
        size: How many events it is about.
        root: Hash over them.
        note: The signed note, with the log's signature.
        published_at: In microseconds since 1970.
        cosignatures: Signature lines of witnesses, by the witness's name.
    """

    size: int
    root: bytes
    note: str
    published_at: int
    cosignatures: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CaseEnd:
    """The last event of a case."""

    case_id: str
    seq: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the log that does not hold."""

    reason: str
    message: str
    position: int = 0
    case_id: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and what did not hold."""

    events: int
    cases: int
    findings: Sequence[Finding] = field(default_factory=tuple)


class Log(Protocol):
    """An append-only log of events with its projection."""

    async def append(self, batch: Batch) -> AppendResult:
        """Write a batch; many callers share one commit.

        Raises:
            LogUnavailableError: Nothing was written.
            LogDamagedError: The log contradicts itself; nothing was written.
            ValueError: The batch contradicts itself, or time has an event under its key already.
        """

    async def find_key(self, case_id: str, key: str) -> Known | None:
        """What a request has written in a case, what time owed before it included."""

    async def read_case(self, case_id: str) -> Case | None:
        """The case from the projection, as of the last commit of any process."""

    async def events(self, case_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a case, in order."""

    async def scan(self, *, after_position: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of all cases, in the order of commits, without a gap."""

    async def rows(
        self, *, after_position: int = 0, limit: int = 1000, case_ids: Sequence[str] = ()
    ) -> "Sequence[StoredEvent]":
        """Events of all cases, or of these, as their stored bytes, in the order of commits."""

    async def projection(self, case_id: str) -> "Projected | None":
        """A case as the projection has it, with the columns that it is found by."""

    async def size(self) -> int:
        """The position of the last event."""

    def follow(self, *, after_position: int) -> AsyncGenerator[Event, None]:
        """Every event after a position: what is there, then what comes, from any process, until the log is closed."""

    async def list_cases(self, case_filter: CaseFilter, *, page_size: int, token: str) -> CasePage:
        """Cases by filter, the newest first.

        Raises:
            ValueError: The token is of another filter, or no token.
        """

    async def unserved(
        self, *, now: datetime, wake_grace: float, effect_grace: float, limit: int
    ) -> Sequence[Unserved]:
        """Cases whose need is not armed, or whose time or effect was not served within its grace (seconds)."""

    async def arm(self, case_id: str, *, seq: int, wake: datetime | None, now: datetime) -> None:
        """Note that Temporal knows the case as of `seq` and will wake it at `wake`; also that it was served now."""

    async def disarm_all(self) -> int:
        """Forget what Temporal knows, of every open case: its memory is another. Returns how many there are."""

    async def keep_policy(self, digest: str, policy_id: str, body: bytes) -> None:
        """Keep a policy for ever, so that a case can be decided under it years later.

        Raises:
            ValueError: The digest is not the SHA-256 of the body, hex.
        """

    async def policies(self) -> Sequence[tuple[str, str, bytes]]:
        """Every policy that was ever in force: digest, id, body, the oldest first."""

    async def remember(self, name: str, value: str) -> str | None:
        """Store a small operational fact, such as which Temporal it was; returns what was stored before."""

    async def recall(self, name: str) -> str | None:
        """An operational fact as it was stored last; None when it never was."""

    async def verify(self, case_id: str = "") -> Verification:
        """Check hashes, chain, numbering and projection of one case, or of the whole log."""

    async def tree_head(self) -> TreeHead:
        """The tree as of the last commit of any process."""

    async def subtrees(self, level: int, first: int, last: int) -> Sequence[bytes]:
        """Hashes from inside the tree, for proofs.

        Args:
            level: 0 for leaves, else for complete subtrees of 256**level leaves.
            first: Number of the first, from 0.
            last: Number after the last.

        Raises:
            LogDamagedError: They are not all there.
        """

    async def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint for ever; once for each size, however many processes publish it.

        Raises:
            LogDamagedError: Another root was published for this size.
        """

    async def keep_cosignature(self, size: int, witness: str, line: str) -> None:
        """Keep a witness's signature line of a checkpoint; the first one counts."""

    async def checkpoints(self, *, after_size: int = 0, limit: int = 1000) -> Sequence[Checkpoint]:
        """Published checkpoints by size."""

    async def newest_checkpoint(self, *, witnesses: Sequence[str] = ()) -> Checkpoint | None:
        """The published checkpoint of the largest tree; of those that all of these witnesses have signed."""

    async def case_ends(self, size: int) -> Sequence[CaseEnd]:
        """The last event of each case among the first `size` events, by the case id's bytes; LOG_ITSELF is no case."""

    async def gauges(self, *, now: datetime) -> dict[str, int]:
        """How many open cases, running and overdue clocks, and unserved cases there are."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""
