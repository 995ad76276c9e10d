"""What an envelope says, in one form, whichever version it was written in.

Version 2 is what the log writes now (docs/proof.md). Version 1 named every member, also where it had no value, and
wrote hashes in hex and times as text. Its envelopes stay as they are for ever: they are hashed. Nobody but this module
needs to know that there are two.
"""

import json
import re
from binascii import a2b_base64, b2a_base64
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

VERSION: Final = 2
"""Of the envelopes that are written."""

BY_TIME: Final = "time"
"""The cause of what the passing of time brought."""

EARLIEST: Final = -62_135_596_800
"""The year 1, in seconds since 1970."""
LATEST: Final = 253_402_300_799
"""The end of the year 9999."""

LARGEST_EXACT: Final = 2**53 - 1
"""Of the integers that every JSON reader keeps exactly."""

_HASH: Final = 43  # characters of a hash
_OWN_KEY: Final = "the envelope names a correlation that is its own key"
_BY_REQUEST: Final = "request:"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_decode = json.JSONDecoder().decode


class Facts(NamedTuple):
    """What an envelope says; texts are empty where it says nothing.

    Attributes:
        version: Of the envelope.
        log: Id of the log; empty where only the case's first event says it.
        previous: Leaf hash of the case's previous event; empty for the first.
        at: Case time, in seconds since 1970.
        due: When it was due, likewise; None for what time did not bring.
        by_time: Whether time brought it, and no request.
        digest: Hex SHA-256 of the request that brought it, where the envelope says it.
        correlation: Key of the request that it came along with; its own key where there was none.
        payload_hash: SHA-256 of the payload.
        recorded_at: In microseconds since 1970.
    """

    version: int
    log: str
    position: int
    case_id: str
    seq: int
    previous: bytes
    type: str
    at: int
    due: int | None
    actor: str
    role: str
    via: str
    key: str
    by_time: bool
    digest: str
    correlation: str
    drill: str
    payload_hash: bytes
    recorded_at: int


def read(envelope: bytes) -> Facts:
    """Read an envelope of either version.

    Raises:
        ValueError: It is none.
    """
    text = envelope.decode()
    found = _PLAIN.fullmatch(text)
    if found is not None:
        return _of_plain(found)
    try:
        said = _decode(text)
    except RecursionError as error:
        raise ValueError("the envelope is nested without end") from error
    if isinstance(said, dict):
        return _of_object(said)
    raise ValueError("the envelope is no object")


def _of_object(said: dict[str, Any]) -> Facts:
    version = said.get("v")
    if version == VERSION and type(version) is int:
        return _of_version_2(said)
    if version == 1 and type(version) is int:
        return _of_version_1(said)
    raise ValueError(f"the envelope has version {version!r}, and this program reads 1 and {VERSION}")


# What an envelope of version 2 looks like whose texts need no escapes, whose numbers are exact, and whose times are of
# these centuries, which is nearly all: what matches has the right members of the right form and is canonical. It is
# read in a third of the time. What was matched is never tried otherwise (`++`, `?+`): each member can only be itself.
_TEXT = r"[^\"\\\x00-\x1f]++"
_NUMBER = r"[1-9][0-9]{0,14}+"
_MICROSECONDS = r"[1-8][0-9]{0,15}+"
_SECONDS = r"(?:0|-?[1-9][0-9]{0,9}+)"
_BASE64URL = r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_UNTIL_LOG = (
    rf'{{(?:"actor":"({_TEXT})",)?+"at":({_SECONDS}),"case":"({_TEXT})",'
    rf'(?:("cause":"{BY_TIME}",)(?:"correlation":"({_TEXT})",)?+|(?:"digest":"({_BASE64URL})",)?+)'
    rf'(?:"drill":"({_TEXT})",)?+(?:"due":({_SECONDS}),)?+"key":"({_TEXT})"'
)
_ROLE = rf',(?:"role":"({_TEXT})",)?+'
_REST = rf'(?:,"via":"({_TEXT})")?+}}'
_PLAIN: Final = re.compile(
    rf'{_UNTIL_LOG}(?:,"log":"(?P<log>{_TEXT})")?+,'
    rf'"payload_hash":"({_BASE64URL})","pos":({_NUMBER}),(?(log)|"prev":"({_BASE64URL})",)"recorded":({_MICROSECONDS})'
    rf'{_ROLE}"seq":({_NUMBER}),"type":"({_TEXT})","v":{VERSION}{_REST}'
)
_UNPLACED: Final = re.compile(rf"{_UNTIL_LOG}\n{_ROLE}\n{_REST}")


