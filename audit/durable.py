"""Files that must be there after a loss of power."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they are missing: names on the disk, for their owner alone.

    Raises:
        OSError: It cannot be made.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_folder(path.parent)


def write_private(path: Path, text: str, *, anew: bool = False) -> None:
    """Write a file that only its owner can read: whole or not at all, and on the disk.

    Args:
        path: Where.
        text: What it holds.
        anew: Only where there is none: what another process was faster to write counts.

    Raises:
        OSError: It cannot be written.
    """
    partial = _written_beside(path, text, 0o600)
    if anew:
        _link(partial, path)
    else:
        partial.replace(path)
    sync_folder(path.parent)


def write_public(path: Path, text: str) -> None:
    """Write a file that others may read, instead of the one that is there: whole or not at all, and on the disk.

    Raises:
        OSError: It cannot be written.
    """
    _written_beside(path, text, 0o666).replace(path)
    sync_folder(path.parent)


def _written_beside(path: Path, text: str, mode: int) -> Path:
    """A file with this text, on the disk, under a name that no other process takes, on whatever machine."""
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink()
        raise
    return partial


def _link(partial: Path, path: Path) -> None:
    try:
        with suppress(FileExistsError):  # theirs counts
            os.link(partial, path)
    finally:
        partial.unlink()
