"""Reads envelopes, and judges their form: the members, their values, the canonical writing (RFC 8785).

There are two versions of them (docs/proof.md). A log may hold both: what was written is hashed, and stays as it is.
"""

import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import rfc8785

from casetrail_verify.faults import Check
from casetrail_verify.moments import EARLIEST, LATEST, microseconds, seconds

_LARGEST_EXACT: Final = 2**53 - 1
_LARGE: Final = re.compile(r"[1-9][0-9]{15,18}")

_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_SHA256 = r"[0-9a-f]{64}"

# What values look like, as patterns that have no groups.
TEXT: Final = r"[^\"\\\x00-\x1f]+"
"""Of which no character needs an escape."""
NUMBER: Final = r"[1-9][0-9]{0,14}"
"""That every JSON reader keeps exactly."""
SECONDS: Final = r"(?:0|-?[1-9][0-9]{0,11})"
MICROSECONDS: Final = r"[1-8][0-9]{0,15}"
LOG: Final = r"[0-9a-f]{32}"
HASH: Final = r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
"""Of 32 bytes, in base64url without padding: the last character has only four bits of them."""


class Envelope(NamedTuple):
    """What an envelope says and is compared with something else.

    Attributes:
        version: Of the envelope.
        at: Case time, in seconds since 1970.
        log: Id of the log; None where only the case's first event says it.
        payload_hash: Hex.
        prev: Hex hash of the event before it in the case; None for the first.
        recorded: In microseconds since 1970.
        by_time: Whether time brought it, and no request.
        has_digest: Whether it says what the request was.
        actor: Who did it; empty where it names nobody.
    """

    version: int
    at: int
    case_id: str
    key: str
    log: str | None
    payload_hash: str
    pos: int
    prev: str | None
    recorded: int
    seq: int
    type: str
    by_time: bool
    has_digest: bool
    actor: str

    @property
    def event_id(self) -> str:
        """CASE:SEQ."""
        return f"{self.case_id}:{self.seq}"

    def has_its_digest(self, ordinal: int) -> bool:
        """Whether it says what the request was just where it should.

        Args:
            ordinal: Which of the case's events under its key it is.
        """
        return self.version == 1 or self.has_digest == (not self.by_time and ordinal == 0)


class EnvelopeError(Exception):
    """An envelope is not as it should be.

    Attributes:
        check: Which check fails.
        envelope: What could be read all the same; None when nothing could.
    """

    def __init__(self, check: Check, message: str, envelope: Envelope | None = None) -> None:
        super().__init__(message)
        self.check = check
        self.envelope = envelope


