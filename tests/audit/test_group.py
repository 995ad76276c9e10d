"""A group decides about batches that wait together as if each had come alone, one after the other."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.encryption import Key
from audit.group import CaseHasMoved, Group, Head, KeyIsKnown, PreparedBatch, Written, besides, prepare
from audit.log import LOG_ITSELF, Batch, Need
from audit.merkle import Frontier
from audit.questions import Question
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import CaseClosed
from domain.evolve import fold
from tests.audit.given import NOON, NOTHING_NEEDED, Body, digest, event, note, opening

WAKE = Need(wake=datetime(2026, 11, 22, tzinfo=UTC), effects=False)
KEY = Key("k1", AESGCM(bytes(32)), renewed=False)


def batch(*bodies: Body, key: str = "request", after: Case | None = None, need: Need = NOTHING_NEEDED) -> Batch:
    """What a writer brings to INQ-1."""
    seq = after.seq if after is not None else 0
    events = [
        event("INQ-1", seq + n, body, key=key or f"time {seq}", at=NOON) for n, body in enumerate(bodies, start=1)
    ]
    return Batch("INQ-1", seq, key, digest(key), events, fold(events, after), need)


def group() -> Group:
    return Group(Head("0" * 32, 0, 0, Frontier()), {}, set(), set(), now=1_790_000_000_000_000)


def decided(*batches: Batch) -> tuple[Group, Sequence[object]]:
    made = group()
    return made, [type(made.decide(prepare(each))) for each in batches]


def case_of(given: Batch) -> Case:
    assert given.case is not None
    return given.case


def test_a_request_that_waits_twice_is_known_to_the_second() -> None:
    opened = batch(opening())
    _, fates = decided(
        opened,
        opened,
        batch(note(), after=case_of(opened)),
        batch(note(), key="other", after=Case(case_id="INQ-1", seq=7)),
    )

    assert fates == [Written, KeyIsKnown, KeyIsKnown, CaseHasMoved]


def test_what_time_brings_twice_is_written_twice() -> None:
    opened = batch(opening())
    first = batch(note(), key="", after=case_of(opened))
    _, fates = decided(opened, first, batch(note(), key="", after=case_of(first)))

    assert fates == [Written] * 3


def test_what_a_case_needs_is_what_it_needs_in_the_end() -> None:
    opened = batch(opening(), need=WAKE)
    closed = batch(CaseClosed(), key="close", after=case_of(opened))
    needing, _ = decided(opened)
    done, _ = decided(opened, closed)
    again, _ = decided(opened, closed, batch(note(), key="late", after=case_of(closed), need=WAKE))

    assert (list(needing.needs), needing.unneeding) == ([1], set())
    assert (list(done.needs), done.unneeding) == ([], {1})
    assert (list(again.needs), again.unneeding) == ([1], set())


def test_effects_are_pending_since_the_event_that_demanded_the_last_of_them() -> None:
    opened = batch(opening())
    demanding = case_of(opened)
    for seq in (3, 11):
        demanding.pending_effects.add(effect_id=f"INQ-1:{seq}")

    assert prepare(replace(batch(opening()), case=demanding)).newest_effect == 11
    assert prepare(batch(opening())).newest_effect == 1


def test_what_is_changed_beside_a_batch_that_is_not_written_is_left() -> None:
    change = Question("UPDATE nothing", {})
    made = group()
    batches: list[PreparedBatch] = [prepare(batch(opening()))._replace(besides=[change]) for _ in range(2)]
    fates = [made.decide(each) for each in batches]

    assert besides(batches, fates) == [change]


def test_a_group_in_which_nothing_is_written_leaves_the_head() -> None:
    made, fates = decided(batch(note(), after=Case(case_id="INQ-1", seq=7)))

    assert fates == [CaseHasMoved]
    assert made.head is made.before


def test_a_case_that_says_nothing_personal_is_kept_in_clear_though_there_is_a_key() -> None:
    nothing = opening()
    nothing.customer.name = nothing.subject = ""

    assert Case.FromString(prepare(batch(opening()), KEY).body).HasField("encrypted")
    assert not Case.FromString(prepare(batch(nothing), KEY).body).HasField("encrypted")
    assert (prepare(batch(opening()), KEY).dek_id, prepare(batch(opening())).dek_id) == ("k1", None)


@pytest.mark.parametrize(
    ("differing", "words"),
    [
        ({"events": []}, "a batch of INQ-1 without events"),
        ({"case": None}, "INQ-1 lacks a case"),
        ({"case_id": LOG_ITSELF}, "@log cannot have a case"),
        ({"case": Case(case_id="INQ-2", seq=1)}, "is not the fold after its events"),
        ({"case": Case(case_id="INQ-1", seq=2)}, "is not the fold after its events"),
        ({"events": [event("INQ-2", 1, opening(), key="request", at=NOON)]}, "INQ-2:1 stands where INQ-1:1 belongs"),
        ({"events": [event("INQ-1", 2, opening(), key="request", at=NOON)]}, "INQ-1:2 stands where INQ-1:1 belongs"),
        ({"key": "another"}, "no event of this batch of INQ-1 has its key"),
    ],
)
def test_a_batch_that_contradicts_itself_is_refused(differing: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prepare(replace(batch(opening()), **differing))  # type: ignore[arg-type] # as named
