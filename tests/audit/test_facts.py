"""What an envelope says is read the same however it is written, and what is none is refused."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785

from audit import facts
from tests.audit.test_verification import hashed

LOG = "0f3c2b1a00112233445566778899aabb"
BEFORE, PAYLOAD, REQUEST = (hashlib.sha256(each).digest() for each in (b"before", b"payload", b"request"))
ABSENT = ...  # says the same in every process that names tests by it

COMMON = {"pos": 7, "case": "INQ-1", "seq": 3, "type": "NoteAdded", "key": "r1", "actor": "mei", "role": "AGENT"}
FIRST = COMMON | {
    "v": 2,
    "seq": 1,
    "log": LOG,
    "at": 1_790_000_000,
    "recorded": 1_790_000_000_123_456,
    "payload_hash": hashed(PAYLOAD),
    "digest": hashed(REQUEST),
    "via": "shop",
}
BY_TIME = COMMON | {
    "v": 2,
    "prev": hashed(BEFORE),
    "cause": "time",
    "correlation": "r2",
    "at": 1_790_000_000,
    "due": 1_789_999_999,
    "recorded": 1_790_000_000_123_456,
    "payload_hash": hashed(PAYLOAD),
    "drill": "DRL-1",
}
VERSION_1 = COMMON | {
    "v": 1,
    "log": LOG,
    "prev": BEFORE.hex(),
    "id": "INQ-1:3",
    "schema": "casetrail.v1",
    "at": "2026-09-21T14:13:20Z",
    "due": None,
    "via": None,
    "cause": f"request:{REQUEST.hex()}",
    "correlation": None,
    "payload_hash": PAYLOAD.hex(),
    "recorded": "2026-09-21T14:13:20.123456Z",
}
READ = {
    "first": (FIRST, (2, LOG, 7, "INQ-1", 1, b"", 1_790_000_000, None, "shop", False, REQUEST.hex(), "r1", "")),
    "by time": (BY_TIME, (2, "", 7, "INQ-1", 3, BEFORE, 1_790_000_000, 1_789_999_999, "", True, "", "r2", "DRL-1")),
    "version 1": (VERSION_1, (1, LOG, 7, "INQ-1", 3, BEFORE, 1_790_000_000, None, "", False, REQUEST.hex(), "r1", "")),
}


@pytest.mark.parametrize(("said", "expected"), READ.values(), ids=READ)
@pytest.mark.parametrize(
    "write", [rfc8785.dumps, lambda said: json.dumps(said).encode()], ids=["canonical", "otherwise"]
)
def test_an_envelope_is_read_the_same_however_it_is_written(
    said: dict[str, Any], expected: tuple[object, ...], write: Callable[[Any], bytes]
) -> None:
    read = facts.read(write(said))
    assert (
        *(read.version, read.log, read.position, read.case_id, read.seq, read.previous, read.at, read.due, read.via),
        *(read.by_time, read.digest, read.correlation, read.drill),
    ) == expected
    assert (read.type, read.key, read.actor, read.role) == ("NoteAdded", "r1", "mei", "AGENT")
    assert (read.payload_hash, read.recorded_at) == (PAYLOAD, 1_790_000_000_123_456)


WRONG: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *[
        (FIRST, change)
        for change in (
            {"v": 3},
            {"v": True},
            {"v": 2.0},
            {"v": "2"},
            {"key": ABSENT},
            {"note": "x"},
            {"key": ""},
            {"via": None},
            {"actor": 7},
            {"prev": hashed(BEFORE)},
            {"log": ABSENT},
            {"pos": 0},
            {"pos": "7"},
            {"pos": 7.0},
            {"pos": 2**53},
            {"pos": str(2**53 - 1)},
            {"seq": True},
            {"at": "2026-09-21T14:13:20Z"},
            {"at": facts.LATEST + 1},
            {"at": facts.EARLIEST - 1},
            {"due": None},
            {"recorded": -1},
            {"recorded": 2**53},
            {"recorded": 1.0},
            {"payload_hash": PAYLOAD.hex()},
            {"payload_hash": hashed(PAYLOAD) + "="},
            {"payload_hash": hashed(PAYLOAD)[:-1] + "B"},
            {"digest": ""},
            {"correlation": "r2"},
        )
    ],
    *[
        (BY_TIME, change)
        for change in (
            {"cause": "request"},
            {"digest": hashed(REQUEST)},
            {"correlation": "r1"},
            {"prev": ABSENT},
            {"prev": hashed(BEFORE)[1:]},
            {"log": LOG},
        )
    ],
    *[
        (VERSION_1, change)
        for change in (
            {"v": True},
            {"due": ABSENT},
            {"note": "x"},
            {"schema": "casetrail.v2"},
            {"id": "INQ-1:4"},
            {"key": None},
            {"case": 7},
            {"pos": 0},
            {"prev": hashed(BEFORE)},
            {"prev": BEFORE.hex().upper()},
            {"payload_hash": PAYLOAD.hex()[1:]},
            {"cause": "request"},
            {"cause": "request:"},
            {"cause": "somebody"},
            {"log": ""},
            {"at": 1_790_000_000},
            {"at": "2026-09-21T14:13:20+08:00"},
            {"at": "2026-09-21T14:13:20"},
            {"at": "2026-09-21 14:13:200"},
            {"at": "2026-02-30T14:13:20Z"},
            {"due": "noon"},
            {"recorded": "2026-09-21T14:13:20Z"},
        )
    ],
]


@pytest.mark.parametrize(("said", "change"), WRONG, ids=lambda each: "" if len(each) > 1 else str(each))
def test_what_is_no_envelope_is_refused(said: dict[str, Any], change: dict[str, Any]) -> None:
    changed = {name: value for name, value in (said | change).items() if value is not ABSENT}
    for envelope in (json.dumps(changed), json.dumps(changed, sort_keys=True, separators=(",", ":"))):
        with pytest.raises(ValueError, match=r"."):
            facts.read(envelope.encode())


@pytest.mark.parametrize("envelope", [b"", b"{}", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"v":' * 100_000])
def test_what_is_no_object_is_refused(envelope: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        facts.read(envelope)


@pytest.mark.parametrize(
    ("said", "ordinal", "right"),
    [
        (FIRST, 0, True),
        (FIRST, 1, False),
        (FIRST | {"digest": ABSENT}, 0, False),
        (FIRST | {"digest": ABSENT}, 1, True),
        (BY_TIME, 0, True),
        (VERSION_1, 0, True),
        (VERSION_1, 1, True),
    ],
)
def test_the_first_event_of_a_request_has_its_digest_and_no_other(
    said: dict[str, Any], ordinal: int, *, right: bool
) -> None:
    present = {name: value for name, value in said.items() if value is not ABSENT}
    assert facts.has_its_digest(facts.read(rfc8785.dumps(present)), ordinal) is right
