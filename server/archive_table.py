"""The table of an archive's events, in Parquet: what every event has as columns, envelope and payload as they are.

What a payload says can be read with the contract (`casetrail.v1.Event`). Where it is not encrypted the table has it as
JSON too, in `body`; where it is, nothing here opens it, so that destroying its key leaves nothing readable anywhere.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from google.protobuf.json_format import MessageToDict
from pyarrow import parquet

from audit import facts
from audit.envelope import StoredEvent, event_of
from audit.facts import BY_TIME
from audit.log import LogDamagedError

_AT_ONCE: Final = 5000
_SECOND: Final = 1_000_000  # in microseconds

_MOMENT: Final = pa.timestamp("us", tz="UTC")
_SCHEMA: Final = pa.schema(
    [
        ("position", pa.int64()),
        ("case_id", pa.string()),
        ("seq", pa.int64()),
        ("key", pa.string()),
        ("ordinal", pa.int64()),
        ("event_id", pa.string()),
        ("type", pa.string()),
        ("at", _MOMENT),
        ("due", _MOMENT),
        ("recorded_at", _MOMENT),
        ("actor", pa.string()),
        ("role", pa.string()),
        ("via", pa.string()),
        ("cause", pa.string()),
        ("digest", pa.string()),
        ("correlation", pa.string()),
        ("drill", pa.string()),
        ("dek_id", pa.string()),
        ("body", pa.string()),
        ("envelope", pa.string()),
        ("leaf_hash", pa.binary(32)),
        ("payload", pa.binary()),
    ]
)
_FROM_ENVELOPE: Final = ("actor", "role", "via", "digest", "correlation", "drill")


class Table:
    """A table that is written."""

    def __init__(self, path: Path) -> None:
        """Begin a file."""
        self._writer = parquet.ParquetWriter(path, _SCHEMA, compression="zstd")

    def add(self, rows: Sequence[StoredEvent]) -> None:
        """Write the next events."""
        if rows:
            self._writer.write_table(pa.Table.from_pylist([_cells(row) for row in rows], _SCHEMA))

    def close(self) -> None:
        """Write what belongs at the end."""
        self._writer.close()


def rows_of(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Position, leaf hash and payload of each event of a table."""
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_AT_ONCE, columns=["position", "leaf_hash", "payload"]):
            for cells in batch.to_pylist():
                yield cells["position"], cells["leaf_hash"], cells["payload"]


def _cells(row: StoredEvent) -> dict[str, Any]:
    said = facts.read(row.envelope)
    return {
        "position": row.position,
        "case_id": row.case_id,
        "seq": row.seq,
        "key": said.key,
        "ordinal": row.ordinal,
        "event_id": row.event_id,
        "type": said.type,
        "at": said.at * _SECOND,
        "due": said.due * _SECOND if said.due is not None else None,
        "recorded_at": row.recorded_at,
        **{name: getattr(said, name) or None for name in _FROM_ENVELOPE},
        "cause": BY_TIME if said.by_time else "request",
        "dek_id": row.dek_id or None,
        "body": None if row.dek_id else _body(row),
        "envelope": row.envelope.decode(),
        "leaf_hash": row.leaf_hash,
        "payload": row.payload,
    }


def _body(row: StoredEvent) -> str | None:
    try:
        event = event_of(row)
    except LogDamagedError:
        return None  # its bytes are kept all the same
    name = event.WhichOneof("body")
    return json.dumps(MessageToDict(getattr(event, name)), ensure_ascii=False) if name else None
