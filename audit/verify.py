"""Verification: whether what the log holds is what it wrote, found out from the rows alone.

Two passes, each in constant memory. By position: nothing is missing, and the Merkle tree over all hashes is the one
that the head and every published checkpoint speak of. By case: each event agrees with itself and with its hash, it is
chained to the one before it, and the projection is the fold of them all; cases can be checked beside each other. What
only the outside can know (whether the whole log was rewritten with its checkpoints, or its tail cut off together with
the head) takes a checkpoint that is kept elsewhere.

The reasons of findings are stable; programs match them.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice, repeat
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

import rfc8785
from google.protobuf.message import DecodeError

from audit import facts, plain
from audit.archived import Archived
from audit.encryption import KeyMissingError, Keys, case_place, decrypt, event_place
from audit.envelope import StoredEvent, event_of, leaf_hash, type_of
from audit.facts import Facts
from audit.log import LOG_ITSELF, ArchivedCase, Finding, LogDamagedError, Verification
from audit.merkle import Frontier, Subtree
from audit.plain import Read
from audit.projection import Findable, findable
from audit.signing import origin_of
from audit.subject_keys import SubjectKeys
from casetrail.personal import without_personal_data
from casetrail.proof.note import TreeNote
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from domain.evolve import apply

_MOST_FINDINGS: Final = 1000
_KEYS_AT_ONCE: Final = 1000  # events whose keys are asked for together
_AT_ONCE: Final = 512  # places that are looked at together: so few that no garbage is looked for meanwhile


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


class CheckedCases(NamedTuple):
    """What checking some cases has given.

    Attributes:
        cases: How many there are.
        own: The events of the log itself that can be relied on.
        leaves: Hashes of the envelopes of which another one is stored, by position.
        in_rows: What is wrong with events by themselves.
        in_cases: What is wrong with them together.
        policies: Digests of the policies that cases are under, each with the position of the first case's opening.
    """

    cases: int
    own: Sequence[StoredEvent]
    leaves: Mapping[int, bytes]
    in_rows: Sequence[Finding]
    in_cases: Sequence[Finding]
    policies: Mapping[str, int]


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


Check = Callable[[Iterable[CaseRange]], Iterable[CheckedCases]]
"""Has ranges of cases checked, and gives in their order what that gave."""


def verify(snapshot: Snapshot, keys: SubjectKeys | None = None, check: Check | None = None) -> Verification:
    """Check a log, or one case of it.

    Args:
        snapshot: What is to be checked.
        keys: What personal fields are encrypted with. Those whose key was destroyed are as empty in the events as they
            are in the projection, and all that is hashed is what is stored: erasure breaks nothing.
        check: What checks the cases beside this; by default they are checked here, one after the other.
    """
    archived = Archived(snapshot.archived())
    if check is None:
        checked: Iterable[CheckedCases] = [check_cases(snapshot, archived, keys, cases) for cases in snapshot.ranges()]
    else:
        checked = check(snapshot.ranges())
    order = _Order(snapshot, {})  # while others check the cases
    checked = list(checked)
    if leaves := {position: leaf for each in checked for position, leaf in each.leaves.items()}:
        order = _Order(snapshot, leaves)
    found = _Findings()
    found.take(order.findings)
    for each in checked:
        found.take(each.in_rows)
        for row in each.own:
            archived.read(row)
    for each in checked:
        found.take(each.in_cases)
    if snapshot.size is not None:
        for position, words in archived.faults():
            found.add("ARCHIVE_WRONG", words, position=position)
        _check_published(snapshot, archived, found)
    _check_policies(snapshot, [each.policies for each in checked], found)
    return Verification(events=order.events, cases=sum(each.cases for each in checked), findings=found.in_order())


def _check_published(snapshot: Snapshot, archived: Archived, found: "_Findings") -> None:
    """Checkpoints that something else in the log shows to have been there still are.

    Of others, nothing here tells that they were deleted: a checkpoint is kept outside for that.
    """
    gone = dict.fromkeys(snapshot.cosigned_alone(), "a witness signed")
    if proven := archived.proven:
        kept = {size for size, *_ in snapshot.checkpoints()}
        gone |= {size: f"{archive} is proven by" for size, archive in proven.items() if size not in kept}
    for size, why in gone.items():
        found.add("CHECKPOINT_MISSING", f"{why} the checkpoint of {size} events, which is gone", position=size)


def _check_policies(snapshot: Snapshot, under: Iterable[Mapping[str, int]], found: "_Findings") -> None:
    """Each policy is what its digest was made of, and those that cases are under are there."""
    there = set[str]()
    for digest, policy_id, body in snapshot.policies():
        there.add(digest)
        if hashlib.sha256(body).hexdigest() != digest:
            found.add("POLICY_CHANGED", f"policy {policy_id} is not what its digest {digest} was made of")
    if snapshot.size is None:
        return
    first: dict[str, int] = {}
    for policies in under:
        for digest, position in policies.items():
            first[digest] = min(position, first.get(digest, position))
    for digest in first.keys() - there:
        found.add("POLICY_MISSING", f"the policy {digest}, which cases are under, is gone", position=first[digest])


class _Findings:
    """What was found, the first up to a bound: a log that is wrong everywhere need not be listed everywhere."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(
        self,
        reason: str,
        message: str,
        row: StoredEvent | Placed | None = None,
        *,
        position: int = 0,
        case_id: str = "",
    ) -> None:
        if row is not None:
            self.take([Finding(reason, message, row.position, row.case_id, row.seq)])
        else:
            self.take([Finding(reason, message, position, case_id)])

    def take(self, findings: Iterable[Finding]) -> None:
        """Add what was found elsewhere."""
        self._found += findings
        if len(self._found) > 2 * _MOST_FINDINGS:
            self._found = list(self.in_order())

    def in_order(self) -> tuple[Finding, ...]:
        """Those with the lowest positions."""
        return tuple(sorted(self._found, key=attrgetter("position"))[:_MOST_FINDINGS])


