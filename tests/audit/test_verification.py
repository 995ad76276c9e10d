"""No check of `casetrail verify` can be left out: each finds something that no other one finds.

Every log here is one that somebody wrote down again with all else made to fit, hashes, tree and projection, so that a
single check stands between it and a clean bill. That the rows come from a real database is seen for SQLite and
PostgreSQL beside their stores.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rfc8785

from audit.archived import Archived
from audit.envelope import StoredEvent, event_of, leaf_hash
from audit.log import ArchivedCase, LogDamagedError
from audit.merkle import Frontier, Subtree
from audit.projection import findable
from audit.verification import findings, order
from audit.verification.cases import check_cases, is_fold
from audit.verification.snapshot import ALL_CASES, CaseRange, Placed, Projected
from audit.verification.verify import verify
from casetrail.v1.case_pb2 import Case, PolicyRef
from casetrail.v1.event_pb2 import CaseOpened, ClockMet, Event, NoteAdded
from casetrail.v1.types_pb2 import Kind
from domain.evolve import apply

LOG = "0f3c2b1a00112233445566778899aabb"
MICROSECONDS = 1_790_000_000_000_000
EVENTS = 260  # more than a stored subtree has

RULES = b"rules"
UNDER = PolicyRef(policy_id="default", digest=hashlib.sha256(RULES).hexdigest())
OPENING = Event(case_opened=CaseOpened(kind=Kind.KIND_INQUIRY, policy=UNDER)).SerializeToString()
NOTE = Event(note_added=NoteAdded()).SerializeToString()
# Of INQ-1 the events at 1, 3, 5, …; of INQ-2 those at 2, 4, 6, …; the last is all there is of INQ-3.
MIDDLE, LAST_OF_FIRST, LAST_OF_SECOND, ALONE = 101, EVENTS - 1, EVENTS - 2, EVENTS
# The log was begun with envelopes of version 1.
OLD, LAST_OLD = 41, 50
ABSENT = object()
"""Instead of a member's value: there is none."""


@dataclass
class Written:
    """An event, and what is to be otherwise than it should.

    Attributes:
        said: Members of its envelope.
        columns: Columns of its row.
        payload: What happened.
        stored: Changes the envelope's bytes.
    """

    said: dict[str, Any]
    columns: dict[str, Any] = field(default_factory=dict)
    payload: bytes = NOTE
    stored: Callable[[bytes], bytes] = lambda envelope: envelope


@dataclass
class WrittenLog:
    """A log as one would find it, made from its events; each part can be replaced."""

    events: list[Written]
    log: str = LOG
    head: int = 0
    size: int | None = None
    frontier: bytes = b""
    trees: list[Subtree] = field(default_factory=list)
    notes: list[tuple[int, bytes, str]] = field(default_factory=list)
    unnoted: list[int] = field(default_factory=list)
    rows: list[StoredEvent] = field(default_factory=list)
    cases: list[Projected] = field(default_factory=list)
    gone: list[ArchivedCase] = field(default_factory=list)
    known: list[tuple[str, str, bytes]] = field(default_factory=lambda: [(UNDER.digest, UNDER.policy_id, RULES)])

    def write(self) -> "WrittenLog":
        self.rows = rows_of(self.events)
        growth = Frontier().grow([leaf_hash(row.envelope) for row in self.rows])
        self.size = self.rows[-1].position
        self.frontier, self.trees = growth.frontier.stored, list(growth.subtrees)
        self.notes = [
            published(size, Frontier().grow(growth.leaves[:size]).frontier.root) for size in (150, 151, EVENTS)
        ]
        self.cases = [projected(self.of(case_id)) for case_id in sorted({row.case_id for row in self.rows})]
        return self

    def of(self, case_id: str) -> list[StoredEvent]:
        return [row for row in self.rows if row.case_id == case_id]

    def subtrees(self) -> Iterable[Subtree]:
        return self.trees

    def checkpoints(self) -> Iterable[tuple[int, bytes, str]]:
        return self.notes

    def cosigned_alone(self) -> Iterable[int]:
        return self.unnoted

    def places(self) -> Iterable[Placed]:
        return [Placed(row.position, row.case_id, row.seq, row.recorded_at, row.leaf_hash) for row in self.rows]

    def ranges(self) -> list[CaseRange]:
        return [ALL_CASES]

    def by_case(self, _cases: CaseRange) -> Iterable[StoredEvent]:
        return sorted(self.rows, key=lambda row: (row.case_id, row.seq))

    def projected(self, _cases: CaseRange) -> Iterable[Projected]:
        return self.cases

    def archived(self) -> Iterable[ArchivedCase]:
        return self.gone

    def policies(self) -> Iterable[tuple[str, str, bytes]]:
        return self.known


