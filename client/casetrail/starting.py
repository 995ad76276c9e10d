"""Starts `casetrail`: loading it takes a moment, and Ctrl-C is to end that without a word."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells say it: 1 would be a verdict of `verify`."""


def main() -> None:
    """Load the command line, and run it."""
    with loading():
        from casetrail import cli  # noqa: PLC0415 - this is what takes a moment
    cli.main()


@contextmanager
def loading() -> Iterator[None]:
    """While a program is being loaded there is nothing to put in order, and nothing to say of where it was."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where the shell has it ignored
    if heeded:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    yield
    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
