"""How people write single values: `30s`, `agent`, `2026-06-18T08:00:00+08:00`.

The same forms serve YAML files and the command line.
"""

import difflib
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.words import word_of, words_of

_DURATION = re.compile(r"(?:(?P<d>[0-9]{1,9})d)?(?:(?P<h>[0-9]{1,9})h)?(?:(?P<m>[0-9]{1,9})m)?(?:(?P<s>[0-9]{1,12})s)?")
_UNIT_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST_SECONDS = 315_576_000_000
"""The most that a protobuf duration can hold: 10,000 years."""
_LONGEST_SHOWN = 100  # characters of a value that is named: another file may be one


def duration(text: str) -> Duration:
    """Read a duration such as `30s`, `10m`, `24h`, `3d` or `1h30m`.

    Raises:
        ValueError: It is none.
    """
    parts = _DURATION.fullmatch(text)
    if parts is None or not text:
        raise ValueError(f"{quoted(text)} is not a duration; write 30s, 10m, 24h or 3d")
    seconds = sum(int(parts[unit] or 0) * size for unit, size in _UNIT_SECONDS.items())
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"{quoted(text)} is longer than 10,000 years")
    return Duration(seconds=seconds)


def duration_text(seconds: int) -> str:
    """Write whole seconds as people do: 5400 is `1h30m`."""
    if not seconds:
        return "0s"
    sign, rest, text = ("-" if seconds < 0 else ""), abs(seconds), ""
    for unit, size in _UNIT_SECONDS.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return sign + text


def timestamp(text: str) -> Timestamp:
    """Read an instant in ISO 8601, for example `2026-06-18T08:00:00+08:00`.

    Raises:
        ValueError: It is none, or its time zone is missing.
    """
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            read = Timestamp()
            read.FromDatetime(moment)
            return read
    raise ValueError(f"{quoted(text)} is not an instant with its time zone; write 2026-06-18T08:00:00+08:00")


def enum_number(enum: EnumDescriptor, text: str) -> int:
    """Read a value of an enum by its word, `team_lead`, or its full name, `ROLE_TEAM_LEAD`.

    Raises:
        ValueError: There is no such value.
    """
    for value in enum.values:
        if text and text in (word_of(enum, value.number), value.name):
            return value.number
    raise ValueError(unknown(text, words_of(enum)))


def unknown(word: str, known: Iterable[str]) -> str:
    """Say that a word is unknown, and which was probably meant, or else which there are."""
    names = list(known)
    meant = probably_meant(word, names)
    if meant is not None:
        return f'{quoted(word)} is unknown; did you mean "{meant}"?'
    few = 16  # more than these nobody reads in an error message
    listed = ", ".join(names[:few]) + (", …" if len(names) > few else "")
    return f"{quoted(word)} is unknown; known are {listed}" if names else f"{quoted(word)} is unknown"


def probably_meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, if any does."""
    return next(iter(difflib.get_close_matches(word[:_LONGEST_SHOWN].lower(), known, n=1)), None)


def quoted(text: str) -> str:
    """A value as a message names it: in quotes, and of a long one the beginning."""
    return f'"{text}"' if len(text) <= _LONGEST_SHOWN else f'"{text[:_LONGEST_SHOWN]}…"'
