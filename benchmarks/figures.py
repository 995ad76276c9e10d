"""Figures: what was measured, what it should be, and whether it is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_THREE_DIGITS: Final = 100


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be: at least `low`, at most `high`, or both."""

    low: float | None = None
    high: float | None = None

    def met_by(self, value: float) -> bool:
        """Whether a value is as it should be."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"{number(self.low)} to {number(self.high)}"
        return f"≥ {number(self.low)}" if self.low is not None else f"≤ {number(self.high or 0)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Attributes:
        name: What it is.
        value: How much.
        unit: Of what; × for a ratio.
        target: What it should be, where something was promised.
        rounds: The same of each round, where there were several and the value is their median.
    """

    name: str
    value: float
    unit: str
    target: Target | None = None
    rounds: Sequence[float] = ()

    @classmethod
    def of_rounds(cls, name: str, rounds: Sequence[float], unit: str, target: Target | None = None) -> "Figure":
        """The median of several rounds."""
        return cls(name, median(rounds), unit, target, tuple(rounds))

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return self.target.met_by(self.value) if self.target else None


@dataclass(frozen=True, slots=True)
class Section:
    """Figures that were measured together.

    Attributes:
        title: What was measured.
        figures: What came out.
        notes: How it was measured and checked, a sentence each.
        faults: What must not have happened, such as a lost event.
    """

    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    faults: Sequence[str] = field(default_factory=tuple)


def as_json(section: Section) -> dict[str, Any]:
    """A section for the results file."""
    content = asdict(section)
    for kept, figure in zip(content["figures"], section.figures, strict=True):
        kept["met"] = figure.met
    return content


def show(console: Console, section: Section) -> None:
    """Print a section as a table."""
    table = Table(title=section.title, title_justify="left", title_style="bold")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("rounds", justify="right", style="dim")
    table.add_column("target", justify="right")
    table.add_column("")
    for figure in section.figures:
        table.add_row(
            figure.name,
            f"{number(figure.value)} {figure.unit}",
            f"{number(min(figure.rounds))} to {number(max(figure.rounds))}" if figure.rounds else "",
            str(figure.target or ""),
            {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[figure.met],
        )
    console.print(table)
    for note in section.notes:
        console.print(f"  {note}", style="dim", highlight=False)
    for fault in section.faults:
        console.print(f"  WRONG: {fault}", style="red", highlight=False)
    console.print()


def number(value: float) -> str:
    """A number with as many digits as it deserves."""
    if abs(value) >= _THREE_DIGITS:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")
