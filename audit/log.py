"""The log's contract: what every store of it offers, whichever database is below.

The log is the truth. A case is the fold of its events; the projection beside it is updated in the same transaction.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self

from audit.merkle import Growth
from casetrail.v1.audit_service_pb2 import Fault, VerifyCaseResponse
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.event_pb2 import Event

if TYPE_CHECKING:
    from audit.envelope import StoredEvent
    from audit.verification.kept_outside import KeptOutside
    from audit.verification.snapshot import Projected

LOG_ITSELF: Final = "@log"
"""Stands where a case's number stands in events of what happens to the log itself. No case can have it."""


class LogUnavailableError(Exception):
    """The log cannot be read or written now: locked, full, gone. What was to be written was not, or its key tells."""


class NoLogError(LogUnavailableError):
    """There is no log, and nobody has prepared one."""

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """There is no file."""
        return cls(f"there is no log at {path}: run `casetrail-db init`, or start Casetrail")

    @classmethod
    def without_tables(cls, log: str | Path) -> Self:
        """There is a database, and nothing in it."""
        return cls(f"the log {log} has no tables yet: run `casetrail-db init`")


class LogDamagedError(Exception):
    """What the log holds is not what it wrote."""


class ArchivingRefusedError(Exception):
    """The database does not let this be archived, or restored. Nothing has happened."""

    _MARK: Final = "archive: "

    @classmethod
    def is_meant_by(cls, message: str) -> bool:
        """Whether the database says this: the tables' own triggers do so in these words."""
        return message.startswith(cls._MARK)


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

    @property
    def signed_note(self) -> str:
        """The note with the signatures of all who have signed it."""
        return self.note + "".join(self.cosignatures)


@dataclass(frozen=True, slots=True)
class CaseEnd:
    """The last event of a case."""

    case_id: str
    seq: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class ArchivedCase:
    """A case that was archived.

    Attributes:
        archive_id: The archive that has its payloads.
        case_id: The case.
        opened: Position of its first event.
        seq: Of its last event.
        leaf_hash: Of its last event.
        removed: Position of the log's event that says so.
        restored: Position of the log's event that says that it is back; None while only the archive has it.
    """

    archive_id: str
    case_id: str
    opened: int
    seq: int
    leaf_hash: bytes
    removed: int
    restored: int | None = None

    @property
    def end(self) -> CaseEnd:
        """Its last event."""
        return CaseEnd(self.case_id, self.seq, self.leaf_hash)


@dataclass(frozen=True, slots=True)
class ClosedCase:
    """A closed case of which nothing is pending.

    Attributes:
        opened: Position of its first event.
        seq: Of its last event.
        leaf_hash: Of its last event.
        case: As the projection has it.
    """

    opened: int
    seq: int
    leaf_hash: bytes
    case: Case

    @property
    def end(self) -> CaseEnd:
        """Its last event."""
        return CaseEnd(self.case.case_id, self.seq, self.leaf_hash)


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
    """What was checked, and what did not hold.

    Attributes:
        events: How many.
        cases: How many.
        findings: What did not hold.
        checkpoints: Of so many the signatures were checked.
    """

    events: int
    cases: int
    findings: Sequence[Finding] = field(default_factory=tuple)
    checkpoints: int = 0

    @property
    def answer(self) -> VerifyCaseResponse:
        """The same in the contract's words."""
        return VerifyCaseResponse(
            whole=not self.findings,
            events=self.events,
            cases=self.cases,
            checkpoints=self.checkpoints,
            faults=[
                Fault(
                    position=each.position,
                    case_id=each.case_id,
                    seq=each.seq,
                    reason=each.reason,
                    message=each.message,
                )
                for each in self.findings
            ],
        )


@dataclass(frozen=True, slots=True)
class Erasure:
    """A customer's personal data is to be unreadable from now on.

    Attributes:
        customer_id: Whose; empty in one that was only noted, since a note does not name the customer.
        request_id: Under which its event is written.
        digest: SHA-256 of the request, hex.
        event: That says so, with a CustomerErased.
    """

    customer_id: str
    request_id: str
    digest: str
    event: Event


