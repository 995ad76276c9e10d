"""`casetrail archive`: closed cases leave the database for an archive, by two people's agreement, and come back."""

from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.cli import output
from casetrail.cli.options import Why, moment
from casetrail.cli.terms import KeepTerms, RequestId, Terms, call, spread
from casetrail.counting import counted
from casetrail.v1.retention_service_pb2 import (
    Archive,
    ArchiveStep,
    ListArchivedCasesResponse,
    ListArchivesResponse,
)
from casetrail.v1.types_pb2 import Kind, Role
from casetrail.words import word_of

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Take closed cases out of the database, and bring them back. For administrators and auditors.",
)

ArchiveArgument = Annotated[str, typer.Argument(metavar="ARCHIVE", help="Its id, or the path of its folder.")]


@app.command()
@spread
def propose(
    closed_before: Annotated[
        Timestamp | None,
        typer.Option("--closed-before", parser=moment, metavar="TIME", help="All that are old enough when left out."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many at most.")] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the cases.")] = False,
    why: Why = "",
    request_id: RequestId = "",
    *,
    terms: KeepTerms,
) -> None:
    """List closed cases that were kept as long as their policies say, and propose to archive them."""
    answer = call(
        terms,
        lambda client: client.archives.propose(
            closed_before=closed_before, most_cases=limit, why=why, dry_run=dry_run, request_id=request_id
        ),
    )
    if terms.as_json:
        output.print_json(answer)
        return
    for case in answer.cases:
        kind = word_of(Kind.DESCRIPTOR, case.kind)
        typer.echo(f"{case.case_id:<22} {kind:<10} closed {case.closed_at.ToJsonString()}  {case.events:>5} events")
    _say_what(answer.archive)
    if not dry_run:
        archive_id = answer.archive.archive_id
        typer.echo(f"Proposed as {archive_id}. Somebody else approves it: casetrail archive approve {archive_id}")


@app.command()
@spread
def approve(archive: ArchiveArgument, *, terms: KeepTerms) -> None:
    """Agree to what somebody else has proposed."""
    answer = call(terms, lambda client: client.archives.approve(_id(archive)))
    if terms.as_json:
        output.print_json(answer)
        return
    _say_what(answer.archive)
    typer.echo(f"Approved. Now: casetrail archive carry-out {answer.archive.archive_id}")


@app.command()
@spread
def withdraw(
    archive: ArchiveArgument,
    why: Why,
    *,
    terms: KeepTerms,
) -> None:
    """Take a proposal back, approved or not. What was carried out cannot be withdrawn."""
    answer = call(terms, lambda client: client.archives.withdraw(_id(archive), why=why))
    if terms.as_json:
        output.print_json(answer)
        return
    _say_what(answer.archive)
    typer.echo("Withdrawn. Nothing was removed; they can be proposed again.")


@app.command()
@spread
def carry_out(archive: ArchiveArgument, *, terms: KeepTerms) -> None:
    """Write an approved archive, read it back, and only then remove what it has from the database."""
    answer = call(terms, lambda client: client.archives.carry_out(_id(archive)))
    if terms.as_json:
        output.print_json(answer)
        return
    _say_what(answer.archive)
    typer.echo(f"They are in {answer.archive.location} now, and their payloads are not in the database any more.")
    typer.echo(f"SHA-256 of the manifest, as the log has it: {answer.archive.manifest_sha256}")


@app.command()
@spread
def restore(
    archive: ArchiveArgument,
    cases: Annotated[list[str] | None, typer.Argument(metavar="CASE…", help="The cases; or say --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that only the archive has.")] = False,
    why: Why = "",
    *,
    terms: KeepTerms,
) -> None:
    """Bring cases back, after every byte was checked. The service reads the archive in its own folder of archives."""
    if bool(cases) == every:
        raise typer.BadParameter("name cases, or say --all")
    answer = call(terms, lambda client: client.archives.restore(_id(archive), cases or [], why=why))
    if terms.as_json:
        output.print_json(answer)
        return
    for case_id in answer.case_ids:
        typer.echo(case_id)
    typer.echo(f"In the database again: {_cases_with_events(len(answer.case_ids), answer.events)}.")


@app.command("list")
@spread
def list_archives(*, terms: Terms) -> None:
    """List all archives, and who did what when."""
    found = call(terms, lambda client: client.archives.list())
    if terms.as_json:
        output.print_json(ListArchivesResponse(archives=found))
        return
    for each in found:
        typer.echo(each.archive_id)
        _say_what(each, indent="  ")
        _say_step("proposed", each.proposed)
        _say_step("approved", each.approved)
        _say_step("withdrawn", each.withdrawn, each.why_withdrawn)
        _say_step("carried out", each.carried_out)
        if each.location:
            typer.echo(f"  in {each.location}, manifest {each.manifest_sha256}")
        if each.restored_cases:
            typer.echo(f"  {each.restored_cases:,} of them restored")
    if not found:
        typer.echo("Nothing was proposed yet.")


@app.command()
@spread
def cases(archive: ArchiveArgument, *, terms: Terms) -> None:
    """List the cases that an archive has."""
    found = call(terms, lambda client: client.archives.cases(_id(archive)))
    if terms.as_json:
        output.print_json(ListArchivedCasesResponse(cases=found))
        return
    for each in found:
        typer.echo(f"{each.case_id:<22} {counted(each.events, 'event'):>12}{'  restored' if each.restored else ''}")


def _id(archive: str) -> str:
    """The archive's id, which is also its folder's name."""
    return Path(archive).name


def _say_what(archive: Archive, *, indent: str = "") -> None:
    before = archive.closed_before.ToJsonString()
    typer.echo(f"{indent}{_cases_with_events(archive.cases, archive.events)}, closed before {before}")


def _cases_with_events(cases: int, events: int) -> str:
    return f"{counted(cases, 'case')} with {counted(events, 'event')}"


def _say_step(what: str, step: ArchiveStep, why: str = "") -> None:
    if step.position:
        role = word_of(Role.DESCRIPTOR, step.role)
        because = f": {why}" if why else ""
        typer.echo(f"  {what} by {step.actor} ({role}) at {step.at.ToJsonString()}, event {step.position:,}{because}")
