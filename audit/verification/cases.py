"""By case: each event right in itself, chained, numbered, and all folded into what the projection has."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice, repeat
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from audit.archived import Archived
from audit.encryption import KeyMissingError, Keys, case_place, decrypt, event_place
from audit.envelope import StoredEvent, leaf_hash
from audit.log import LOG_ITSELF, Finding, LogDamagedError
from audit.projection import Findable, findable
from audit.subject_keys import SubjectKeys
from audit.verification.findings import Findings
from audit.verification.rows import Rows
from audit.verification.snapshot import CaseRange, Projected, Snapshot
from casetrail.personal import without_personal_data
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from domain.evolve import apply

_KEYS_AT_ONCE: Final = 1000  # events whose keys are asked for together


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


def check_cases(snapshot: Snapshot, archived: Archived, keys: SubjectKeys | None, cases: CaseRange) -> CheckedCases:
    """By case: each event right in itself, chained, numbered, and all folded into what the projection has."""
    rows, found = Rows(snapshot.log, archived), Findings()
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


def _without_events(projected: Projected, found: Findings) -> None:
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

    def __init__(self, events: Iterator[_RowAndKeys], rows: Rows, found: Findings, *, folding: bool = True) -> None:
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


def _open_event(event: Event, row: StoredEvent, keys: Keys, found: Findings) -> None:
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


def _check_archived(here: Projected | None, history: _History, archived: Archived, found: Findings) -> None:
    if not archived.is_right(history.first.position, history.last):
        found.add("ARCHIVE_WRONG", "the case is not as it was when it was archived", history.last)
    if here is not None:
        found.add("PROJECTION_DIFFERS", "the projection has a case that only an archive has", history.last)


def _check_projection(
    projected: Projected | None, history: _History, keys: SubjectKeys | None, found: Findings
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
