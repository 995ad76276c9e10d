"""`casetrail drill …`: rehearse emergencies, follow them, and see what came of it."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from casetrail import short_forms
from casetrail.cli import drill_injects, drill_schedules, options, output
from casetrail.cli.drill_injects import DrillArgument
from casetrail.cli.options import Why
from casetrail.cli.scenario import FileArgument, Scale, read_scenario
from casetrail.cli.terms import Terms, WriteTerms, call, follow, spread
from casetrail.client import Client
from casetrail.counting import counted
from casetrail.scenario_file import load
from casetrail.timeline import tell
from casetrail.v1.drill_pb2 import Drill, DrillExpectation
from casetrail.v1.drill_service_pb2 import (
    AbortDrillResponse,
    GetDrillResponse,
    RemarkDrillResponse,
    SimulateDrillResponse,
)
from casetrail.v1.event_pb2 import Event
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Role
from casetrail.words import spaced, spoken, word_of

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(drill_injects.app, name="inject")
app.add_typer(drill_schedules.app, name="schedule")


@app.callback()
def _drill() -> None:
    """Emergencies rehearsed on the real engine; nothing of them reaches a real customer."""


@app.command()
def check(
    file: FileArgument,
    scale: Scale = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say exactly what is wrong in a scenario's file, and where."""
    output.print_check(lambda: f"{file}: {_praise(load(file, scale=scale))}", as_json=as_json)


def _praise(scenario: Scenario) -> str:
    points = sum(expectation.score for expectation in scenario.expectations)
    expected = (
        f"{counted(len(scenario.injects), 'inject')}, "
        f"{counted(len(scenario.expectations), 'expectation')}, {counted(points, 'point')}"
    )
    return f"scenario {scenario.id} is fine: {expected}."


@app.command()
@spread
def start(
    file: FileArgument,
    scale: Scale = 0,
    watched: Annotated[
        bool, typer.Option("--watch", help="Follow it to its end; Ctrl-C ends the watching only.")
    ] = False,
    *,
    terms: WriteTerms,
) -> None:
    """Begin a drill."""
    scenario = read_scenario(file, scale)

    async def begin(client: Client) -> None:
        started = await client.drills.start(scenario, scale=scale, **terms.how())
        drill = started.drill
        if not terms.as_json:
            typer.echo(f"{drill.case_id}  {drill.subject}")
        elif not watched:
            output.print_json(started)
        if watched:
            await _follow(client, drill.case_id, as_json=terms.as_json)

    (follow if watched else call)(terms, begin)


@app.command()
@spread
def get(drill: DrillArgument, *, terms: Terms) -> None:
    """Show a drill as it is now."""
    found = call(terms, lambda client: client.drills.get(drill))
    if terms.as_json:
        output.print_json(found)
        return
    _print_drill(found)


@app.command()
@spread
def watch(drill: DrillArgument, *, terms: Terms) -> None:
    """Follow a drill to its end; Ctrl-C ends the watching only."""
    follow(terms, lambda client: _follow(client, drill, as_json=terms.as_json))


async def _follow(client: Client, drill: str, *, as_json: bool) -> None:
    async for answer in client.drills.watch(drill):
        if as_json:
            output.print_json_line(answer.event)
        else:
            _print_events([answer.event])
    if not as_json:
        _print_drill(await client.drills.get(drill))


@app.command()
@spread
def abort(drill: DrillArgument, *, why: Why, terms: WriteTerms) -> None:
    """End a drill before its time."""
    written = call(terms, lambda client: client.drills.abort(drill, why, **terms.how()))
    if terms.as_json:
        output.print_json(AbortDrillResponse(written=written))
        return
    _print_events(written.events)


