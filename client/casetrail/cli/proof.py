"""Commands that prove: checkpoints, inclusion, consistency, receipts, and the change of the signing key."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from casetrail.cli import output
from casetrail.cli.terms import KeepTerms, RequestId, Terms, call, spread
from casetrail.client import Client
from casetrail.counting import counted
from casetrail.proof.tree import check_consistency, check_inclusion
from casetrail.v1.audit_service_pb2 import (
    Checkpoint,
    GetCheckpointResponse,
    ProveConsistencyResponse,
    ProveInclusionResponse,
)

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Prove what the log is.")

PositionArgument = Annotated[int, typer.Argument(min=1, metavar="POSITION", help="Of an event in the log.")]
SizeOption = Annotated[int, typer.Option(min=0, metavar="N", help="Of the tree of so many events; all when left out.")]


@app.command()
@spread
def checkpoint(
    position: Annotated[
        int, typer.Option(min=0, metavar="POSITION", help="The first that holds this event; the newest when left out.")
    ] = 0,
    *,
    terms: Terms,
) -> None:
    """Show a checkpoint as it was published, the log's keys, and who witnesses it."""
    found = call(terms, lambda client: client.checkpoint(position))
    if terms.as_json:
        output.print_json(found)
        return
    _print_checkpoint(found)


def _print_checkpoint(found: GetCheckpointResponse) -> None:
    typer.echo(found.checkpoint.note)
    typer.echo(f"published {found.checkpoint.published_at.ToJsonString()}")
    for key in found.keys:
        typer.echo(f"key       {key}")
    for witness in found.witnesses:
        state = witness.trouble or f"has signed {counted(witness.size, 'event')}"
        typer.echo(f"witness   {witness.key}: {state}")
    if found.trouble:
        typer.echo(f"trouble   {found.trouble}")


@app.command()
@spread
def checkpoints(
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Only those of more events.")] = 0, *, terms: Terms
) -> None:
    """List the published checkpoints."""

    async def read(client: Client) -> list[Checkpoint]:
        return [each async for each in client.checkpoints(after_size=after)]

    for each in call(terms, read):
        if terms.as_json:
            output.print_json_line(each)
        else:
            witnesses = f"  witnessed by {', '.join(each.witnesses)}" if each.witnesses else ""
            typer.echo(f"{each.size:>12,}  {each.published_at.ToJsonString()}  {each.root}{witnesses}")


@app.command()
@spread
def inclusion(position: PositionArgument, size: SizeOption = 0, *, terms: Terms) -> None:
    """Prove that an event is in the log, and check the proof here."""
    proof: ProveInclusionResponse = call(terms, lambda client: client.prove_inclusion(position, tree_size=size))
    check_inclusion(
        bytes.fromhex(proof.hash), proof.position - 1, proof.tree_size, bytes.fromhex(proof.root), proof.proof
    )
    if terms.as_json:
        output.print_json(proof)
    else:
        typer.echo(f"event {proof.position:,} ({proof.hash}) is in the tree of {counted(proof.tree_size, 'event')}")
        typer.echo(f"with the root {proof.root}")


@app.command()
@spread
def consistency(
    old: Annotated[int, typer.Argument(min=0, metavar="OLD", help="How many events the log had.")],
    size: SizeOption = 0,
    *,
    terms: Terms,
) -> None:
    """Prove that the log is an older one with events added at its end, and check the proof here."""
    proof: ProveConsistencyResponse = call(terms, lambda client: client.prove_consistency(old, size=size))
    check_consistency(proof.old_size, bytes.fromhex(proof.old_root), proof.size, bytes.fromhex(proof.root), proof.proof)
    if terms.as_json:
        output.print_json(proof)
    else:
        typer.echo(f"the tree of {counted(proof.size, 'event')} ({proof.root})")
        typer.echo(f"is that of {proof.old_size:,} ({proof.old_root}) with events added at its end")


@app.command()
@spread
def receipts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As --keep-receipts writes it.")],
    log_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A key of the log, or a file of its keys; its own word when left out."),
    ] = None,
    *,
    terms: Terms,
) -> None:
    """Check kept receipts: each by itself, and that today's log continues what they say."""
    from casetrail.cli.kept_receipts import check_all  # noqa: PLC0415 - needs cryptography, which not everybody has

    checked = call(terms, lambda client: check_all(client, file, log_key or []))
    if terms.as_json:
        typer.echo(json.dumps(asdict(checked)))
        return
    typer.echo(
        f"{counted(checked.receipts, 'receipt holds', 'receipts hold')}; "
        f"the log of {counted(checked.size, 'event')} continues each tree that was signed"
    )
    if not log_key:
        typer.echo("The keys were the log's own word: give those that you learnt from elsewhere with --log-key.")


@app.command()
@spread
def rotate_key(
    request_id: RequestId = "",
    *,
    terms: KeepTerms,
) -> None:
    """Sign with a new key from now on, which the old one confirms."""
    changed = call(terms, lambda client: client.rotate_signing_key(request_id=request_id))
    if terms.as_json:
        output.print_json(changed)
    else:
        typer.echo(f"From event {changed.position:,} on the log signs with")
        typer.echo(changed.new_key)
        typer.echo("Tell those who check it, and its witnesses (`casetrail-witness trust`).")
