"""What every store of the log does alike, whichever database is below.

A store says how a question is asked, how a batch and a change are written, and what rings when the log has grown; all
that a `Log` offers is made of these here.
"""

import asyncio
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, TypeVar

from audit import archive_questions, facts, questions, tables
from audit.bell import Bell
from audit.encryption import Keys, case_place, decrypt
from audit.envelope import StoredEvent, event_of
from audit.group import (
    CaseHasMoved,
    CaseIsArchived,
    Fate,
    KeyIsKnown,
    PreparedBatch,
    SubjectIsErased,
    kept_body,
    prepare,
)
from audit.listing import gauges_of, how_much, page_of, unserved_of, which_cases, which_unserved
from audit.log import (
    Appended,
    AppendResult,
    ArchivedCase,
    Batch,
    Behind,
    CaseEnd,
    CasePage,
    Checkpoint,
    ClosedCase,
    Erasure,
    Known,
    LogDamagedError,
    LogUnavailableError,
    TreeHead,
    Unserved,
)
from audit.merkle import Frontier
from audit.portions import FIRST, next_portion
from audit.projection import case_of, milliseconds
from audit.questions import Answer, Question
from audit.subject_keys import SubjectKeys, customer_subject, subject_of
from audit.verification.from_tables import projected_of
from audit.verification.snapshot import Projected
from casetrail.personal import copied
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from domain.evolve import fold
from domain.refusal import Rejected

_PAGE: Final = 100  # events read at once while catching up
_AROUND: Final = 100  # events read at once beside a request's
_ERASURES_EVERY: Final = 1.0  # seconds between looks at what other processes have erased
_MANY: Final = 50  # events that are better put together in another thread

Rows = list[tuple[Any, ...]]
T = TypeVar("T")


