"""Commands that read: one case, many, their events; and whether the log is whole."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Column, Table

from casetrail.cli import output
from casetrail.cli.listing import LimitOption, add_row, breached, first_of, opened
from casetrail.cli.options import word_of_enum
from casetrail.cli.terms import Terms, call, follow, spread
from casetrail.client import Client
from casetrail.receipts import LOG_ITSELF
from casetrail.timeline import heading, standing, tell
from casetrail.v1.audit_service_pb2 import VerifyCaseResponse
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter, GetCaseResponse, ListCasesResponse
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind, Priority, Stage
from casetrail.verdict import ONE_CASE, WHOLE_LOG, fault_line, verdict
from casetrail.words import value_of, word_of

CaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="Its number.")]
AnyCaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="Its number; all when left out.")]
AfterOption = Annotated[int, typer.Option(min=0, metavar="POSITION", help="Only what comes after it in the log.")]


@spread
def get(
    case: CaseArgument,
    from_workflow: Annotated[
        bool, typer.Option("--from-workflow", help="Ask the running workflow instead of the log.")
    ] = False,
    *,
    terms: Terms,
) -> None:
    """Show a case as it is now."""
    found = call(terms, lambda client: client.get(case, from_workflow=from_workflow))
    if terms.as_json:
        output.print_json(GetCaseResponse(case=found))
        return
    if from_workflow:
        kind, stage = word_of(Kind.DESCRIPTOR, found.kind), word_of(Stage.DESCRIPTOR, found.stage)
        output.console.print(f"{found.case_id}  {kind}, {stage} after event {found.seq}, when its workflow last looked")
        return
    output.print_heading(heading(found, None))
    for line in standing(found, None):
        output.console.print(line, markup=False)


@spread
def list_cases(
    *,
    kind: Annotated[
        list[str] | None, typer.Option(parser=word_of_enum(Kind), metavar="KIND", help="Of these lifecycles.")
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(parser=word_of_enum(Stage), metavar="STAGE", help="At these stages.")
    ] = None,
    priority: Annotated[
        list[str] | None, typer.Option(parser=word_of_enum(Priority), metavar="PRIORITY", help="As urgent.")
    ] = None,
    owner: Annotated[str, typer.Option(metavar="NAME", help="With this person.")] = "",
    team: Annotated[str, typer.Option(metavar="NAME", help="With this team.")] = "",
    customer: Annotated[str, typer.Option(metavar="ID", help="Of this customer.")] = "",
    order: Annotated[str, typer.Option(metavar="ID", help="About this order.")] = "",
    category: Annotated[str, typer.Option(help="Of this category.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not closed.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those with a breached clock.")] = False,
    drills: Annotated[bool, typer.Option("--drills", help="Those of drills as well.")] = False,
    limit: LimitOption = 50,
    terms: Terms,
) -> None:
    """List cases, the newest first."""
    case_filter = CaseFilter(
        kinds=[value_of(Kind, word) for word in kind or ()],
        stages=[value_of(Stage, word) for word in stage or ()],
        priorities=[value_of(Priority, word) for word in priority or ()],
        owner=owner,
        team=team,
        customer_id=customer,
        order_id=order,
        category=category,
        open=open_only,
        overdue=overdue,
        include_drills=drills,
    )
    page_size = min(limit, _PAGE) or _PAGE
    found = call(terms, lambda client: first_of(client.list(case_filter, page_size=page_size), limit))
    if terms.as_json:
        output.print_json(ListCasesResponse(cases=found))
        return
    if found:
        output.print_table(_table(found))
    else:
        typer.echo("No case fits.")


_PAGE = 500
"""The contract's limit."""


def _table(cases: list[Case]) -> Table:
    # A number is what a reader copies: never cut.
    number = Column("number", no_wrap=True, min_width=max(len(case.case_id) for case in cases))
    table = Table(number, "kind", "stage", "priority", "customer", "with", "opened", "clocks", box=None)
    for case in cases:
        cells = (
            case.case_id,
            word_of(Kind.DESCRIPTOR, case.kind),
            word_of(Stage.DESCRIPTOR, case.stage),
            word_of(Priority.DESCRIPTOR, case.priority),
            case.customer.customer_id,
            case.owner,
            opened(case),
            breached(case),
        )
        add_row(table, case, cells)
    return table


@spread
def watch(
    case: Annotated[str, typer.Argument(metavar="CASE", help="Its number; or say --all.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every case.")] = False,
    after: AfterOption = 0,
    *,
    terms: Terms,
) -> None:
    """Follow a case, or every case, as it happens; Ctrl-C ends it."""
    if bool(case) == every:
        raise typer.BadParameter("name a case, or say --all")

    async def follow_case(client: Client) -> None:
        found = await client.get(case)
        if not terms.as_json:
            output.print_heading(heading(found, None))
        async for answer in client.watch(case):
            if terms.as_json:
                output.print_json_line(answer.event)
            else:
                _print_events([answer.event], found)

    async def follow_all(client: Client) -> None:
        async for event in client.watch_events(after):
            _print_one_of_all(event, terms)

    follow(terms, follow_all if every else follow_case)


@spread
def events(
    case: Annotated[
        str,
        typer.Argument(metavar="CASE", help="Its number; @log for what is about the log itself; all when left out."),
    ] = "",
    after: AfterOption = 0,
    *,
    terms: Terms,
) -> None:
    """Show what happened in a case, or in all."""

    async def read(client: Client) -> None:
        is_case = bool(case) and case != LOG_ITSELF
        found = await client.get(case) if is_case and not terms.as_json else None
        if found:
            output.print_heading(heading(found, None))
        async for event in client.events(case, after_position=after):
            if found:
                _print_events([event], found)
            else:
                _print_one_of_all(event, terms)

    call(terms, read)


def _print_events(told: Iterable[Event], case: Case) -> None:
    for line in tell(told, None, case.opened_at):
        output.print_line(line)


def _print_one_of_all(event: Event, terms: Terms) -> None:
    if terms.as_json:
        output.print_json_line(event)
        return
    for line in tell([event], None):
        output.print_line(line, label=f"{event.position:>8}  {event.case_id:<18}")


@spread
def verify(case: AnyCaseArgument = "", *, terms: Terms) -> None:
    """Check hashes, chain, numbering and projection, of a case or of the whole log."""
    checked = call(terms, lambda client: client.verify(case))
    if terms.as_json:
        output.print_json(checked)
    else:
        _print_verdict(checked, ONE_CASE if case else WHOLE_LOG)
    if not checked.whole:
        raise typer.Exit(1)


def _print_verdict(checked: VerifyCaseResponse, all_of: str) -> None:
    for fault in checked.faults:
        typer.echo(fault_line(fault), err=True)
    typer.echo(verdict(checked, all_of), err=not checked.whole)
