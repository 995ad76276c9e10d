"""What happens to every call, whichever method it is for: the gate between the wire and the servicers.

In this order: it is measured, errors become statuses, the caller is found, the request is read and checked.
One layer rather than a chain of interceptors, because each of those costs every call again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final, TypeAlias, cast

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from audit.log import LogDamagedError
from casetrail.v1.errors_pb2 import RefusalReason
from domain.refusal import Rejected
from server import validation
from server.errors import Refused, explain
from server.principals import Principal, Principals
from server.turns import Turns
from telemetry import observed_call

# The wire takes a little more than a request may have, so that it is us who refuse it, with a reason.
MAX_MESSAGE_BYTES: Final = 4 * validation.MAX_REQUEST_BYTES
MOST_STREAMS: Final = 10_000
"""Answered at a time; each takes some 50 KB."""

# What our own client takes.
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024

# What a servicer offers, by the method's name in the contract: one answer, or a stream of them.
Unary: TypeAlias = Callable[[Any, Principal], Awaitable[Message]]
Stream: TypeAlias = Callable[[Any, Principal], AsyncGenerator[Message, None]]

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Gate:
    """Admits calls of known principals to the servicers.

    Attributes:
        damage: What is wrong with the log, so that no call is answered; empty while nothing is known to be.
    """

    def __init__(self, principals: Principals, *, tracing: bool) -> None:
        """Admit these principals, and make spans of their calls or not."""
        self.damage = ""
        self._principals = principals
        self._tracing = tracing
        # Streams that wait for something to tell; one that is sending must not be disturbed.
        self._waiting: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._streams = Turns(MOST_STREAMS, "streams")

    def end_streams(self) -> None:
        """End what would never end by itself, with a status that sends its caller to the next server."""
        self._stopping = True
        for task in self._waiting:
            task.cancel()

    def service(self, contract: ServiceDescriptor, methods: Mapping[str, Unary | Stream]) -> grpc.GenericRpcHandler:
        """Make a gRPC service of what a servicer offers.

        Raises:
            KeyError: A method of the contract is missing.
        """
        handlers = {method.name: self._handler(method, methods[method.name]) for method in contract.methods}
        return grpc.method_handlers_generic_handler(contract.full_name, handlers)

    def _handler(self, method: MethodDescriptor, answer: Any) -> "grpc.RpcMethodHandler[Any, Any]":  # noqa: ANN401 - of either form
        kind = GetMessageClass(method.input_type)
        validation.warm(kind)
        name = f"{method.containing_service.full_name}/{method.name}"
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(name, kind, answer))
        return grpc.unary_unary_rpc_method_handler(self._unary(name, kind, answer))

    def _unary(self, name: str, kind: type[Message], answer: Unary) -> Callable[..., Awaitable[bytes]]:
        async def handle(data: bytes, context: Context) -> bytes:
            metadata = context.invocation_metadata() or ()
            with observed_call(name, metadata, tracing=self._tracing) as call:
                try:
                    principal = self._admitted(metadata)
                    response = _written(await answer(validation.read(kind, data), principal))
                except Exception as error:  # noqa: BLE001 - the one place where every error ends
                    refused = _refuse(name, error)
                    call.code = refused.code
                    await context.abort(refused.code, refused.message, refused.trailers)
                call.code = grpc.StatusCode.OK
                return response

        return handle

    def _stream(self, name: str, kind: type[Message], answer: Stream) -> Callable[..., AsyncIterator[bytes]]:
        async def handle(data: bytes, context: Context) -> AsyncIterator[bytes]:
            metadata = context.invocation_metadata() or ()
            with observed_call(name, metadata, tracing=self._tracing) as call:
                try:
                    principal = self._admitted(metadata)
                    request = validation.read(kind, data)
                    with self._streams.one():
                        async with aclosing(answer(request, principal)) as responses:
                            async for response in self._until_stopped(responses):
                                yield _written(response)
                except Exception as error:  # noqa: BLE001 - likewise
                    refused = _refuse(name, error)
                    call.code = refused.code
                    await context.abort(refused.code, refused.message, refused.trailers)
                call.code = grpc.StatusCode.OK

        return handle

    def _admitted(self, metadata: Iterable[tuple[str, str | bytes]]) -> Principal:
        """Who calls.

        Raises:
            Rejected: UNKNOWN_PRINCIPAL.
            LogDamagedError: Nobody is answered.
        """
        principal = self._principals.authenticate(metadata)
        if self.damage:
            raise LogDamagedError(self.damage)
        return principal

    def _is_stopping(self) -> bool:
        return self._stopping

    async def _until_stopped(self, responses: AsyncIterator[Message]) -> AsyncIterator[Message]:
        """Pass responses on, and give up waiting for the next one when the server stops.

        Raises:
            Rejected: STOPPING.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        while not self._is_stopping():
            self._waiting.add(task)
            try:
                response = await anext(responses)
            except StopAsyncIteration:
                return
            except asyncio.CancelledError:
                if self._is_stopping():
                    break
                raise
            finally:
                self._waiting.discard(task)
            yield response
        raise Rejected(RefusalReason.REFUSAL_REASON_STOPPING, "this server is stopping; go on from where you are")


def _written(answer: Message) -> bytes:
    """An answer as it is sent.

    Raises:
        Rejected: TOO_LARGE: nobody would take it, and why would not be clear.
    """
    data = answer.SerializeToString()
    if len(data) > MAX_ANSWER_BYTES:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_TOO_LARGE,
            f"the answer has {len(data)} bytes, and at most {MAX_ANSWER_BYTES} are sent; "
            "if it was to a write, that was carried out",
        )
    return data


def _refuse(name: str, error: Exception) -> Refused:
    refused = explain(error)
    if refused.unexpected:
        _log.error("call failed", method=name, exc_info=error)
    return refused