class _Order:
    """By position: gapless, in the order of time, and under the tree that was said to be over it.

    Attributes:
        events: How many there are.
        findings: What is wrong.
    """

    def __init__(self, snapshot: Snapshot, leaves: Mapping[int, bytes]) -> None:
        """Go through the log; `leaves` are the true hashes where others are stored."""
        found = _Findings()
        tree = _Tree(snapshot, found)
        count = position = recorded_at = 0
        whole = snapshot.size is not None
        places = iter(snapshot.places())
        while some := list(islice(places, _AT_ONCE)):
            count += len(some)
            tree.add([leaves.get(row.position, row.leaf_hash) for row in some])
            for row in some:
                if whole and row.position != position + 1:
                    missing = f"positions {position + 1} to {row.position - 1} are missing"
                    found.add("GAP", missing, position=position + 1)
                if row.recorded_at < recorded_at:
                    found.add("TIME_BACKWARDS", "it was recorded before the event that stands before it", row)
                position, recorded_at = row.position, row.recorded_at
        if snapshot.size is not None and snapshot.size != position:
            found.add(
                "HEAD_WRONG",
                f"the head says {snapshot.size} events, and the last one is at {position}",
                position=min(snapshot.size, position) + 1,
            )
        if whole:
            tree.finish(snapshot.frontier)
        self.events = count
        self.findings = found.in_order()


class _Tree:
    """The tree over the events as they are, compared with what was said of it."""

    def __init__(self, snapshot: Snapshot, found: _Findings) -> None:
        self._frontier = Frontier()
        self._stored = {(level, number): root for level, number, root in snapshot.subtrees()}
        self._origin = origin_of(snapshot.log)
        self._checkpoints = iter(snapshot.checkpoints())
        self._next = next(self._checkpoints, None)
        self._found = found

    def add(self, leaves: Sequence[bytes]) -> None:
        while self._next is not None and 0 < (ahead := self._next[0] - self._frontier.size) <= len(leaves):
            self._grow(leaves[:ahead])
            self._compare(*self._next)
            leaves = leaves[ahead:]
        self._grow(leaves)

    def finish(self, frontier: bytes) -> None:
        size = self._frontier.size
        if frontier != self._frontier.stored:
            self._found.add("TREE_WRONG", "the tree that the head speaks of is not over these events", position=size)
        for level, number in sorted(self._stored):
            first = number * 256**level + 1
            self._found.add("TREE_WRONG", f"a subtree of level {level} is stored that there is not", position=first)
        if self._next is not None:
            ahead = max((self._next, *self._checkpoints))[0]
            self._found.add(
                "LOG_SHORTENED",
                f"a checkpoint of {ahead} events was published, and there are {size}",
                position=size + 1,
            )

    def _grow(self, leaves: Sequence[bytes]) -> None:
        growth = self._frontier.grow(leaves)
        self._frontier = growth.frontier
        for level, number, root in growth.subtrees:
            if self._stored.pop((level, number), None) != root:
                first, last = number * 256**level + 1, (number + 1) * 256**level
                self._found.add(
                    "TREE_WRONG", f"the stored subtree of events {first} to {last} is not over them", position=first
                )

    def _compare(self, size: int, root: bytes, note: str) -> None:
        self._next = next(self._checkpoints, None)
        if root != self._frontier.root:
            self._found.add(
                "CHECKPOINT_DIFFERS",
                f"the checkpoint that was published for {size} events is not about these: the log was rewritten",
                position=size,
            )
            self._next = None  # those after it differ too
        elif not note.startswith(f"{TreeNote(self._origin, size, root).body}\n"):
            self._found.add(
                "CHECKPOINT_DIFFERS",
                f"the note of the checkpoint of {size} events is about something else: it was changed",
                position=size,
            )


