"""The bell: tells those who follow the log that it has grown."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class Bell:
    """Rung by this process's commits at once, and by a watch that notices those of others.

    However many listen, one task watches, and only while somebody listens.

    Attributes:
        rings: How often it has rung.
    """

    def __init__(self, watch: Callable[[Callable[[], None]], Coroutine[Any, Any, None]]) -> None:
        """Make a bell.

        Args:
            watch: Takes what rings the bell, and does so soon after anybody's commit, until it is cancelled.
        """
        self.rings = 0
        self._watch = watch
        self._next_ring: asyncio.Future[None] | None = None
        self._listeners = 0
        self._watching: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Wake everybody who listens. Called in the event loop."""
        self.rings += 1
        waiting, self._next_ring = self._next_ring, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def stop(self) -> None:
        """Ring for the last time: nobody's commits are looked for any more, whoever may still listen."""
        self.ring()
        if self._watching is not None:
            self._watching.cancel()

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
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(self.ring), name="log-follower")
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._watching.cancel()
                self._watching = None
