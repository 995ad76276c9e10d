"""The bell: tells those who follow the log that it has grown."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from audit.log import LogDamagedError, LogUnavailableError

_POLL_EVERY: Final = 0.1  # seconds between looks at what other processes have committed


class Bell:
    """Rung by this process's commits at once, and by those of others within a tenth of a second.

    However many listen, one task looks; it costs microseconds a look, and exists only while somebody listens.

    Attributes:
        rings: How often it has rung.
    """

    def __init__(self, version: Callable[[], int]) -> None:
        """Make a bell.

        Args:
            version: A number that changes when anybody commits.
        """
        self.rings = 0
        self._version = version
        self._next_ring: asyncio.Future[None] | None = None
        self._listeners = 0
        self._poller: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Wake everybody who listens. Called in the event loop."""
        self.rings += 1
        waiting, self._next_ring = self._next_ring, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def rung_after(self, rings: int) -> None:
        """Wait until it has rung more often than this."""
        while self.rings <= rings:
            if self._next_ring is None:
                self._next_ring = asyncio.get_running_loop().create_future()
            # Shielded: one listener that gives up must not take the others' ring with it.
            await asyncio.shield(self._next_ring)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block, other processes' commits are looked for."""
        self._listeners += 1
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="log-follower")
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._poller.cancel()
                self._poller = None

    async def _poll(self) -> None:
        seen = None
        while True:
            try:
                version = self._version()
            except (LogUnavailableError, LogDamagedError):
                version = None  # the listeners' own read says what is wrong
            if version is None or version != seen:
                seen = version
                self.ring()
            await asyncio.sleep(_POLL_EVERY)
