"""The figures of the log, on both databases."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import million
from benchmarks.appending import EVENTS_A_TRANSACTION
from benchmarks.auditing import audit
from benchmarks.databases import Database, databases
from benchmarks.figures import Figure, Section, Target
from benchmarks.processes import Child

_AS_BARE: Final = Target(low=0.8)
_VERIFIED: Final = Target(low=100_000)
_CONSTANT: Final = Target(low=0.8, high=1.25)
_BYTES: Final = Target(high=800)

Say = Callable[[str], None]


async def measure(*, events: int, say: Say) -> AsyncIterator[Section]:
    """Measure the log: appends first, then all that wants a large one, which the simulator writes.

    Args:
        events: How many the large one has.
        say: Takes what is being measured.
    """
    with _folder() as folder:
        say("starting PostgreSQL")
        async with databases(folder) as found, Child.started("benchmarks.keeper") as child:
            for database in found:
                await child.ask(
                    job="open",
                    log=database.name,
                    large=database.large,
                    small=database.small,
                    bare=database.bare,
                    ready=database.ready,
                )
                say(f"appending to {database.name}")
                yield await _appending(child, database)
            say(f"writing {events:,} events")
            written = await child.ask(job="fill", events=events)
            for database in found:
                yield await _large(child, database, folder, written, say)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="casetrail-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user where this one is root
        yield folder


async def _appending(child: Child, database: Database) -> Section:
    figures: list[Figure] = []
    for size in EVENTS_A_TRANSACTION:
        found = await child.ask(job="append", log=database.name, size=size)
        ours, bare, every = found["appended"], found["bare"], found["every_row"]
        what = f"{size} events a transaction" if size > 1 else "one event a transaction"
        figures += [
            Figure.of_rounds(f"{what}: appended", ours, "events/s"),
            Figure.of_rounds(f"{what}: bare insert", bare, "events/s"),
            Figure.of_rounds(f"{what}: appended to bare", _ratios(ours, bare), "×", _AS_BARE),
            Figure.of_rounds(f"{what}: every row inserted", every, "events/s"),
            Figure.of_rounds(f"{what}: appended to every row", _ratios(ours, every), "×"),
        ]
    many = await child.ask(job="together", log=database.name)
    return Section(
        f"Appending to the log: {database.name}, every commit on the disk",
        (
            *figures,
            Figure("64 callers, sharing commits", many["rate"], "events/s"),
            Figure("64 callers: a batch, p50", 1000 * many["wait"], "ms"),
        ),
        notes=(
            "One caller, one transaction after the other; the inserts by turns, with the rows that came of it.",
            "Bare: the same rows of event, ready made, into the same table and indexes with the same",
            "durability; without hashing, chain, tree, look-up of keys, projection, or an answer.",
            "Every row: besides, the case's row in the projection with its indexes, the head and the tree, ready made.",
            "From bare to every row it is bookkeeping that has to be written; from there to appended it is what is",
            "looked up, decided, hashed, handed over and answered.",
        ),
    )


def _ratios(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(some, others, strict=True)]


async def _large(child: Child, database: Database, folder: Path, written: dict[str, Any], say: Say) -> Section:
    say(f"paging through {database.name}")
    paged = await child.ask(job="page", log=database.name)
    say(f"verifying {database.name}")
    verified = await child.ask(job="verify", log=database.name)
    say(f"exporting from {database.name}")
    data = folder / f"server-{database.name}"
    data.mkdir()
    audited = await audit(database.large, data)
    size = million.weigh(database.large) / paged["events"]
    pages = median([paged["first"], paged["last"]])
    return Section(
        f"A log of {paged['events']:,} events: {database.name}",
        (
            Figure("simulated and written, to both databases at once", written["written"], "events/s"),
            Figure("verified by the server: log, cases, projection", verified["rate"], "events/s", _VERIFIED),
            Figure("verified offline: `casetrail-verify`, its start included", audited.verified, "events/s", _VERIFIED),
            Figure("exported: `casetrail export --format jsonl`", audited.exported, "events/s"),
            Figure("paged through", paged["rate"], "events/s"),
            Figure("a page of 1,000, p50", 1000 * pages, "ms"),
            Figure("a page, last tenth to first tenth", paged["last"] / paged["first"], "×", _CONSTANT),
            Figure("size, all tables and indexes", size, "bytes/event", _BYTES),
            Figure("size of the export", audited.bytes, "bytes/event"),
        ),
        notes=(f"{verified['cases']:,} cases, simulated by the same rules that decide live ones.",),
    )
