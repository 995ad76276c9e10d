"""How much processor time was used: what a shared machine's other work changes least."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")


def used() -> float | None:
    """Processor seconds that this process and everything below it have used so far; None where that is not told.

    What has ended meanwhile is not counted, so both ends of a measurement must see the same processes.
    """
    if not (_PROCESSES / "self" / "stat").exists():
        return None
    below: defaultdict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for folder in _PROCESSES.iterdir():
        if folder.name.isdigit() and (found := _stat(folder)):
            parent, ticks[int(folder.name)] = found
            below[parent].append(int(folder.name))
    waiting, total = [os.getpid()], 0
    while waiting:
        process = waiting.pop()
        total += ticks.get(process, 0)
        waiting += below[process]
    return total / os.sysconf("SC_CLK_TCK")


def _stat(folder: Path) -> tuple[int, int] | None:
    """A process's parent, and the ticks it has used; None when it has ended."""
    try:
        # The name in front, in brackets, can hold anything.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[11]) + int(fields[12])
