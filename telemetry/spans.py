"""Spans and timings around the steps of a command's way: engine, log, nudge."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import Any, Final, cast

from opentelemetry import metrics, trace
from opentelemetry.trace import Status, StatusCode

from audit.log import AppendResult, Batch, Log

_UNSEEN: Final = nullcontext()
_tracer = trace.get_tracer("casetrail")
_append_seconds = metrics.get_meter("casetrail").create_histogram(
    "casetrail.log.append.duration", unit="s", description="From an append's request to its commit"
)


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """Surround a step with a span, where spans go anywhere. It notes the type of an error, never its message."""
    # Even a span that nobody sees costs a command a tenth of its time.
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return _UNSEEN
    return _span(name, attributes)


@contextmanager
def _span(name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
    with _tracer.start_as_current_span(
        name,
        attributes={f"casetrail.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except Exception as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__qualname__))
            raise


def observed(log: Log) -> Log:
    """Put a span and a timing around every append to a log."""
    return cast("Log", _ObservedLog(log))


class _ObservedLog:
    """A log whose appends are observed; everything else goes straight to it."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the log has there
        return getattr(self._log, name)

    async def append(self, batch: Batch) -> AppendResult:
        started = perf_counter()
        with span("log.append", case=batch.case_id, events=len(batch.events)):
            result = await self._log.append(batch)
        _append_seconds.record(perf_counter() - started, {"casetrail.result": type(result).__name__})
        return result
