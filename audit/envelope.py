"""The envelope: the part of an event that is hashed, and how an event is taken apart for the log and put together.

An event is stored as two byte strings that are never written again. The *payload* is its body, its reason and what its
source called it, as protobuf. The *envelope* is canonical JSON (RFC 8785) about it: where it stands, what it is, who
did it, when and why, the hash of the payload, and the hash of the case's previous envelope. The envelope's own hash is
the leaf of the log. Stored bytes are what is hashed; nobody serializes anything again to check them. What an envelope
says is read in `audit.facts`.

No personal data stands in an envelope, and within a payload its fields are encrypted, so that erasing their key leaves
every proof valid.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from audit import facts
from audit.encryption import Key, Keys, decrypt, encrypted_fields, event_place
from audit.facts import BY_TIME, EARLIEST, LATEST, VERSION, Facts, text_of
from audit.log import LogDamagedError
from casetrail.personal import copied, may_be_personal, take_out
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role

_ROLE = "ROLE_"
_SHA256: Final = 32  # bytes
_GOES_ON: Final = 0x80  # the bit of a byte that says that another one follows

_TYPES = {
    field.name: type(getattr(Event(), field.name)).__name__ for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
}

ROLES: Final = {name.removeprefix(_ROLE): number for name, number in Role.items()}
"""Roles as an envelope names them."""

_ROLE_MEMBERS = {number: f'"role":"{name}",' if number else "" for name, number in ROLES.items()}


class StoredEvent(NamedTuple):
    """An event as the log keeps it: one row of `event`.

    Attributes:
        position: In the whole log, from 1.
        case_id: The case.
        seq: In the case, from 1.
        key: What it can be written for only once, of the first event under it; empty in others, whose envelope says it.
        ordinal: Which of the case's events under its key, from 0.
        envelope: Canonical JSON.
        leaf_hash: SHA-256 of a zero byte and the envelope.
        recorded_at: When it was written, in microseconds since 1970.
        dek_id: The key that the payload's personal fields are encrypted with; empty where it has none.
        payload: The payload's bytes; None when they are gone.
    """

    position: int
    case_id: str
    seq: int
    key: str
    ordinal: int
    envelope: bytes
    leaf_hash: bytes
    recorded_at: int
    dek_id: str
    payload: bytes | None

    @property
    def event_id(self) -> str:
        """CASE:SEQ."""
        return f"{self.case_id}:{self.seq}"


EVENT_COLUMNS: Final = ", ".join(("pos", *StoredEvent._fields[1:]))
"""Those of the table `event`, in the order of a StoredEvent."""


class Draft(NamedTuple):
    """An event ready to be sealed: all of it that does not depend on its place in the log.

    Attributes:
        pieces: The envelope's text where its place is left out.
    """

    event: Event
    case_id: str
    key: str
    ordinal: int
    dek_id: str
    payload: bytes
    pieces: tuple[str, str, str, str]


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
        digest: SHA-256 of the request, hex; the first event under its key says it.
        encryption: What their personal fields are encrypted with; None leaves them readable.

    Raises:
        ValueError: An event lacks its body or key, or is not at a whole second; or the digest is none.
    """
    asked = _member("digest", _digest(digest)) if key else ""
    along = f'"cause":"{BY_TIME}",{_member("correlation", key)}'
    ordinals: Counter[str] = Counter()
    drafts = []
    for seq, event in enumerate(events, start=first_seq):
        own = event.key
        payload, dek_id = _payload(event, seq, encryption)
        ordinal = ordinals[own]
        cause = along if own != key else "" if ordinal else asked
        drafts.append(_draft(event, own, ordinal, dek_id, payload, cause=cause))
        ordinals[own] += 1
    return drafts


# An envelope is put together as text: its members are few, their values strings and integers, so in the order of their
# names and with the characters escaped that JSON wants escaped this is RFC 8785, at a tenth of the time of a general
# encoder. Every verification compares with the library.


def _draft(event: Event, key: str, ordinal: int, dek_id: str, payload: bytes, *, cause: str) -> Draft:
    body = event.WhichOneof("body")
    if body is None or not key:
        raise ValueError(f"an event of {event.case_id} has no {'key' if body else 'body'}")
    case_id, actor = event.case_id, event.actor
    due = f'"due":{_second(case_id, event.due)},' if event.HasField("due") else ""
    until_log = (
        f'{{{_member("actor", actor.name)}"at":{_second(case_id, event.at if event.HasField("at") else None)},'
        f'"case":{_text(case_id)},{cause}{_member("drill", event.drill_id)}{due}"key":{_text(key)}'
    )
    pieces = (
        until_log,
        f',"payload_hash":"{text_of(hashlib.sha256(payload).digest())}","pos":',
        f',{_role(actor.role)}"seq":',
        f',"type":"{_TYPES[body]}","v":{VERSION}{_last_member("via", actor.via)}}}',
    )
    return Draft(event, case_id, "" if ordinal else key, ordinal, dek_id, payload, pieces)


