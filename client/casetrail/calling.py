"""How the parts of the client call the service: over its one channel, saying who asks, and patiently."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Protocol, TypeVar

import grpc

from casetrail import handshake
from casetrail.errors import CasetrailError, error_of
from casetrail.following import follow
from casetrail.patience import Patience
from casetrail.tls import Tls


class _OfAPage(Protocol):
    page_token: str


class _Paged(Protocol):
    next_page_token: str


_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")
_PageRequest = TypeVar("_PageRequest", bound=_OfAPage)
_Page = TypeVar("_Page", bound=_Paged)


class Calls:
    """Calls over one channel.

    Attributes:
        channel: Of which the stubs are made whose methods are called.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        address: str,
        tls: Tls | None,
        metadata: Sequence[tuple[str, str]],
        patience: Patience,
    ) -> None:
        """Made by the client.

        Args:
            channel: To the service.
            address: Where that is.
            tls: By what it is known; None in clear.
            metadata: Goes with every call: who asks.
            patience: Deadlines and pauses, where a call has none of its own.
        """
        self.channel = channel
        self._address = address
        self._tls = tls
        self._metadata = tuple(metadata)
        self._patience = patience

    async def ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Answer],
        request: _Request,
        request_id: str = "",
        *,
        patience: Patience | None = None,
    ) -> _Answer:
        """Send a request until it is answered, refused for good, or the patience ends.

        Raises:
            CasetrailError: It was refused, or the patience has ended.
        """
        patience = patience or self._patience
        end = time.monotonic() + patience.overall
        pauses = patience.pauses()
        told: CasetrailError | None = None
        until: float | None = None
        while True:
            left = end - time.monotonic()
            try:
                return await method(request, timeout=min(patience.attempt, left), metadata=self._metadata)
            except grpc.aio.AioRpcError as failure:
                error = await self._explain(failure, request_id)
                pause, now = next(pauses), time.monotonic()
                until = until or min(end, now + (patience.overall if patience.again is None else patience.again))
                if not error.passes or now + pause >= until:
                    raise error.after(told) from failure
                told = error if error.reason else told
            await asyncio.sleep(pause)

    async def pages(
        self, method: grpc.aio.UnaryUnaryMultiCallable[_PageRequest, _Page], request: _PageRequest
    ) -> AsyncIterator[_Page]:
        """Every page of a list, each asked for when it is needed.

        Raises:
            CasetrailError: As `ask` does.
        """
        while True:
            page = await self.ask(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def once(
        self, method: grpc.aio.UnaryStreamMultiCallable[_Request, _Answer], request: _Request
    ) -> AsyncIterator[_Answer]:
        """The answers of a stream that ends by itself. One that breaks is not taken up again.

        Raises:
            CasetrailError: It was refused, or broke.
        """
        try:
            async for answer in method(request, metadata=self._metadata):
                yield answer
        except grpc.aio.AioRpcError as failure:
            raise await self._explain(failure) from failure

    def follow(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[_Request, _Answer],
        request_after: Callable[[int], _Request],
        *,
        place: Callable[[_Answer], int],
        after: int,
    ) -> AsyncGenerator[_Answer, None]:
        """The answers of a stream without end, taken up again where a broken connection left it.

        Args:
            method: What is followed.
            request_after: The request for what comes after a place.
            place: Where an answer stands; it grows from answer to answer.
            after: Where to begin.
        """
        return follow(
            lambda reached: method(request_after(reached), metadata=self._metadata),
            place=place,
            after=after,
            patience=self._patience,
            explain=self._explain,
        )

    async def _explain(self, failure: grpc.aio.AioRpcError, request_id: str = "") -> CasetrailError:
        """What a failed call says; where it had no connection, what is wrong between the two sides."""
        error = error_of(failure, request_id)
        if error.reason or error.code is not grpc.StatusCode.UNAVAILABLE:
            return error
        return await handshake.fault(self._address, self._tls) or error
