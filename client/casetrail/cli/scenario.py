"""A scenario's file, as commands about drills take it."""

from pathlib import Path
from typing import Annotated

import typer

from casetrail.cli import output
from casetrail.scenario_file import ScenarioError, load
from casetrail.v1.scenario_pb2 import Scenario

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The scenario: a YAML file.")]
Scale = Annotated[
    float, typer.Option(min=0, metavar="N", help="Case seconds per real second; the scenario's when left out.")
]


def read_scenario(file: Path, scale: float = 0) -> Scenario:
    """Read a scenario, or say what is wrong in it and end."""
    try:
        return load(file, scale=scale)
    except ScenarioError as wrong:
        output.refuse_file(wrong.problems)
