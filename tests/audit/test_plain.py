"""What is plainly right is found so at once, and nothing else is."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.envelope import Place, StoredEvent, drafts_of, event_of, leaf_hash, seal
from audit.verification import plain
from tests.audit.given import NOON, event, note

LOG = "0f3c2b1a00112233445566778899aabb"
PLACE = Place(LOG, position=7, seq=3, previous=b"\x01" * 32, recorded_at=1_795_000_000_123_456)
FIRST = PLACE._replace(previous=b"")


def row(place: Place = PLACE, *, key: str = "r1", name: str = "mei", timed: bool = False) -> StoredEvent:
    one = event("INQ-1", 3, note(), key=key, at=NOON, timed=timed)
    one.actor.name = name
    (draft,) = drafts_of([one], key="r1", digest=hashlib.sha256(b"r1").hexdigest())
    return seal(draft, place)


def second_row() -> StoredEvent:
    """The second event of a request."""
    events = [event("INQ-1", seq, note(), key="r1", at=NOON) for seq in (2, 3)]
    _, second = drafts_of(events, key="r1", digest=hashlib.sha256(b"r1").hexdigest())
    return seal(second, PLACE)


def is_right(stored: StoredEvent, log: str = LOG, previous: bytes = PLACE.previous) -> bool:
    return plain.read(stored, log, previous) is not None


@given(key=st.text(min_size=1), name=st.text(), timed=st.booleans(), place=st.sampled_from((FIRST, PLACE)))
def test_what_the_log_writes_is_plainly_right_unless_a_text_needs_escapes(
    key: str, name: str, place: Place, *, timed: bool
) -> None:
    escaped = any(character in '"\\' or character < " " for character in key + name)

    assert is_right(row(place, key=key, name=name, timed=timed), previous=place.previous) != escaped


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("place", [FIRST, PLACE])
def test_what_is_plainly_right_is_read_as_the_long_way_reads_it(place: Place, *, timed: bool) -> None:
    stored = row(place, timed=timed)

    read = plain.read(stored, LOG, place.previous)

    expected = event_of(stored)
    for unused in ("event_id", "key", "position", "hash", "previous_hash", "recorded_at"):
        expected.ClearField(unused)
    assert read == (stored.leaf_hash, place.previous, "r1", expected)


def test_what_follows_another_event_than_its_envelope_says_is_not_plainly_right() -> None:
    first, later = row(FIRST), row()
    assert is_right(first, previous=b"")
    assert is_right(later)
    assert not is_right(first, previous=b"\x01" * 32)
    assert not is_right(later, previous=b"")
    assert not is_right(later, previous=b"\x02" * 32)


def test_a_case_of_another_log_is_not_plainly_right() -> None:
    assert not is_right(row(FIRST), log="another", previous=b"")


@pytest.mark.parametrize(
    "change",
    [{"position": 2**53}, {"position": -7}, {"seq": 0}, {"recorded_at": 2**53}, {"recorded_at": -1}],
    ids=str,
)
def test_a_number_that_not_every_reader_reads_is_not_plainly_right(change: dict[str, Any]) -> None:
    assert not is_right(row(PLACE._replace(**change)))


@pytest.mark.parametrize(
    "change",
    [
        {"position": 8},
        {"case_id": "INQ-2"},
        {"seq": 4},
        {"key": "r2"},
        {"ordinal": 1},
        {"leaf_hash": b"\x00" * 32},
        {"recorded_at": PLACE.recorded_at + 1},
        {"dek_id": "k1"},
        {"payload": None},
        {"payload": b""},
        {"payload": b"\xff"},
    ],
    ids="-".join,
)
def test_a_changed_column_is_not_plainly_right(change: dict[str, Any]) -> None:
    assert not is_right(row()._replace(**change))


def test_a_key_stands_in_the_first_row_under_it_only() -> None:
    first, second = row(), second_row()
    assert (first.key, second.key) == ("r1", "")
    assert is_right(first)
    assert is_right(second)
    assert not is_right(first._replace(key=""))
    assert not is_right(second._replace(key="r1"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"type":"NoteAdded"', b'"type":"Replied"'),
        (b'"pos":7,', b'"id":"INQ-1:3","pos":7,'),
        (b'"digest":"', b'"cause":"time","digest":"'),
        (b'"payload_hash":"', b'"log":"0f3c2b1a00112233445566778899aabb","payload_hash":"'),
        (b'"payload_hash":"', b'"payload_hash":"0'),
        (b'"role":"AGENT",', b'"via":"shop",'),
        (b'"role":"AGENT"', b'"role":"QUEEN"'),
        (b'"role":"AGENT"', b'"role":""'),
        (b'"at":17', b'"at":9917'),
        (b'"at":17', b'"at":-9917'),
        (b'"key":', b'"due":991700000000,"key":'),
        (b'"v":2', b'"v":1'),
        (b'"v":2', b'"v": 2'),
        (b'"via":"shop"}', b'"via":"shop","x":1}'),
        (b'"actor":"mei"', b'"actor":"m\xffi"'),
    ],
)
def test_an_envelope_that_was_written_anew_is_not_plainly_right(old: bytes, new: bytes) -> None:
    untouched = row()
    assert old in untouched.envelope

    envelope = untouched.envelope.replace(old, new)

    assert not is_right(untouched._replace(envelope=envelope, leaf_hash=leaf_hash(envelope)))
