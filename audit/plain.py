"""Finds rows right that are as nearly every one is, in a fraction of the time that the long way takes.

One pattern is an envelope of the version that is written now whose texts need no escapes: what matches it has the right
members of the right form and is canonical. A row that is not found right is not yet wrong: `audit.verify` reads it with
RFC 8785's own library, and says what is wrong with it.
"""

import hashlib
import re
from typing import Final

from google.protobuf.message import DecodeError

from audit.envelope import ROLES, StoredEvent, type_of
from audit.facts import BY_TIME, EARLIEST, LATEST, VERSION, text_of
from casetrail.v1.event_pb2 import Event

_TEXT = r"[^\"\\\x00-\x1f]+"
_NUMBER = r"[1-9][0-9]{0,14}"
_MICROSECONDS = r"[1-8][0-9]{0,15}"
_SECONDS = r"(?:0|-?[1-9][0-9]{0,11})"
_HASH = r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_ENVELOPE: Final = re.compile(
    rf'{{(?:"actor":"{_TEXT}",)?"at":({_SECONDS}),"case":"({_TEXT})",'
    rf'(?:(?P<by_time>"cause":"{BY_TIME}",)(?:"correlation":"({_TEXT})",)?|("digest":"{_HASH}",)?)'
    rf'(?:"drill":"{_TEXT}",)?(?:"due":({_SECONDS}),)?"key":"({_TEXT})",(?P<first>"log":"({_TEXT})",)?'
    rf'"payload_hash":"({_HASH})","pos":({_NUMBER}),(?(first)|"prev":"{_HASH}",)"recorded":({_MICROSECONDS}),'
    rf'(?:"role":"([A-Z_]+)",)?"seq":({_NUMBER}),"type":"({_TEXT})","v":{VERSION}(?:,"via":"{_TEXT}")?}}'
)


def is_right(row: StoredEvent, leaf: bytes, log: str) -> bool:
    """Whether a row is plainly right by itself: its envelope, its columns, its payload, and their hashes.

    Args:
        row: The event.
        leaf: Hash of its envelope.
        log: Id of the log.
    """
    if row.payload is None or row.leaf_hash != leaf:
        return False
    try:
        found = _ENVELOPE.fullmatch(row.envelope.decode())
        if found is None:
            return False
        event = Event.FromString(row.payload)
    except (ValueError, DecodeError):
        return False
    (
        at,
        case_id,
        by_time,
        correlation,
        digest,
        due,
        key,
        _,
        said_log,
        payload_hash,
        pos,
        recorded,
        role,
        seq,
        type_,
    ) = found.groups()
    here = (row.case_id, row.key, str(row.position), str(row.seq), row.type, str(row.recorded_at))
    return (
        (case_id, key, pos, seq, type_, recorded) == here
        and said_log in (None, log)
        and correlation != key
        and (digest is not None) == (by_time is None and not row.ordinal)
        and EARLIEST <= int(at) <= LATEST
        and (due is None or EARLIEST <= int(due) <= LATEST)
        and type_of(event) == type_
        and (event.encrypted.key_id or None) == row.dek_id
        and (role is None or role in ROLES)
        and text_of(hashlib.sha256(row.payload).digest()) == payload_hash
    )
