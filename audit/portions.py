"""How many events are read at once for a reader who may be slow: what waits for it is held in memory."""

from collections.abc import Sequence
from typing import Final

from casetrail.v1.event_pb2 import Event

FIRST: Final = 4
_MOST: Final = 200
_BYTES: Final = 128 * 1024


def next_portion(read: Sequence[Event]) -> int:
    """How many events to read after these: as many of their size as may be held, one at least."""
    size = sum(event.ByteSize() for event in read)
    return min(_MOST, max(1, _BYTES * len(read) // size)) if size else FIRST
