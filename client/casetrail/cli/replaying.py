"""`casetrail replay`: a case as it was, at a point or step by step."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from casetrail import short_forms
from casetrail.cli import output
from casetrail.cli.keyboard import keys_at_once, lines_at_once, typed
from casetrail.cli.options import moment
from casetrail.cli.reading import CaseArgument
from casetrail.cli.terms import Terms, call, spread
from casetrail.client import Client
from casetrail.stepping import HELP, Key, Player, Step, keys_in, reason_words
from casetrail.timeline import event_type, heading, standing, tell
from casetrail.v1.audit_service_pb2 import ReplayCaseResponse
from casetrail.v1.case_pb2 import Case


def _instant(text: str) -> Timestamp | Duration:
    """Read 2026-06-18T08:00:00+08:00, or +2h for so long after the case opened."""
    try:
        return short_forms.duration(text[1:]) if text.startswith("+") else moment(text)
    except (ValueError, typer.BadParameter) as wrong:
        raise typer.BadParameter(f"{wrong}; or +2h for so long after the opening", param_hint="--at") from None


@spread
def replay(
    case: CaseArgument,
    seq: Annotated[int | None, typer.Option(min=1, help="After this event.")] = None,
    at: Annotated[str, typer.Option(metavar="TIME", help="At an instant of case time, or +2h after the opening.")] = "",
    steps: Annotated[bool, typer.Option("--steps", help="Print every step, and what it changed.")] = False,
    *,
    terms: Terms,
) -> None:
    """Show a case as it was: at a point, or step by step.

    On a terminal, and without --seq, --at and --steps, one steps through it by keys.
    """
    if (seq is not None) + bool(at) + steps > 1:
        raise typer.BadParameter("say either --seq or --at or --steps")
    if seq is not None or at:
        _print_point(case, seq, at, terms)
        return
    if not steps and (terms.as_json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise typer.BadParameter("say --seq, --at or --steps; by keys one steps only on a terminal")
    found = call(terms, lambda client: _read_steps(client, case))
    if terms.as_json:
        for step in found:
            typer.echo(json.dumps(_step_as_json(step), ensure_ascii=False))
    elif steps:
        output.print_heading(heading(found[-1].after, None))
        for step in found:
            _print_step(step)
    else:
        _play(found)


def _print_point(case: str, seq: int | None, at: str, terms: Terms) -> None:
    point = _instant(at) if at else None

    async def read(client: Client) -> ReplayCaseResponse:
        if isinstance(point, Duration):
            opened = (await client.get(case)).opened_at
            return await client.replay(case, at=Timestamp(seconds=opened.seconds + point.seconds))
        return await client.replay(case, seq=seq, at=point)

    then = call(terms, read)
    if terms.as_json:
        output.print_json(then)
        return
    output.print_heading(heading(then.case, None))
    for line in standing(then.case, None):
        output.console.print(line, markup=False)
    for told in tell(then.events, None, then.case.opened_at):
        output.print_line(told)


# --- step by step -----------------------------------------------------------------------------------------------------


async def _read_steps(client: Client, case: str) -> Sequence[Step]:
    steps: list[Step] = []
    before = Case()
    async for answer in client.steps(case):
        steps.append(Step(answer.event, before, answer.case))
        before = answer.case
    return steps


def _print_step(step: Step) -> None:
    [line] = tell([step.event], None, step.after.opened_at)
    output.print_line(line, label=f"{step.event.seq:>5}  ")
    for text in _details(step):
        output.console.print(Text(f"{'':>10}{text}", style="dim"))


def _details(step: Step) -> Iterator[str]:
    yield from map(str, step.differences(None))
    if reason := reason_words(step.event.reason):
        yield f"because of {reason}"


def _step_as_json(step: Step) -> dict[str, Any]:
    return {
        "event": MessageToDict(step.event) | {"type": event_type(step.event)},
        "differences": [{"path": found.path, "old": found.old, "new": found.new} for found in step.differences(None)],
    }


def _play(steps: Sequence[Step]) -> None:
    player = Player(steps)
    output.print_heading(heading(steps[-1].after, None))
    output.console.print(HELP, style="dim")
    _show(player)
    with keys_at_once():
        while True:
            for key in keys_in(typed()):
                if key is Key.QUIT:
                    return
                _press(player, key)


def _press(player: Player, key: Key | None) -> None:
    if key is None:
        output.console.print(HELP, style="dim")
    elif key in (Key.TO_EVENT, Key.TO_TIME):
        _go(player, key)
    elif player.press(key):
        _show(player)
    else:
        output.console.print("There is no further event that way.", style="dim")


def _show(player: Player) -> None:
    output.console.print(f"── {player.title} ──", style="dim")
    _print_step(player.step)


def _go(player: Player, key: Key) -> None:
    with lines_at_once():
        wanted = typer.prompt("Event" if key is Key.TO_EVENT else "Time, or +2h after the opening")
    try:
        if key is Key.TO_EVENT:
            player.go_to_event(int(wanted))
        else:
            player.go_to_time(_seconds(wanted, player.step.after))
    except (ValueError, typer.BadParameter) as wrong:
        output.console.print(f"Not possible: {wrong}", style="yellow", markup=False)
        return
    _show(player)


def _seconds(written: str, case: Case) -> int:
    point = _instant(written)
    return point.seconds + (case.opened_at.seconds if isinstance(point, Duration) else 0)
