"""`casetrail incident …`: declare an emergency incident, lead it to its end, and report on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from casetrail.cli import options, output
from casetrail.cli.actions import ActionTerms
from casetrail.cli.board import board
from casetrail.cli.listing import LimitOption, add_row, breached, first_of, opened
from casetrail.cli.options import Why
from casetrail.cli.terms import Terms, WriteTerms, actor, call, spread, taking
from casetrail.incidents import Step
from casetrail.timeline import printable
from casetrail.v1 import command_pb2 as c
from casetrail.v1 import incident_service_pb2
from casetrail.v1.case_pb2 import Case
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.incident_service_pb2 import DeclareIncidentResponse, ListIncidentsResponse
from casetrail.v1.types_pb2 import Stage
from casetrail.words import ChannelWord, CrisisWord, spoken, value_of

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_tasks = typer.Typer(no_args_is_help=True, help="What departments are to do.")
_notices = typer.Typer(no_args_is_help=True, help="What users are told.")

_Make = TypeVar("_Make", bound=Callable[..., Step])


@app.callback()
def _incident() -> None:
    """Emergency incidents: declare, lead, close and report."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that was seen, such as how many orders were lost."""

    name: str
    value: str


def _figure(text: str) -> Figure:
    """Read NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise typer.BadParameter(f"'{text}' is not NAME=VALUE, for example 'orders lost=120'")
    return Figure(name.strip(), value.strip())


def _inputs(figures: list[Figure] | None) -> dict[str, str]:
    inputs: dict[str, str] = {}
    for figure in figures or ():
        if figure.name in inputs:
            raise typer.BadParameter(f"'{figure.name}' is given twice", param_hint="--figure")
        inputs[figure.name] = figure.value
    return inputs


Level = Annotated[int, typer.Argument(min=1, max=4, help="1 critical, 2 major, 3 ordinary, 4 minor.")]
Crisis = Annotated[CrisisWord | None, typer.Option(help="The class of a public-opinion crisis.")]
NoCrisis = Annotated[bool, typer.Option("--no-crisis", help="It is no crisis, or none any more.")]
Figures = Annotated[
    list[Figure] | None, typer.Option("--figure", parser=_figure, metavar="NAME=VALUE", help="What was seen.")
]
How_ = Annotated[str, typer.Option("--how", help="How that was reached.")]
HowForCustomers = Annotated[
    str,
    typer.Option("--how", help="How that was reached; customers of linked cases read it, too."),
]
IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="Its number.")]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="Its number: T1, T2, …")]
NoticeArgument = Annotated[str, typer.Argument(metavar="NOTICE", help="Its number: N1, N2, …")]
Department = Annotated[str, typer.Option(help="operations, technology, legal, customer-care, …")]
Owner = Annotated[str, typer.Option(metavar="NAME", help="A person of it.")]
Cases = Annotated[list[str] | None, typer.Option("--case", metavar="CASE", help="A customer's case that it touches.")]


@app.command()
@spread
def declare(
    subject: Annotated[str, typer.Argument(metavar="WHAT", help="What happened, in one line.")],
    *,
    level: Annotated[int, typer.Option(min=0, max=4, help="As suspected; 0 when nobody knows yet.")] = 0,
    crisis: Crisis = None,
    figure: Figures = None,
    case: Cases = None,
    channel: Annotated[ChannelWord, typer.Option(help="Where it was seen.")] = "web",
    category: Annotated[str, typer.Option(help="The policy's word.")] = "",
    product: Annotated[str, typer.Option(metavar="ID", help="The shop's product.")] = "",
    text: Annotated[str, typer.Option(metavar="TEXT", help="More of what is known.")] = "",
    scale: options.Scale = 0,
    terms: WriteTerms,
) -> None:
    """Begin an incident."""
    inputs = _inputs(figure)
    written = call(
        terms,
        lambda client: client.incidents.declare(
            subject=subject,
            suspected_level=level,
            crisis=crisis,
            inputs=inputs,
            case_ids=case or (),
            channel=channel,
            category=category,
            product_id=product,
            text=text,
            scale=scale,
            request_id=terms.request_id,
            actor=terms.acting,
        ),
    )
    _print(DeclareIncidentResponse(written=written), terms)


def _step(name: str, group: typer.Typer = app) -> Callable[[_Make], _Make]:
    """Register a function that makes a step as the sub-command that takes it, of the incident that it names first."""

    def register(make: _Make) -> _Make:
        def run(incident: IncidentArgument, terms: ActionTerms, **given: Any) -> None:  # noqa: ANN401 - its own options
            _take(incident, make(**given), terms)

        group.command(name)(taking(make, run))
        return make

    return register


def _take(case_id: str, step: Step, terms: ActionTerms) -> None:
    written = call(terms, lambda client: client.incidents.lead(case_id, step, **terms.how()))
    _print(getattr(incident_service_pb2, f"{step.DESCRIPTOR.name}Response")(written=written), terms)


def _print(answer: Any, terms: Terms) -> None:  # noqa: ANN401 - each call has a response of its own, all alike
    if terms.as_json:
        output.print_json(answer)
        return
    written = answer.written
    output.print_written(written.case, written.events, repeated=written.repeated_request)
    if waits := written.case.incident.waits_for:
        output.console.print(Text(f"  waits for {printable(', '.join(waits))}", style="yellow"))


@_step("confirm")
def _confirm(nature: Annotated[str, typer.Option(help="What it really is.")]) -> Step:
    """Somebody has looked, knows what it is, and has answered: the initial response."""
    return c.ConfirmNature(nature=nature)


@_step("grade")
def _grade(
    level: Level, why: Why, figure: Figures = None, crisis: Crisis = None, *, no_crisis: NoCrisis = False
) -> Step:
    """Give it its level, or another one: clocks, leader, notices and tasks follow."""
    return c.GradeIncident(
        level=level,
        why=why,
        inputs=_inputs(figure),
        crisis=value_of(CrisisClass, crisis or ""),
        no_crisis=no_crisis,
    )


@_step("lead")
def _lead(why: Why = "") -> Step:
    """Take command."""
    return c.AssumeCommand(why=why)


@_step("hand-over")
def _hand_over(
    to: Annotated[str, typer.Option(metavar="NAME:ROLE", help="Who leads from now on, and in which role.")],
    why: Why,
) -> Step:
    """Hand command over."""
    leader = actor(to)
    return c.HandOverCommand(to=leader.name, role=leader.role, why=why)


@_step("link")
def _link(cases: Annotated[list[str], typer.Argument(metavar="OTHER…", help="Customers' cases.")]) -> Step:
    """It touches these cases of customers: they get its notices, and are followed up after the end."""
    return c.LinkCases(case_ids=cases)


@_step("contain")
def _contain(how: How_) -> Step:
    """It does not spread any more."""
    return c.ContainIncident(how=how)


@_step("resolve")
def _resolve(how: HowForCustomers) -> Step:
    """It is over; linked cases tell their customers so, and follow up."""
    return c.ResolveIncident(how=how)


@_step("follow-up")
def _follow_up(
    case: Annotated[str, typer.Option("--case", metavar="CASE", help="One that a person saw to.")] = "",
    how: Annotated[str, typer.Option(help="How that was done.")] = "",
) -> Step:
    """Every customer was followed up; or, with --case, one whom a person saw to."""
    if bool(case) != bool(how):
        raise typer.BadParameter("--case and --how go together")
    return c.FollowUpCase(case_id=case, how=how) if case else c.FinishFollowUp()


@_step("file")
def _file(
    cause: Annotated[str, typer.Option(help="Why it happened.")],
    measures: Annotated[str, typer.Option(help="What was done about it.")],
    lessons: Annotated[str, typer.Option(help="What is to be better from now on.")],
) -> Step:
    """File what the report needs from a person."""
    return c.FileReport(cause=cause, measures=measures, lessons=lessons)


@_step("close")
def _close() -> Step:
    """End it."""
    return c.CloseIncident()


@_step("dismiss")
def _dismiss(why: Why) -> Step:
    """It was none."""
    return c.DismissIncident(why=why)


@_step("reopen")
def _reopen(why: Why) -> Step:
    """It was not over after all."""
    return c.ReopenIncident(why=why)


@_step("add", _tasks)
def _add(
    department: Department, what: Annotated[str, typer.Option(help="What it is to do.")], owner: Owner = ""
) -> Step:
    """Ask a department to do something."""
    return c.AddTask(department=department, what=what, owner=owner)


@_step("accept", _tasks)
def _accept(task: TaskArgument, owner: Owner = "") -> Step:
    """Take a task on."""
    return c.AcceptTask(task_id=task, owner=owner)


@_step("refuse", _tasks)
def _refuse(task: TaskArgument, why: Why) -> Step:
    """Give a task back."""
    return c.RefuseTask(task_id=task, why=why)


@_step("reassign", _tasks)
def _reassign(task: TaskArgument, why: Why, department: Department = "", owner: Owner = "") -> Step:
    """Give a task to another department or person."""
    return c.ReassignTask(task_id=task, department=department, owner=owner, why=why)


@_step("done", _tasks)
def _done(task: TaskArgument, result: Annotated[str, typer.Option(help="What came of it.")] = "") -> Step:
    """A task is done."""
    return c.CompleteTask(task_id=task, result=result)


@_step("cancel", _tasks)
def _cancel(task: TaskArgument, why: Why) -> Step:
    """Call a task off: it is not needed any more."""
    return c.CancelTask(task_id=task, why=why)


@_step("reopen", _tasks)
def _reopen_task(task: TaskArgument, why: Why) -> Step:
    """A task was not done after all, or is needed after all."""
    return c.ReopenTask(task_id=task, why=why)


@_step("draft", _notices)
def _draft(
    text: Annotated[str, typer.Option(help="What users are to read.")],
    audience: Annotated[str, typer.Option(help="For whom.")] = "all users",
) -> Step:
    """Write a notice."""
    return c.DraftNotice(text=text, audience=audience)


@_step("approve", _notices)
def _approve(notice: NoticeArgument) -> Step:
    """Let a notice go out, with the authority that the level asks for."""
    return c.ApproveNotice(notice_id=notice)


@_step("send", _notices)
def _send(notice: NoticeArgument) -> Step:
    """Publish an approved notice; every linked case passes it on."""
    return c.SendNotice(notice_id=notice)


@_step("discard", _notices)
def _discard(notice: NoticeArgument, why: Why) -> Step:
    """Drop a notice that was not sent."""
    return c.DiscardNotice(notice_id=notice, why=why)


app.add_typer(_tasks, name="task")
app.add_typer(_notices, name="notice")


@app.command("list")
@spread
def list_incidents(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not closed.")] = False,
    level: Annotated[list[int] | None, typer.Option(min=1, max=4, help="Only of this level.")] = None,
    drills: Annotated[bool, typer.Option("--drills", help="Those of drills as well.")] = False,
    limit: LimitOption = 50,
    *,
    terms: Terms,
) -> None:
    """List incidents, the newest first."""
    incidents = call(
        terms,
        lambda client: first_of(
            client.incidents.list(open_only=open_only, levels=level or (), include_drills=drills), limit
        ),
    )
    if terms.as_json:
        output.print_json(ListIncidentsResponse(incidents=incidents))
        return
    if incidents:
        output.print_table(_table(incidents))
    else:
        typer.echo("No incident fits.")


def _table(incidents: list[Case]) -> Table:
    table = Table("number", "level", "stage", "what", "led by", "declared", "clocks", "waits for", box=None)
    for case in incidents:
        incident = case.incident
        cells = (
            case.case_id,
            f"{incident.level or '?'}{'' if incident.graded else ' suspected' if incident.level else ''}",
            spoken(Stage.DESCRIPTOR, case.stage),
            case.subject,
            incident.commander,
            opened(case),
            breached(case),
            _shortened(incident.waits_for),
        )
        add_row(table, case, cells)
    return table


def _shortened(waits: Sequence[str]) -> str:
    """The first thing that is waited for, and how many more there are."""
    return f"{waits[0]}, and {len(waits) - 1} more" if len(waits) > 1 else "".join(waits)


@app.command()
@spread
def report(
    incident: IncidentArgument,
    html: options.Html = False,
    locale: Annotated[options.LocaleWord, typer.Option(help="Its language.")] = "en",
    out: options.Out = None,
    *,
    terms: Terms,
) -> None:
    """《事件处理报告》: made from the log; the same log gives the same bytes."""
    made = call(terms, lambda client: client.incidents.report(incident, html=html, locale=locale))
    output.print_report(made, out, as_json=terms.as_json)


app.command("board")(board)
