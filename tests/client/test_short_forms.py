"""Single values as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casetrail import short_forms
from casetrail.v1.types_pb2 import RemedyKind, Role


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("1h30m", 5400), ("24h", 86_400), ("3d", 259_200), ("1d1h1m1s", 90_061), ("0s", 0)],
)
def test_a_duration_is_read_in_days_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert short_forms.duration(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "30m1h", "1.5h", "-5m", "5 m", "1y", "\uff15m", "10m\n"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 30s, 10m, 24h or 3d"):
        short_forms.duration(text)


def test_a_duration_is_no_longer_than_the_contract_can_carry() -> None:
    with pytest.raises(ValueError, match="longer than 10,000 years"):
        short_forms.duration("999999999d")


@given(st.integers(0, 10**9))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert short_forms.duration(short_forms.duration_text(seconds)).seconds == seconds


@pytest.mark.parametrize("text", ["2026-06-18", "2026-06-18T08:00:00", "yesterday", "2026-02-30T00:00:00Z", ""])
def test_an_instant_needs_its_day_its_time_and_its_zone(text: str) -> None:
    with pytest.raises(ValueError, match="is not an instant with its time zone"):
        short_forms.timestamp(text)


def test_words_of_an_enum_are_read_short_and_in_full() -> None:
    assert short_forms.enum_number(Role.DESCRIPTOR, "team_lead") == Role.ROLE_TEAM_LEAD
    assert short_forms.enum_number(Role.DESCRIPTOR, "ROLE_TEAM_LEAD") == Role.ROLE_TEAM_LEAD


@pytest.mark.parametrize("word", ["unspecified", "", "gift"])
def test_an_unknown_word_is_answered_with_the_known_ones(word: str) -> None:
    with pytest.raises(ValueError, match=f'"{word}" is unknown; known are refund, exchange, repair'):
        short_forms.enum_number(RemedyKind.DESCRIPTOR, word)


@pytest.mark.parametrize(("known", "more"), [(16, ""), (17, ", …")])
def test_of_very_many_known_words_the_first_are_named(known: int, more: str) -> None:
    words = [f"k{number}" for number in range(known)]
    assert short_forms.unknown("ZZZZ", words).endswith(f"known are {', '.join(words[:16])}{more}")
    assert short_forms.unknown("ZZZZ", []) == '"ZZZZ" is unknown'


def test_a_misspelt_word_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(ValueError, match='did you mean "exchange"'):
        short_forms.enum_number(RemedyKind.DESCRIPTOR, "exchnage")
