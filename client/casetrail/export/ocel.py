"""OCEL 2.0 (JSON): events, and the cases, customers, orders and parcels that they are about."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from typing import Any, BinaryIO, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.client import Client
from casetrail.export.selection import Selection
from casetrail.timeline import event_type
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Channel, Kind, ParcelDirection, Priority, Role
from casetrail.words import word_of

_EVENT_ATTRIBUTES = {
    "actor": "string",
    "role": "string",
    "rule": "string",
    "seq": "integer",
    "position": "integer",
    "hash": "string",
}
_OBJECT_TYPES = {
    "case": {"kind": "string", "priority": "string", "channel": "string", "category": "string", "policy": "string"},
    "customer": {},
    "order": {},
    "parcel": {"carrier": "string", "direction": "string"},
}


class _Object(NamedTuple):
    """Something that events are about.

    Attributes:
        id: Unique among all objects.
        type: One of the types above.
        of_case: How the case stands to it.
        attributes: What is known of it.
    """

    id: str
    type: str
    of_case: str
    attributes: dict[str, str]


async def write(client: Client, selection: Selection, file: BinaryIO) -> int:
    """Write an export; returns how many events it has.

    Events go to the file as they come, objects to a temporary one that follows them; which objects are written already
    is kept in a database on disk, so that memory does not grow with the log.
    """
    count = 0
    types: set[str] = set()
    with tempfile.TemporaryFile() as objects, closing(sqlite3.connect("")) as database:
        written = _Written(database)
        separator = b""
        file.write(b'{"events":[')
        async for case in selection.cases(client):
            of_case = list(_objects(case))
            began = count
            async for event in selection.events_of(client, case.case_id):
                document = _event(event, of_case, selection)
                types.add(document["type"])
                file.write(separator + b"\n" + _json(document))
                separator = b","
                count += 1
            if count == began:
                continue
            for found in of_case:
                if written.first_time(found.id):
                    objects.write((b",\n" if objects.tell() else b"\n") + _json(_object(found, case, of_case)))
        file.write(b'\n],\n"objects":[')
        objects.seek(0)
        shutil.copyfileobj(objects, file)
    file.write(b'\n],\n"objectTypes":' + _json([_type(name, has) for name, has in _OBJECT_TYPES.items()]))
    file.write(b',\n"eventTypes":' + _json([_type(name, _EVENT_ATTRIBUTES) for name in sorted(types)]) + b"}\n")
    return count


class _Written:
    """Which ids were met, in a temporary database that outgrows memory."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("CREATE TABLE met (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def first_time(self, identity: str) -> bool:
        """Whether an id is new; from now on it is not."""
        return bool(self._database.execute("INSERT OR IGNORE INTO met VALUES (?)", (identity,)).rowcount)


def _objects(case: Case) -> Iterator[_Object]:
    """A case, and what it is about; itself first."""
    yield _Object(
        case.case_id,
        "case",
        "",
        {
            "kind": word_of(Kind.DESCRIPTOR, case.kind),
            "priority": word_of(Priority.DESCRIPTOR, case.priority),
            "channel": word_of(Channel.DESCRIPTOR, case.channel),
            "category": case.category,
            "policy": case.policy.policy_id,
        },
    )
    if case.customer.customer_id:
        yield _Object(f"customer:{case.customer.customer_id}", "customer", "opened for", {})
    if case.order_id:
        yield _Object(f"order:{case.order_id}", "order", "about", {})
    for parcel in case.parcels:
        direction = word_of(ParcelDirection.DESCRIPTOR, parcel.direction)
        known = {"carrier": parcel.carrier, "direction": direction}
        yield _Object(_parcel_id(case.case_id, parcel.parcel_id), "parcel", "tracks", known)


def _parcel_id(case_id: str, parcel_id: str) -> str:
    return f"parcel:{case_id}:{parcel_id}"


def _object(found: _Object, case: Case, of_case: list[_Object]) -> dict[str, Any]:
    about = of_case[1:] if found.type == "case" else []
    return {
        "id": found.id,
        "type": found.type,
        "attributes": [
            {"name": name, "time": _time(case.opened_at), "value": value}
            for name, value in found.attributes.items()
            if value
        ],
        "relationships": [{"objectId": other.id, "qualifier": other.of_case} for other in about],
    }


def _event(event: Event, of_case: list[_Object], selection: Selection) -> dict[str, Any]:
    values = {
        "actor": event.actor.name,
        "role": word_of(Role.DESCRIPTOR, event.actor.role),
        "rule": event.reason.rule,
        "seq": event.seq,
        "position": event.position,
        "hash": event.hash,
    }
    return {
        "id": event.event_id,
        "type": event.source_activity if selection.source_activities else event_type(event),
        "time": _time(event.at),
        "attributes": [{"name": name, "value": value} for name, value in values.items() if value],
        "relationships": list(_about(event, of_case)),
    }


def _about(event: Event, of_case: list[_Object]) -> Iterator[dict[str, str]]:
    """The objects of an event: its case; customer and order where it opens; the order or the parcel that it names."""
    body = getattr(event, event.WhichOneof("body") or "", None)
    parcel = _parcel_id(event.case_id, getattr(body, "parcel_id", ""))
    order = f"order:{getattr(body, 'order_id', '')}"
    for found in of_case:
        if found.type == "case":
            yield {"objectId": found.id, "qualifier": "of"}
        elif found.id in (parcel, order):
            yield {"objectId": found.id, "qualifier": "names"}
        elif found.type == "customer" and event.HasField("case_opened"):
            yield {"objectId": found.id, "qualifier": "for"}


def _type(name: str, attributes: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "attributes": [{"name": key, "type": kind} for key, kind in attributes.items()]}


def _time(at: Timestamp) -> str:
    return at.ToDatetime(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
