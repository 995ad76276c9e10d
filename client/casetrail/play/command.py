"""The command `casetrail play`."""

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from casetrail.cli.failure import tell
from casetrail.cli.terms import KeepTerms, call, spread
from casetrail.client import Client
from casetrail.counting import counted
from casetrail.errors import CasetrailError
from casetrail.file_problems import FileError, Problem
from casetrail.play.log_file import EventLog, LogCase, read_log
from casetrail.play.mapping_file import load_mapping
from casetrail.play.plan import CannotOpenError, CasePlan, Planner, Style, columns_of
from casetrail.play.playback import Playback, Stopped
from casetrail.play.sending import send_history, send_live
from casetrail.play.summary import Summary, summarize
from casetrail.timeline import printable
from casetrail.v1.mapping_pb2 import Mapping

_PREFIX = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,31})?")
_GOES_ON = "What was played is kept: the same command goes on from there."
_MOST_SHOWN = 10
_FASTEST = 1_000_000

_errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


@dataclass(frozen=True, slots=True)
class Score:
    """What is to be played: every case planned, nothing sent.

    Attributes:
        plans: The cases in the order in which they opened.
        skipped: Rows that are left out because they cannot be read.
        unmapped: Activities that the mapping does not name, with the number of their rows.
    """

    plans: tuple[CasePlan, ...]
    skipped: int
    unmapped: Counter[str]


class BadRowsError(FileError):
    """Rows that cannot be read; the others could be played without them."""


@spread
def play(  # noqa: PLR0913 - a command's options are its function's arguments
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The event log: a CSV file with a header.")],
    mapping: Annotated[Path, typer.Option(metavar="FILE", help="What its columns and activities mean: a YAML file.")],
    *,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Import it as history, with its own times, as fast as possible.")
    ] = False,
    scale: Annotated[
        float | None, typer.Option(metavar="N", help="Play it live: so many seconds of the log in one real second.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first cases, by when they opened.")] = None,
    prefix: Annotated[str, typer.Option(help="Set before every case's number.")] = "",
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="How many cases side by side.")] = 256,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be read, and count them.")
    ] = False,
    terms: KeepTerms,
) -> None:
    """Drive the engine with an event log.

    What is played stays: the same file again changes nothing, and an interrupted playing goes on where it ended. Cases
    that were archived since are left out.
    """
    style = _style(backfill=backfill, scale=scale, prefix=prefix)
    try:
        score = compose(file, mapping, style, limit=limit, skip_bad_rows=skip_bad_rows)
    except FileError as error:
        _say_problems(error)
        raise typer.Exit(1) from None
    for activity, rows in score.unmapped.most_common():
        _errors.print(f"{mapping}: no rule enters `{activity}`: {counted(rows, 'row')} kept without a meaning")
    try:
        summary = call(terms, lambda client: _perform(client, score, style, concurrency, quiet=terms.as_json))
    except Stopped as answer:
        _errors.print(f"Failed: {printable(str(answer))}\n{_GOES_ON}")
        raise typer.Exit(1) from None
    except (CasetrailError, OSError) as error:
        tell(error)
        _errors.print(_GOES_ON)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _errors.print(_GOES_ON)
        raise
    typer.echo(json.dumps(summary.as_json()) if terms.as_json else summary.as_text())


def _style(*, backfill: bool, scale: float | None, prefix: str) -> Style:
    if backfill == (scale is not None):
        raise typer.BadParameter("say either --backfill or --scale N")
    if scale is not None and not 0 < scale <= _FASTEST:
        raise typer.BadParameter(f"--scale is more than 0 and at most {_FASTEST:,}")
    if not _PREFIX.fullmatch(prefix):
        raise typer.BadParameter("--prefix has at most 32 letters, digits, dots and dashes, and begins with no dash")
    return Style(scale=scale, prefix=prefix)


def compose(file: Path, mapping_file: Path, style: Style, *, limit: int | None, skip_bad_rows: bool) -> Score:
    """Read a log and its mapping, and plan every case.

    Raises:
        FileError: One of the files is wrong, or rows cannot be read and are not to be left out.
    """
    mapping = load_mapping(mapping_file)
    log = read_log(file, mapping, columns_of(mapping))
    plans, bad = _plan(file, Planner(mapping, style), log.cases)
    bad_rows = [*log.bad_rows, *bad]
    if bad_rows and not skip_bad_rows:
        raise BadRowsError(bad_rows)
    if not plans:
        raise FileError([*bad_rows, Problem(str(file), 0, 0, "", "no row can be read")])
    unmapped = _unmapped(log, mapping)
    return Score(tuple(plans[:limit]), skipped=len(bad_rows), unmapped=unmapped)


def _plan(file: Path, planner: Planner, cases: Sequence[LogCase]) -> tuple[list[CasePlan], list[Problem]]:
    plans: list[CasePlan] = []
    bad: list[Problem] = []
    for case in cases:
        try:
            plans.append(planner.plan(case))
        except CannotOpenError as error:
            bad += [Problem(str(file), row.line, 1, "", str(error)) for row in case.rows]
    return plans, bad


def _unmapped(log: EventLog, mapping: Mapping) -> Counter[str]:
    known = {activity for rule in mapping.activities for activity in rule.enter}
    activities = Counter(row.activity for case in log.cases for row in case.rows)
    first = {case.rows[0].activity for case in log.cases}
    return Counter({name: rows for name, rows in activities.items() if name not in known | first})


async def _perform(client: Client, score: Score, style: Style, concurrency: int, *, quiet: bool) -> Summary:
    playbacks = [Playback(plan, live=style.live) for plan in score.plans]
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows, {task.fields[refused]} refused"),
        TimeElapsedColumn(),
        console=_errors,
        disable=quiet,
    )
    began = time.monotonic()
    with bar:
        watch = _Watch(bar, playbacks, "Importing" if style.scale is None else "Playing live")
        if style.scale is None:
            await send_history(client, playbacks, concurrency, watch.look)
        else:
            await send_live(client, playbacks, style.scale, concurrency, watch.look)
    seconds = time.monotonic() - began
    mode = "backfill" if style.scale is None else "live"
    return await summarize(client, playbacks, mode=mode, skipped=score.skipped, seconds=seconds)


class _Watch:
    """Keeps the progress bar in step with the playbacks."""

    def __init__(self, bar: Progress, playbacks: Sequence[Playback], title: str) -> None:
        rows = sum(len(playback.plan.source.rows) for playback in playbacks)
        self._bar = bar
        self._task = bar.add_task(title, total=rows, refused=0)
        self._done: dict[str, tuple[int, int]] = {}
        self._rows = self._refused = 0

    def look(self, playback: Playback) -> None:
        rows, refused = self._done.get(playback.plan.case_id, (0, 0))
        self._done[playback.plan.case_id] = (playback.rows_done, playback.refused)
        self._rows += playback.rows_done - rows
        self._refused += playback.refused - refused
        self._bar.update(self._task, completed=self._rows, refused=self._refused)


def _say_problems(error: FileError) -> None:
    for problem in error.problems[:_MOST_SHOWN]:
        _errors.print(printable(str(problem)))
    if len(error.problems) > _MOST_SHOWN:
        _errors.print(f"… and {len(error.problems) - _MOST_SHOWN:,} more")
    advice = " Mend the rows, or leave them out with --skip-bad-rows." if isinstance(error, BadRowsError) else ""
    _errors.print(f"Nothing was sent.{advice}")
