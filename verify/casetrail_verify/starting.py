"""Starts `casetrail-verify`: loading it takes a moment, and Ctrl-C is to end that as it ends the check."""

import os
import signal
import sys

_INTERRUPTED = 130  # as shells say it


def main() -> None:
    """Load the command line, and run it."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where the shell has it ignored
    if heeded:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))  # there is nothing to put in order yet
    from casetrail_verify import command  # noqa: PLC0415 - this is what takes a moment

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command.main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
