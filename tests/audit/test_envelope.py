"""The envelope: canonical, complete, without personal data, and no longer than it needs to be."""

import hashlib
import json
from base64 import urlsafe_b64encode

import pytest
import rfc8785
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import facts
from audit.envelope import Place, drafts_of, event_of, leaf_hash, seal, sealed_event
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Role
from tests.audit.given import NOON, digest, event, note, opening

PLACE = Place(log="l1", position=7, seq=3, previous=b"\x01" * 32, recorded_at=1_795_000_000_123_456)

texts = st.text(st.characters(codec="utf-8"), max_size=20)


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def sealed(one: Event, place: Place = PLACE) -> tuple[bytes, dict[str, object]]:
    (draft,) = drafts_of([one], key=one.key, digest=digest("r"))
    envelope = seal(draft, place).envelope
    return envelope, json.loads(envelope)


def test_an_envelope_says_what_when_who_and_why() -> None:
    one = event("INQ-1", 3, note(), key="r1", at=NOON)
    (draft,) = drafts_of([one], key="r1", digest=digest("r"))
    stored = seal(draft, PLACE)
    assert stored.payload is not None
    assert json.loads(stored.envelope) == {
        "v": 2,
        "pos": 7,
        "case": "INQ-1",
        "seq": 3,
        "prev": base64url(b"\x01" * 32),
        "type": "NoteAdded",
        "at": NOON,
        "recorded": 1_795_000_000_123_456,
        "actor": "mei",
        "role": "AGENT",
        "via": "shop",
        "key": "r1",
        "digest": base64url(bytes.fromhex(digest("r"))),
        "payload_hash": base64url(hashlib.sha256(stored.payload).digest()),
    }
    assert stored.leaf_hash == hashlib.sha256(b"\x00" + stored.envelope).digest() == leaf_hash(stored.envelope)


def test_what_time_brought_says_so_also_when_a_request_came_with_it() -> None:
    timed = event("INQ-1", 3, note(), key="first_response#1@9", at=NOON, timed=True)
    asked = event("INQ-1", 4, note(), key="r1", at=NOON)
    drafts = [
        *drafts_of([timed], key="", digest=""),
        *drafts_of([timed, asked, asked], key="r1", digest=digest("r")),
    ]
    said = [json.loads(seal(draft, PLACE).envelope) for draft in drafts]
    about = ("cause", "correlation", "digest")
    assert [{name: one[name] for name in about if name in one} for one in said] == [
        {"cause": "time"},
        {"cause": "time", "correlation": "r1"},
        {"digest": base64url(bytes.fromhex(digest("r")))},
        {},
    ]
    read = [facts.read(seal(draft, PLACE).envelope) for draft in drafts]
    assert [(one.by_time, one.correlation, one.digest) for one in read] == [
        (True, timed.key, ""),
        (True, "r1", ""),
        (False, "r1", digest("r")),
        (False, "r1", ""),
    ]


def test_the_first_event_of_a_case_names_the_log_and_every_other_the_one_before_it() -> None:
    one = event("INQ-1", 1, note(), key="r1", at=NOON)
    _, first = sealed(one, PLACE._replace(previous=b""))
    _, second = sealed(one)
    assert (first.get("log"), "prev" in first) == ("l1", False)
    assert ("log" in second, second.get("prev")) == (False, base64url(b"\x01" * 32))


def test_what_has_no_value_is_left_out() -> None:
    one = event("INQ-1", 3, note(), key="r1", at=NOON)
    one.ClearField("actor")
    _, said = sealed(one)
    assert said.keys() == {"at", "case", "digest", "key", "payload_hash", "pos", "prev", "recorded", "seq", "type", "v"}


def test_a_digest_that_is_none_is_refused() -> None:
    one = event("INQ-1", 3, note(), key="r1", at=NOON)
    with pytest.raises(ValueError, match="no SHA-256"):
        drafts_of([one], key="r1", digest="ab")


