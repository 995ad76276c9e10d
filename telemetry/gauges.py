"""Figures of the whole log as gauges: what is open, what is late."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from audit.log import Log, LogUnavailableError

# Metric, and what it says, by the log's name for it.
_GAUGES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "events": ("casetrail.log.events", "Events in the log"),
        "open_cases": ("casetrail.cases.open", "Cases that are not closed"),
        "running_clocks": ("casetrail.clocks.open", "Clocks that run"),
        "overdue_clocks": ("casetrail.clocks.overdue", "Clocks that are breached and not kept"),
        "unserved_cases": ("casetrail.cases.unserved", "Cases that Temporal does not know to wake in time"),
    }
)


class LogGauges:
    """Looks at the log now and then; the exporter takes what was seen last."""

    def __init__(self, log: Log) -> None:
        """Register the gauges."""
        self._log = log
        self._seen: Mapping[str, int] = {}
        meter = metrics.get_meter("casetrail")
        for name, (metric, description) in _GAUGES.items():
            meter.create_observable_gauge(metric, [self._observer(name)], description=description)

    async def follow(self, *, every: float = 5.0) -> None:
        """Look until cancelled.

        Args:
            every: Seconds between two looks.
        """
        while True:
            try:
                self._seen = await self._log.gauges(now=datetime.now(UTC))
            except LogUnavailableError:
                self._seen = {}  # rather no figure than an old one
            await asyncio.sleep(every)

    def _observer(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(self._seen[name])] if name in self._seen else []

        return observe