def unplaced(envelope: bytes, place: str, kind: str) -> tuple[str, ...] | None:
    """Read an envelope that is plainly of version 2 and canonical, and of which two pieces are known.

    Args:
        envelope: The envelope.
        place: How it must say what it says from the log to when it was recorded.
        kind: How it must say what it says from `seq` to the version.

    Returns:
        What else it says, as it writes it: actor, at, case, cause, correlation, digest, drill, due, key, role, via.
        None where it takes more to see what it says.

    Raises:
        ValueError: It is no text.
    """
    until_log, _, rest = envelope.decode().partition(place)
    role, _, rest = rest.partition(kind)
    found = _UNPLACED.fullmatch(f"{until_log}\n{role}\n{rest}")
    return found.groups("") if found is not None else None


def _of_plain(found: re.Match[str]) -> Facts:
    (
        actor,
        at,
        case_id,
        by_time,
        correlation,
        digest,
        drill,
        due,
        key,
        log,
        payload_hash,
        pos,
        prev,
        recorded,
        role,
        seq,
        type_,
        via,
    ) = found.groups("")
    if correlation == key:
        raise ValueError(_OWN_KEY)
    return Facts(
        VERSION,
        log,
        int(pos),
        case_id,
        int(seq),
        _unhashed(prev) if prev else b"",
        type_,
        int(at),
        int(due) if due else None,
        actor,
        role,
        via,
        key,
        bool(by_time),
        _unhashed(digest).hex() if digest else "",
        correlation or key,
        drill,
        _unhashed(payload_hash),
        int(recorded),
    )


def has_its_digest(said: Facts, ordinal: int) -> bool:
    """Whether an envelope has the digest of its request just where it belongs.

    Args:
        said: What it says.
        ordinal: Which of the case's events under its key it is.
    """
    if said.version == 1:
        return True  # every event of a request had it
    return bool(said.digest) == (not said.by_time and ordinal == 0)


# Version 2


_ALWAYS: Final = frozenset(("at", "case", "key", "payload_hash", "pos", "recorded", "seq", "type", "v"))
_SOMETIMES: Final = frozenset(("actor", "cause", "correlation", "digest", "drill", "due", "log", "prev", "role", "via"))
MEMBERS: Final = _ALWAYS | _SOMETIMES
"""All that an envelope may have."""
_NUMBERS: Final = frozenset(("at", "due", "pos", "recorded", "seq", "v"))


def _of_version_2(said: dict[str, Any]) -> Facts:
    if not _ALWAYS <= said.keys() <= MEMBERS:
        raise ValueError(f"the envelope lacks, or should not have, {sorted(_ALWAYS ^ (said.keys() - _SOMETIMES))}")
    for name, value in said.items():
        if name not in _NUMBERS and (type(value) is not str or not value):
            raise ValueError(f"the envelope's {name} cannot be {value!r}")
    get = said.get
    key, prev, by_time = said["key"], get("prev", ""), "cause" in said
    if ("log" in said) == ("prev" in said):
        raise ValueError("the envelope of a case's first event names the log, and every other the event before it")
    if by_time and (said["cause"] != BY_TIME or "digest" in said):
        raise ValueError("the envelope says of something that it was brought by time, and by something else")
    if "correlation" in said and (said["correlation"] == key or not by_time):
        raise ValueError(_OWN_KEY)
    return Facts(
        VERSION,
        get("log", ""),
        _place(said["pos"]),
        said["case"],
        _place(said["seq"]),
        hash_of(prev) if prev else b"",
        said["type"],
        _second(said["at"]),
        _second(said["due"]) if "due" in said else None,
        get("actor", ""),
        get("role", ""),
        get("via", ""),
        key,
        by_time,
        hash_of(said["digest"]).hex() if "digest" in said else "",
        get("correlation", key),
        get("drill", ""),
        hash_of(said["payload_hash"]),
        _microseconds(said["recorded"]),
    )


