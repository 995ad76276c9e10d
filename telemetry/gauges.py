"""Figures as gauges: what of the log is open, late, or not provable yet; how long the certificate is valid."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from audit.log import Log, LogDamagedError, LogUnavailableError
from audit.publishing import Publisher
from audit.witnesses import HttpWitness

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
            except (LogUnavailableError, LogDamagedError):
                self._seen = {}  # rather no figure than an old one
            await asyncio.sleep(every)

    def _observer(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(self._seen[name])] if name in self._seen else []

        return observe


class ProofGauges:
    """How far behind the log's end what proves it is: checkpoints, where they are kept, and witnesses.

    Seconds are those for which the log has had events that something does not cover; 0 while it covers all. So they do
    not grow while nothing happens, and an alarm can be set on them.
    """

    def __init__(self, log: Log, publisher: Publisher, witnesses: Sequence[HttpWitness]) -> None:
        """Register the gauges."""
        self._log = log
        self._publisher = publisher
        self._witnesses = witnesses
        self._ages: list[Observation] = []
        self._lags: list[Observation] = []
        self._behind: list[Observation] = []
        meter = metrics.get_meter("casetrail")
        meter.create_observable_gauge(
            "casetrail.checkpoint.age",
            [lambda _: self._ages],
            unit="s",
            description="Since when there is an event that no checkpoint covers, by where checkpoints are kept",
        )
        meter.create_observable_gauge(
            "casetrail.witness.age",
            [lambda _: self._lags],
            unit="s",
            description="Since when there is an event that a witness has not co-signed, by witness",
        )
        meter.create_observable_gauge(
            "casetrail.witness.lag",
            [lambda _: self._behind],
            description="Events that a witness has not co-signed, by witness",
        )

    async def follow(self, *, every: float = 2.0) -> None:
        """Look until cancelled.

        Args:
            every: Seconds between two looks.
        """
        while True:
            try:
                await self._look()
            except (LogUnavailableError, LogDamagedError):
                self._ages, self._lags, self._behind = [], [], []  # rather no figure than an old one
            await asyncio.sleep(every)

    async def _look(self) -> None:
        published = await self._log.newest_checkpoint()
        kept = {"database": published.size if published is not None else 0}
        if self._publisher.kept is not None:
            kept["folder"] = self._publisher.kept
        there = await self._log.size()
        self._ages = [Observation(await self._age(size), {"casetrail.place": place}) for place, size in kept.items()]
        witnesses = {witness.address.key.name: witness.size for witness in self._witnesses}
        self._lags = [
            Observation(await self._age(size), {"casetrail.witness": name}) for name, size in witnesses.items()
        ]
        self._behind = [
            Observation(max(there - size, 0), {"casetrail.witness": name}) for name, size in witnesses.items()
        ]

    async def _age(self, size: int) -> float:
        """How many seconds ago the first event was recorded that a tree of this size does not hold."""
        rows = await self._log.rows(after_position=size, limit=1)
        return max(datetime.now(UTC).timestamp() - rows[0].recorded_at / 1_000_000, 0.0) if rows else 0.0


def watch_certificate(until: Callable[[], datetime]) -> None:
    """Register how long the server's certificate is valid yet; negative when it has expired."""
    metrics.get_meter("casetrail").create_observable_gauge(
        "casetrail.certificate.left",
        [lambda _: [Observation((until() - datetime.now(UTC)).total_seconds())]],
        unit="s",
        description="How long the certificate that is served is valid yet",
    )
