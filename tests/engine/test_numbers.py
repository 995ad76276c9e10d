"""Numbers that survive a telephone."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casetrail.v1.types_pb2 import Kind
from engine.numbers import check_letter, numbers

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
drawn = st.text(LETTERS, min_size=8, max_size=8)


@pytest.mark.parametrize(
    ("kind", "prefix"), [(Kind.KIND_INQUIRY, "INQ"), (Kind.KIND_COMPLAINT, "CMP"), (Kind.KIND_RETURN, "RET")]
)
def test_a_number_is_short_and_grouped(kind: Kind.ValueType, prefix: str) -> None:
    first = next(numbers(kind, "shop", "r-1"))
    assert [len(part) for part in first.split("-")] == [3, 3, 3, 3]
    assert first.startswith(prefix)
    assert set(first[4:].replace("-", "")) <= set(LETTERS)


def test_numbers_follow_from_who_asks_for_what_and_differ_from_try_to_try() -> None:
    one, same = (list(islice(numbers(Kind.KIND_INQUIRY, "shop", "r-1"), 5)) for _ in range(2))
    assert one == same
    assert len(set(one)) == 5
    assert next(numbers(Kind.KIND_INQUIRY, "shopr", "-1")) != one[0]
    assert next(numbers(Kind.KIND_INQUIRY, "app", "r-1")) != one[0]


def test_a_request_that_is_repeated_years_later_gets_the_number_that_it_got() -> None:
    """A release that draws numbers otherwise would open a second case for a repeated request."""
    assert list(islice(numbers(Kind.KIND_INQUIRY, "shop", "r-1"), 2)) == ["INQ-1R8-XR3-MS6", "INQ-2Y1-84N-E75"]
    kinds = (Kind.KIND_COMPLAINT, Kind.KIND_RETURN, Kind.KIND_INCIDENT, Kind.KIND_DRILL)
    assert [next(numbers(kind, "shop", "r-1"))[:7] for kind in kinds] == ["CMP-1R8", "RET-1R8", "INC-1R8", "DRL-1R8"]


@given(drawn, st.integers(0, 8), st.sampled_from(LETTERS))
def test_one_letter_misheard_is_noticed(letters: str, place: int, wrong: str) -> None:
    whole = letters + check_letter(letters)
    misheard = whole[:place] + wrong + whole[place + 1 :]
    assert misheard == whole or check_letter(misheard[:8]) != misheard[8]


@given(drawn, st.integers(0, 7))
def test_two_neighbours_exchanged_are_noticed_unless_they_are_0_and_z(letters: str, place: int) -> None:
    whole = letters + check_letter(letters)
    swapped = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
    pair = {whole[place], whole[place + 1]}
    assert swapped == whole or pair == {"0", "Z"} or check_letter(swapped[:8]) != swapped[8]
