"""The `casetrail` command line.

Exit status: 0 done, 1 refused or failed (why is on stderr), 2 wrong usage. When nobody reads its output any more, it
ends by SIGPIPE, as other tools do.
"""

import os
import sys
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from casetrail.cli.unread import end_when_unread
from casetrail.starting import INTERRUPTED

_COMMANDS = {
    "open": "casetrail.cli.opening:open_case",
    "do": "casetrail.cli.actions:app",
    "incident": "casetrail.cli.incident:app",
    "get": "casetrail.cli.reading:get",
    "list": "casetrail.cli.reading:list_cases",
    "watch": "casetrail.cli.reading:watch",
    "events": "casetrail.cli.reading:events",
    "replay": "casetrail.cli.replaying:replay",
    "why": "casetrail.cli.explaining:why",
    "what-if": "casetrail.cli.comparing:what_if",
    "crosscheck": "casetrail.cli.comparing:crosscheck",
    "export": "casetrail.export.command:export",
    "erase": "casetrail.cli.erasing:erase",
    "verify": "casetrail.cli.reading:verify",
    "proof": "casetrail.cli.proof:app",
    "archive": "casetrail.cli.archive:app",
    "policy": "casetrail.cli.policy:app",
    "drill": "casetrail.cli.drill:app",
    "play": "casetrail.play.command:play",
}
"""Where each command's code is: loaded when it is called, since the command line is called often."""


class _Loading(TyperGroup):
    """A group whose commands are loaded by name."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer's own context class is private
        """All commands, in the order in which one meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ANN401, ARG002 - likewise
        """The command of a name, if there is one."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command()(found)
            found = alone
        command = cast("TyperCommand | TyperGroup", typer.main.get_command(found))
        command.name = cmd_name
        return command


app = typer.Typer(cls=_Loading, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _casetrail() -> None:
    """Customer-service cases: open them, drive them, read them, prove them."""


def main() -> None:
    """Run the command line; whatever goes wrong is said in words."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # ours: gRPC's lines on stderr are for its developers
    end_when_unread()
    try:
        app(prog_name="casetrail")
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        typer.echo("Interrupted. What was asked for may have happened all the same.", err=True)
        raise
    except Exception as error:  # noqa: BLE001 - a person reads this: never a traceback
        import_module("casetrail.cli.failure").tell(error)
        sys.exit(1)
