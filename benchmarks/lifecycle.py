"""Cases from opening to confirmation: Casetrail beside plain Temporal, by turns on the same Temporal server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Final

from audit.log import Log
from benchmarks import processor
from benchmarks.bench import Bench
from benchmarks.casetrail_cases import faults
from benchmarks.closed_loop import COMMANDS
from benchmarks.figures import Figure, Section, Target
from benchmarks.processes import Answer, BenchmarkError, Child
from casetrail.v1.event_pb2 import Event

CALLERS: Final = (64, 16, 1)
ROUNDS: Final = 3

_WARM_UP_SECONDS: Final = 1.5
_LOOK_EVERY: Final = 0.05
# Only what is not armed counts as not caught up: nothing is due while a round lasts.
_GRACE: Final = 3600.0
_LONGEST_CATCHING_UP: Final = 120.0
_MOST_FAULTS: Final = 5


@dataclass(slots=True)
class _Measured:
    """What came of the rounds of one system with one number of callers, round by round."""

    rates: list[float] = field(default_factory=list)
    p50s: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)
    caught_up: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    cases: int = 0

    def take(self, answer: Answer, used: float | None) -> None:
        self.rates.append(answer["rate"])
        self.p50s.append(1000 * answer["p50"])
        self.p99s.append(1000 * answer["p99"])
        self.cases += len(answer["cases"])
        if used is not None:
            self.processor.append(1000 * used / len(answer["cases"]))


async def measure(bench: Bench, *, seconds: float, say: Callable[[str], None]) -> Section:
    """Measure all rounds.

    Args:
        bench: What to measure with.
        seconds: How long callers begin cases in one round.
        say: Takes what is going on.
    """
    figures: list[Figure] = []
    wrong: list[str] = []
    checked = 0
    await _casetrail(bench, _Measured(), callers=16, seconds=_WARM_UP_SECONDS, tag="warm")
    for system in (bench.plain, bench.tuned):
        await _plain(system, _Measured(), callers=16, seconds=_WARM_UP_SECONDS, tag="warm")
    for callers in CALLERS:
        ours, plain, tuned = _Measured(), _Measured(), _Measured()
        for number in range(1, ROUNDS + 1):
            say(f"lifecycle: {callers} callers, round {number} of {ROUNDS}")
            tag = f"{callers}-{number}"
            wrong += await _casetrail(bench, ours, callers=callers, seconds=seconds, tag=tag)
            wrong += await _plain(bench.plain, plain, callers=callers, seconds=seconds, tag=tag)
            if callers == max(CALLERS):
                wrong += await _plain(bench.tuned, tuned, callers=callers, seconds=seconds, tag=tag)
        figures += _figures(callers, ours, plain)
        if tuned.rates:
            figures += _beside_tuned(callers, ours, tuned)
        checked += ours.cases + plain.cases + tuned.cases
    return Section(
        "A case's life: opened and led through five commands, its deadline armed throughout",
        figures,
        notes=(
            "Rates count a case's opening and its five commands, latencies the five. No pauses; both systems by turns.",
            "Caught up: counted until no case in the log is unarmed.",
            "Armed: its workflow has looked at it and told the log when it wakes, not after the earliest deadline.",
            "Processor time: of every process, callers included, until caught up; neighbours change it little.",
            "What plain Temporal acknowledges stands in its history, so it is caught up by its nature.",
            "Plain Temporal is a worker as the SDK makes it; the tuned one is set up as ours is, without the sandbox.",
            "All workers and the Temporal server have the same niceness, as `make up` gives it to them.",
            f"After each round every case was read back: {checked:,} cases, "
            + ("each with all its events, once each and in order." if not wrong else f"{len(wrong)} of them wrong."),
        ),
        faults=wrong[:_MOST_FAULTS],
    )


async def _casetrail(bench: Bench, measured: _Measured, *, callers: int, seconds: float, tag: str) -> Sequence[str]:
    before = await bench.log.size()
    used = processor.used()
    answer = await bench.casetrail.ask(job="round", callers=callers, seconds=seconds, tag=tag)
    caught_up_at = await _until_caught_up(bench.log)
    measured.take(answer, _since(used))
    measured.caught_up.append((1 + len(COMMANDS)) * len(answer["cases"]) / (caught_up_at - answer["began"]))
    return faults([event async for event in _events(bench.log, after=before)], answer["cases"])


async def _plain(system: Child, measured: _Measured, *, callers: int, seconds: float, tag: str) -> Sequence[str]:
    used = processor.used()
    answer = await system.ask(job="round", callers=callers, seconds=seconds, tag=tag)
    measured.take(answer, _since(used))
    check = await system.ask(job="check", cases=answer["cases"])
    return [f"{check['wrong']} of the plain cases have not exactly their rows"] if check["wrong"] else []


def _since(used: float | None) -> float | None:
    now = processor.used()
    return None if now is None or used is None else now - used


async def _until_caught_up(log: Log) -> float:
    """Wait until Temporal knows of every case when it must be woken; returns when that was seen."""
    gives_up = time.monotonic() + _LONGEST_CATCHING_UP
    while await log.unserved(now=datetime.now(UTC), wake_grace=_GRACE, effect_grace=_GRACE, limit=1):
        if time.monotonic() > gives_up:
            raise BenchmarkError(f"Temporal has not caught up within {_LONGEST_CATCHING_UP:g} s")
        await asyncio.sleep(_LOOK_EVERY)
    return time.monotonic()


async def _events(log: Log, *, after: int) -> AsyncIterator[Event]:
    while page := await log.scan(after_position=after):
        for event in page:
            yield event
        after = page[-1].position


def _beside_tuned(callers: int, ours: _Measured, tuned: _Measured) -> Sequence[Figure]:
    rate = median(tuned.rates)
    return [
        Figure.of_rounds(f"{callers} callers: plain Temporal, tuned", tuned.rates, "commands/s"),
        Figure(f"{callers} callers: acknowledged, ratio to the tuned one", median(ours.rates) / rate, "×"),
        Figure(f"{callers} callers: caught up, ratio to the tuned one", median(ours.caught_up) / rate, "×"),
    ]


def _figures(callers: int, ours: _Measured, plain: _Measured) -> Sequence[Figure]:
    who = f"{callers} callers" if callers > 1 else "1 caller"
    crowd, alone = callers == max(CALLERS), callers == min(CALLERS)
    figures = [
        Figure.of_rounds(f"{who}: Casetrail, acknowledged", ours.rates, "commands/s"),
        Figure.of_rounds(f"{who}: Casetrail, caught up", ours.caught_up, "commands/s"),
        Figure.of_rounds(f"{who}: plain Temporal", plain.rates, "commands/s"),
        Figure(
            f"{who}: acknowledged, ratio",
            median(ours.rates) / median(plain.rates),
            "×",
            Target(low=3) if crowd else None,
        ),
        Figure(
            f"{who}: caught up, ratio",
            median(ours.caught_up) / median(plain.rates),
            "×",
            Target(low=1.5) if crowd else None,
        ),
        Figure.of_rounds(f"{who}: Casetrail, p50", ours.p50s, "ms"),
        Figure.of_rounds(f"{who}: Casetrail, p99", ours.p99s, "ms"),
        Figure.of_rounds(f"{who}: plain Temporal, p50", plain.p50s, "ms"),
        Figure.of_rounds(f"{who}: plain Temporal, p99", plain.p99s, "ms"),
        Figure(f"{who}: p50, ratio", median(ours.p50s) / median(plain.p50s), "×", Target(high=0.6) if alone else None),
    ]
    if ours.processor and plain.processor:
        figures += [
            Figure.of_rounds(f"{who}: Casetrail, processor time a case", ours.processor, "ms"),
            Figure.of_rounds(f"{who}: plain Temporal, processor time a case", plain.processor, "ms"),
        ]
    return figures
