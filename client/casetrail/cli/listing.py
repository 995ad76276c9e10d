"""What commands that list cases have in common: how many are listed, and how a row shows its case."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from casetrail.timeline import printable
from casetrail.v1.case_pb2 import Case
from casetrail.words import spaced

LimitOption = Annotated[int, typer.Option(min=0, metavar="N", help="How many at most; 0 for all.")]


async def first_of(cases: AsyncIterator[Case], limit: int) -> list[Case]:
    """The first cases, so many at most; 0 for all."""
    found = []
    async for case in cases:
        found.append(case)
        if len(found) == limit:
            break
    return found


def opened(case: Case) -> str:
    """When a case was opened, in this machine's time."""
    return f"{case.opened_at.ToDatetime(UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def breached(case: Case) -> str:
    """Which of a case's clocks are breached, for example `first response breached`; empty when none is."""
    names = [spaced(clock.name) for clock in case.clocks if clock.breached]
    return f"{', '.join(names)} breached" if names else ""


def add_row(table: Table, case: Case, cells: Iterable[str]) -> None:
    """Add a case to a table, in red when one of its clocks is breached."""
    table.add_row(*(Text(printable(cell)) for cell in cells), style="red" if breached(case) else "")
