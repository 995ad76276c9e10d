"""A collector of OpenTelemetry: takes traces and metrics by OTLP over a real socket, and keeps them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector(TraceServiceServicer, MetricsServiceServicer):
    """What an OTLP collector received."""

    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    received: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def Export(self, request: Any, context: object) -> Any:  # noqa: ANN401, N802 - of two services
        traces = isinstance(request, ExportTraceServiceRequest)
        async with self.received:
            (self.traces if traces else self.metrics).append(request)
            self.received.notify_all()
        return ExportTraceServiceResponse() if traces else ExportMetricsServiceResponse()

    async def until(self, satisfied: Callable[["Collector"], bool]) -> None:
        """Wait until what was received is enough."""
        async with self.received:
            await self.received.wait_for(lambda: satisfied(self))

    @property
    def spans(self) -> Sequence[Span]:
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metric_names(self) -> set[str]:
        return {metric.name for metric in self._metrics()}

    def named(self, name: str) -> Iterator[Metric]:
        """What was said of one metric, from first to last."""
        return (metric for metric in self._metrics() if metric.name == name)

    def figures(self, gauge: str) -> Sequence[float]:
        """What a gauge without labels said, from first to last."""
        return [point.as_double for metric in self.named(gauge) for point in metric.gauge.data_points]

    def _metrics(self) -> Iterator[Metric]:
        for request in self.metrics:
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    yield from scope.metrics

    @property
    def everything(self) -> bytes:
        return b"".join(each.SerializeToString() for each in (*self.traces, *self.metrics))


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    collector, server = Collector(), grpc.aio.server()
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call] # generated, without types
    add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call] # generated, without types
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        await server.stop(0)
