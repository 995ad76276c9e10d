"""The envelope: the part of an event that is hashed, and how an event is taken apart for the log and put together.

An event is stored as two byte strings that are never written again. The *payload* is its body, its reason and what its
source called it, as protobuf. The *envelope* is canonical JSON (RFC 8785) about it: where it stands, what it is, who
did it, when and why, the hash of the payload, and the hash of the case's previous envelope. The envelope's own hash is
the leaf of the log. Stored bytes are what is hashed; nobody serializes anything again to check them.

No personal data stands in an envelope, and within a payload its fields are encrypted, so that erasing their key leaves
every proof valid.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from audit.encryption import Key, Keys, decrypt, encrypted_fields, event_place
from audit.log import LogDamagedError
from casetrail.personal import copied, may_be_personal, take_out
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role

VERSION: Final = 1
"""Of the envelope's form."""

SCHEMA: Final = "casetrail.v1"
"""The contract that a payload is to be read with."""

BY_TIME: Final = "time"
"""The cause of what the passing of time brought."""

_BY_REQUEST = "request:"
_LARGEST_EXACT = 2**53  # the integers that every JSON reader keeps exactly
_ROLE = "ROLE_"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_TYPES = {
    field.name: type(getattr(Event(), field.name)).__name__ for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
}
_ROLES = {number: f'"{name.removeprefix(_ROLE)}"' if number else "null" for name, number in Role.items()}
_decode = json.JSONDecoder().decode

ROLES: Final = {name.removeprefix(_ROLE): number for name, number in Role.items()}
"""Roles as an envelope names them."""


class StoredEvent(NamedTuple):
    """An event as the log keeps it: one row.

    Attributes:
        position: In the whole log, from 1.
        case_id: The case.
        seq: In the case, from 1.
        key: What it can be written for only once.
        ordinal: Which of the case's events under this key, from 0.
        event_id: CASE:SEQ.
        type: Name of the body's message.
        envelope: Canonical JSON.
        leaf_hash: SHA-256 of a zero byte and the envelope.
        recorded_at: When it was written, in microseconds since 1970.
        dek_id: The key that the payload's personal fields are encrypted with; None where it has none.
        payload: The payload's bytes; None when they are gone.
    """

    position: int
    case_id: str
    seq: int
    key: str
    ordinal: int
    event_id: str
    type: str
    envelope: bytes
    leaf_hash: bytes
    recorded_at: int
    dek_id: str | None
    payload: bytes | None


class Draft(NamedTuple):
    """An event ready to be sealed: all of it that does not depend on its place in the log.

    Attributes:
        pieces: The envelope's text where its place is left out.
    """

    event: Event
    case_id: str
    key: str
    type: str
    ordinal: int
    dek_id: str | None
    payload: bytes
    pieces: tuple[str, str, str, str, str]


class Place(NamedTuple):
    """Where an event comes to stand in the log.

    Attributes:
        log: The log's id.
        position: In the whole log.
        seq: In the case.
        previous: Leaf hash of the case's previous event, empty for the first.
        recorded_at: In microseconds since 1970.
    """

    log: str
    position: int
    seq: int
    previous: bytes
    recorded_at: int


def drafts_of(
    events: Sequence[Event], *, first_seq: int = 1, key: str, digest: str, encryption: Key | None = None
) -> list[Draft]:
    """Take the events of one batch apart.

    Args:
        events: As the domain decided them.
        first_seq: The place that the first of them is for.
        key: The request that they are written under, empty when time alone brought them.
        digest: SHA-256 of the request, hex; the cause of those that have its key.
        encryption: What their personal fields are encrypted with; None leaves them readable.

    Raises:
        ValueError: An event lacks its body or key, or is not at a whole second.
    """
    by_request, correlation = _text(f"{_BY_REQUEST}{digest}"), _text_or_null(key)
    ordinals: Counter[str] = Counter()
    drafts = []
    for seq, event in enumerate(events, start=first_seq):
        own = event.key
        cause = by_request if key and own == key else _CAUSED_BY_TIME
        payload, dek_id = _payload(event, seq, encryption)
        drafts.append(_draft(event, own, ordinals[own], dek_id, payload, cause=cause, correlation=correlation))
        ordinals[own] += 1
    return drafts


# An envelope is put together as text: its members are always the same, their values strings, integers and null, so in
# the order of their names and with the characters escaped that JSON wants escaped this is RFC 8785, at a tenth of the
# time of a general encoder. Every verification compares with the library.


