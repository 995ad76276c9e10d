"""Checks a stretch of events: each by itself, and each with those before it in the same stretch.

Stretches are checked one beside the other, in processes of their own. What a stretch cannot know, namely what stands
before it, it leaves at its edges for `casetrail_verify.joining`.
"""

import hashlib
import struct
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from casetrail_verify import events, folding, lines, listed, plain
from casetrail_verify.events import Row, Tree
from casetrail_verify.faults import Check, Fault, Faults
from casetrail_verify.folding import Step
from casetrail_verify.lines import Line, LineError
from casetrail_verify.listed import Listed
from casetrail_verify.wire import WireError

Numbered = tuple[int, Line | Listed | str]
"""A line with its number, from 1; instead of one that cannot be read, what is wrong with it."""

LOG_ITSELF: Final = "@log"
"""The case of the events that are about the log itself."""

DIGEST: Final = 16
"""Bytes of what stands for a case, or for a key of a case, in memory and on disk."""

KEYS: Final = struct.Struct(f"={DIGEST}s3q")
"""What a stretch says of a key of a case: digest, position and ordinal of the first event, the ordinal that is next."""

BUCKETS: Final = 64
"""Into so many parts the keys are split, each of which fits into memory."""


class Stretch(NamedTuple):
    """Lines of an export.

    Attributes:
        path: The file.
        start: Where they begin in it.
        length: How many bytes they are.
        number: Of the first line, from 1.
        tree: That their events are in.
    """

    path: Path
    start: int
    length: int
    number: int
    tree: Tree


class Place(NamedTuple):
    """Where an event stands in the log, and since when: microseconds since 1970."""

    pos: int
    recorded_at: int


NOWHERE: Final = Place(0, 0)
"""Before the first event."""


class Last(NamedTuple):
    """The last event of a case so far.

    Attributes:
        seq: Its number in the case; 0 where there is none.
        leaf: Its hash, hex; None where there is none.
    """

    seq: int
    leaf: str | None


class Edge(NamedTuple):
    """What a stretch says of one case.

    Attributes:
        pos: Position of its first event in the stretch.
        seq: That one's number in the case.
        prev: What it says is the hash before it; None where it says that nothing is.
        last_seq: Number of its last event in the stretch.
        last_leaf: That one's hash, hex.
        last_at: When that one happened, in case time: seconds since 1970.
        steps: What the fold needs of its events; None where one of them is missing or cannot be read.
    """

    pos: int
    seq: int
    prev: str | None
    last_seq: int
    last_leaf: str
    last_at: int
    steps: list[Step] | None


class Gone(NamedTuple):
    """Payloads of a case that are gone.

    Attributes:
        pos: Of the first such event.
        times: How many are gone.
    """

    pos: int
    times: int


class OwnEvent(NamedTuple):
    """An event of the log itself."""

    pos: int
    key: str
    type: str
    payload: bytes | None
    actor: str


@dataclass
class Checked:
    """What a stretch leaves to be joined with its neighbours.

    Attributes:
        events: How many it has.
        first: Where the first stands.
        last: Where the last does.
        cases: What it says of each case.
        leaves: The events' hashes, one behind the other.
        positions: Their positions, as 8 bytes each.
        owners: What stands for their cases, 16 bytes each.
        keys: For each bucket, what was found of each key, packed as `KEYS`.
        own: Events of the log itself.
        gone: The payloads that are gone, by case.
        faults: What is wrong.
        rest: The lines from the first on that is no event.
    """

    events: int = 0
    first: Place = NOWHERE
    last: Place = NOWHERE
    cases: dict[str, Edge] = field(default_factory=dict)
    leaves: bytes = b""
    positions: bytes = b""
    owners: bytes = b""
    keys: dict[int, bytes] = field(default_factory=dict)
    own: list[OwnEvent] = field(default_factory=list)
    gone: dict[str, Gone] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    rest: list[Numbered] = field(default_factory=list)


def digest_of(*texts: str) -> bytes:
    """What stands for texts where they would need too much room."""
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).digest()[:DIGEST]


def check(stretch: Stretch) -> Checked:
    """Check the events of a stretch, up to the first line that is none."""
    with stretch.path.open("rb") as file:
        file.seek(stretch.start)
        raw = file.read(stretch.length).split(b"\n")
    if not raw[-1]:
        raw.pop()  # behind the last line's end
    found = Faults()
    rows = []
    checked = Checked()
    for number, one in enumerate(raw, stretch.number):
        if not checked.rest and (row := plain.read(one, stretch.tree)) is not None:
            rows.append(row)
            continue
        read = _line(one)
        if checked.rest or not isinstance(read, dict) or read.get("kind") != "event":
            checked.rest.append((number, _listed(read)))
            continue
        try:
            rows.append(events.check(read, stretch.tree, found))
        except LineError as error:
            found.add(Check.EXPORT_MALFORMED, f"line {number}: {error}")
    if rows:
        _link(rows, stretch.tree, checked, found)
    checked.faults = found.in_order()
    return checked


def _line(raw: bytes) -> Line | str:
    try:
        return lines.parse(raw)
    except LineError as error:
        return str(error)


def _listed(read: Line | str) -> Line | Listed | str:
    """A line behind the events, which are many where there are many cases: these are read here."""
    if not isinstance(read, dict) or read.get("kind") != "case":
        return read
    try:
        return listed.read(read)
    except (LineError, WireError) as error:
        return str(error)


