"""Money is compared with money of the same currency only."""

import pytest

from domain.money import Money


@pytest.mark.parametrize(
    ("asked", "most", "within"),
    [
        (Money(20_000, "CNY"), Money(20_000, "CNY"), True),
        (Money(20_001, "CNY"), Money(20_000, "CNY"), False),
        (Money(1, "EUR"), Money(20_000, "CNY"), False),
        (Money(1, ""), Money(20_000, "CNY"), False),
        (Money(0, "EUR"), Money(0, "CNY"), True),
    ],
)
def test_a_sum_is_within_one_that_is_no_smaller_and_of_its_currency(asked: Money, most: Money, *, within: bool) -> None:
    assert asked.within(most) is within
