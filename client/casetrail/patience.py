"""How long a caller waits, and how it asks again."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import SystemRandom

_chance = SystemRandom()


@dataclass(frozen=True, slots=True)
class Patience:
    """Deadlines and pauses of a call, in seconds.

    Attributes:
        overall: How long a call takes at most, all attempts and pauses included. For a watch: how long the
            service may be gone before the watch gives up.
        attempt: How long one attempt takes at most.
        first_pause: The upper bound of the pause after the first failure; it doubles with each further one.
        longest_pause: Where the doubling stops.
        again: How long after its first failure a call is tried again: what may take an hour need not fail for one.
            As long as `overall`, when left out.
    """

    overall: float = 30.0
    attempt: float = 10.0
    first_pause: float = 0.1
    longest_pause: float = 3.0
    again: float | None = None

    def pauses(self) -> Iterator[float]:
        """Pauses without end, each drawn from the whole range so that callers do not return in step."""
        ceiling = self.first_pause
        while True:
            yield _chance.uniform(0, ceiling)
            ceiling = min(ceiling * 2, self.longest_pause)
