"""Case time: whole seconds since the Unix epoch.

A promise is kept or broken to the second, so fractions are cut off (towards the past) wherever time comes in.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

Instant = int
"""A point in case time, in Unix seconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

# Timestamps end with the year 9999, and much is due years after it was promised.
EARLIEST: Final[Instant] = (datetime(1900, 1, 1, tzinfo=UTC) - _EPOCH) // _SECOND
LATEST: Final[Instant] = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // _SECOND
"""Between these, everything that follows from an instant can be written."""


def instant(ts: Timestamp) -> Instant:
    """The whole second that a timestamp lies in."""
    return ts.seconds


def timestamp(at: Instant) -> Timestamp:
    """An instant as it stands on the wire."""
    return Timestamp(seconds=at)


def from_datetime(dt: datetime) -> Instant:
    """The whole second that a moment lies in.

    Raises:
        ValueError: The moment has no time zone, so nobody knows when it was.
    """
    if dt.tzinfo is None:
        raise ValueError(f"{dt.isoformat()} has no time zone")
    return (dt - _EPOCH) // _SECOND


def to_datetime(at: Instant) -> datetime:
    """An instant as a datetime in UTC."""
    return _EPOCH + timedelta(seconds=at)