def seal(draft: Draft, place: Place) -> StoredEvent:
    """Give an event its place, and with it envelope and hash."""
    _, case_id, key, ordinal, dek_id, payload, (until_log, until_pos, until_seq, rest) = draft
    log, position, seq, previous, recorded_at = place
    first, prev = bound(log, previous)
    envelope = (
        f'{until_log}{first}{until_pos}{facts.number(position)}{prev},"recorded":{recorded_at}{until_seq}'
        f"{facts.number(seq)}{rest}"
    ).encode()
    return StoredEvent(
        position,
        case_id,
        seq,
        key,
        ordinal,
        envelope,
        leaf_hash(envelope),
        recorded_at,
        dek_id,
        payload,
    )


def bound(log: str, previous: bytes) -> tuple[str, str]:
    """How a case's first envelope names the log, and how every other one is bound to it: by the event before it."""
    return ("", f',"prev":"{text_of(previous)}"') if previous else (f',"log":{_text(log)}', "")


_text = encode_basestring
"""A string in JSON, escaped no more than RFC 8785 asks."""


def _member(name: str, text: str) -> str:
    return f'"{name}":{_text(text)},' if text else ""


def _last_member(name: str, text: str) -> str:
    return f',"{name}":{_text(text)}' if text else ""


def _digest(digest: str) -> str:
    hashed = bytes.fromhex(digest)
    if len(hashed) != _SHA256:
        raise ValueError(f"{digest!r} is no SHA-256")
    return text_of(hashed)


def _second(case_id: str, at: Timestamp | None) -> int:
    if at is None or at.nanos or not EARLIEST <= at.seconds <= LATEST:
        raise ValueError(f"an event of {case_id} is not at a whole second")
    return at.seconds


def _role(role: Role.ValueType) -> str:
    if role not in _ROLE_MEMBERS:
        raise ValueError(f"there is no role {role}")
    return _ROLE_MEMBERS[role]


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


def event_of(stored: StoredEvent, keys: Keys | None = None, *, said: Facts | None = None) -> Event:
    """The complete event, from its row.

    Args:
        stored: The row.
        keys: What its personal fields are decrypted with; None leaves them as they are stored.
        said: What its envelope says, where that was read already.

    Raises:
        KeyMissingError: The key that it needs is not among them.
        LogDamagedError: The row cannot be read as an event.
    """
    try:
        event = _event_of(stored, said if said is not None else facts.read(stored.envelope))
    except (ValueError, KeyError, TypeError, DecodeError) as damage:
        raise LogDamagedError(
            f"the event at position {stored.position} ({stored.event_id}) cannot be read: {damage}; "
            "run `casetrail-db verify`",
        ) from damage
    if keys is not None:
        decrypt(event, keys, event_place(stored.case_id, stored.seq))
    return event


def _event_of(stored: StoredEvent, said: Facts) -> Event:
    if stored.payload is None:
        raise ValueError("its payload is gone")
    event = Event.FromString(stored.payload)
    event.case_id = stored.case_id
    event.seq = stored.seq
    event.position = stored.position
    event.event_id = stored.event_id
    event.key = said.key
    event.hash = stored.leaf_hash.hex()
    event.previous_hash = said.previous.hex()
    put_said(event, said.at, said.due, said.drill, said.actor, said.role, said.via)
    _set_recorded(event, stored.recorded_at)
    return event


def put_said(event: Event, at: int, due: int | None, drill: str, actor: str, role: str, via: str) -> None:
    """Put into an event what its envelope alone says: when, by whom, and in which drill it happened."""
    event.at.seconds = at
    if due is not None:
        event.due.seconds = due
    if drill:
        event.drill_id = drill
    by = event.actor
    if actor:
        by.name = actor
    if role:
        by.role = ROLES[role]
    if via:
        by.via = via


def _payload(event: Event, seq: int, encryption: Key | None) -> tuple[bytes, str]:
    """What is stored of an event, and the key that its personal fields are encrypted with.

    That is its reason, its name at its source, what is encrypted, and its body, in the order of their numbers: an event
    of its own.
    """
    body = event.WhichOneof("body")
    if body is None:
        raise ValueError(f"an event of {event.case_id} has no body")
    reason, activity, encrypted, key_id = b"", b"", b"", ""
    if event.HasField("reason"):
        reason = _field(_TAGS["reason"], event.reason.SerializeToString(deterministic=True))
    if event.source_activity:
        activity = _field(_TAGS["source_activity"], event.source_activity.encode())
    said: Message = getattr(event, body)
    if encryption is not None and body in _MAY_BE_PERSONAL:
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
    while number >= _GOES_ON:
        written += bytes([number % _GOES_ON | _GOES_ON])
        number //= _GOES_ON
    return written + bytes([number])


_NUMBERS = {field.name: field.number for field in Event.DESCRIPTOR.fields}
_MAY_BE_PERSONAL = frozenset(
    field.name
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type is not None and may_be_personal(field.message_type)
)
_TAGS = {field.name: _varint(field.number << 3 | 2) for field in Event.DESCRIPTOR.fields}
"""Of fields with a length: strings and messages."""


def _set_recorded(event: Event, recorded_at: int) -> None:
    event.recorded_at.seconds, microseconds = divmod(recorded_at, 1_000_000)
    event.recorded_at.nanos = microseconds * 1000


def type_of(event: Event) -> str:
    """The type of an event: the name of its body's message; empty without a body."""
    body = event.WhichOneof("body")
    return _TYPES[body] if body is not None else ""
