"""The command `casetrail export`."""

import os
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from casetrail.cli import output
from casetrail.cli.comparing import CasesOption, FromOption, KindsOption, ToOption
from casetrail.cli.terms import Terms, call, spread
from casetrail.client import Client
from casetrail.export import jsonl, ocel, parquet, xes
from casetrail.export.selection import Selection
from casetrail.v1.types_pb2 import Kind
from casetrail.words import value_of


class Format(Enum):
    """What can be written."""

    JSONL = "jsonl"
    PARQUET = "parquet"
    XES = "xes"
    OCEL = "ocel"


_WRITERS: dict[Format, Callable[[Client, Selection, BinaryIO], Awaitable[int]]] = {
    Format.JSONL: jsonl.write,
    Format.PARQUET: parquet.write,
    Format.XES: xes.write,
    Format.OCEL: ocel.write,
}


@spread
def export(  # noqa: PLR0913 - a command's options are its function's arguments
    file: Annotated[Path, typer.Argument(help="Where to write it.")],
    *,
    form: Annotated[
        Format,
        typer.Option("--format", help="jsonl: with proofs, for `casetrail-verify`; xes and ocel: for process mining."),
    ],
    happened_from: FromOption = None,
    happened_before: ToOption = None,
    kind: KindsOption = None,
    case: CasesOption = None,
    source_activities: Annotated[
        bool,
        typer.Option("--source-activities", help="Only the steps of an imported log, under their names there."),
    ] = False,
    receipts: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file of receipts, to be put into jsonl.")
    ] = None,
    terms: Terms,
) -> None:
    """Export events to a file.

    --from and --to are about when events happened, in case time. The file is there when it is whole, and not before.
    """
    if form is Format.JSONL and source_activities:
        raise typer.BadParameter(
            "jsonl has whole events; choose parquet, xes or ocel", param_hint="--source-activities"
        )
    if form is not Format.JSONL and receipts is not None:
        raise typer.BadParameter("receipts belong to jsonl", param_hint="--receipts")
    selection = Selection(
        kinds=tuple(value_of(Kind, word) for word in kind or ()),
        case_ids=tuple(dict.fromkeys(case or ())),
        happened_from=happened_from.seconds if happened_from else None,
        happened_before=happened_before.seconds if happened_before else None,
        source_activities=source_activities,
    )

    async def write(client: Client, part: BinaryIO) -> int:
        if form is Format.JSONL:
            return await jsonl.write(client, selection, part, receipts)
        return await _WRITERS[form](client, selection, part)

    try:
        count = _whole(file, lambda part: call(terms, lambda client: write(client, part)))
    except (parquet.ParquetMissing, ValueError) as wrong:
        typer.echo(f"Failed: {wrong}", err=True)
        raise typer.Exit(1) from None
    if terms.as_json:
        typer.echo(f'{{"events":{count}}}')
    else:
        output.console.print(f"{count:,} event{'' if count == 1 else 's'} written to {file}", markup=False)


def _whole(file: Path, write: Callable[[BinaryIO], int]) -> int:
    """Write a file that is there only when it is whole.

    Raises:
        OSError: It cannot be written.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as opened:
            count = write(opened)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return count
