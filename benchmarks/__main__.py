"""Runs the benchmarks: `python -m benchmarks`, or `make bench`; about nine minutes.

Prints every figure with its target and writes them all as JSON. The exit status is 0 when all could be measured and
nothing was lost or doubled; a missed target is no failure, since it may be the machine's.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import backfill, lifecycle, log, machine
from benchmarks.bench import Bench
from benchmarks.figures import Figure, Section, Target, as_json, show
from benchmarks.processes import ROOT, BenchmarkError, Child
from embedded.folder import FolderError
from embedded.processes import ProcessError

_WIDTH: Final = 120  # of what is printed into a file
_SHORTEST_ROUND: Final = 2.0
_CORE_SECONDS: Final = 3.0
_READING_SECONDS: Final = 1.0
_FLAT: Final = Target(low=0.85, high=1.15)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, and how long.

    Attributes:
        seconds: Of one round of the lifecycle.
        events: Of the large log.
        only: Names of what to measure; everything when empty.
        json: Where the results go.
    """

    seconds: float
    events: int
    only: Sequence[str]
    json: Path

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "Options":
        """Read the command line."""
        parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Casetrail on this machine.")
        parser.add_argument("--seconds", type=float, default=4.0, help="length of one round of the lifecycle (4)")
        parser.add_argument(
            "--only", action="append", choices=[*_ALONE, _LOG, *_ON_THE_STACK], help="measure only this"
        )
        parser.add_argument("--events", type=int, default=1_000_000, help="size of the large log (1,000,000)")
        parser.add_argument(
            "--json", type=Path, default=ROOT / "benchmarks" / "results.json", help="where the results go"
        )
        parsed = parser.parse_args(arguments)
        if parsed.seconds < _SHORTEST_ROUND:
            parser.error(
                f"--seconds must be at least {_SHORTEST_ROUND:g}: callers who all begin at once need time to mix"
            )
        return cls(parsed.seconds, parsed.events, parsed.only or (), parsed.json)


async def _core(_: Options, child: Child, say: Say) -> Section:
    say("the pure core")
    found = await child.ask(job="core", seconds=_CORE_SECONDS)
    return Section(
        "The pure core: simulation without I/O",
        (
            Figure("simulated on a virtual clock", found["simulated"], "events/s", Target(low=20_000)),
            Figure("folded", found["folded"], "events/s", Target(low=50_000)),
        ),
        notes=(
            f"{found['cases']:,} inquiries with {found['events']:,} events; nobody looks at one in four for a week.",
            "Per second of processor time: it is one thread that waits for nothing.",
        ),
    )


async def _lifecycle(options: Options, bench: Bench, say: Say) -> Section:
    return await lifecycle.measure(bench, seconds=options.seconds, say=say)


async def _hot_case(_: Options, bench: Bench, say: Say) -> Section:
    say("a case of 5,000 events")
    found = await bench.casetrail.ask(job="hot_case")
    return Section(
        "Cost of a command as a case grows",
        (
            Figure("a note, events 10 to 500, p50", 1000 * found["young"], "ms"),
            Figure("a note, events 4,510 to 5,000, p50", 1000 * found["old"], "ms"),
            Figure("old to young", found["old"] / found["young"], "×", _FLAT),
        ),
        notes=(f"{found['notes']} notes each, by turns on a young and on an old case, one caller.",),
    )


async def _reading(_: Options, bench: Bench, say: Say) -> Section:
    say("reading")
    found = await bench.casetrail.ask(job="reading", seconds=_READING_SECONDS)
    cases = Figure.of_rounds("GetCase", found["get_case"], "calls/s")
    empty = Figure.of_rounds("empty call (health check)", found["empty"], "calls/s")
    return Section(
        "Reading a case beside a call that does nothing",
        (cases, empty, Figure("GetCase to empty call", cases.value / empty.value, "×", Target(low=0.5))),
        notes=("16 callers, the same server and channel, by turns. The empty call is not authenticated, GetCase is.",),
    )


async def _backfill(_: Options, bench: Bench, say: Say) -> Section:
    say("importing history")
    return await backfill.measure(bench)


_LOG: Final = "log"
_ALONE: Final[Mapping[str, Callable[[Options, Child, Say], Awaitable[Section]]]] = {"core": _core}
_ON_THE_STACK: Final[Mapping[str, Callable[[Options, Bench, Say], Awaitable[Section]]]] = {
    "lifecycle": _lifecycle,
    "hot_case": _hot_case,
    "reading": _reading,
    "backfill": _backfill,
}


async def _sections(options: Options, say: Say) -> AsyncIterator[Section]:
    """Measure what was asked for, one after the other."""
    wanted = options.only or (*_ALONE, _LOG, *_ON_THE_STACK)
    alone = [measure for name, measure in _ALONE.items() if name in wanted]
    stacked = [measure for name, measure in _ON_THE_STACK.items() if name in wanted]
    if alone:
        async with Child.started("benchmarks.core") as child:
            for of_child in alone:
                yield await of_child(options, child, say)
    if _LOG in wanted:
        async for section in log.measure(events=options.events, say=say):
            yield section
    if stacked:
        say("starting the stack")
        async with _bench() as bench:
            for of_bench in stacked:
                yield await of_bench(options, bench, say)


@asynccontextmanager
async def _bench() -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="casetrail-bench-", ignore_cleanup_errors=True) as folder:
        async with Bench.set_up(Path(folder)) as bench:
            yield bench


async def run(options: Options, console: Console) -> int:
    """Measure, print and write; returns the exit status."""
    began = time.monotonic()
    conditions = machine.conditions()
    console.print(machine.in_a_line(conditions), highlight=False)
    console.print()
    sections: list[Section] = []
    with console.status("") as status:
        async for section in _sections(options, status.update):
            show(console, section)
            sections.append(section)
    figures = [figure for section in sections for figure in section.figures if figure.target]
    results = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "conditions": conditions,
        "targets_missed": [figure.name for figure in figures if not figure.met],
        "sections": [as_json(section) for section in sections],
    }
    options.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    met = sum(bool(figure.met) for figure in figures)
    console.print(
        f"{met} of {len(figures)} targets met. {results['seconds']} s. Results: {options.json}", highlight=False
    )
    return 1 if any(section.faults for section in sections) else 0


async def _until_told_to_stop(work: Awaitable[int]) -> int:
    """Do the work; SIGTERM ends it in order, as Ctrl-C does."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def main() -> int:
    """Run the benchmarks; returns the exit status."""
    options = Options.of(sys.argv[1:])
    try:
        return asyncio.run(_until_told_to_stop(run(options, Console(width=None if sys.stdout.isatty() else _WIDTH))))
    except (BenchmarkError, FolderError, ProcessError) as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