@pytest.mark.parametrize("field", ["at", "due"])
@pytest.mark.parametrize("wrong", [{"nanos": 1}, {"seconds": facts.LATEST + 1}, {"seconds": facts.EARLIEST - 1}])
def test_a_time_that_an_envelope_cannot_say_is_refused(field: str, wrong: dict[str, int]) -> None:
    one = event("INQ-1", 3, note(), key="r1", at=NOON, timed=True)
    getattr(one, field).MergeFrom(Timestamp(**wrong))
    with pytest.raises(ValueError, match="INQ-1"):
        drafts_of([one], key="r1", digest=digest("r"))


def test_an_event_without_a_time_is_refused() -> None:
    one = event("INQ-1", 3, note(), key="r1", at=NOON)
    one.ClearField("at")
    with pytest.raises(ValueError, match="INQ-1"):
        drafts_of([one], key="r1", digest=digest("r"))


def test_only_body_and_reason_are_in_the_payload() -> None:
    one = event("INQ-1", 3, note("hello"), key="r1", at=NOON)
    (draft,) = drafts_of([one], key="r1", digest=digest("r"))
    assert {field.name for field, _ in Event.FromString(draft.payload).ListFields()} == {"reason", "note_added"}


def test_a_payload_is_what_protobuf_writes() -> None:
    one = event("INQ-1", 3, note("long enough for a length of two bytes: " + "x" * 200), key="r1", at=NOON)
    one.source_activity = "备注"
    (draft,) = drafts_of([one], key="r1", digest=digest("r"))
    expected = Event(reason=one.reason, source_activity=one.source_activity, note_added=one.note_added)
    assert draft.payload == expected.SerializeToString(deterministic=True)


def test_no_personal_data_is_in_an_envelope() -> None:
    envelope, _ = sealed(event("INQ-1", 1, opening(), key="r1", at=NOON))
    for personal in ("Li Lei", "Where is my parcel", "cu-1"):
        assert personal not in envelope.decode()


@given(
    name=texts,
    role=st.sampled_from(Role.values()),
    via=texts,
    key=texts.filter(bool),
    seconds=st.integers(facts.EARLIEST, facts.LATEST),
)
@settings(max_examples=200, deadline=None)
def test_an_envelope_is_canonical_json_whatever_stands_in_it(
    name: str, role: Role.ValueType, via: str, key: str, seconds: int
) -> None:
    one = event("INQ-1", 3, note(), key=key, at=seconds, timed=True)
    one.actor.CopyFrom(Actor(name=name, role=role, via=via))
    envelope, said = sealed(one)
    assert rfc8785.dumps(said) == envelope  # type: ignore[arg-type] # plain JSON


@given(name=texts, role=st.sampled_from(Role.values()[1:]), via=texts, key=texts.filter(bool), timed=st.booleans())
@settings(max_examples=200, deadline=None)
def test_an_event_comes_back_as_it_went_in(name: str, role: Role.ValueType, via: str, key: str, *, timed: bool) -> None:
    one = event("INQ-1", 3, note(name), key=key, at=NOON, timed=timed)
    one.actor.CopyFrom(Actor(name=name, role=role, via=via))
    (draft,) = drafts_of([one], key=key, digest=digest("r"))
    stored = seal(draft, PLACE)
    assert event_of(stored) == sealed_event(draft, stored, PLACE.previous)


@pytest.mark.parametrize(("number", "written"), [(1, 1), (2**53 - 1, 2**53 - 1), (2**53, "9007199254740992")])
def test_an_integer_that_json_may_round_is_text(number: int, written: int | str) -> None:
    envelope, said = sealed(event("INQ-1", 3, note(), key="r1", at=NOON), PLACE._replace(position=number))
    assert said["pos"] == written
    assert facts.read(envelope).position == number
    assert rfc8785.dumps(said) == envelope  # type: ignore[arg-type] # plain JSON
