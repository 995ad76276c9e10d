"""Traces and metrics, exported by OTLP over gRPC when the standard `OTEL_*` variables say so.

Without them nothing is set up, and the instruments all over the code do nothing.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from telemetry import logs
from telemetry.discreet import DiscreetExporter

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What of a process is exported, until it is shut down."""

    tracer_provider: TracerProvider | None
    meter_provider: MeterProvider | None

    @property
    def tracing(self) -> bool:
        """Whether spans go anywhere: otherwise none need be made."""
        return self.tracer_provider is not None

    @property
    def measuring(self) -> bool:
        """Whether metrics go anywhere: otherwise none need be gathered."""
        return self.meter_provider is not None

    def shutdown(self) -> None:
        """Send what is left. Blocks for some seconds when the collector does not answer."""
        if self.tracer_provider is not None:
            self.tracer_provider.shutdown()
        if self.meter_provider is not None:
            self.meter_provider.shutdown()


def start(service: str) -> Telemetry:
    """Set up log lines, spans and metrics of this process, once, before anything else.

    Args:
        service: Its name, unless `OTEL_SERVICE_NAME` gives another.
    """
    logs.configure(service)
    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or service})
    tracer_provider = meter_provider = None
    if _wanted("TRACES", os.environ):
        tracer_provider = TracerProvider(resource=resource)
        tracer_provider.add_span_processor(BatchSpanProcessor(DiscreetExporter(OTLPSpanExporter())))
        trace.set_tracer_provider(tracer_provider)
    if _wanted("METRICS", os.environ):
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        meter_provider = MeterProvider(metric_readers=[reader], resource=resource)
        metrics.set_meter_provider(meter_provider)
    return Telemetry(tracer_provider, meter_provider)


def _wanted(signal: str, environment: Mapping[str, str]) -> bool:
    """Say whether `OTEL_*` asks for TRACES or METRICS by OTLP."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if (environment.get(f"OTEL_{signal}_EXPORTER") or "otlp") != "otlp":
        return False
    if not any(environment.get(f"OTEL_EXPORTER_OTLP{infix}_ENDPOINT") for infix in ("", f"_{signal}")):
        return False
    protocol = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environment.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    if protocol and protocol != "grpc":
        _log.warning("not exported: only OTLP over gRPC is spoken here", what=signal.lower(), asked=protocol)
        return False
    return True
