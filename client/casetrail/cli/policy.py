"""`casetrail policy`: what can be done with a policy's file, without an engine."""

from pathlib import Path
from typing import Annotated

import typer

from casetrail.cli import output
from casetrail.policy_file import load

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
    output.print_check(lambda: f"{file}: policy {load(file).policy_id} is fine.", as_json=as_json)