def _check_row(row: StoredEvent, log: str, archived: Archived, found: _Findings) -> bool:
    """Check a row by itself, the long way; whether its payload can be relied on."""
    if leaf_hash(row.envelope) != row.leaf_hash:
        found.add("HASH_WRONG", "the leaf hash is not that of the envelope", row)
    said = _said(row, found)
    if said is None:
        return False
    _check_columns(row, said, log, found)
    if row.payload is None:
        if not archived.holds(row.case_id):
            found.add("PAYLOAD_MISSING", "the payload is gone", row)
    elif hashlib.sha256(row.payload).digest() != said.payload_hash:
        found.add("PAYLOAD_CHANGED", "the payload is not the one that was written", row)
    else:
        _check_payload(row, said, found)
        return True
    return False


def _said(row: StoredEvent, found: _Findings) -> Facts | None:
    """What the envelope says; None, and a finding, where it is no canonical envelope."""
    try:
        canonical = rfc8785.dumps(json.loads(row.envelope))
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        found.add("ENVELOPE_INVALID", f"the envelope is no canonical JSON: {error}", row)
        return None
    if canonical != row.envelope:
        found.add("ENVELOPE_INVALID", "the envelope is not canonical JSON", row)
        return None
    try:
        return facts.read(row.envelope)
    except ValueError as error:
        found.add("ENVELOPE_INVALID", str(error), row)
        return None


def _check_columns(row: StoredEvent, said: Facts, log: str, found: _Findings) -> None:
    """The columns say what the envelope says, so that what is found by a column is what was hashed."""
    if said.log not in ("", log):
        found.add("OTHER_LOG", f"it was written into the log {said.log}, not into {log}", row)
    columns = {
        "pos": (said.position, row.position),
        "case_id": (said.case_id, row.case_id),
        "seq": (said.seq, row.seq),
        "key": ("" if row.ordinal else said.key, row.key),
        "recorded_at": (said.recorded_at, row.recorded_at),
    }
    for column, (enveloped, stored) in columns.items():
        if enveloped != stored:
            found.add("COLUMN_CHANGED", f"{column} is {stored!r}; the envelope says {enveloped!r}", row)
    if not facts.has_its_digest(said, row.ordinal):
        found.add("ENVELOPE_INVALID", "the first event under a request's key has its digest, and no other event", row)


def _check_payload(row: StoredEvent, said: Facts, found: _Findings) -> None:
    """It is of the type that the envelope names, and encrypted with the key that the column names."""
    try:
        event = event_of(row, said=said)
    except LogDamagedError as error:
        found.add("PAYLOAD_INVALID", str(error), row)
        return
    key_id = event.encrypted.key_id
    if key_id != row.dek_id:
        found.add("COLUMN_CHANGED", f"dek_id is {row.dek_id!r}; the payload says {key_id!r}", row)
    named = type_of(event)
    if named != said.type:
        found.add("PAYLOAD_INVALID", f"the payload is {named or 'nothing'}, not {said.type}", row)


