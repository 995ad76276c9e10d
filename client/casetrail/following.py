"""Streams that go on where a broken connection left them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import grpc

from casetrail.errors import CasetrailError, Unavailable
from casetrail.patience import Patience

_Message = TypeVar("_Message")


async def follow(
    start: Callable[[int], grpc.aio.UnaryStreamCall[Any, _Message]],
    *,
    place: Callable[[_Message], int],
    after: int,
    patience: Patience,
    explain: Callable[[grpc.aio.AioRpcError], Awaitable[CasetrailError]],
) -> AsyncGenerator[_Message, None]:
    """Every message after a place, once and in order, over as many connections as it takes.

    Args:
        start: Opens the stream of what comes after a place.
        place: Where a message stands; it grows from message to message.
        after: Where to begin.
        patience: How long the service may be gone.
        explain: Makes our error of gRPC's.

    Raises:
        CasetrailError: The service refuses the stream, or is gone for longer than the patience.
    """
    outage = _Outage(patience)
    while True:
        outage.connecting()
        call = start(after)
        error: CasetrailError
        try:
            async for message in call:
                outage.over()
                if place(message) > after:
                    after = place(message)
                    yield message
            error = Unavailable("the service ended the stream")  # it is stopping, and will be back
        except grpc.aio.AioRpcError as failure:
            error = await explain(failure)
        finally:
            call.cancel()
        await outage.pause(error)


class _Outage:
    """How long the service has been gone."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._connecting_since = 0.0
        self.over()

    def connecting(self) -> None:
        """A connection is tried."""
        self._connecting_since = time.monotonic()

    def over(self) -> None:
        """The service is there."""
        self._since: float | None = None
        self._pauses = self._patience.pauses()

    async def pause(self, error: CasetrailError) -> None:
        """Wait before the next connection.

        Raises:
            CasetrailError: There is no use in waiting, or no patience left.
        """
        now = time.monotonic()
        if now - self._connecting_since > self._patience.longest_pause:
            self.over()  # quiet, but there: nothing had happened to tell of
        if self._since is None:
            self._since = now
        pause = next(self._pauses)
        if not error.passes or now + pause - self._since > self._patience.overall:
            raise error
        await asyncio.sleep(pause)
