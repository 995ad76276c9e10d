"""Finds rows right that are as nearly every one is, in a fraction of the time that the long way takes.

An envelope that is plainly one (`audit.facts.plain`) has the right members of the right form and is canonical. A row
that is not found right is not yet wrong: `audit.verify` reads it with RFC 8785's own library, and says what is wrong.
"""

import hashlib

from google.protobuf.message import DecodeError

from audit import facts
from audit.envelope import ROLES, StoredEvent, type_of
from casetrail.v1.event_pb2 import Event


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
        said = facts.plain(row.envelope)
        if said is None:
            return False
        event = Event.FromString(row.payload)
    except (ValueError, DecodeError):
        return False
    here = (row.case_id, row.key, row.position, row.seq, row.type, row.recorded_at)
    return (
        (said.case_id, said.key, said.position, said.seq, said.type, said.recorded_at) == here
        and said.log in ("", log)
        and bool(said.digest) == (not said.by_time and not row.ordinal)
        and type_of(event) == said.type
        and (event.encrypted.key_id or None) == row.dek_id
        and (not said.role or said.role in ROLES)
        and hashlib.sha256(row.payload).digest() == said.payload_hash
    )