class Log(Protocol):
    """An append-only log of events with its projection."""

    async def append(self, batch: Batch) -> AppendResult:
        """Write a batch; many callers share one commit.

        Raises:
            Rejected: CASE_ARCHIVED; so do all that read a case whose payloads only an archive has.
            LogUnavailableError: Nothing was written, or the same key asked again tells what was.
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
        """Events of all cases, in the order of commits, without a gap but those of cases that only an archive has."""

    async def rows(
        self, *, after_position: int = 0, limit: int = 1000, case_ids: Sequence[str] = ()
    ) -> "Sequence[StoredEvent]":
        """Events of all cases, or of these, as their stored bytes, in the order of commits."""

    async def projection(self, case_id: str) -> "Projected | None":
        """A case as the projection has it, with the columns that it is found by."""

    async def rows_of(self, case_id: str, *, after_seq: int = 0, limit: int = 1000) -> "Sequence[StoredEvent]":
        """Events of a case as their stored bytes, in order."""

    async def opened(self, rows: "Sequence[StoredEvent]") -> Sequence[Event]:
        """Rows as complete events, with their personal fields."""

    async def keys_of(self, customer_id: str) -> Sequence[str]:
        """Ids of the keys of a customer that exist; none where nothing is encrypted."""

    async def note_erasure(self, erasure: Erasure) -> bool:
        """Note that the keys its event names are destroyed; nothing is written under them any more.

        Returns:
            Whether it is so; False where a case of the customer is open.
        """

    async def unfinished_erasures(self) -> Sequence[Erasure]:
        """Erasures that were noted, and whose event is not in the log."""

    async def destroy_keys(self, key_ids: Sequence[str]) -> None:
        """Destroy keys, for ever."""

    async def size(self) -> int:
        """The position of the last event."""

    def follow(self, *, after_position: int) -> AsyncGenerator[Event, None]:
        """Every event after a position: what is there, then what comes, from any process, until the log is closed."""

    def follow_case(self, case_id: str, *, after_seq: int) -> AsyncGenerator[Event, None]:
        """The same of one case, without reading those of others."""

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

    async def agree(self, name: str, value: str, *, instead_of: str | None = None) -> str:
        """Store an operational fact instead of an older one, unless another process was first; returns what stands."""

    async def recall(self, name: str) -> str | None:
        """An operational fact as it was stored last; None when it never was."""

    async def check(self) -> None:
        """Make sure that the log can be worked with: its head and every table are there.

        Raises:
            LogUnavailableError: It does not answer.
            LogDamagedError: One of them is gone.
        """

    async def verify(self, case_id: str = "", outside: "KeptOutside | None" = None) -> Verification:
        """Check hashes, chain, numbering and projection of one case, or of the whole log.

        Args:
            case_id: The case; the whole log when left out.
            outside: What is kept outside the database of the whole log, to be held against it.
        """

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

    async def closed_cases(
        self, *, opened_before: int, after_opened: int = 0, limit: int = 1000
    ) -> Sequence[ClosedCase]:
        """Closed cases of which nothing is pending, those that were opened first.

        Args:
            opened_before: In unix seconds of case time.
            after_opened: Only those whose first event stands behind this position.
            limit: At most so many.
        """

    async def archive(self, batch: Batch, archive_id: str, cases: Sequence[ClosedCase]) -> AppendResult:
        """Remove the payloads and the projection of cases in the transaction that writes the event that says so.

        Args:
            batch: That event, of LOG_ITSELF, with the key `archive ARCHIVE_ID`. Nothing is removed where it is known.
            archive_id: Proposed and approved in the log, by two.
            cases: As the archive has them.

        Raises:
            ArchivingRefusedError: Nobody else has approved it, or a case is not as it was. Nothing was removed.
            LogUnavailableError: As for `append`.
        """

    async def restore(
        self, batch: Batch, archived: ArchivedCase, rows: "Sequence[StoredEvent]", case: Case
    ) -> AppendResult:
        """Put a case back in the transaction that writes the event that says so.

        Args:
            batch: That event, of LOG_ITSELF, with the key `restore ARCHIVE_ID CASE_ID`.
            archived: What the log knows of the case.
            rows: All of its events, with their payloads.
            case: The fold of them.

        Raises:
            ArchivingRefusedError: It is not in that archive, or not all is there. Nothing was written.
            LogUnavailableError: As for `append`.
        """

    async def archived_cases(self, archive_id: str) -> Sequence[ArchivedCase]:
        """The cases that were archived so, by the case id's bytes."""

    async def archive_of(self, case_id: str) -> str | None:
        """The archive that alone has a case's payloads; None when they are here, or there is no such case."""

    async def gauges(self, *, now: datetime) -> dict[str, int]:
        """How many open cases, running and overdue clocks, and unserved cases there are."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""