def read(text: str) -> Envelope:
    """Read an envelope, as text.

    Raises:
        EnvelopeError: Its form is wrong.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(Check.ENVELOPE_MALFORMED, "the envelope is no JSON") from error
    if not isinstance(said, dict):
        raise EnvelopeError(Check.ENVELOPE_MALFORMED, "the envelope is no object")
    version = said.get("v")
    if type(version) is not int or version not in _READERS:
        raise EnvelopeError(Check.ENVELOPE_MALFORMED, f"the envelope has version {version!r}, which is not known")
    envelope = _READERS[version](said)
    if _canonical(said) != text.encode():
        raise EnvelopeError(
            Check.ENVELOPE_NOT_CANONICAL, "the envelope is not written as RFC 8785 would write it", envelope
        )
    return envelope


def _of_version_2(said: dict[str, Any]) -> Envelope:
    _judge(said, _ALWAYS, _SOMETIMES)
    by_time, prev = "cause" in said, said.get("prev")
    for wrong, words in (
        (("log" in said) == ("prev" in said), "names not just one of `log` and `prev`"),
        (by_time and "digest" in said, "has the digest of a request, and was brought by time"),
        ("correlation" in said and not by_time, "came along with a request that it was brought by"),
        (said.get("correlation") == said["key"], "has its own key as `correlation`"),
    ):
        if wrong:
            raise EnvelopeError(Check.ENVELOPE_MALFORMED, f"the envelope {words}")
    return Envelope(
        2,
        said["at"],
        said["case"],
        said["key"],
        said.get("log"),
        unhashed(said["payload_hash"]),
        int(said["pos"]),
        unhashed(prev) if prev is not None else None,
        said["recorded"],
        int(said["seq"]),
        said["type"],
        by_time,
        "digest" in said,
        said.get("actor", ""),
    )


def _of_version_1(said: dict[str, Any]) -> Envelope:
    _judge(said, _ALWAYS_1, _SOMETIMES_1)
    by_time = said["cause"] == "time"
    envelope = Envelope(
        1,
        seconds(said["at"]),
        said["case"],
        said["key"],
        said["log"],
        said["payload_hash"],
        int(said["pos"]),
        said["prev"],
        microseconds(said["recorded"]),
        int(said["seq"]),
        said["type"],
        by_time,
        not by_time,
        said["actor"] or "",
    )
    if said["id"] != envelope.event_id:
        message = f"the event {envelope.event_id} calls itself {said['id']!r}"
        raise EnvelopeError(Check.ID_WRONG, message, envelope)
    return envelope


_READERS: Final = {1: _of_version_1, 2: _of_version_2}


def _judge(said: dict[str, Any], always: "_Forms", sometimes: "_Forms") -> None:
    if differing := sorted((said.keys() ^ always.keys()) - sometimes.keys()):
        raise EnvelopeError(Check.ENVELOPE_MALFORMED, f"the envelope lacks, or should not have, {differing}")
    for name, holds in (*always.items(), *sometimes.items()):
        if name in said and not holds(said[name]):
            raise EnvelopeError(Check.ENVELOPE_MALFORMED, f"the envelope's {name} cannot be {said[name]!r}")


def _canonical(said: dict[str, Any]) -> bytes | None:
    try:
        return rfc8785.dumps(said)
    except rfc8785.CanonicalizationError:
        return None


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def unhashed(text: str) -> str:
    """A hash in hex, from how an envelope of version 2 writes it."""
    return a2b_base64(text.replace("-", "+").replace("_", "/") + "=").hex()


def hashed(digest: bytes) -> str:
    """A hash as an envelope of version 2 writes it."""
    return b2a_base64(digest, newline=False).translate(_URL_SAFE)[:-1].decode()


# The forms of values


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_some_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object) -> bool:
    """An integer from 1; as decimal text where a JSON reader might round it."""
    if isinstance(value, str):
        return _LARGE.fullmatch(value) is not None and int(value) > _LARGEST_EXACT
    return type(value) is int and 1 <= value <= _LARGEST_EXACT


def _is_second(value: object) -> bool:
    return type(value) is int and EARLIEST <= value <= LATEST


class _Like:
    """Whether a value is a text of a form."""

    def __init__(self, form: str, *, or_null: bool = False) -> None:
        self._form = re.compile(form)
        self._or_null = or_null

    def __call__(self, value: object) -> bool:
        if value is None:
            return self._or_null
        return isinstance(value, str) and self._form.fullmatch(value) is not None


class _Moment(_Like):
    """Whether a value is a text of a form, and a time that there is."""

    def __call__(self, value: object) -> bool:
        if not super().__call__(value):
            return False
        try:
            return not isinstance(value, str) or microseconds(value) is not None
        except ValueError:
            return False


_Forms = dict[str, Callable[[object], bool]]

_ALWAYS: Final[_Forms] = {
    "v": lambda value: value == 2,  # noqa: PLR2004 - as the document says
    "pos": _is_number,
    "case": _is_some_text,
    "seq": _is_number,
    "type": _is_some_text,
    "at": _is_second,
    "key": _is_some_text,
    "payload_hash": _Like(HASH),
    "recorded": lambda value: type(value) is int and 1 <= value <= _LARGEST_EXACT,
}
_SOMETIMES: Final[_Forms] = {
    "log": _Like(LOG),
    "prev": _Like(HASH),
    "cause": lambda value: value == "time",
    "digest": _Like(HASH),
    "correlation": _is_some_text,
    "due": _is_second,
    "actor": _is_some_text,
    "role": _is_some_text,
    "via": _is_some_text,
    "drill": _is_some_text,
}

_ALWAYS_1: Final[_Forms] = {
    "v": lambda value: value == 1,
    "log": _Like(LOG),
    "pos": _is_number,
    "case": _is_text,
    "seq": _is_number,
    "prev": _Like(_SHA256, or_null=True),
    "id": _is_text,
    "type": _is_text,
    "schema": lambda value: value == "casetrail.v1",
    "at": _Moment(rf"{_DAY}T{_TIME}Z"),
    "due": _Moment(rf"{_DAY}T{_TIME}Z", or_null=True),
    "actor": _is_text_or_null,
    "role": _is_text_or_null,
    "via": _is_text_or_null,
    "key": _is_text,
    "cause": _Like(rf"(?:time|request:{_SHA256})"),
    "correlation": _is_text_or_null,
    "payload_hash": _Like(_SHA256),
    "recorded": _Moment(rf"{_DAY}T{_TIME}\.[0-9]{{6}}Z"),
}
_SOMETIMES_1: Final[_Forms] = {"drill": _is_text}
