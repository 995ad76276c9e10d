"""What came of a playing: figures of the log, not of this playing, so that playing again shows the same."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from casetrail.client import Client
from casetrail.counting import counted
from casetrail.play.playback import Playback
from casetrail.v1.case_pb2 import Case

_READS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures.

    Attributes:
        mode: `backfill` or `live`.
        cases: Played cases.
        archived: Of these, how many were left out, since only an archive has them; no figure of the log counts them.
        rows: Their rows in the file.
        events: Events that these cases have in the log.
        written: Of these, how many this playing has written by its own commands.
        refused: Rows that meant something that the lifecycle did not allow; kept as they are.
        notes: Rows that are kept because they mean no action.
        skipped: Rows that could not be read and were left out on request.
        escalations: Steps on ladders.
        met: Promises kept in time.
        breached: Promises broken.
        seconds: How long it took.
    """

    mode: str
    cases: int
    archived: int
    rows: int
    events: int
    written: int
    refused: int
    notes: int
    skipped: int
    escalations: int
    met: int
    breached: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds if self.seconds else 0.0

    @property
    def attainment(self) -> float | None:
        """The share of promises that were kept in time; None when there was none."""
        over = self.met + self.breached
        return self.met / over if over else None

    def as_json(self) -> dict[str, object]:
        """For a program."""
        return {
            "mode": self.mode,
            "cases": self.cases,
            "archived": self.archived,
            "rows": self.rows,
            "events": self.events,
            "written": self.written,
            "refused": self.refused,
            "notes": self.notes,
            "skipped": self.skipped,
            "escalations": self.escalations,
            "sla": {"met": self.met, "breached": self.breached, "attainment": self.attainment},
            "rate": round(self.rate, 1),
            "seconds": round(self.seconds, 3),
        }

    def as_text(self) -> str:
        """For a person."""
        share = "no promise was due" if self.attainment is None else f"{self.attainment:.1%} kept in time"
        archived = f"\n  left out     {self.archived:>9,}  cases that were archived" if self.archived else ""
        skipped = f"\n  skipped      {self.skipped:>9,}  rows that could not be read" if self.skipped else ""
        return (
            f"{counted(self.cases, 'case')}, {counted(self.rows, 'row')} "
            f"in {self.seconds:.1f} s ({self.rate:,.0f} rows/s)\n"
            f"  events       {self.events:>9,}  {self.written:,} of them written now\n"
            f"  refused      {self.refused:>9,}  rows that the lifecycle did not allow, kept as they are\n"
            f"  notes        {self.notes:>9,}  rows that mean no action, kept as they are{skipped}\n"
            f"  escalations  {self.escalations:>9,}  steps on ladders\n"
            f"  promises     {self.met + self.breached:>9,}  {share}, {self.breached:,} broken{archived}"
        )


async def summarize(
    client: Client, playbacks: Sequence[Playback], *, mode: str, skipped: int, seconds: float
) -> Summary:
    """Ask the service how the played cases stand.

    Raises:
        CasetrailError: It does not say.
    """
    gate = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(playback: Playback) -> Case:
        async with gate:
            return await client.get(playback.plan.case_id)

    cases = await asyncio.gather(*(read(playback) for playback in playbacks if not playback.archived))
    return Summary(
        mode=mode,
        cases=len(playbacks),
        archived=len(playbacks) - len(cases),
        rows=sum(len(playback.plan.source.rows) for playback in playbacks),
        events=sum(case.seq for case in cases),
        written=sum(playback.written for playback in playbacks),
        refused=sum(playback.refused for playback in playbacks),
        notes=sum(playback.notes for playback in playbacks),
        skipped=skipped,
        escalations=sum(case.counters.escalations for case in cases),
        met=sum(case.counters.clocks_met for case in cases),
        breached=sum(case.counters.clocks_breached for case in cases),
        seconds=seconds,
    )