def _draft(
    event: Event, key: str, ordinal: int, dek_id: str | None, payload: bytes, *, cause: str, correlation: str
) -> Draft:
    body = event.WhichOneof("body")
    if body is None or not key:
        raise ValueError(f"an event of {event.case_id} has no {'key' if body else 'body'}")
    at, due = event.at, event.due if event.HasField("due") else None
    if not event.HasField("at") or at.nanos or (due is not None and due.nanos):
        raise ValueError(f"an event of {event.case_id} is not at a whole second")
    case_id, type_, actor = event.case_id, _TYPES[body], event.actor
    case = _text(case_id)
    # Only in what is no real case, so that the envelopes of all others stay as they are.
    drill = f'"drill":{_text(event.drill_id)},' if event.drill_id else ""
    until_id = (
        f'{{"actor":{_text_or_null(actor.name)},"at":"{_seconds(at.seconds)}","case":{case},"cause":{cause},'
        f'"correlation":{correlation},{drill}"due":{_moment_or_null(due)},"id":{case[:-1]}:'
    )
    pieces = (
        until_id,
        f'","key":{_text(key)},"log":',
        f',"payload_hash":"{hashlib.sha256(payload).hexdigest()}","pos":',
        f',"role":{_role(actor.role)},"schema":"{SCHEMA}","seq":',
        f',"type":"{type_}","v":{VERSION},"via":{_text_or_null(actor.via)}}}',
    )
    return Draft(event, case_id, key, type_, ordinal, dek_id, payload, pieces)


def seal(draft: Draft, place: Place) -> StoredEvent:
    """Give an event its place, and with it envelope and hash."""
    _, case_id, key, type_, ordinal, dek_id, payload, (until_id, until_log, until_pos, until_seq, rest) = draft
    log, position, seq, previous, recorded_at = place
    number = _number(seq)
    prev = f'"{previous.hex()}"' if previous else "null"
    envelope = (
        f'{until_id}{seq}{until_log}{_text(log)}{until_pos}{_number(position)},"prev":{prev},'
        f'"recorded":"{moment(recorded_at)}"{until_seq}{number}{rest}'
    ).encode()
    return StoredEvent(
        position,
        case_id,
        seq,
        key,
        ordinal,
        f"{case_id}:{seq}",
        type_,
        envelope,
        leaf_hash(envelope),
        recorded_at,
        dek_id,
        payload,
    )


_text = encode_basestring
"""A string in JSON, escaped no more than RFC 8785 asks."""

_CAUSED_BY_TIME = _text(BY_TIME)


def _text_or_null(text: str) -> str:
    return _text(text) if text else "null"


def _moment_or_null(at: Timestamp | None) -> str:
    return f'"{_seconds(at.seconds)}"' if at is not None else "null"


def _role(role: Role.ValueType) -> str:
    if role not in _ROLES:
        raise ValueError(f"there is no role {role}")
    return _ROLES[role]


def _number(number: int) -> str:
    return str(number) if number <= _LARGEST_EXACT else f'"{number}"'


