"""What a loss of power would leave: what was synced with what it holds, and which names were given, in their order."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

_BESIDE = re.compile(r"\.[0-9a-f]{16}$|\.[0-9]+\.part\b")


def on_the_disk(monkeypatch: pytest.MonkeyPatch, *, below: Path) -> list[str]:
    """Note from now on, by their paths below a folder, what is synced and what is named; others may add to it."""
    order: list[str] = []

    def noted(what: str, path: Path) -> None:
        if path.is_relative_to(below):
            order.append(f"{what} {_BESIDE.sub('.new', str(path.relative_to(below)))}")

    sync = os.fsync

    def synced(descriptor: int) -> None:
        sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        noted("sync" if path.stat().st_size else "sync nothing of", path)

    monkeypatch.setattr(os, "fsync", synced)
    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, partial(_named, noted, getattr(os, name)))
    return order


def _named(noted: Callable[[str, Path], None], do: Callable[[str, str], None], old: str, new: str) -> None:
    do(old, new)
    noted("name", Path(new))
