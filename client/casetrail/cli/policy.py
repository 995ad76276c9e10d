"""`casetrail policy`: what can be done with a policy's file, without an engine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from casetrail.policy_file import PolicyError, load

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _policy() -> None:
    """Work on the file of a policy."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say exactly what is wrong in a policy's file, and where."""
    try:
        policy = load(file)
    except PolicyError as wrong:
        problems = wrong.problems
    else:
        problems = ()
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": [asdict(p) for p in problems]}, ensure_ascii=False))
    elif not problems:
        typer.echo(f"{file}: policy {policy.policy_id} is fine.")
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        raise typer.Exit(1)
