"""Each event by itself: its envelope, its columns and its payload agree, with each other and with their hashes."""

import hashlib
import json

import rfc8785

from audit import facts
from audit.archived import Archived
from audit.envelope import StoredEvent, event_of, leaf_hash, type_of
from audit.facts import Facts
from audit.log import LOG_ITSELF, LogDamagedError
from audit.verification import plain
from audit.verification.findings import Findings
from audit.verification.plain import Read


class Rows:
    """Checks events by themselves.

    Attributes:
        own: Those of the log itself that can be relied on.
        leaves: Hashes of the envelopes of which another one is stored, by position.
        found: What is wrong.
    """

    def __init__(self, log: str, archived: Archived) -> None:
        self.own: list[StoredEvent] = []
        self.leaves: dict[int, bytes] = {}
        self.found = Findings()
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


def _check_row(row: StoredEvent, log: str, archived: Archived, found: Findings) -> bool:
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


def _said(row: StoredEvent, found: Findings) -> Facts | None:
    """What the envelope says; None, and a finding, where it is no canonical envelope."""
    try:
        canonical = rfc8785.dumps(json.loads(row.envelope))
    except (ValueError, RecursionError) as error:
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


def _check_columns(row: StoredEvent, said: Facts, log: str, found: Findings) -> None:
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


def _check_payload(row: StoredEvent, said: Facts, found: Findings) -> None:
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
