"""Whether commands are being carried out: what has time yields to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

# Between two commands of a caller who waits for each answer there is a short pause, which is no rest.
_REST_SECONDS: Final = 0.05


class Traffic:
    """The commands of one process."""

    def __init__(self) -> None:
        self._under_way = 0
        self._ended_at = -_REST_SECONDS

    @contextmanager
    def command(self) -> Iterator[None]:
        """Within the block, a command is being carried out."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._ended_at = monotonic()

    @property
    def flows(self) -> bool:
        """Whether a command is under way, or was just now."""
        return self._under_way > 0 or monotonic() - self._ended_at < _REST_SECONDS
