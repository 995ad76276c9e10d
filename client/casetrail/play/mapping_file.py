"""Read a mapping: what the contract's rules say of it, and what they cannot say."""

import codecs
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from casetrail.file_problems import FieldPath, FileError, Finding
from casetrail.play.templates import TemplateError, parse, texts_at
from casetrail.v1.command_pb2 import Command
from casetrail.v1.mapping_pb2 import Mapping
from casetrail.yaml_messages import read

# What is not for a mapping: what playing says itself with every action, the actions that are its own, and the engine's.
_NOT_FOR_MAPPINGS = frozenset(
    {"case_id", "request_id", "expected_seq", "at", "actor"}
    | {"open", "import_row", "hand_over", "absorb", "report_outcome"}
)
_ACTIONS = [
    field.name for field in Command.DESCRIPTOR.oneofs_by_name["action"].fields if field.name not in _NOT_FOR_MAPPINGS
]


def load_mapping(path: Path) -> Mapping:
    """Read a mapping that has to be right.

    Raises:
        FileError: It is not.
    """
    reading = read(path, Mapping)
    problems = [*reading.problems, *reading.further(_findings(reading.message))]
    if problems:
        raise FileError(problems)
    return reading.message


def _findings(mapping: Mapping) -> Iterator[Finding]:
    yield from _format_findings(mapping)
    yield from _template_findings(mapping.open, ("open",))
    for number, activity in enumerate(mapping.activities):
        for name, commands in (("do", activity.do), ("live", activity.live)):
            for ordinal, command in enumerate(commands):
                yield from _action_findings(command, ("activities", number, name, ordinal))
    for number, change in enumerate(mapping.changes):
        for ordinal, command in enumerate(change.do):
            yield from _action_findings(command, ("changes", number, "do", ordinal))


def _format_findings(mapping: Mapping) -> Iterator[Finding]:
    if mapping.time.zone:
        try:
            ZoneInfo(mapping.time.zone)
        except (LookupError, ValueError, OSError):
            said = f'"{mapping.time.zone}" is no time zone; write one such as Europe/Lisbon'
            yield Finding(("time", "zone"), said)
    if mapping.time.format and mapping.time.format != "iso":
        sample = datetime(2026, 6, 18, 8, 30, tzinfo=UTC)
        try:
            datetime.strptime(sample.strftime(mapping.time.format), mapping.time.format)  # noqa: DTZ007 - only tried
        except ValueError as error:
            yield Finding(
                ("time", "format"), f"is no time format: {error}; write one such as %Y-%m-%d %H:%M:%S, or iso"
            )
    try:
        codecs.lookup(mapping.csv.encoding or "utf-8")
    except LookupError:
        said = f'"{mapping.csv.encoding}" is no encoding; write one such as utf-8 or cp1252'
        yield Finding(("csv", "encoding"), said)


def _action_findings(command: Command, path: FieldPath) -> Iterator[Finding]:
    for field, _ in command.ListFields():
        if field.name in _NOT_FOR_MAPPINGS:
            yield Finding((*path, field.name), "is not for a mapping to say")
    if command.WhichOneof("action") is None:
        yield Finding(path, f"has no action; name one of {', '.join(_ACTIONS)}")
    yield from _template_findings(command, path)


def _template_findings(message: Message, path: FieldPath) -> Iterator[Finding]:
    for inner, text in texts_at(message):
        try:
            parse(text)
        except TemplateError as error:
            yield Finding((*path, *inner), str(error))
