"""Run a program from a Makefile so that Ctrl-C is the program's alone: `foreground.py PROGRAM ARGUMENT…`.

A terminal sends Ctrl-C to make as well, which then reports a failure whatever the program makes of it. Here
the program becomes the terminal's foreground group by itself, so make sees only its exit status. Without a
terminal the program simply takes this process's place.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the program to its end and exit as it did."""
    program = sys.argv[1:]
    terminal = sys.stdin.fileno()
    if not os.isatty(terminal) or os.tcgetpgrp(terminal) != os.getpgrp():
        os.execvp(program[0], program)  # noqa: S606 - no shell is wanted

    # Giving the terminal away and taking it back, as a background process, must not stop us.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # nobody could continue it
        os.execvp(program[0], program)  # noqa: S606 - likewise

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    _, status = os.waitpid(child, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
