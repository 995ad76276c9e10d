"""XES (IEEE 1849-2016): a trace for each case, an event for each of its events."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import BinaryIO
from xml.sax.saxutils import quoteattr

from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.client import Client
from casetrail.export.selection import Selection
from casetrail.timeline import event_type
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Channel, Kind, Priority, Role
from casetrail.words import word_of

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
  <extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
  <extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
  <global scope="trace">
    <string key="concept:name" value=""/>
  </global>
  <global scope="event">
    <string key="concept:name" value=""/>
    <date key="time:timestamp" value="1970-01-01T00:00:00.000+00:00"/>
    <string key="lifecycle:transition" value="complete"/>
  </global>
  <classifier name="Activity" keys="concept:name"/>
  <classifier name="Activity and role" keys="concept:name org:role"/>
"""

# What XML 1.0 cannot hold, however it is escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Attribute = tuple[str, str, str]
"""Its element, its key and its value."""


async def write(client: Client, selection: Selection, file: BinaryIO) -> int:
    """Write an export; returns how many events it has. A case without any is no trace."""
    count = 0
    file.write(_HEAD.encode())
    async for case in selection.cases(client):
        open_trace = False
        async for event in selection.events_of(client, case.case_id):
            if not open_trace:
                _put(file, "  ", "<trace>", *_elements(_of_case(case), "    "))
                open_trace = True
            _put(file, "    ", "<event>", *_elements(_of_event(event, selection), "      "), "    </event>")
            count += 1
        if open_trace:
            _put(file, "  ", "</trace>")
    _put(file, "", "</log>")
    return count


def _of_case(case: Case) -> Iterator[Attribute]:
    yield "string", "concept:name", case.case_id
    yield "string", "casetrail:kind", word_of(Kind.DESCRIPTOR, case.kind)
    yield "string", "casetrail:priority", word_of(Priority.DESCRIPTOR, case.priority)
    yield "string", "casetrail:channel", word_of(Channel.DESCRIPTOR, case.channel)
    yield "string", "casetrail:category", case.category
    yield "string", "casetrail:source", case.source
    yield "string", "casetrail:policy", case.policy.policy_id


def _of_event(event: Event, selection: Selection) -> Iterator[Attribute]:
    kind = event_type(event)
    yield "string", "concept:name", event.source_activity if selection.source_activities else kind
    yield "date", "time:timestamp", _date(event.at)
    yield "string", "lifecycle:transition", "complete"
    yield "string", "org:resource", event.actor.name
    yield "string", "org:role", word_of(Role.DESCRIPTOR, event.actor.role)
    yield "string", "casetrail:type", kind
    yield "id", "casetrail:event_id", event.event_id
    yield "int", "casetrail:seq", str(event.seq)
    yield "int", "casetrail:position", str(event.position)
    yield "string", "casetrail:rule", event.reason.rule
    yield "string", "casetrail:source_activity", "" if selection.source_activities else event.source_activity
    yield "string", "casetrail:hash", event.hash


def _elements(attributes: Iterable[Attribute], indent: str) -> Iterator[str]:
    for element, key, value in attributes:
        if value:
            # An id of ours is text: the standard's own `id` is a UUID.
            name = "string" if element == "id" else element
            yield f"{indent}<{name} key={quoteattr(key)} value={quoteattr(_NOT_XML.sub('�', value))}/>"


def _date(at: Timestamp) -> str:
    return at.ToDatetime(UTC).isoformat(timespec="milliseconds")


def _put(file: BinaryIO, indent: str, *lines: str) -> None:
    file.write((indent + "\n".join(lines) + "\n").encode())