class Store(ABC):
    """A log for one event loop, on some database."""

    _name: str
    """What errors call this log."""

    _bell: Bell
    _keys: SubjectKeys | None = None
    """What personal fields are encrypted with; None leaves them as they are."""

    _erasures_known_at = -_ERASURES_EVERY
    """As of when the keys know what other processes have erased, by the monotonic clock."""

    _closed = False

    _has_key = "key = :key"
    """How it is said of a row that it has a key."""

    @abstractmethod
    async def _ask(self, question: Question, understand: Callable[[Rows], T], *, brief: bool = False) -> T:
        """Read as of the last commit of any process.

        Args:
            question: What to ask.
            understand: Takes the rows; it may be called in another thread.
            brief: It takes a few microseconds only.

        Raises:
            LogUnavailableError: The database does not answer.
            LogDamagedError: What it answers cannot be understood.
        """

    @abstractmethod
    async def _submit(self, batch: PreparedBatch) -> Fate:
        """Have a batch written; returns after the commit."""

    @abstractmethod
    async def _change(self, *changes: Question) -> Sequence[Answer]:
        """Have something written beside events, in one transaction; returns after the commit what each gave."""

    @abstractmethod
    def _removal(self, archive_id: str, cases: Sequence[ClosedCase]) -> Sequence[Question]:
        """What removes archived cases, once the event that says so has been written."""

    @abstractmethod
    def _payload_back(self, row: StoredEvent) -> Question:
        """What puts the payload of an archived event back."""

    # Appending

    async def append(self, batch: Batch) -> AppendResult:
        """Write a batch; many callers share one commit.

        A caller that is cancelled meanwhile does not know whether it was written, and asks again with the same key.

        Raises:
            Rejected: CASE_ARCHIVED; nothing was written.
            LogUnavailableError: Nothing was written, or the same key asked again tells what was.
            LogDamagedError: The log contradicts itself.
            ValueError: The batch is not one that a log can hold.
        """
        self._check_open()
        return await self._append(batch, await self._prepared(batch))

    async def _append(self, batch: Batch, prepared: PreparedBatch) -> AppendResult:
        self._check_open()  # it may have been closed meanwhile, and nobody would answer
        fate = await self._submit(prepared)
        if isinstance(fate, CaseIsArchived):
            await self._refuse_archived(batch.case_id)
            return await self._append(batch, prepared)  # it has just been restored
        if isinstance(fate, KeyIsKnown):
            known = await self.find_key(batch.case_id, batch.key)
            if known is None:
                raise ValueError(f"{batch.key} is the key of what time brought to {batch.case_id}, not of a request")
            return known
        if isinstance(fate, SubjectIsErased):
            if self._keys is not None:
                self._keys.forget()
            raise _just_erased(batch.case_id)
        if isinstance(fate, CaseHasMoved):
            return Behind(await self._all_after(batch.case_id, batch.expected_seq))
        return Appended(fate.events, fate.group.growth)

    async def _prepared(self, batch: Batch) -> PreparedBatch:
        if self._keys is None or batch.case is None:
            return prepare(batch)
        subject = subject_of(batch.case)
        key = self._keys.remembered(subject)
        if key is None or key.renewed:
            batch = _copied(batch)  # its writer may change it while we wait
            key = await self._keys.of(subject)
            if key.renewed and batch.expected_seq:
                await self._refuse_erased(batch)
        return prepare(batch, key)

    async def _refuse_erased(self, batch: Batch) -> None:
        """Make sure that a batch's case is the fold of what can be read: its writer may remember what was erased.

        Raises:
            LogUnavailableError: It is not.
        """
        case = await self.read_case(batch.case_id)
        if case is None or case.seq != batch.expected_seq:
            return  # the batch is behind, and will not be written
        if fold(batch.events, case) != batch.case:
            raise _just_erased(batch.case_id)

    # Reading

    async def find_key(self, case_id: str, key: str) -> Known | None:
        """The events that a request has written in a case, those that time owed before it included."""
        first = await self._ask(questions.first_under_key(case_id, key, self._has_key), _stored, brief=True)
        if not first:
            return None
        if first[0].payload is None:
            await self._refuse_archived(case_id)
        digest = facts.read(first[0].envelope).digest
        if not digest:
            return None  # time's own key, not a request's
        before = await self._beside(
            lambda seq: questions.events_of_case_before(case_id, before_seq=seq, limit=_AROUND), first[0].seq, key
        )
        after = await self._beside(
            lambda seq: questions.events_of_case(case_id, after_seq=seq, limit=_AROUND), first[0].seq, key
        )
        return Known(await self.opened([*reversed(before), *first, *after]), digest)

    async def read_case(self, case_id: str) -> Case | None:
        """The case from the projection, as of the last commit of any process."""
        case = await self._ask(questions.case(case_id), lambda rows: _case(case_id, rows), brief=True)
        if case is not None:
            await self._open_cases([case])
        return case

    async def events(self, case_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a case, in order."""
        question = questions.events_of_case(case_id, after_seq=after_seq, limit=limit)
        try:
            return await self.opened(await self._ask(question, _stored))
        except LogDamagedError:
            await self._refuse_archived(case_id)
            return await self.opened(await self._ask(question, _stored))  # it may just have been restored

    async def scan(self, *, after_position: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of all cases, in the order of commits, without a gap but those of cases that only an archive has."""
        found: list[Event] = []
        while len(found) < limit:
            page = await self._ask(
                questions.events_of_all(after_position=after_position, limit=limit - len(found)), _stored
            )
            if not page:
                break
            after_position = page[-1].position
            found += await self.opened(await self._but_archived(page))
        return found

    async def rows(
        self, *, after_position: int = 0, limit: int = 1000, case_ids: Sequence[str] = ()
    ) -> Sequence[StoredEvent]:
        """Events of all cases, or of these, as their stored bytes, in the order of commits."""
        if case_ids:
            question = questions.events_of_cases(case_ids, after_position=after_position, limit=limit)
        else:
            question = questions.events_of_all(after_position=after_position, limit=limit)
        return await self._ask(question, _stored)

    async def rows_of(self, case_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Events of a case as their stored bytes, in order."""
        return await self._ask(questions.events_of_case(case_id, after_seq=after_seq, limit=limit), _stored)

    async def projection(self, case_id: str) -> Projected | None:
        """A case as the projection has it, with the columns that it is found by."""
        return await self._ask(questions.projected(case_id), lambda rows: projected_of(rows[0]) if rows else None)

    async def size(self) -> int:
        """The position of the last event."""
        return await self._ask(questions.head(), lambda rows: questions.head_of(rows)[1], brief=True)

    async def check(self) -> None:
        """Make sure that the log can be worked with: its head and every table are there."""
        await self._ask(tables.ALL, list, brief=True)
        await self.size()

    def follow(self, *, after_position: int) -> AsyncGenerator[Event, None]:
        """Every event after a position: what is there, then what comes, from any process."""
        return self._follow(
            lambda last, most: self.scan(after_position=last.position if last else after_position, limit=most)
        )

    def follow_case(self, case_id: str, *, after_seq: int) -> AsyncGenerator[Event, None]:
        """The same of one case, without reading those of others."""
        return self._follow(
            lambda last, most: self.events(case_id, after_seq=last.seq if last else after_seq, limit=most)
        )

    async def _follow(
        self, read: Callable[[Event | None, int], Awaitable[Sequence[Event]]]
    ) -> AsyncGenerator[Event, None]:
        """Every event that is there, then what comes, until the log is closed.

        Args:
            read: Reads what is next after the event that was read last, None before the first one, and at most so
                many. It alone decides what is found; the bell only says when to look.
        """
        last: Event | None = None
        portion = FIRST
        with self._bell.listening():
            while not self._closed:
                heard = self._bell.rings
                events = await read(last, portion)
                for event in events:
                    yield event
                    last = event
                portion = next_portion(events)
                if not events:
                    await self._bell.rung_after(heard)

    async def list_cases(self, case_filter: CaseFilter, *, page_size: int, token: str) -> CasePage:
        """Cases by filter, the newest first.

        Raises:
            ValueError: The token is of another filter, or no token.
        """
        question = which_cases(case_filter, page_size=page_size, token=token)
        page = await self._ask(question, lambda rows: page_of(rows, case_filter, page_size=page_size))
        await self._open_cases(page.cases)
        return page

    async def gauges(self, *, now: datetime) -> dict[str, int]:
        """How many open cases, running and overdue clocks, and unserved cases there are."""
        return await self._ask(how_much(now=now), gauges_of)

    # Personal data

    async def keys_of(self, customer_id: str) -> Sequence[str]:
        """Ids of the keys of a customer that exist; none where nothing is encrypted."""
        return await self._keys.active(customer_subject(customer_id)) if self._keys is not None else []

    async def note_erasure(self, erasure: Erasure) -> bool:
        """Note that the keys its event names are destroyed; nothing is written under them any more.

        Returns:
            Whether it is so; False where a case of the customer is open.
        """
        key_ids = list(erasure.event.customer_erased.key_ids)
        await self._change(*(questions.erase_key(key_id, erasure) for key_id in key_ids))
        return set(await self._ask(questions.erased_among(key_ids), _column)).issuperset(key_ids)

    async def unfinished_erasures(self) -> Sequence[Erasure]:
        """Erasures that were noted, and whose event is not in the log."""
        return await self._ask(
            questions.unfinished_erasures(),
            lambda rows: [
                Erasure("", request_id, digest, Event.FromString(event)) for request_id, digest, event in rows
            ],
        )

    async def destroy_keys(self, key_ids: Sequence[str]) -> None:
        """Destroy keys, for ever."""
        if self._keys is not None:
            await self._keys.destroy(key_ids)

    async def use_keys(self, keys: SubjectKeys) -> None:
        """Encrypt personal fields with these keys, and close them with the log. To be called before anything else.

        What a restored copy of the keys has again is destroyed again.

        Raises:
            LogUnavailableError: The keys cannot be used, or those of the log's encrypted fields are not among them.
        """
        self._keys = keys
        if not await asyncio.to_thread(keys.are_begun) and await self._ask(questions.any_encrypted(), bool):
            raise LogUnavailableError(
                f"the log {self._name} has encrypted fields, and their keys are not in {keys.name}: restore them"
            )
        await asyncio.to_thread(keys.begin)
        await keys.destroy(await self._ask(questions.erased_keys(), _column))

    async def _close_keys(self) -> None:
        if self._keys is not None:
            await self._keys.close()

    async def opened(self, rows: Sequence[StoredEvent]) -> Sequence[Event]:
        """Rows as complete events, with their personal fields."""
        keys = await self._found(self._keys, (row.dek_id for row in rows)) if self._keys is not None else None

        def opened() -> list[Event]:
            return [event_of(row, keys) for row in rows]

        return opened() if len(rows) < _MANY else await asyncio.to_thread(opened)

    async def _open_cases(self, cases: Sequence[Case]) -> None:
        if self._keys is None:
            return
        encrypted = [case for case in cases if case.HasField("encrypted")]
        if encrypted:
            keys = await self._found(self._keys, (case.encrypted.key_id for case in encrypted))
            for case in encrypted:
                decrypt(case, keys, case_place(case))

    async def _found(self, keys: SubjectKeys, key_ids: Iterable[str]) -> Keys:
        """Keys by their ids; none that another process has noted as destroyed a second ago."""
        now = time.monotonic()
        if now - self._erasures_known_at >= _ERASURES_EVERY:
            if await self._ask(questions.how_many_erased(), _number) != keys.known_destroyed:
                keys.count_as_destroyed(await self._ask(questions.erased_keys(), _column))
            self._erasures_known_at = now
        return await keys.found(key_ids)

    # What Temporal knows

    async def unserved(
        self, *, now: datetime, wake_grace: float, effect_grace: float, limit: int
    ) -> Sequence[Unserved]:
        """Cases whose need is not armed, or whose time or effect was not served within its grace (seconds)."""
        question = which_unserved(now=now, wake_grace=wake_grace, effect_grace=effect_grace, limit=limit)
        return await self._ask(question, unserved_of)

    async def arm(self, case_id: str, *, seq: int, wake: datetime | None, now: datetime) -> None:
        """Note that Temporal knows the case as of `seq` and will wake it at `wake`; also that it was served now."""
        await self._change(questions.arm(case_id, seq=seq, wake=milliseconds(wake), now=milliseconds(now)))

    async def disarm_all(self) -> int:
        """Forget what Temporal knows, of every open case: its memory is another. Returns how many there are."""
        (answer,) = await self._change(questions.disarm_all())
        return answer.changed

    # Policies and facts

    async def keep_policy(self, digest: str, policy_id: str, body: bytes) -> None:
        """Keep a policy for ever, so that a case can be decided under it years later.

        Raises:
            ValueError: The digest is not the SHA-256 of the body, hex.
        """
        if hashlib.sha256(body).hexdigest() != digest:
            raise ValueError(f"{digest} is not the digest of policy {policy_id}")
        await self._change(questions.keep_policy(digest, policy_id, body))

    async def policies(self) -> Sequence[tuple[str, str, bytes]]:
        """Every policy that was ever in force: digest, id, body, the oldest first."""
        return await self._ask(
            questions.policies(), lambda rows: [(digest, policy_id, body) for digest, policy_id, body in rows]
        )

    async def remember(self, name: str, value: str) -> str | None:
        """Store a small operational fact, such as which Temporal it was; returns what was stored before."""
        before, _ = await self._change(questions.fact(name), questions.keep_fact(name, value))
        return before.rows[0][0] if before.rows else None

    async def agree(self, name: str, value: str, *, instead_of: str | None = None) -> str:
        """Store an operational fact instead of an older one, unless another process was first; returns what stands."""
        _, now = await self._change(
            questions.keep_fact_unless(name, value, instead_of=instead_of), questions.fact(name)
        )
        return str(now.rows[0][0])

    async def recall(self, name: str) -> str | None:
        """An operational fact as it was stored last; None when it never was."""
        return await self._ask(questions.fact(name), lambda rows: str(rows[0][0]) if rows else None, brief=True)

    # The tree, and what was published of it

    async def tree_head(self) -> TreeHead:
        """The tree as of the last commit of any process."""
        return await self._ask(questions.head(), _tree_head, brief=True)

    async def subtrees(self, level: int, first: int, last: int) -> Sequence[bytes]:
        """Hashes from inside the tree, for proofs."""
        question = questions.subtrees(level, first, last) if level else questions.leaves(first, last)
        found: list[bytes] = await self._ask(question, lambda rows: [hashed for (hashed,) in rows])
        if len(found) != last - first:
            raise LogDamagedError(
                f"hashes {first} to {last - 1} of level {level} are not all there: run `casetrail-db verify`"
            )
        return found

    async def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint for ever; once for each size.

        Raises:
            LogDamagedError: Another root was published for this size.
        """
        _, kept = await self._change(questions.keep_checkpoint(checkpoint), questions.checkpoint_root(checkpoint.size))
        if kept.rows[0][0] != checkpoint.root:
            raise LogDamagedError(
                f"the tree of {checkpoint.size} events has the root {checkpoint.root.hex()}, and another one was "
                "published: the log was changed, or restored from an old copy and continued",
            )

    async def keep_cosignature(self, size: int, witness: str, line: str) -> None:
        """Keep a witness's signature line of a checkpoint; the first one counts."""
        await self._change(questions.keep_cosignature(size, witness, line))

    async def checkpoints(self, *, after_size: int = 0, limit: int = 1000) -> Sequence[Checkpoint]:
        """Published checkpoints by size."""
        return await self._checkpoints(questions.checkpoints(after_size=after_size, limit=limit))

    async def newest_checkpoint(self, *, witnesses: Sequence[str] = ()) -> Checkpoint | None:
        """The published checkpoint of the largest tree; of those that all of these witnesses have signed."""
        return next(iter(await self._checkpoints(questions.newest_checkpoint(witnesses))), None)

    async def case_ends(self, size: int) -> Sequence[CaseEnd]:
        """The last event of each case among the first `size` events, by the case id's bytes; LOG_ITSELF is no case."""
        return await self._ask(questions.case_ends(size), lambda rows: [CaseEnd(*row) for row in rows])

    async def _checkpoints(self, question: Question) -> list[Checkpoint]:
        found = await self._ask(question, list)
        lines: dict[int, list[str]] = {size: [] for size, *_ in found}
        if found:
            for size, line in await self._ask(questions.cosignatures(min(lines), max(lines)), list):
                lines[size].append(line)
        return [
            Checkpoint(size, root, note, published_at, tuple(lines[size])) for size, root, note, published_at in found
        ]

    # Archiving

    async def closed_cases(
        self, *, opened_before: int, after_opened: int = 0, limit: int = 1000
    ) -> Sequence[ClosedCase]:
        """Closed cases of which nothing is pending, those that were opened first."""
        question = archive_questions.closed_cases(opened_before=opened_before, after_opened=after_opened, limit=limit)
        return await self._ask(question, _closed)

    async def archive(self, batch: Batch, archive_id: str, cases: Sequence[ClosedCase]) -> AppendResult:
        """Remove the payloads and the projection of cases in the transaction that writes the event that says so."""
        return await self._append(batch, prepare(batch)._replace(besides=self._removal(archive_id, cases)))

    async def restore(
        self, batch: Batch, archived: ArchivedCase, rows: Sequence[StoredEvent], case: Case
    ) -> AppendResult:
        """Put a case back in the transaction that writes the event that says so."""
        key = None
        if self._keys is not None:
            case = fold(await self.opened(rows))
            key = await self._keys.of(subject_of(case))
        changes = archive_questions.restoration(archived, map(self._payload_back, rows), case, kept_body(case, key))
        return await self._append(batch, prepare(batch)._replace(besides=changes))

    async def archived_cases(self, archive_id: str) -> Sequence[ArchivedCase]:
        """The cases that were archived so, by the case id's bytes."""
        return await self._ask(
            archive_questions.archived_cases(archive_id), lambda rows: [ArchivedCase(*row) for row in rows]
        )

    async def archive_of(self, case_id: str) -> str | None:
        """The archive that alone has a case's payloads; None when they are here, or there is no such case."""
        return await self._ask(
            archive_questions.archive_of(case_id), lambda rows: rows[0][0] if rows else None, brief=True
        )

    async def _refuse_archived(self, case_id: str) -> None:
        archive_id = await self.archive_of(case_id)
        if archive_id is not None:
            raise _archived(case_id, archive_id)

    async def _but_archived(self, page: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        """The rows of a page that have payloads; those without must be an archived case's."""
        gone = [row for row in page if row.payload is None]
        if not gone:
            return page
        archived = await self._ask(archive_questions.archived_among({row.case_id for row in gone}), _column)
        for row in gone:
            if row.case_id not in archived:
                event_of(row)  # says what is wrong
        return [row for row in page if row.payload is not None]

    async def _beside(self, question: Callable[[int], Question], seq: int, key: str) -> list[StoredEvent]:
        """What the same request wrote, going from an event in one direction."""
        found: list[StoredEvent] = []
        while page := await self._ask(question(seq), _stored, brief=True):
            of_request = list(takewhile(lambda row: facts.read(row.envelope).correlation == key, page))
            found += of_request
            if len(of_request) < len(page):
                break
            seq = page[-1].seq
        return found

    async def _all_after(self, case_id: str, seq: int) -> list[Event]:
        found: list[Event] = []
        while events := await self.events(case_id, after_seq=seq, limit=_PAGE):
            found += events
            seq = events[-1].seq
        return found

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailableError(f"the log {self._name} is closed")


def _stored(rows: Rows) -> list[StoredEvent]:
    return [StoredEvent(*row) for row in rows]


def _just_erased(case_id: str) -> LogUnavailableError:
    return LogUnavailableError(f"personal data in {case_id} was erased meanwhile: ask again")


def _number(rows: Rows) -> int:
    ((number,),) = rows
    return int(number)


def _column(rows: Rows) -> list[str]:
    return [value for (value,) in rows]


def _copied(batch: Batch) -> Batch:
    """A batch that its writer cannot change any more."""
    case = copied(batch.case) if batch.case is not None else None
    return replace(batch, events=[copied(event) for event in batch.events], case=case)


def _closed(rows: Rows) -> list[ClosedCase]:
    return [ClosedCase(opened, seq, leaf_hash, case_of(body)) for opened, seq, leaf_hash, body in rows]


def _case(case_id: str, rows: Rows) -> Case | None:
    if not rows:
        return None
    body, archive_id = rows[0]
    if body is None:
        raise _archived(case_id, archive_id)
    return case_of(body)


def _archived(case_id: str, archive_id: str) -> Rejected:
    return Rejected(
        RefusalReason.REFUSAL_REASON_CASE_ARCHIVED,
        f"{case_id} is in the archive {archive_id}: what it says can be read there, and "
        f"`casetrail archive restore {archive_id} {case_id}` brings it back",
        field="case_id",
    )


def _tree_head(rows: Rows) -> TreeHead:
    log, size, frontier = questions.head_of(rows)
    try:
        return TreeHead(log, size, Frontier.parse(size, frontier).root)
    except ValueError as error:
        raise LogDamagedError(f"the log contradicts itself ({error}): run `casetrail-db verify`") from error
