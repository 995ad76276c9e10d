"""Real moments as envelopes write them."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> str:
    """RFC 3339 with six digits, from microseconds since 1970; in words where no such date exists."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


def seconds(at: str) -> int:
    """Seconds since 1970, from RFC 3339 in whole seconds of UTC; 0 where there is no such date."""
    try:
        return int(datetime.fromisoformat(at).timestamp())
    except ValueError:
        return 0


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")
    except OverflowError:
        return f"{seconds} s"
