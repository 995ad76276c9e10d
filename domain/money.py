"""Money, which is compared with money of the same currency only."""

from typing import NamedTuple


class Money(NamedTuple):
    """An amount in minor units, and the currency whose units they are."""

    minor: int
    currency: str

    def within(self, most: "Money") -> bool:
        """Whether it is no more than another amount: never, when that is of another currency."""
        return self.minor == 0 or (self.currency == most.currency and self.minor <= most.minor)
