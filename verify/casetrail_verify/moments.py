"""Moments as envelopes of version 1 write them: RFC 3339, in UTC."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST: Final = -62_135_596_800
"""The year 1, in seconds since 1970."""
LATEST: Final = 253_402_300_799
"""The end of the year 9999."""


@lru_cache(maxsize=1024)
def seconds(text: str) -> int:
    """Seconds since 1970.

    Raises:
        ValueError: There is no such date.
    """
    return microseconds(text) // 1_000_000


def microseconds(text: str) -> int:
    """Microseconds since 1970.

    Raises:
        ValueError: There is no such date.
    """
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
