"""Kills the stack's processes when their supervisor is gone without having ended them.

A process of its own, `python -m embedded.guard`, which the supervisor tells of every process group that it starts
(`+PID`) and of every one that has ended (`-PID`), a line each. The end of its input is the supervisor's death.
"""

import os
import signal
import sys


def main() -> None:
    """Listen until the input ends, then kill what is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
