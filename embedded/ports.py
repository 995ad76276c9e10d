"""Ports on this machine's loopback, kept from one start to the next where they are still free."""

import json
import socket
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from random import SystemRandom
from typing import Final

from embedded.serving import LOOPBACK

# Below those that systems give to outgoing connections: none of these takes one before its server listens.
_CANDIDATES: Final = range(20_000, 32_768)


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
            trial.listen(1)
        except OSError:
            return False
    return True


def choose(names: Sequence[str], remembered: Path) -> dict[str, int]:
    """Choose a free port for each name, the same as last time where possible, and remember them."""
    before = _read(remembered)
    chosen = {name: before[name] for name in names if name in before and is_free(before[name])}
    missing = [name for name in names if name not in chosen]
    chosen.update(zip(missing, free(len(missing)), strict=True))
    remembered.write_text(json.dumps(chosen, indent=2) + "\n")
    return chosen


def free(count: int) -> list[int]:
    """Choose ports on which servers could listen now, each another one."""
    candidates = SystemRandom().sample(_CANDIDATES, len(_CANDIDATES))
    return list(islice(filter(is_free, candidates), count))


def _read(remembered: Path) -> dict[str, int]:
    try:
        content = json.loads(remembered.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: port for name, port in content.items() if isinstance(port, int)}
