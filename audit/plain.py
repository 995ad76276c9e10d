"""Finds rows right that are as nearly every one is, in a fraction of the time that the long way takes.

One pattern is an envelope whose texts need no escapes: what matches it has the right members of the right form and is
canonical. A row that is not found right is not yet wrong: `audit.verify` reads it with RFC 8785's own library, and says
what is wrong with it.
"""

import hashlib
import re
from typing import Final

from google.protobuf.message import DecodeError

from audit.envelope import ROLES, SCHEMA, VERSION, StoredEvent, instant, moment, type_of
from casetrail.v1.event_pb2 import Event

_TEXT = r"[^\"\\\x00-\x1f]*"
_NUMBER = r"[1-9][0-9]{0,14}"
_SECOND = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
_SHA256 = r"[0-9a-f]{64}"
_ENVELOPE: Final = re.compile(
    rf'{{"actor":(?:null|"{_TEXT}"),"at":"({_SECOND}Z)","case":"({_TEXT})","cause":"(?:time|request:{_SHA256})",'
    rf'"correlation":(?:null|"{_TEXT}"),(?:"drill":"{_TEXT}",)?"due":(?:null|"({_SECOND}Z)"),"id":"({_TEXT})",'
    rf'"key":"({_TEXT})","log":"({_TEXT})","payload_hash":"({_SHA256})","pos":({_NUMBER}),"prev":(?:null|"{_SHA256}"),'
    rf'"recorded":"({_SECOND}\.[0-9]{{6}}Z)","role":(?:null|"([A-Z_]*)"),"schema":"{re.escape(SCHEMA)}",'
    rf'"seq":({_NUMBER}),"type":"({_TEXT})","v":{VERSION},"via":(?:null|"{_TEXT}")}}'
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
        at, case_id, due, event_id, key, said_log, payload_hash, pos, recorded, role, seq, type_ = found.groups()
        instant(at)
        if due is not None:
            instant(due)
        event = Event.FromString(row.payload)
    except (ValueError, DecodeError):
        return False
    here = (row.case_id, row.event_id, row.key, str(row.position), str(row.seq), row.type, moment(row.recorded_at))
    return (
        (case_id, event_id, key, pos, seq, type_, recorded) == here
        and event_id == f"{case_id}:{seq}"
        and said_log == log
        and type_of(event) == type_
        and (event.encrypted.key_id or None) == row.dek_id
        and (role is None or role in ROLES)
        and hashlib.sha256(row.payload).hexdigest() == payload_hash
    )