def check_cases(snapshot: Snapshot, archived: Archived, keys: SubjectKeys | None, cases: CaseRange) -> CheckedCases:
    """By case: each event right in itself, chained, numbered, and all folded into what the projection has."""
    rows, found = _Rows(snapshot.log, archived), _Findings()
    count = 0
    policies: dict[str, int] = {}
    projections = iter(list(snapshot.projected(cases)))  # all of them before the events: one question at a time
    projected = next(projections, None)
    for case_id, events in groupby(_with_keys(snapshot.by_case(cases), keys), key=lambda event: event[0].case_id):
        if case_id == LOG_ITSELF:
            _History(events, rows, found, folding=False)
            continue
        count += 1
        while projected is not None and projected.case_id < case_id:
            _without_events(projected, found)
            projected = next(projections, None)
        here = projected if projected is not None and projected.case_id == case_id else None
        if archived.holds(case_id):
            _check_archived(here, _History(events, rows, found, folding=False), archived, found)
        else:
            history = _History(events, rows, found)
            _check_projection(here, history, keys, found)
            if history.case is not None and history.case.policy.digest:
                policies.setdefault(history.case.policy.digest, history.first.position)
        if here is not None:
            projected = next(projections, None)
    while projected is not None:
        _without_events(projected, found)
        projected = next(projections, None)
    return CheckedCases(count, rows.own, rows.leaves, rows.found.in_order(), found.in_order(), policies)


_RowAndKeys = tuple[StoredEvent, Keys | None]
"""An event, and the keys of its personal fields, and maybe others; None where nothing is to be decrypted."""


class _Rows:
    """Checks events by themselves.

    Attributes:
        own: Those of the log itself that can be relied on.
        leaves: Hashes of the envelopes of which another one is stored, by position.
        found: What is wrong.
    """

    def __init__(self, log: str, archived: Archived) -> None:
        self.own: list[StoredEvent] = []
        self.leaves: dict[int, bytes] = {}
        self.found = _Findings()
        self._log = log
        self._archived = archived

    def read(self, row: StoredEvent, previous: bytes) -> Read:
        """Check a row that stands behind one with this leaf hash, and read it as far as it can be read."""
        read = plain.read(row, self._log, previous)
        right = read is not None or _check_row(row, self._log, self._archived, self.found)
        if right and row.case_id == LOG_ITSELF:
            self.own.append(row)
        return read if read is not None else self._read_at_length(row)

    def _read_at_length(self, row: StoredEvent) -> Read:
        leaf = leaf_hash(row.envelope)
        if row.leaf_hash != leaf:
            self.leaves[row.position] = leaf
        try:
            said = facts.read(row.envelope)
        except ValueError:
            return leaf, None, row.key, None
        try:
            return leaf, said.previous, said.key, event_of(row, said=said)
        except LogDamagedError:
            return leaf, said.previous, said.key, None


def _without_events(projected: Projected, found: _Findings) -> None:
    found.add(
        "PROJECTION_DIFFERS",
        "the projection has a case that has no events",
        position=projected.opened,
        case_id=projected.case_id,
    )


def _with_keys(rows: Iterable[StoredEvent], keys: SubjectKeys | None) -> Iterator[_RowAndKeys]:
    """Rows with the keys that they need, which are asked for many at once."""
    if keys is None:
        yield from zip(rows, repeat(None))
        return
    remaining = iter(rows)
    while some := list(islice(remaining, _KEYS_AT_ONCE)):
        yield from zip(some, repeat(keys.found_at_once(row.dek_id for row in some)))


