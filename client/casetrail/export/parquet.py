"""Parquet: one row an event, for tables and notebooks. The body is JSON; what every event has is a column."""

import json
from typing import Any, BinaryIO

from google.protobuf.json_format import MessageToDict

from casetrail.client import Client
from casetrail.export.selection import Selection
from casetrail.personal import without_personal_data
from casetrail.timeline import event_type
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role
from casetrail.words import word_of

_ROWS_AT_ONCE = 5000


class ParquetMissingError(Exception):
    """The library that writes Parquet is not installed."""


async def write(client: Client, selection: Selection, file: BinaryIO, *, personal: bool = False) -> int:
    """Write an export, with what personal fields say where that is wanted; returns how many events it has.

    Raises:
        ParquetMissingError: Parquet needs an extra of this distribution.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - only here, and large
        from pyarrow import parquet  # noqa: PLC0415 - likewise
    except ImportError as missing:
        raise ParquetMissingError("Parquet needs pyarrow: pip install 'casetrail[export]'") from missing
    moment = pa.timestamp("us", tz="UTC")
    columns = {
        **dict.fromkeys(("position", "seq"), pa.int64()),
        **dict.fromkeys(("at", "due", "recorded_at"), moment),
        **dict.fromkeys(("rule_inputs", "body"), pa.string()),
    }
    schema = pa.schema([(name, columns.get(name, pa.string())) for name in _row(Event())])
    count = 0
    rows: list[dict[str, Any]] = []
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        async for event in selection.events(client):
            rows.append(_row(event if personal else without_personal_data(event)))
            count += 1
            if len(rows) == _ROWS_AT_ONCE:
                flush()
        if rows:
            flush()
    return count


def _row(event: Event) -> dict[str, Any]:
    name = event.WhichOneof("body")
    return {
        "position": event.position,
        "case_id": event.case_id,
        "seq": event.seq,
        "event_id": event.event_id,
        "type": event_type(event),
        "at": event.at.ToDatetime(),
        "due": event.due.ToDatetime() if event.HasField("due") else None,
        "recorded_at": event.recorded_at.ToDatetime(),
        "actor": event.actor.name,
        "role": word_of(Role.DESCRIPTOR, event.actor.role),
        "via": event.actor.via,
        "key": event.key,
        "rule": event.reason.rule,
        "rule_inputs": json.dumps(dict(event.reason.inputs), ensure_ascii=False, sort_keys=True),
        "policy_id": event.reason.policy_id,
        "source_activity": event.source_activity,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
        "body": json.dumps(MessageToDict(getattr(event, name)) if name else {}, ensure_ascii=False),
    }
