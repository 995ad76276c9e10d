"""The lines of an export and of an archive, as docs/proof.md describes them."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from audit import facts, proofs
from audit.envelope import StoredEvent
from audit.log import Checkpoint, Log
from audit.retention import archives
from server.proving import Proving
from server.witnessed import Ending

Line = dict[str, Any]


async def header_line(log: Log, proving: Proving, end: Ending, tree: proofs.Tree, *, scope: str) -> Line:
    """The first line: what the others are about."""
    head = await log.tree_head()
    return {
        "kind": "header",
        "format": "casetrail-export",
        "version": 1,
        "log": head.log,
        "origin": proving.notary.origin,
        "size": end.size,
        "scope": scope,
        "root": (await tree.root()).hex(),
        "keys": [str(key) for key in proving.notary.keys],
        "witnesses": [str(witness.address.key) for witness in proving.witnesses],
        "exported_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "log_size": end.there,
        "witnessed": end.witnessed,
        "unwitnessed_because": list(end.trouble),
    }


async def policy_lines(log: Log) -> AsyncIterator[Line]:
    """Every policy that was ever in force."""
    for digest, policy_id, body in await log.policies():
        yield {"kind": "policy", "digest": digest, "policy_id": policy_id, "body": encoded(body)}


async def archived_lines(log: Log, size: int) -> AsyncIterator[Line]:
    """What was archived when the log had so many events, whether it was restored or not."""
    for archive in (await archives(log)).values():
        if archive.carried_out is None or archive.carried_out.position > size:
            continue
        for case in await log.archived_cases(archive.archive_id):
            yield {
                "kind": "archived",
                "archive_id": case.archive_id,
                "case_id": case.case_id,
                "opened": case.opened,
                "seq": case.seq,
                "leaf_hash": case.leaf_hash.hex(),
                "removed": case.removed,
                "restored": case.restored if case.restored is not None and case.restored <= size else None,
            }


def event_line(row: StoredEvent) -> Line:
    """An event's stored bytes, with what its envelope says and a database has no column for."""
    key, type_ = _key_and_type(row)
    line: Line = {
        "kind": "event",
        "pos": row.position,
        "case_id": row.case_id,
        "seq": row.seq,
        "key": key,
        "ordinal": row.ordinal,
        "event_id": row.event_id,
        "type": type_,
        "recorded_at": row.recorded_at,
        "dek_id": row.dek_id or None,
        "leaf_hash": row.leaf_hash.hex(),
        "payload": encoded(row.payload) if row.payload is not None else None,
    }
    try:
        line["envelope"] = row.envelope.decode()
    except UnicodeDecodeError:
        line["envelope_base64"] = encoded(row.envelope)
    return line


def _key_and_type(row: StoredEvent) -> tuple[str, str]:
    """Of an event whose envelope cannot be read: what the row has."""
    try:
        said = facts.read(row.envelope)
    except ValueError:
        return row.key, ""
    return row.key or said.key, said.type


def written(line: Line) -> bytes:
    """A line as it stands in the file."""
    return _json(line).encode() + b"\n"


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def checkpoint_line(published: Checkpoint) -> Line:
    """A checkpoint with what co-signatures it has."""
    at = datetime.fromtimestamp(published.published_at / 1_000_000, UTC)
    return {
        "kind": "checkpoint",
        "size": published.size,
        "note": published.signed_note,
        "published_at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }


def encoded(data: bytes) -> str:
    """Bytes as the lines have them: base64."""
    return b64encode(data).decode()
