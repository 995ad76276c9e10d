"""The command `casetrail export`."""

import json
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from casetrail.cli import options, output
from casetrail.cli.comparing import CasesOption, KindsOption
from casetrail.cli.terms import Terms, call, spread
from casetrail.cli.whole_file import write_whole
from casetrail.client import Client
from casetrail.counting import counted
from casetrail.export import jsonl, ocel, parquet, xes
from casetrail.export.selection import Selection
from casetrail.receipts import LOG_ITSELF
from casetrail.v1.types_pb2 import Kind
from casetrail.words import value_of


class Format(Enum):
    """What can be written."""

    JSONL = "jsonl"
    PARQUET = "parquet"
    XES = "xes"
    OCEL = "ocel"


_WRITERS: dict[Format, Callable[[Client, Selection, BinaryIO], Awaitable[int]]] = {
    Format.XES: xes.write,
    Format.OCEL: ocel.write,
}


def _replaceable(file: Path) -> Path:
    """Refuse what is no file: an export takes the place of what is there, even of a device, or of a link to it."""
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise typer.BadParameter(f"{file} is there, and no file: an export would take its place")
    return file


@spread
def export(  # noqa: PLR0913 - a command's options are its function's arguments
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.", callback=_replaceable)],
    *,
    form: Annotated[
        Format,
        typer.Option("--format", help="jsonl: with proofs, for `casetrail-verify`; xes and ocel: for process mining."),
    ],
    happened_from: options.From = None,
    happened_before: options.To = None,
    kind: KindsOption = None,
    case: CasesOption = None,
    source_activities: Annotated[
        bool,
        typer.Option("--source-activities", help="Only the steps of an imported log, under their names there."),
    ] = False,
    drills: Annotated[
        bool, typer.Option("--drills", help="Drills as well; jsonl, and a case that is named, have them anyway.")
    ] = False,
    receipts: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="A file of receipts, to be put into jsonl."),
    ] = None,
    unwitnessed: Annotated[
        bool, typer.Option("--unwitnessed", help="jsonl: do not wait for the log's witnesses, and leave nothing out.")
    ] = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="jsonl, parquet: with what personal fields say.")
    ] = False,
    terms: Terms,
) -> None:
    """Export events to a file.

    --from and --to are about when events happened, in case time. The file is there when it is whole, and not before.
    With proofs, it ends where all of the log's witnesses have signed; what came later waits for the next export.
    """
    _check(form, source_activities=source_activities, receipts=receipts, unwitnessed=unwitnessed, personal=personal)
    options.check_span(happened_from, happened_before)
    selection = Selection(
        kinds=tuple(value_of(Kind, word) for word in kind or ()),
        case_ids=tuple(dict.fromkeys(case or ())),
        happened_from=happened_from.seconds if happened_from else None,
        happened_before=happened_before.seconds if happened_before else None,
        source_activities=source_activities,
        drills=drills,
    )

    async def events(client: Client, part: BinaryIO) -> int | jsonl.Written:
        if form is Format.JSONL:
            return await jsonl.write(client, selection, part, receipts, unwitnessed=unwitnessed, personal=personal)
        if form is Format.PARQUET:
            return await parquet.write(client, selection, part, personal=personal)
        return await _WRITERS[form](client, selection, part)

    async def write(client: Client, part: BinaryIO) -> tuple[int | jsonl.Written, int | None]:
        has_what_is_meant = selection.case_ids or (form is Format.JSONL and selection.is_everything)
        return await events(client, part), None if has_what_is_meant else await _archived(client)

    try:
        written, archived = write_whole(
            file, lambda part: call(terms, lambda client: write(client, part)), private=personal
        )
    except (parquet.ParquetMissingError, ValueError) as wrong:
        typer.echo(f"Failed: {wrong}", err=True)
        raise typer.Exit(1) from None
    except OSError as wrong:
        typer.echo(f"Failed: {file} cannot be written: {wrong.strerror}", err=True)
        raise typer.Exit(1) from None
    count, proven = (written, None) if isinstance(written, int) else (written.events, written)
    if terms.as_json:
        left_out = {} if archived is None else {"archivedCases": archived}
        proof = _as_json(proven) if proven else {}
        typer.echo(json.dumps({"events": count} | left_out | proof, separators=(",", ":")))
        return
    output.console.print(f"{counted(count, 'event')} written to {file}", markup=False)
    if archived:
        one = "1 archived case is not in it: only its archive has what it said."
        many = f"{archived:,} archived cases are not in it: only their archives have what they said."
        output.console.print(one if archived == 1 else many)
    for line in _of_witnesses(proven) if proven else ():
        output.console.print(line, markup=False)


async def _archived(client: Client) -> int:
    """How many cases of the log only an archive has."""
    archived = 0
    async for event in client.events(LOG_ITSELF):
        archived += event.cases_archived.cases - event.HasField("case_restored")
    return archived


def _check(form: Format, *, source_activities: bool, receipts: Path | None, unwitnessed: bool, personal: bool) -> None:
    """Make sure that the options belong to the format.

    Raises:
        typer.BadParameter: One does not.
    """
    if form is Format.JSONL and source_activities:
        raise typer.BadParameter(
            "jsonl has whole events; choose parquet, xes or ocel", param_hint="--source-activities"
        )
    if form is not Format.JSONL and receipts is not None:
        raise typer.BadParameter("receipts belong to jsonl", param_hint="--receipts")
    if form is not Format.JSONL and unwitnessed:
        raise typer.BadParameter("only jsonl is for witnesses to vouch for", param_hint="--unwitnessed")
    if personal and form not in (Format.JSONL, Format.PARQUET):
        raise typer.BadParameter("xes and ocel have no personal fields", param_hint="--personal")


def _as_json(written: jsonl.Written) -> dict[str, Any]:
    return {
        "size": written.size,
        "logSize": written.there,
        "witnessed": written.witnessed,
        "unwitnessedBecause": list(written.trouble),
    }


def _of_witnesses(written: jsonl.Written) -> Iterator[str]:
    """How far witnesses vouch for it, and what was left out for that; nothing where the log has none."""
    why = f": {'; '.join(written.trouble)}" if written.trouble else ""
    left_out = written.there - written.size
    if left_out:
        signed = "that all witnesses have signed" if written.witnessed else "of which there is a checkpoint"
        yield f"It ends at position {written.size:,}, the last {signed}."
        later = "event of the log is" if left_out == 1 else "events of the log are"
        yield f"{left_out:,} later {later} not in it{why}."
        if written.witnessed:
            yield "With --unwitnessed nothing is left out."
    elif written.witnessed:
        yield f"All witnesses of the log have signed it, up to position {written.size:,}."
    elif why:
        yield f"No checkpoint has been signed by all witnesses{why}."