def _link(rows: list[Row], tree: Tree, checked: Checked, found: Faults) -> None:
    """Check each event against those before it."""
    first: dict[str, Row] = {}
    last: dict[str, Row] = {}
    begun: dict[tuple[str, str], Row] = {}
    following: dict[tuple[str, str], int] = {}
    steps: dict[str, list[Step] | None] = {}
    expected, recorded_at = rows[0].pos, rows[0].recorded_at
    for row in rows:
        if row.pos != expected or row.recorded_at < recorded_at:
            follows(Place(row.pos, row.recorded_at), Place(expected - 1, recorded_at), tree, found)
        expected, recorded_at = row.pos + 1, row.recorded_at

        case_id = row.case_id
        previous = last.get(case_id)
        prev = row.said.prev if row.said is not None else None
        if previous is None:
            first[case_id] = row
            steps[case_id] = []
        elif row.seq != previous.seq + 1 or prev != previous.leaf:
            chained(case_id, _edge(row, row, None), Last(previous.seq, previous.leaf), found)
            steps[case_id] = steps[case_id] if row.seq == previous.seq + 1 else None
        last[case_id] = row
        if row.said is None or row.said.type in folding.TYPES:
            steps[case_id] = _stepped(steps[case_id], row, found)

        key = (case_id, row.key)
        ordinal = following.get(key)
        if ordinal is None:
            begun[key] = row
        elif row.ordinal != ordinal:
            numbered(row.pos, case_id, row.ordinal, ordinal, found)
        following[key] = row.ordinal + 1
        if case_id == LOG_ITSELF:
            actor = row.said.actor if row.said is not None else ""
            checked.own.append(OwnEvent(row.pos, row.key, row.type, row.payload, actor))
        if row.payload is None:
            before = checked.gone.get(case_id, Gone(row.pos, 0))
            checked.gone[case_id] = Gone(before.pos, before.times + 1)
    checked.cases = {case_id: _edge(row, last[case_id], steps[case_id]) for case_id, row in first.items()}
    checked.keys = _packed(begun, following)
    _keep(rows, checked)


def _stepped(steps: list[Step] | None, row: Row, found: Faults) -> list[Step] | None:
    """The steps of a case with one more; none where what the event said cannot be known."""
    if row.said is None or row.payload is None:
        return None
    try:
        step = folding.step(row.said.type, row.said.at, row.payload)
    except WireError as error:
        found.add(Check.PAYLOAD_UNREADABLE, str(error), position=row.pos, case_id=row.case_id)
        return None
    if steps is not None:
        steps.append(step)
    return steps


def _edge(first: Row, last: Row, steps: list[Step] | None) -> Edge:
    prev = first.said.prev if first.said is not None else None
    at = last.said.at if last.said is not None else 0
    return Edge(first.pos, first.seq, prev, last.seq, last.leaf, at, steps)


def follows(place: Place, before: Place, tree: Tree, found: Faults) -> None:
    """Check that one event stands behind another in the log."""
    pos, expected = place.pos, before.pos + 1
    if pos < expected:
        found.add(Check.POSITION_WRONG, f"position {pos} stands behind position {before.pos}", position=pos)
    elif tree.whole and pos != expected:
        found.add(Check.POSITION_WRONG, missing(expected, pos - 1), position=expected)
    if place.recorded_at < before.recorded_at:
        found.add(Check.TIME_BACKWARDS, "the event was recorded before the one that stands before it", position=pos)


def missing(first: int, last: int) -> str:
    """That there are no events at these positions, in words."""
    return f"position {first} is missing" if first == last else f"positions {first} to {last} are missing"


def chained(case_id: str, edge: Edge, before: Last, found: Faults) -> None:
    """Check that events of a case continue it."""
    if edge.seq != before.seq + 1:
        stands = f"stands behind event {before.seq}" if before.seq else "is the first that there is"
        found.add(
            Check.SEQ_WRONG, f"it is event {edge.seq} of its case, and {stands}", position=edge.pos, case_id=case_id
        )
    elif edge.prev != before.leaf:
        expected = f"{before.leaf}, the hash of the event before it" if before.leaf else "null"
        found.add(
            Check.CHAIN_BROKEN, f"`prev` is {edge.prev}, and should be {expected}", position=edge.pos, case_id=case_id
        )


def numbered(pos: int, case_id: str, ordinal: int, expected: int, found: Faults) -> None:
    """Note that an event is not the next one of its key."""
    message = f"ordinal is {ordinal}, and {expected} is the next of this key"
    found.add(Check.ORDINAL_WRONG, message, position=pos, case_id=case_id)


def _packed(begun: dict[tuple[str, str], Row], following: dict[tuple[str, str], int]) -> dict[int, bytes]:
    buckets: dict[int, list[bytes]] = {}
    for names, row in begun.items():
        digest = digest_of(*names)
        packed = KEYS.pack(digest, row.pos, row.ordinal, following[names])
        buckets.setdefault(digest[0] % BUCKETS, []).append(packed)
    return {bucket: b"".join(keys) for bucket, keys in buckets.items()}


def _keep(rows: list[Row], checked: Checked) -> None:
    owners = {case_id: digest_of(case_id) for case_id in checked.cases}
    checked.events = len(rows)
    checked.first = Place(rows[0].pos, rows[0].recorded_at)
    checked.last = Place(rows[-1].pos, rows[-1].recorded_at)
    checked.leaves = bytes.fromhex("".join([row.leaf for row in rows]))
    checked.positions = array("q", [row.pos for row in rows]).tobytes()
    checked.owners = b"".join([owners[row.case_id] for row in rows])
