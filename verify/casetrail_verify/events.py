"""Checks single events: what each line of an export holds, by itself."""

import hashlib
from operator import itemgetter
from typing import Final, NamedTuple

from casetrail_verify import envelope, lines
from casetrail_verify.envelope import Envelope, EnvelopeError
from casetrail_verify.faults import Check, Faults
from casetrail_verify.lines import Line, LineError
from casetrail_verify.tree import ProofError, root_by_inclusion
from casetrail_verify.wire import Message, WireError


class Tree(NamedTuple):
    """What the export says of the tree that its events are leaves of.

    Attributes:
        log: Id of the log.
        size: How many leaves it has.
        root: Its root.
        whole: Whether the export has all of them; otherwise each event brings its inclusion proof.
    """

    log: str
    size: int
    root: bytes
    whole: bool


class Row(NamedTuple):
    """An event as the export gives it.

    Attributes:
        payload: Its bytes; None when they are gone.
        stored: The envelope's bytes.
        leaf: Hex hash of the leaf, computed from the envelope.
        said: What the envelope says; None where it cannot be read.
        inclusion: Proof that it is in the tree; empty where the export has all events.
    """

    case_id: str
    event_id: str
    key: str
    pos: int
    seq: int
    type: str
    ordinal: int
    recorded_at: int
    leaf_hash: str
    dek_id: str | None
    payload: bytes | None
    leaf: str
    said: Envelope | None
    inclusion: list[bytes]


_columns: Final = itemgetter(
    "case_id",
    "event_id",
    "key",
    "pos",
    "seq",
    "type",
    "ordinal",
    "recorded_at",
    "leaf_hash",
    "dek_id",
    "payload",
)
_NAMES: Final = ("case_id", "event_id", "key", "pos", "seq", "type", "recorded_at")
_NOTHING: Final = type(None)
_TYPES: Final = frozenset(
    (str, str, str, int, int, str, int, int, str, dek_id, payload)
    for dek_id in (str, _NOTHING)
    for payload in (str, _NOTHING)
)
_ENCRYPTED: Final = 15  # field of the message Event
_KEY_ID: Final = 1  # field of the message Encrypted
_TAG_OF_ENCRYPTED: Final = bytes([_ENCRYPTED << 3 | 2])
_LARGEST: Final = 2**63 - 1  # what a database keeps as an integer; the one behind it must be such a one too


def check(line: Line, tree: Tree, found: Faults) -> Row:
    """Check an event by itself.

    Args:
        line: Its line of the export.
        tree: That it is a leaf of.
        found: Where to note what is wrong.

    Raises:
        LineError: The line is no event.
    """
    row = _row(line, found)
    _check_columns(row, tree, found)
    _check_payload(row, found)
    if row.leaf != row.leaf_hash:
        _note(found, row, Check.LEAF_HASH_WRONG, f"leaf_hash is not the hash of the envelope, which is {row.leaf}")
    if not tree.whole:
        _check_inclusion(row, tree, found)
    return row


def _row(line: Line, found: Faults) -> Row:
    try:
        columns = _columns(line)
    except KeyError as error:
        raise LineError(f"it lacks {error}") from error
    case_id, event_id, key, pos, seq, type_, ordinal, recorded_at, leaf_hash, dek_id, payload = columns
    if (*map(type, columns),) not in _TYPES or pos == 0 or not all(0 <= n < _LARGEST for n in (pos, seq, ordinal)):
        raise LineError("a column is not of its type")
    stored, text = _stored(line)
    said = None
    try:
        said = envelope.read(text)
    except EnvelopeError as error:
        said = error.envelope
        found.add(error.check, str(error), position=pos, case_id=case_id)
    return Row(
        case_id,
        event_id,
        key,
        pos,
        seq,
        type_,
        ordinal,
        recorded_at,
        leaf_hash,
        dek_id,
        None if payload is None else lines.unbase64(payload, "payload"),
        hashlib.sha256(b"\x00" + stored).hexdigest(),
        said,
        lines.hashes(line, "inclusion") if "inclusion" in line else [],
    )


def _stored(line: Line) -> tuple[bytes, str]:
    """The envelope's bytes, and the text that they are; empty where they are none."""
    if "envelope_base64" in line:
        if "envelope" in line:
            raise LineError("it has its envelope twice")
        stored = lines.data(line, "envelope_base64")
        try:
            return stored, stored.decode()
        except UnicodeDecodeError:
            return stored, ""
    text = lines.text(line, "envelope")
    return text.encode(), text


def _check_columns(row: Row, tree: Tree, found: Faults) -> None:
    said = row.said
    if said is None:
        return
    if said.log not in (None, tree.log):
        _note(found, row, Check.EVENT_FOREIGN, f"the event is of the log {said.log}")
    if not said.has_its_digest(row.ordinal):
        words = "the first event under a request's key has its digest, and no other event"
        _note(found, row, Check.DIGEST_MISPLACED, words)
    here = (row.case_id, row.event_id, row.key, row.pos, row.seq, row.type, row.recorded_at)
    there = (said.case_id, said.event_id, said.key, said.pos, said.seq, said.type, said.recorded)
    if here != there:
        name, column, value = next(
            (name, column, value) for name, column, value in zip(_NAMES, here, there, strict=True) if column != value
        )
        _note(found, row, Check.COLUMN_CHANGED, f"{name} is {column!r}, and the envelope says {value!r}")


def _check_payload(row: Row, found: Faults) -> None:
    if row.payload is None:
        return  # whether it may be gone is seen when all is read
    if row.said is not None and hashlib.sha256(row.payload).hexdigest() != row.said.payload_hash:
        _note(found, row, Check.PAYLOAD_CHANGED, "the payload is not what the envelope holds the hash of")
    elif not is_key(row.dek_id, row.payload):
        _note(found, row, Check.COLUMN_CHANGED, f"dek_id is {row.dek_id!r}, which is not what the payload says")


def is_key(dek_id: str | None, payload: bytes) -> bool:
    """Whether a payload says that its personal fields are encrypted with this key, or with none."""
    if dek_id is None and _TAG_OF_ENCRYPTED not in payload:
        return True
    try:
        encrypted = Message(payload).data(_ENCRYPTED)
        return dek_id == (Message(encrypted).text(_KEY_ID) if encrypted else None)
    except WireError:
        return False


def _check_inclusion(row: Row, tree: Tree, found: Faults) -> None:
    try:
        root = root_by_inclusion(bytes.fromhex(row.leaf), row.pos - 1, tree.size, row.inclusion)
    except ProofError as error:
        _note(found, row, Check.INCLUSION_WRONG, str(error))
        return
    if root != tree.root:
        _note(found, row, Check.INCLUSION_WRONG, f"the event is not in the tree of {tree.size} events with this root")


def _note(found: Faults, row: Row, check: Check, message: str) -> None:
    found.add(check, message, position=row.pos, case_id=row.case_id)