class _History:
    """One case's events, gone through once.

    Attributes:
        first: Its first row.
        last: Its last row.
        case: The fold; None where an event cannot be read.
    """

    def __init__(self, events: Iterator[_RowAndKeys], rows: _Rows, found: _Findings, *, folding: bool = True) -> None:
        self.case: Case | None = Case() if folding else None
        self._next_seq = 1
        self._previous = b""
        self._ordinals: dict[str, int] = {}
        self._rows = rows
        self._found = found
        self.first, keys = next(events)
        self.last = self.first
        self._check(self.first, keys)
        for row, keys in events:
            self._check(row, keys)
            self.last = row

    def _check(self, row: StoredEvent, keys: Keys | None) -> None:
        leaf, previous, key, event = self._rows.read(row, self._previous)
        if row.seq != self._next_seq:
            self._found.add("SEQ_WRONG", f"event {row.seq} of the case stands where {self._next_seq} belongs", row)
        ordinal = self._ordinals.get(key, 0)
        self._ordinals[key] = row.ordinal + 1
        if row.ordinal != ordinal:
            self._found.add("COLUMN_CHANGED", f"ordinal is {row.ordinal}, not {ordinal}", row)
        if previous != self._previous and previous is not None:
            self._found.add("CHAIN_BROKEN", "it does not follow the event that stands before it in the case", row)
        self._next_seq = row.seq + 1
        self._previous = leaf
        if self.case is not None:
            self.case = self._folded(self.case, row, event, keys)

    def _folded(self, case: Case, row: StoredEvent, event: Event | None, keys: Keys | None) -> Case | None:
        if event is None:
            return None  # that has been found
        try:
            if keys is not None:
                _open_event(event, row, keys, self._found)
            apply(case, event)
        except LogDamagedError:
            return None  # that has been found
        except (ValueError, LookupError, AttributeError, StopIteration) as error:
            self._found.add("FOLD_FAILED", f"the event does not fit the case: {error!r}", row)
            return None
        return case


def _opened(body: bytes, keys: SubjectKeys | None) -> Case:
    """A case of the projection, decrypted; without any keys it can be judged like an erased one.

    Raises:
        DecodeError: It is none.
        LogDamagedError: It cannot be decrypted.
    """
    case = Case.FromString(body)
    if not case.HasField("encrypted"):
        return case
    if keys is not None:
        decrypt(case, keys.found_at_once([case.encrypted.key_id]), case_place(case))
    else:
        case.ClearField("encrypted")
        case.erased = True
    return case


def is_fold(case: Case, fold: Case) -> bool:
    """Whether the projection is what the events say.

    That a case is erased follows from no event. What it said was encrypted as a whole, so all of it is empty then, also
    what some events said before there was encryption.
    """
    if not case.erased:
        return case == fold
    bare = without_personal_data(case)
    bare.erased = fold.erased
    return bare == without_personal_data(fold)


def _open_event(event: Event, row: StoredEvent, keys: Keys, found: _Findings) -> None:
    """Decrypt the personal fields of an event, in it.

    Raises:
        LogDamagedError: It cannot be done.
    """
    if not event.HasField("encrypted"):
        return
    # The row's own only, whatever others were asked for with it.
    own = {row.dek_id: keys[row.dek_id]} if row.dek_id in keys else {}
    try:
        decrypt(event, own, event_place(row.case_id, row.seq))
    except KeyMissingError as error:
        found.add("KEY_MISSING", str(error), row)
        raise
    except LogDamagedError as error:
        found.add("KEY_WRONG", str(error), row)
        raise


def _check_archived(here: Projected | None, history: _History, archived: Archived, found: _Findings) -> None:
    if not archived.is_right(history.first.position, history.last):
        found.add("ARCHIVE_WRONG", "the case is not as it was when it was archived", history.last)
    if here is not None:
        found.add("PROJECTION_DIFFERS", "the projection has a case that only an archive has", history.last)


def _check_projection(
    projected: Projected | None, history: _History, keys: SubjectKeys | None, found: _Findings
) -> None:
    last = history.last
    if projected is None:
        found.add("PROJECTION_DIFFERS", "the projection lacks the case", last)
        return
    if (projected.opened, projected.seq, projected.leaf_hash) != (
        history.first.position,
        last.seq,
        leaf_hash(last.envelope),
    ):
        found.add("PROJECTION_DIFFERS", "the projection is not as of the case's last event", last)
        return
    if history.case is None:
        return
    case = history.case
    if projected.body != case.SerializeToString(deterministic=True):  # as it is stored where nothing is encrypted
        try:
            case = _opened(projected.body, keys)
        except (DecodeError, LogDamagedError) as error:
            found.add("PROJECTION_DIFFERS", f"the projection cannot be read: {error}", last)
            return
        if not is_fold(case, history.case):
            found.add("PROJECTION_DIFFERS", "the projection is not the fold of the case's events", last)
            return
    columns = findable(case)
    if projected.findable != columns:
        wrong = [name for name in Findable._fields if getattr(projected.findable, name) != getattr(columns, name)]
        found.add("PROJECTION_DIFFERS", f"columns of the projection are not the case's: {', '.join(wrong)}", last)