def text_of(hashed: bytes) -> str:
    """A hash as an envelope writes it: base64url without padding (RFC 4648, 5)."""
    return b2a_base64(hashed, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def hash_of(text: str) -> bytes:
    """A hash, from how an envelope writes it.

    Raises:
        ValueError: There is none that is written so.
    """
    hashed = _unhashed(text) if len(text) == _HASH else b""
    if text_of(hashed) != text:
        raise ValueError(f"{text!r} is no hash as an envelope writes it")
    return hashed


def _unhashed(text: str) -> bytes:
    return a2b_base64(text.replace("-", "+").replace("_", "/") + "=")


def number(value: int) -> str:
    """An integer in JSON; as text where a reader might round it."""
    return str(value) if value <= LARGEST_EXACT else f'"{value}"'


def _place(value: object) -> int:
    if type(value) is int and 1 <= value <= LARGEST_EXACT:
        return value
    if isinstance(value, str) and re.fullmatch("[1-9][0-9]{15,18}", value) and int(value) > LARGEST_EXACT:
        return int(value)
    raise ValueError(f"{value!r} is no place of an event")


def _second(value: object) -> int:
    if type(value) is not int or not EARLIEST <= value <= LATEST:
        raise ValueError(f"{value!r} is no time in seconds since 1970")
    return value


def _microseconds(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_EXACT:
        raise ValueError(f"{value!r} is no time in microseconds since 1970")
    return value


# Version 1


_PLACE_1 = ("v", "log", "pos", "case", "seq", "prev", "id", "type", "schema", "at", "due", "recorded")
_CAUSE_1 = ("actor", "role", "via", "key", "cause", "correlation", "payload_hash")
MEMBERS_1: Final = frozenset((*_PLACE_1, *_CAUSE_1))
"""All that an envelope of version 1 has; where it is part of a drill, it has `drill` too."""
_SCHEMA_1: Final = "casetrail.v1"
_SHA256: Final = re.compile("[0-9a-f]{64}")
_CAUSES_1: Final = re.compile("time|request:.+")
_OR_NULL: Final = ("prev", "due", "actor", "role", "via", "correlation")


def _of_version_1(said: dict[str, Any]) -> Facts:
    if said.keys() - {"drill"} != MEMBERS_1 or said["schema"] != _SCHEMA_1:
        raise ValueError("the envelope has not the members of version 1")
    for name, value in said.items():
        if name not in ("v", "pos", "seq") and type(value) is not str and not (value is None and name in _OR_NULL):
            raise ValueError(f"the envelope's {name} cannot be {value!r}")
    case_id, seq, prev, cause, key = said["case"], _place(said["seq"]), said["prev"], said["cause"], said["key"]
    if said["id"] != f"{case_id}:{seq}":
        raise ValueError(f"{said['id']} is not the id of this event")
    hashes = (said["payload_hash"], prev) if prev is not None else (said["payload_hash"],)
    if not all(map(_SHA256.fullmatch, hashes)) or not _CAUSES_1.fullmatch(cause) or not said["log"]:
        raise ValueError("the envelope has a hash, a cause, or a log of another form")
    return Facts(
        1,
        said["log"],
        _place(said["pos"]),
        case_id,
        seq,
        bytes.fromhex(prev) if prev is not None else b"",
        said["type"],
        _second_of(said["at"]),
        _second_of(said["due"]) if said["due"] is not None else None,
        said["actor"] or "",
        said["role"] or "",
        said["via"] or "",
        key,
        cause == BY_TIME,
        "" if cause == BY_TIME else cause.removeprefix(_BY_REQUEST),
        said["correlation"] if said["correlation"] is not None else key,
        said.get("drill", ""),
        bytes.fromhex(said["payload_hash"]),
        _microsecond_of(said["recorded"]),
    )


@lru_cache(maxsize=1024)
def _second_of(text: str) -> int:
    return (_moment(text, "2026-11-22T08:00:00Z") - _EPOCH) // timedelta(seconds=1)


def _microsecond_of(text: str) -> int:
    return (_moment(text, "2026-11-22T08:00:00.123456Z") - _EPOCH) // timedelta(microseconds=1)


def _moment(text: str, like: str) -> datetime:
    if len(text) != len(like) or not text.endswith("Z"):
        raise ValueError(f"{text!r} is no time like {like}")
    return datetime.fromisoformat(text)
