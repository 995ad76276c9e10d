"""Makes and changes files of keys: whole or not at all, and on the disk before they are used."""

import os
import secrets
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from audit.durable import sync_folder
from casetrail.key_file import KEY_BYTES, KeyFile, KeyFileError

_ID_BYTES: Final = 8


def make(file: KeyFile) -> dict[str, bytes]:
    """Make the file with a first key, unless there is one; returns its keys.

    Raises:
        KeyFileError: It cannot be written or read.
    """
    if not file.path.exists():
        _write(file, {secrets.token_hex(_ID_BYTES): secrets.token_bytes(KEY_BYTES)}, anew=True)
    return file.read()


def add(file: KeyFile) -> dict[str, bytes]:
    """Add a new key behind those that are there; returns all.

    Raises:
        KeyFileError: The file cannot be written or read.
    """
    _write(file, {**file.read(), secrets.token_hex(_ID_BYTES): secrets.token_bytes(KEY_BYTES)})
    return file.read()


def keep_only(file: KeyFile, key_id: str) -> dict[str, bytes]:
    """Let go of all keys but one; returns that.

    Raises:
        KeyFileError: The file cannot be written or read.
    """
    _write(file, {key_id: file.read()[key_id]})
    return file.read()


def _write(file: KeyFile, keys: Mapping[str, bytes], *, anew: bool = False) -> None:
    """Write the file whole; anew, only where no other process was faster."""
    path = file.path
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    text = "".join(f"{file.head} {key_id} {b64encode(key).decode()}\n" for key_id, key in keys.items())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        if anew:
            _link(partial, path)
        else:
            partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


def _link(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        pass  # theirs counts
    finally:
        partial.unlink()
