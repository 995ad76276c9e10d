"""A span and a timing for every gRPC call that is answered here.

Written out instead of taken from OpenTelemetry's instrumentation of gRPC, which is an interceptor around every call
and puts the messages of errors into its spans: such a message can quote what a caller sent.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import grpc
from opentelemetry import metrics, propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

_tracer = trace.get_tracer("casetrail")
_seconds = metrics.get_meter("casetrail").create_histogram(
    "rpc.server.call.duration", unit="s", description="Duration of a call, by method and status"
)
# What is our fault rather than the caller's.
_OURS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


@dataclass(slots=True)
class Call:
    """A call under way; whoever learns how it ends says so here."""

    code: grpc.StatusCode = grpc.StatusCode.CANCELLED


@contextmanager
def observed_call(method: str, metadata: Iterable[tuple[str, str | bytes]], *, tracing: bool) -> Iterator[Call]:
    """Measure a call, and with `tracing` surround it with a span that goes on with its caller's trace.

    Args:
        method: As gRPC names it, `package.Service/Method`.
        metadata: What the caller sent with it.
        tracing: Whether spans go anywhere.
    """
    call = Call()
    started = perf_counter()
    try:
        with _span(method, metadata) if tracing else nullcontext() as span:
            try:
                yield call
            finally:
                if span is not None:
                    _end(span, call.code)
    finally:
        _seconds.record(perf_counter() - started, {"rpc.method": method, "rpc.response.status_code": call.code.name})


def _span(method: str, metadata: Iterable[tuple[str, str | bytes]]) -> AbstractContextManager[Span]:
    carrier = {key: value for key, value in metadata if isinstance(value, str)}
    service, _, name = method.rpartition("/")
    return _tracer.start_as_current_span(
        method,
        context=propagate.extract(carrier),
        kind=SpanKind.SERVER,
        attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": name},
        record_exception=False,
        set_status_on_exception=False,
    )


def _end(span: Span, code: grpc.StatusCode) -> None:
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code in _OURS:
        span.set_status(Status(StatusCode.ERROR))
