"""The command line as a whole: what holds of every command."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from casetrail.cli import app


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own classes are private
    if not hasattr(group, "list_commands"):
        yield " ".join(path), group
        return
    for name in group.list_commands(None):
        yield from commands(group.get_command(None, name), *path, name)


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_what_each_of_its_words_means(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_json(name: str) -> None:
    assert "--json" in {option for parameter in COMMANDS[name].params for option in parameter.opts}


@pytest.mark.parametrize(
    "option", ["--html", "--out", "--from", "--to TIME", "--why", "--request-id", "--as", "--address", "--token"]
)
def test_what_means_the_same_is_said_in_the_same_words(option: str) -> None:
    name, _, metavar = option.partition(" ")
    said = {
        (parameter.metavar, parameter.help)
        for command in COMMANDS.values()
        for parameter in command.params
        if name in parameter.opts and (not metavar or parameter.metavar == metavar)
    }
    assert len(said) == 1 + (option == "--why"), said  # `erase` warns, too
