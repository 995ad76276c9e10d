"""`casetrail drill schedule …`: drills that start by themselves."""

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated

import typer
from google.protobuf.message import Message

from casetrail.cli import output
from casetrail.cli.options import Why
from casetrail.cli.scenario import FileArgument, Scale, read_scenario
from casetrail.cli.terms import Terms, call, spread
from casetrail.v1.drill_service_pb2 import (
    DeleteDrillScheduleResponse,
    DrillSchedule,
    ListDrillSchedulesResponse,
    PauseDrillScheduleResponse,
    ScheduleDrillResponse,
    TriggerDrillScheduleResponse,
)

app = typer.Typer(no_args_is_help=True, help="Drills that start by themselves.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


@app.command("create")
@spread
def _create(
    name: NameArgument,
    file: FileArgument,
    *,
    yearly: Annotated[list[str] | None, typer.Option(metavar="MM-DD", help="Every year on this day.")] = None,
    on: Annotated[
        list[str] | None, typer.Option("--on", metavar="YYYY-MM-DD", help="On this day, such as before a promotion.")
    ] = None,
    at: Annotated[str, typer.Option(metavar="HH:MM", help="10:00 when left out.")] = "",
    time_zone: Annotated[str, typer.Option(help="IANA; Asia/Shanghai when left out.")] = "",
    scale: Scale = 0,
    terms: Terms,
) -> None:
    """Have a drill started by itself."""
    scenario = read_scenario(file, scale)
    made = call(
        terms,
        lambda client: client.drills.schedule(
            name, scenario, yearly=yearly or (), dates=on or (), at=at, time_zone=time_zone, scale=scale
        ),
    )
    _print_schedules(ScheduleDrillResponse(schedule=made), [made], terms)


@app.command("list")
@spread
def _list(*, terms: Terms) -> None:
    """Show what is scheduled."""
    found = call(terms, lambda client: client.drills.schedules())
    _print_schedules(ListDrillSchedulesResponse(schedules=found), found, terms)


@app.command("pause")
@spread
def _pause(name: NameArgument, *, why: Why = "", terms: Terms) -> None:
    """Let a schedule rest."""
    paused = call(terms, lambda client: client.drills.pause(name, note=why))
    _print_schedules(PauseDrillScheduleResponse(schedule=paused), [paused], terms)


@app.command("resume")
@spread
def _resume(name: NameArgument, *, why: Why = "", terms: Terms) -> None:
    """Let a schedule go on."""
    resumed = call(terms, lambda client: client.drills.pause(name, resume=True, note=why))
    _print_schedules(PauseDrillScheduleResponse(schedule=resumed), [resumed], terms)


@app.command("trigger")
@spread
def _trigger(name: NameArgument, *, terms: Terms) -> None:
    """Start what is scheduled now."""
    triggered = call(terms, lambda client: client.drills.trigger(name))
    _print_schedules(TriggerDrillScheduleResponse(schedule=triggered), [triggered], terms)


@app.command("delete")
@spread
def _delete(name: NameArgument, *, terms: Terms) -> None:
    """End a schedule."""
    call(terms, lambda client: client.drills.unschedule(name))
    if terms.as_json:
        output.print_json(DeleteDrillScheduleResponse())
    else:
        typer.echo(f"{name} is no schedule any more.")


def _print_schedules(answer: Message, schedules: Sequence[DrillSchedule], terms: Terms) -> None:
    if terms.as_json:
        output.print_json(answer)
        return
    if not schedules:
        typer.echo("Nothing is scheduled.")
    for schedule in schedules:
        state = "paused" if schedule.paused else "active"
        following = f"{schedule.next[0].ToDatetime(UTC).astimezone():%Y-%m-%d %H:%M:%S}" if schedule.next else "never"
        typer.echo(f"{schedule.schedule_id}  {schedule.title}: {state}, next {following}")
        for drill in schedule.drill_ids:
            typer.echo(f"  {drill}")