@app.command()
@spread
def remark(
    drill: DrillArgument,
    *,
    problem: Annotated[str, typer.Option(help="What went badly.")] = "",
    improvement: Annotated[str, typer.Option(help="What is to become better.")] = "",
    terms: WriteTerms,
) -> None:
    """Note a problem or an improvement for the report."""
    written = call(
        terms, lambda client: client.drills.remark(drill, problem=problem, improvement=improvement, **terms.how())
    )
    if terms.as_json:
        output.print_json(RemarkDrillResponse(written=written))
        return
    _print_events(written.events)


@app.command()
@spread
def report(
    drill: DrillArgument,
    html: options.Html = False,
    locale: Annotated[
        options.LocaleWord | None, typer.Option(help="Its language; the scenario's when left out.")
    ] = None,
    out: options.Out = None,
    *,
    terms: Terms,
) -> None:
    """《演练报告》: plan, what happened, score, problems, improvements, comparison."""
    made = call(terms, lambda client: client.drills.report(drill, html=html, locale=locale or ""))
    output.print_report(made, out, as_json=terms.as_json)


@app.command()
@spread
def simulate(
    file: FileArgument,
    runs: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="How often.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same gives the same result.")] = 0,
    *,
    terms: Terms,
) -> None:
    """Run a scenario through the rules alone, with response times drawn from its distributions."""
    scenario = read_scenario(file)
    found = call(terms, lambda client: client.drills.simulate(scenario, runs=runs, seed=seed))
    if terms.as_json:
        output.print_json(found)
        return
    _print_simulation(found)


# --- what is shown ---


def _print_events(events: Iterable[Event]) -> None:
    for line in tell(events, None):
        output.print_line(line)


def _print_drill(found: GetDrillResponse) -> None:
    drill: Drill = found.drill.drill
    state = "aborted" if drill.aborted else "over" if drill.HasField("ended_at") else "under way"
    typer.echo(
        f"{found.drill.case_id}  DRILL 演练  {found.drill.subject}: {state}, {drill.score}/{drill.max_score} points"
    )
    table = Table(box=None, pad_edge=False)
    for head in ("expected", "by", "result", "score"):
        table.add_column(head)
    for expectation, judged in zip(found.scenario.expectations, drill.expectations, strict=True):
        roles = ", ".join(spoken(Role.DESCRIPTOR, role) for role in expectation.by)
        verdict = word_of(DrillExpectation.Verdict.DESCRIPTOR, judged.verdict)
        table.add_row(Text(expectation.title), roles, verdict, f"{judged.score}/{expectation.score}")
    output.print_table(table)
    for case in found.cases:
        typer.echo(f"{case.case_id}  {case.subject}")


def _print_simulation(found: SimulateDrillResponse) -> None:
    typer.echo(f"{counted(found.runs, 'run')} in {found.seconds:.1f} s")
    typer.echo(
        f"score: {found.score_p50:.0%} in the middle, {found.score_p10:.0%} the worst tenth, "
        f"{found.score_p90:.0%} the best"
    )
    table = Table(box=None, pad_edge=False)
    for head in ("expected", "in time", "late", "missed", "half by", "9 of 10 by"):
        table.add_column(head)
    for one in found.expectations:
        shares = (f"{count / found.runs:.0%}" for count in (one.met, one.late, one.missed))
        spans = (short_forms.duration_text(_minutes(seconds)) for seconds in (one.seconds_p50, one.seconds_p90))
        table.add_row(Text(one.title), *shares, *spans)
    output.print_table(table)
    table = Table(box=None, pad_edge=False)
    for head in ("promise", "kept", "nobody ever answered", "ladder: climbed to, unanswered there"):
        table.add_column(head)
    for clock in found.clocks:
        steps = ", ".join(
            f"{spoken(Role.DESCRIPTOR, step.role)} {step.climbed} ({step.unanswered})" for step in clock.steps
        )
        table.add_row(spaced(clock.name), f"{1 - clock.breached / clock.started:.0%}", str(clock.stuck), steps)
    output.print_table(table)


def _minutes(seconds: int) -> int:
    """Seconds, rounded to whole minutes."""
    return round(seconds / 60) * 60
