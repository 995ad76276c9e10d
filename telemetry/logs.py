"""Log lines by structlog: readable on a terminal, JSON otherwise; the standard library's go the same way."""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any, Final

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

_GRPC: Final = "grpc._cython.cygrpc"
_HUNG_UP: Final = "ExecuteBatchError"


def configure(service: str, *, level: int = logging.INFO) -> None:
    """Send every log line of this process to stderr.

    Whoever carries out a request binds its ids with `structlog.contextvars`; the trace's are added here.
    """

    def named(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line["service"] = service
        return line

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        named,
        _trace_ids,
        _bare_traceback,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger(_GRPC).addFilter(_tells_of_a_fault)


def _tells_of_a_fault(record: logging.LogRecord) -> bool:
    """A caller that hangs up in the middle of an answer is none, though gRPC calls it an error."""
    error = _error(record.exc_info)
    return error is None or type(error).__qualname__ != _HUNG_UP


def _trace_ids(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    current = trace.get_current_span().get_span_context()
    if current.is_valid:
        line["trace_id"] = trace.format_trace_id(current.trace_id)
        line["span_id"] = trace.format_span_id(current.span_id)
    return line


def _bare_traceback(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Write an error's type and where it came from, but not its message: that can quote a customer."""
    error = _error(line.pop("exc_info", None))
    if error is not None:
        line["error"] = type(error).__qualname__
        line["traceback"] = "\n".join(_frames(error))
    return line


def _error(exc_info: Any) -> BaseException | None:  # noqa: ANN401 - whatever logging lets pass
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case None | False | (None, None, None):
            return None
        case _:
            return sys.exc_info()[1]


def _frames(error: BaseException) -> Iterator[str]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _frames(cause)
        yield "which led to"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    yield type(error).__qualname__
