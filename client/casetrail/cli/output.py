"""What commands print: JSON for programs; for people the timeline, in colours by weight."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import typer
from google.protobuf.json_format import MessageToDict, MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from casetrail.cli.whole_file import write_whole
from casetrail.file_problems import FileError, Problem
from casetrail.styles import STYLES
from casetrail.timeline import Line, event_type, heading, tell
from casetrail.v1.case_pb2 import Case
from casetrail.v1.drill_service_pb2 import GetDrillReportResponse
from casetrail.v1.event_pb2 import Event
from casetrail.v1.incident_service_pb2 import GetReportResponse

console = Console(highlight=False, soft_wrap=True)

# Wider than any terminal: no number in a table is cut off. On a dumb terminal the width counts only with a height.
_wide_console = Console(highlight=False, width=250, height=25)


def print_table(table: Table) -> None:
    """Print a table; each row by itself where the terminal is too narrow for it, so that no word is broken."""
    if not console.is_terminal or _wide_console.measure(table).maximum <= console.width:
        _wide_console.print(table)
        return
    names = [str(column.header) for column in table.columns]
    for row, cells in zip(table.rows, zip(*(column.cells for column in table.columns), strict=True), strict=True):
        first, *rest = (str(cell) for cell in cells)
        parts = [Text.assemble((name, "dim"), " ", cell) for name, cell in zip(names[1:], rest, strict=True) if cell]
        console.print(Text(first, style="bold"), style=row.style, soft_wrap=False)
        console.print(Padding(Text(" · ").join(parts), (0, 0, 0, 2)), style=row.style, soft_wrap=False)


def refuse(why: str) -> NoReturn:
    """End a command that cannot do what it was asked to."""
    typer.echo(f"Refused: {why}", err=True)
    raise typer.Exit(1)


def refuse_file(problems: Iterable[Problem]) -> NoReturn:
    """End a command that cannot use a file, in which this is wrong."""
    for problem in problems:
        typer.echo(str(problem), err=True)
    raise typer.Exit(1)


def print_check(praise: Callable[[], str], *, as_json: bool) -> None:
    """Read a file, and print that it is fine, or what is wrong in it; the command then ends with status 1."""
    fine, problems = "", tuple[Problem, ...]()
    try:
        fine = praise()
    except FileError as wrong:
        problems = wrong.problems
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": [asdict(p) for p in problems]}, ensure_ascii=False))
    elif not problems:
        typer.echo(fine)
    if problems:
        refuse_file(problems)


def print_json(message: Message) -> None:
    """Print an answer as proto3 JSON."""
    typer.echo(MessageToJson(message, ensure_ascii=False))


def print_json_line(message: Message) -> None:
    """Print one of many answers as one line of proto3 JSON; an event with its `type`."""
    document = MessageToDict(message)
    if isinstance(message, Event):
        document["type"] = event_type(message)
    typer.echo(json.dumps(document, ensure_ascii=False))


def print_report(made: GetReportResponse | GetDrillReportResponse, out: Path | None, *, as_json: bool) -> None:
    """Print a report, or write it to a file, as it came: its bytes are those that the digest is of."""
    if out is not None and out.exists() and not out.is_file():
        out.write_bytes(made.content)  # a pipe, or /dev/stdout
    elif out is not None:
        write_whole(out.resolve() if out.is_symlink() else out, lambda part: part.write(made.content))
    if as_json:
        print_json(made)
    elif out is None:
        typer.echo(made.content, nl=False)
    else:
        typer.echo(f"{out}: SHA-256 {made.sha256}")


def print_heading(lines: Iterable[str]) -> None:
    """Print what a case is; its first line stands out."""
    for number, line in enumerate(lines):
        console.print(Text(line, style="" if number else "bold"))


def print_written(case: Case, events: Iterable[Event], *, repeated: bool = False) -> None:
    """Print what a case is after a request, and what that did: now, or when it was sent for the first time."""
    print_heading(heading(case, None))
    if repeated:
        console.print("  This request had been carried out before. What it did then:")
    for line in tell(events, None, case.opened_at):
        print_line(line)


def print_line(line: Line, label: str = "") -> None:
    """Print an event; the label says of which case, where there are several."""
    console.print(Text.assemble((f"{label}{line.columns}  ", "dim"), (line.what, STYLES[line.weight])))