def published(size: int, root: bytes, *, of: str = f"casetrail/{LOG}") -> tuple[int, bytes, str]:
    """A checkpoint as it would be kept, its signature aside."""
    return size, root, f"{of}\n{size}\n{base64.b64encode(root).decode()}\n\n"


def an_event(position: int) -> Written:
    case_id = "INQ-3" if position == ALONE else f"INQ-{(position - 1) % 2 + 1}"
    first = position in (1, 2, ALONE)
    said = {"case": case_id, "pos": position, "seq": 1 if first else (position + 1) // 2}
    said |= {"type": "CaseOpened" if first else "NoteAdded", "key": f"k{position}", "actor": "mei", "role": "AGENT"}
    return Written(said, payload=OPENING if first else NOTE)


def rows_of(events: list[Written]) -> list[StoredEvent]:
    rows: list[StoredEvent] = []
    last: dict[str, bytes] = {}
    for place, event in enumerate(events, start=1):
        made = of_version_1 if place <= LAST_OLD else of_version_2
        facts = made(event, place, last.get(event.said["case"])) | event.said
        envelope = event.stored(rfc8785.dumps({name: said for name, said in facts.items() if said is not ABSENT}))
        columns: dict[str, Any] = {
            "position": facts["pos"],
            "case_id": facts["case"],
            "seq": facts["seq"],
            "key": facts["key"],
            "ordinal": 0,
            "envelope": envelope,
            "dek_id": "",
            "leaf_hash": leaf_hash(envelope),
            "recorded_at": MICROSECONDS + place,
            "payload": event.payload,
        }
        rows.append(StoredEvent(**(columns | event.columns)))
        last[event.said["case"]] = leaf_hash(envelope)
    return rows


def of_version_1(event: Written, place: int, before: bytes | None) -> dict[str, Any]:
    return {
        "v": 1,
        "log": LOG,
        "id": f"{event.said['case']}:{event.said['seq']}",
        "schema": "casetrail.v1",
        "at": "2026-09-21T15:33:20Z",
        "due": None,
        "via": None,
        "cause": "time",
        "correlation": None,
        "prev": before.hex() if before else None,
        "recorded": f"2026-09-21T14:13:20.{place:06d}Z",
        "payload_hash": hashlib.sha256(event.payload).hexdigest(),
    }


def of_version_2(event: Written, place: int, before: bytes | None) -> dict[str, Any]:
    return {
        "v": 2,
        **({"prev": hashed(before)} if before else {"log": LOG}),
        "digest": hashed(hashlib.sha256(event.said["key"].encode()).digest()),
        "at": 1_790_004_800,
        "recorded": MICROSECONDS + place,
        "payload_hash": hashed(hashlib.sha256(event.payload).digest()),
    }


def hashed(digest: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def projected(rows: list[StoredEvent]) -> Projected:
    """A case as it would be kept, as far as its events can be read and fit."""
    case = Case()
    for row in rows:
        try:
            apply(case, event_of(row))
        except (LogDamagedError, LookupError):
            continue
    last = rows[-1]
    body = case.SerializeToString(deterministic=True)
    return Projected(last.case_id, rows[0].position, findable(case), last.seq, leaf_hash(last.envelope), body)


Do = Callable[[WrittenLog], object]


class Tampering(NamedTuple):
    """What is done to a log, and the only thing that finds it.

    Attributes:
        reason: Of the finding.
        position: Where.
        words: Part of its message.
        before: Is done before the log is written down.
        after: Is done to what was written.
    """

    reason: str
    position: int
    words: str
    before: Do = lambda _: None
    after: Do = lambda _: None


def said(position: int, **members: object) -> Do:
    return lambda log: log.events[position - 1].said.update(members)


def column(position: int, **values: object) -> Do:
    return lambda log: log.events[position - 1].columns.update(values)


def happened(position: int, payload: bytes, **members: object) -> Do:
    def do(log: WrittenLog) -> None:
        log.events[position - 1].payload = payload
        log.events[position - 1].said.update(members)

    return do


def stored(position: int, change: Callable[[bytes], bytes]) -> Do:
    return lambda log: setattr(log.events[position - 1], "stored", change)


def case(number: int, **values: Any) -> Do:  # noqa: ANN401 - of any column
    return lambda log: log.cases.__setitem__(number, log.cases[number]._replace(**values))


def another(number: int) -> Do:
    return lambda log: case(number, findable=log.cases[number].findable._replace(owner="bob"))(log)


def listed(at: int, case_id: str) -> Do:
    return lambda log: log.cases.insert(at, log.cases[0]._replace(case_id=case_id))


def restored(log: WrittenLog) -> None:
    log.gone = [ArchivedCase("A-1", "INQ-1", 1, 3, bytes(32), removed=5, restored=7)]


def archived_otherwise(log: WrittenLog) -> None:
    log.gone = [ArchivedCase("A-1", "INQ-3", ALONE, 1, bytes(32), removed=ALONE)]
    del log.cases[2]


def published_ahead(log: WrittenLog) -> None:
    log.notes += [published(size, bytes(32)) for size in (280, 300)]


def published_otherwise(log: WrittenLog) -> None:
    log.notes[0] = published(150, bytes(32))


def published_of_another_log(log: WrittenLog) -> None:
    size, root, _ = log.notes[0]
    log.notes[0] = published(size, root, of="casetrail/ff")


def by_time(position: int, **members: object) -> Do:
    return said(position, cause="time", digest=ABSENT, **members)


def numbered_second(log: WrittenLog) -> None:
    """The only event under its key, which time brought, as if there were another before it."""
    by_time(MIDDLE)(log)
    column(MIDDLE, ordinal=1, key="")(log)


def second_under_its_key(*, key: str = "", **members: object) -> Do:
    """Two events of one request."""

    def do(log: WrittenLog) -> None:
        said(MIDDLE, **({"key": f"k{MIDDLE - 2}"} | members))(log)
        column(MIDDLE, ordinal=1, key=key)(log)

    return do


HASH = hashed(hashlib.sha256(b"another").digest())
UNKNOWN_FIELD = b"\xfa\x7f\x00"
TAMPERINGS = [
    Tampering(
        "GAP",
        EVENTS,
        f"positions {EVENTS} to {EVENTS} are missing",
        said(ALONE, pos=EVENTS + 1),
        lambda log: setattr(log, "notes", []),
    ),
    Tampering(
        "TIME_BACKWARDS",
        MIDDLE,
        "before the event that stands before it",
        lambda log: (
            said(MIDDLE, recorded=MICROSECONDS + 1)(log),
            column(MIDDLE, recorded_at=MICROSECONDS + 1)(log),
        ),
    ),
    Tampering("HEAD_WRONG", EVENTS + 1, "the head says 261", after=lambda log: setattr(log, "size", EVENTS + 1)),
    Tampering("TREE_WRONG", EVENTS, "the head speaks of", after=lambda log: setattr(log, "frontier", bytes(64))),
    Tampering(
        "TREE_WRONG",
        1,
        "of events 1 to 256 is not over them",
        after=lambda log: setattr(log, "trees", [(1, 0, bytes(32))]),
    ),
    Tampering("TREE_WRONG", 257, "that there is not", after=lambda log: log.trees.append(Subtree(1, 1, bytes(32)))),
    Tampering("LOG_SHORTENED", EVENTS + 1, "of 300 events", after=published_ahead),
    Tampering("CHECKPOINT_DIFFERS", 150, "rewritten", after=published_otherwise),
    Tampering(
        "CHECKPOINT_DIFFERS",
        150,
        "the note of",
        after=published_of_another_log,
    ),
    Tampering("CHECKPOINT_MISSING", 150, "a witness signed", after=lambda log: log.unnoted.append(150)),
    Tampering("HASH_WRONG", MIDDLE, "leaf hash", column(MIDDLE, leaf_hash=bytes(32))),
    Tampering("ENVELOPE_INVALID", ALONE, "no canonical JSON", stored(ALONE, lambda _: b"{")),
    Tampering("ENVELOPE_INVALID", ALONE, "no canonical JSON", stored(ALONE, lambda _: b"[" * 100_000)),
    Tampering("ENVELOPE_INVALID", ALONE, "no canonical JSON", stored(ALONE, lambda _: b"1e999")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "is not canonical", stored(MIDDLE, lambda envelope: envelope + b" ")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "should not have, ['more']", said(MIDDLE, more=1)),
    Tampering("ENVELOPE_INVALID", MIDDLE, "version 3", said(MIDDLE, v=3)),
    Tampering("ENVELOPE_INVALID", MIDDLE, "via cannot be None", said(MIDDLE, via=None)),
    Tampering("ENVELOPE_INVALID", MIDDLE, "via cannot be ''", said(MIDDLE, via="")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "names the log", said(MIDDLE, log=LOG)),
    Tampering("ENVELOPE_INVALID", ALONE, "names the log", said(ALONE, log=ABSENT)),
    Tampering("ENVELOPE_INVALID", MIDDLE, "is no time in seconds", said(MIDDLE, at="2026-09-21T15:33:20Z")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "is no hash", said(MIDDLE, digest="ab" * 32)),
    Tampering("ENVELOPE_INVALID", MIDDLE, "is no hash", said(MIDDLE, digest=f"{HASH}=")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "is no hash", said(MIDDLE, digest=f"{HASH[:-1]}B")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "by time, and by", said(MIDDLE, cause="time")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "its own key", said(MIDDLE, correlation="r1")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "its own key", by_time(MIDDLE, correlation=f"k{MIDDLE}")),
    Tampering("ENVELOPE_INVALID", MIDDLE, "has its digest", said(MIDDLE, digest=ABSENT)),
    Tampering("ENVELOPE_INVALID", MIDDLE, "has its digest", second_under_its_key()),
    Tampering("ENVELOPE_INVALID", OLD, "has not the members of version 1", said(OLD, more=1)),
    Tampering("ENVELOPE_INVALID", OLD, "has not the members of version 1", said(OLD, schema="casetrail.v2")),
    Tampering("ENVELOPE_INVALID", OLD, "at cannot be None", said(OLD, at=None)),
    Tampering("ENVELOPE_INVALID", OLD, "of another form", said(OLD, cause="request")),
    Tampering("ENVELOPE_INVALID", OLD, "not the id of this event", said(OLD, id="INQ-1:9")),
    Tampering("OTHER_LOG", ALONE, "into the log ff", said(ALONE, log="ff")),
    Tampering("OTHER_LOG", OLD, "into the log ff", said(OLD, log="ff")),
    Tampering("CHAIN_BROKEN", OLD, "does not follow", said(OLD, prev="ab" * 32)),
    Tampering("CHAIN_BROKEN", MIDDLE, "does not follow", said(MIDDLE, prev=ABSENT, log=LOG)),
    Tampering("COLUMN_CHANGED", MIDDLE, "key is", column(MIDDLE, key="k")),
    Tampering("COLUMN_CHANGED", MIDDLE, "key is", second_under_its_key(key=f"k{MIDDLE - 2}", digest=ABSENT)),
    Tampering("COLUMN_CHANGED", MIDDLE, "ordinal is", numbered_second),
    Tampering("COLUMN_CHANGED", MIDDLE, "recorded_at is", column(MIDDLE, recorded_at=MICROSECONDS + MIDDLE - 1)),
    Tampering("PAYLOAD_MISSING", MIDDLE, "gone", column(MIDDLE, payload=None)),
    Tampering("PAYLOAD_CHANGED", MIDDLE, "not the one", column(MIDDLE, payload=NOTE + UNKNOWN_FIELD)),
    Tampering("PAYLOAD_INVALID", MIDDLE, "", happened(MIDDLE, b"\xff")),
    Tampering("PAYLOAD_INVALID", MIDDLE, "is NoteAdded, not Rated", said(MIDDLE, type="Rated")),
    Tampering("PAYLOAD_INVALID", MIDDLE, "is nothing, not NoteAdded", happened(MIDDLE, b"")),
    Tampering("SEQ_WRONG", LAST_OF_FIRST, "stands where", said(LAST_OF_FIRST, seq=900)),
    Tampering("CHAIN_BROKEN", MIDDLE, "does not follow", said(MIDDLE, prev=HASH)),
    Tampering(
        "FOLD_FAILED",
        MIDDLE,
        "does not fit",
        happened(MIDDLE, Event(clock_met=ClockMet()).SerializeToString(), type="ClockMet"),
    ),
    Tampering("PROJECTION_DIFFERS", LAST_OF_SECOND, "lacks the case", after=lambda log: log.cases.pop(1)),
    Tampering("PROJECTION_DIFFERS", ALONE, "lacks the case", after=lambda log: log.cases.pop()),
    Tampering("PROJECTION_DIFFERS", 1, "has no events", after=listed(0, "INQ-0")),
    Tampering("PROJECTION_DIFFERS", 1, "has no events", after=listed(3, "INQ-4")),
    Tampering("PROJECTION_DIFFERS", LAST_OF_SECOND, "not as of", after=case(1, seq=3)),
    Tampering("PROJECTION_DIFFERS", LAST_OF_SECOND, "not as of", after=case(1, opened=4)),
    Tampering("PROJECTION_DIFFERS", LAST_OF_SECOND, "not as of", after=case(1, leaf_hash=bytes(32))),
    Tampering("PROJECTION_DIFFERS", LAST_OF_SECOND, "cannot be read", after=case(1, body=b"\xff")),
    Tampering("PROJECTION_DIFFERS", LAST_OF_SECOND, "is not the fold", after=case(1, body=b"")),
    Tampering("PROJECTION_DIFFERS", LAST_OF_SECOND, "are not the case's: owner", after=another(1)),
    Tampering("ARCHIVE_WRONG", 5, "no event says", after=restored),
    Tampering("ARCHIVE_WRONG", ALONE, "not as it was when it was archived", after=archived_otherwise),
    Tampering("POLICY_MISSING", 1, "is gone", after=lambda log: log.known.clear()),
    Tampering("POLICY_CHANGED", 0, "digest", after=lambda log: log.known.append(("ab" * 32, "milder", b"rules"))),
]


def a_log() -> WrittenLog:
    return WrittenLog([an_event(position) for position in range(1, EVENTS + 1)])


@pytest.mark.parametrize("at_once", [1, 7, EVENTS])
def test_a_log_that_nobody_touched_has_nothing_wrong(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(order, "_AT_ONCE", at_once)

    found = verify(a_log().write())

    assert found.findings == ()
    assert (found.events, found.cases) == (EVENTS, 3)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: f"{each.reason}-{each.words.replace(' ', '-')}")
def test_what_was_tampered_with_is_found_by_one_check_alone(tampering: Tampering) -> None:
    log = a_log()
    tampering.before(log)
    log.write()
    tampering.after(log)

    found = verify(log).findings

    assert {finding.reason for finding in found} == {tampering.reason}, found
    assert any(each.position == tampering.position and tampering.words in each.message for each in found), found


def test_of_the_checkpoints_of_a_log_that_was_rewritten_the_first_is_named() -> None:
    log = a_log().write()
    log.notes = [published(size, bytes(32)) for size in (150, 151, EVENTS)]
    assert [(each.reason, each.position) for each in verify(log).findings] == [("CHECKPOINT_DIFFERS", 150)]


def test_a_case_alone_is_not_asked_for_its_policy() -> None:
    log = a_log().write()
    log.rows, log.cases, log.size, log.trees, log.notes = log.of("INQ-1"), log.cases[:1], None, [], []
    log.known.clear()
    assert verify(log).findings == ()


@pytest.mark.parametrize(
    ("projected", "holds"),
    [
        (Case(owner="mei", subject="where?"), True),
        (Case(owner="mei", erased=True), True),
        (Case(owner="mei"), False),
        (Case(owner="bob", erased=True), False),
    ],
    ids=["as it is", "erased", "emptied", "erased, and another's"],
)
def test_an_erased_case_is_what_its_events_say_but_for_personal_data(projected: Case, *, holds: bool) -> None:
    assert is_fold(projected, Case(owner="mei", subject="where?")) == holds


@pytest.mark.parametrize("turn", [1, -1])
def test_a_policy_that_is_gone_is_named_by_the_first_case_under_it_whoever_checked_it(turn: int) -> None:
    log = a_log().write()
    log.known.clear()
    parts = [check_cases(log, Archived([]), None, ALL_CASES)] * 2
    parts[1] = parts[1]._replace(policies={UNDER.digest: 7})
    assert [each.position for each in verify(log, check=lambda _: parts[::turn]).findings] == [1]


def test_a_subtree_that_is_wrong_is_named_by_the_first_event_under_it() -> None:
    log = a_log().write()
    log.trees, log.notes = [Subtree(1, number, bytes(32)) for number in range(3)], []
    found = findings.Findings()
    tree = order.Tree(log, found)

    tree.add([bytes(32)] * 600)

    assert [finding.position for finding in found.in_order()] == [1, 257]


def test_what_is_wrong_everywhere_is_listed_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_MOST_FINDINGS", 6)
    log = a_log()
    for position in range(1, EVENTS + 1):
        column(position, key=f"another {position}")(log)

    found = verify(log.write())

    assert [finding.position for finding in found.findings] == [1, 2, 3, 4, 5, 6]


def test_every_check_is_among_them() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(findings.__file__).parent.glob("*.py")]
    checks = set(re.findall(r'found\.add\(\s*"([A-Z_]+)"', "".join(sources)))

    with_keys = {"KEY_MISSING", "KEY_WRONG"}  # tests/audit/erasure_contract.py
    assert checks - with_keys == {tampering.reason for tampering in TAMPERINGS}
