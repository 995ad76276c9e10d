"""Reads a case as an export lists it."""

from collections.abc import Mapping
from typing import NamedTuple

from casetrail_verify import folding, lines
from casetrail_verify.lines import Line
from casetrail_verify.wire import Message

_CASE_ID = 1  # fields of the message Case
_SEQ = 4


class Listed(NamedTuple):
    """A case of the projection.

    Attributes:
        opened: Position of its first event.
        seq: Of its last event.
        leaf: That one's hash, hex.
        own_case_id: What its body says that it is.
        own_seq: What its body says is its last event.
        facts: What its body says of what follows from the events alone.
    """

    case_id: str
    opened: int
    seq: int
    leaf: str
    own_case_id: str
    own_seq: int
    facts: Mapping[str, object]


def read(line: Line) -> Listed:
    """Read the line of a case.

    Raises:
        LineError: It is not what the format says.
        WireError: Its body is no case.
    """
    body = Message(lines.data(line, "body"))
    return Listed(
        lines.text(line, "case_id"),
        lines.integer(line, "opened"),
        lines.integer(line, "seq"),
        lines.hashed(line, "leaf_hash").hex(),
        body.text(_CASE_ID),
        body.integer(_SEQ),
        folding.listed(body),
    )
