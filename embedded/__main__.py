"""Casetrail on this machine: `python -m embedded up` runs it, `python -m embedded demo` shows it."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from embedded import demo
from embedded.folder import FolderError
from embedded.processes import ProcessError
from embedded.stack import Stack
from engine.leaving import leave

_INTERRUPTED = 130


def main() -> int:
    """Run a sub-command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run the whole stack until Ctrl-C")
    up.add_argument("--port", type=_port, default=7460, help="of the gRPC server (default: 7460)")
    up.add_argument("--data", type=Path, default=Path("data"), help="folder of all that is kept (default: data)")
    commands.add_parser("demo", help="see cases of every kind from the first message to the proof", add_help=False)
    arguments, rest = parser.parse_known_args()
    if arguments.command == "demo":
        return demo.main(rest)
    if rest:
        parser.error(f"unknown argument {rest[0]}")
    return _up(arguments.port, arguments.data)


def _up(port: int, data: Path) -> int:
    try:
        return asyncio.run(_run(port, data))
    except (FolderError, ProcessError) as error:
        print(f"Casetrail cannot start: {error}", file=sys.stderr)
        return 1


async def _run(port: int, data: Path) -> int:
    """Run the stack until the first signal, which ends it in order; the second ends it at once."""
    console = Console(stderr=False, highlight=False)
    running = asyncio.ensure_future(_keep_up(port, data, console))

    def end() -> None:
        if running.cancelling():
            os._exit(_INTERRUPTED)  # the guard kills the rest
        console.print("\nEnding server, worker, services, Temporal … (once more: at once)", style="dim")
        running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        await running
    except asyncio.CancelledError:
        console.print("Ended. The data are kept.", style="dim")
    return 0


async def _keep_up(port: int, data: Path, console: Console) -> None:
    console.print(f"Starting Casetrail on {data} …", style="dim")
    async with Stack.start(data=data, port=port, say=lambda words: console.print(words, markup=False)) as stack:
        _show(stack, console)
        await asyncio.Event().wait()


def _show(stack: Stack, console: Console) -> None:
    table = Table.grid(padding=(0, 3))
    for what, where in (
        ("gRPC server", stack.address),
        ("Temporal", stack.temporal_ui),
        ("Mailbox", stack.mailbox_url),
        ("Demo shop", stack.shop_url),
        ("Data, logs", str(stack.data)),
    ):
        table.add_row(what, where)
    console.print("\n[bold]Casetrail is up[/bold]")
    console.print(table)
    console.print("\nIn another terminal, from this folder:", style="dim")
    console.print(f"  export CASETRAIL_ADDRESS={stack.address} CASETRAIL_DATA={stack.data}", soft_wrap=True)
    console.print("  .venv/bin/casetrail list")
    console.print("\nCtrl-C ends it; what it did is kept.", style="dim")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return port


if __name__ == "__main__":
    leave(main())
