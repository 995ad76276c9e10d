"""Reads envelopes, and judges their form: the members, their values, the canonical writing (RFC 8785)."""

import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import rfc8785

from casetrail_verify.faults import Check

_LARGEST_EXACT: Final = 2**53

_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"

# What values look like, as patterns that have no groups.
AT: Final = rf"{_DAY}T{_TIME}Z"
RECORDED: Final = rf"{_DAY}T{_TIME}\.[0-9]{{6}}Z"
SHA256: Final = r"[0-9a-f]{64}"
LOG: Final = r"[0-9a-f]{32}"
CAUSE: Final = rf"(?:time|request:{SHA256})"
TEXT: Final = r"[^\"\\\x00-\x1f]*"
"""Of which no character needs an escape."""
NUMBER: Final = r"[1-9][0-9]{0,14}"
"""That every JSON reader keeps exactly."""

# What an envelope looks like whose texts need no escapes and whose numbers are exact, which is nearly every one. What
# matches has the right members with values of the right form and is canonical, at a tenth of the time of finding that
# out by reading and writing it again. What does not match is read and judged the long way.
_PLAIN: Final = re.compile(
    rf'{{"actor":(?:null|"{TEXT}"),"at":"({AT})","case":"({TEXT})","cause":"{CAUSE}",'
    rf'"correlation":(?:null|"{TEXT}"),(?:"drill":"{TEXT}",)?"due":(?:null|"{AT}"),"id":"({TEXT})","key":"({TEXT})",'
    rf'"log":"({LOG})","payload_hash":"({SHA256})","pos":({NUMBER}),'
    rf'"prev":(?:null|"({SHA256})"),"recorded":"({RECORDED})","role":(?:null|"{TEXT}"),'
    rf'"schema":"casetrail\.v1","seq":({NUMBER}),"type":"({TEXT})","v":1,"via":(?:null|"{TEXT}")}}'
)


class Envelope(NamedTuple):
    """What an envelope says and is compared with something else."""

    at: str
    case_id: str
    event_id: str
    key: str
    log: str
    payload_hash: str
    pos: int
    prev: str | None
    recorded: str
    seq: int
    type: str


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
    plain = _PLAIN.fullmatch(text)
    if plain is None:
        return _judged(text)
    at, case_id, event_id, key, log, payload_hash, pos, prev, recorded, seq, type_ = plain.groups()
    return Envelope(at, case_id, event_id, key, log, payload_hash, int(pos), prev, recorded, int(seq), type_)


def _judged(text: str) -> Envelope:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(Check.ENVELOPE_MALFORMED, "the envelope is no JSON") from error
    if not isinstance(facts, dict):
        raise EnvelopeError(Check.ENVELOPE_MALFORMED, "the envelope is no object")
    if differing := sorted((facts.keys() ^ _FORMS.keys()) - _OPTIONAL.keys()):
        raise EnvelopeError(Check.ENVELOPE_MALFORMED, f"the envelope lacks, or should not have, {differing}")
    for name, holds in (*_FORMS.items(), *_OPTIONAL.items()):
        if name in facts and not holds(facts[name]):
            raise EnvelopeError(Check.ENVELOPE_MALFORMED, f"the envelope's {name} cannot be {facts[name]!r}")
    envelope = Envelope(
        facts["at"],
        facts["case"],
        facts["id"],
        facts["key"],
        facts["log"],
        facts["payload_hash"],
        int(facts["pos"]),
        facts["prev"],
        facts["recorded"],
        int(facts["seq"]),
        facts["type"],
    )
    if _canonical(facts) != text.encode():
        raise EnvelopeError(
            Check.ENVELOPE_NOT_CANONICAL, "the envelope is not written as RFC 8785 would write it", envelope
        )
    return envelope


def _canonical(facts: dict[str, Any]) -> bytes | None:
    try:
        return rfc8785.dumps(facts)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object) -> bool:
    """An integer from 1; as decimal text where a JSON reader might round it."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and value[0] != "0" and int(value) > _LARGEST_EXACT
    return type(value) is int and 1 <= value <= _LARGEST_EXACT


class _Like:
    """Whether a value is a text of a form."""

    def __init__(self, form: str, *, or_null: bool = False) -> None:
        self._form = re.compile(form)
        self._or_null = or_null

    def __call__(self, value: object) -> bool:
        if value is None:
            return self._or_null
        return isinstance(value, str) and self._form.fullmatch(value) is not None


_FORMS: Final[dict[str, Callable[[object], bool]]] = {
    "v": lambda value: type(value) is int and value == 1,
    "log": _Like(LOG),
    "pos": _is_number,
    "case": _is_text,
    "seq": _is_number,
    "prev": _Like(SHA256, or_null=True),
    "id": _is_text,
    "type": _is_text,
    "schema": lambda value: value == "casetrail.v1",
    "at": _Like(AT),
    "due": _Like(AT, or_null=True),
    "actor": _is_text_or_null,
    "role": _is_text_or_null,
    "via": _is_text_or_null,
    "key": _is_text,
    "cause": _Like(CAUSE),
    "correlation": _is_text_or_null,
    "payload_hash": _Like(SHA256),
    "recorded": _Like(RECORDED),
}

# Members that only some envelopes have: `drill` where the case is part of one.
_OPTIONAL: Final[dict[str, Callable[[object], bool]]] = {"drill": _is_text}