def leaf_hash(envelope: bytes) -> bytes:
    """The envelope's leaf in the log's Merkle tree (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + envelope).digest()


def sealed_event(draft: Draft, stored: StoredEvent, previous: bytes) -> Event:
    """The complete event, from what it was before and what the log gave it."""
    event = Event()
    event.CopyFrom(draft.event)
    event.seq = stored.seq
    event.position = stored.position
    event.event_id = stored.event_id
    event.previous_hash = previous.hex()
    event.hash = stored.leaf_hash.hex()
    _set_recorded(event, stored.recorded_at)
    return event


def event_of(stored: StoredEvent, keys: Keys | None = None, *, facts: dict[str, Any] | None = None) -> Event:
    """The complete event, from its row.

    Args:
        stored: The row.
        keys: What its personal fields are decrypted with; None leaves them as they are stored.
        facts: What its envelope says, where that was read already.

    Raises:
        KeyMissingError: The key that it needs is not among them.
        LogDamagedError: The row cannot be read as an event.
    """
    try:
        event = _event_of(stored, facts if facts is not None else facts_of(stored))
    except (ValueError, KeyError, TypeError, DecodeError) as damage:
        raise LogDamagedError(
            f"the event at position {stored.position} ({stored.event_id}) cannot be read: {damage}; run verify",
        ) from damage
    if keys is not None:
        decrypt(event, keys, event_place(stored.case_id, stored.seq))
    return event


def _event_of(stored: StoredEvent, facts: dict[str, Any]) -> Event:
    if stored.payload is None:
        raise ValueError("its payload is gone")
    event = Event.FromString(stored.payload)
    event.case_id = stored.case_id
    event.seq = stored.seq
    event.position = stored.position
    event.event_id = stored.event_id
    event.key = stored.key
    event.hash = stored.leaf_hash.hex()
    event.previous_hash = facts["prev"] or ""
    event.drill_id = facts.get("drill", "")
    event.at.seconds = instant(facts["at"])
    if facts["due"] is not None:
        event.due.seconds = instant(facts["due"])
    if facts["actor"] is not None:
        event.actor.name = facts["actor"]
    if facts["role"] is not None:
        event.actor.role = ROLES[facts["role"]]
    if facts["via"] is not None:
        event.actor.via = facts["via"]
    _set_recorded(event, stored.recorded_at)
    return event


def facts_of(stored: StoredEvent) -> dict[str, Any]:
    """What the envelope says.

    Raises:
        ValueError: It is no JSON object.
    """
    facts = _decode(stored.envelope.decode())
    if not isinstance(facts, dict):
        raise ValueError("the envelope is no object")  # noqa: TRY004 - what is wrong is stored bytes, not an argument
    return facts


def digest_of(stored: StoredEvent) -> str:
    """Digest of the request that caused an event; empty for what time brought."""
    cause: str = facts_of(stored)["cause"]
    return cause.removeprefix(_BY_REQUEST) if cause != BY_TIME else ""


def _payload(event: Event, seq: int, encryption: Key | None) -> tuple[bytes, str | None]:
    """What is stored of an event, and the key that its personal fields are encrypted with.

    That is its reason, its name at its source, what is encrypted, and its body, in the order of their numbers: an event
    of its own.
    """
    body = event.WhichOneof("body")
    if body is None:
        raise ValueError(f"an event of {event.case_id} has no body")
    reason, activity, encrypted, key_id = b"", b"", b"", None
    if event.HasField("reason"):
        reason = _field(_TAGS["reason"], event.reason.SerializeToString(deterministic=True))
    if event.source_activity:
        activity = _field(_TAGS["source_activity"], event.source_activity.encode())
    said: Message = getattr(event, body)
    if encryption is not None and may_be_personal(said):
        bare = copied(said)
        taken = take_out(bare, (_NUMBERS[body],))
        if taken.fields:
            said, key_id = bare, encryption.key_id
            sealed = encrypted_fields(taken, encryption, event_place(event.case_id, seq))
            encrypted = _field(_TAGS["encrypted"], sealed.SerializeToString(deterministic=True))
    payload = reason + activity + encrypted + _field(_TAGS[body], said.SerializeToString(deterministic=True))
    return payload, key_id


def _field(tag: bytes, value: bytes) -> bytes:
    """A field as protobuf writes it: what it is, how long it is, and what it says."""
    return tag + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    written = b""
    while number > 0x7F:  # noqa: PLR2004 - what fits into a byte that says that it is the last
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


_NUMBERS = {field.name: field.number for field in Event.DESCRIPTOR.fields}
_TAGS = {field.name: _varint(field.number << 3 | 2) for field in Event.DESCRIPTOR.fields}
"""Of fields with a length: strings and messages."""


def exact(number: int) -> int | str:
    """An integer as an envelope writes it: as text where a JSON reader might round it."""
    return number if number <= _LARGEST_EXACT else str(number)


@lru_cache(maxsize=1024)
def moment(microseconds: int) -> str:
    """A real moment as an envelope writes it."""
    return _rfc3339(_EPOCH + microseconds * _MICROSECOND, "microseconds")


@lru_cache(maxsize=1024)
def _seconds(at: int) -> str:
    return _rfc3339(_EPOCH + timedelta(seconds=at), "seconds")


def _rfc3339(when: datetime, precision: str) -> str:
    return when.isoformat(timespec=precision).replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def instant(text: str) -> int:
    """Case time, from how an envelope writes it.

    Raises:
        ValueError: It is no such time.
    """
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(seconds=1)


def _set_recorded(event: Event, recorded_at: int) -> None:
    event.recorded_at.seconds, microseconds = divmod(recorded_at, 1_000_000)
    event.recorded_at.nanos = microseconds * 1000


def type_of(event: Event) -> str:
    """The type of an event: the name of its body's message; empty without a body."""
    body = event.WhichOneof("body")
    return _TYPES[body] if body is not None else ""
