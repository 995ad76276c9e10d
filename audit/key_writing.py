"""Makes and changes files of keys: whole or not at all, and on the disk before they are used."""

import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from audit.durable import make_folder, sync_folder, write_private
from casetrail.key_file import KEY_BYTES, KeyFile, KeyFileError

_ID_BYTES: Final = 8


def make(file: KeyFile) -> dict[str, bytes]:
    """Make the file with a first key, unless there is one; returns its keys.

    Raises:
        KeyFileError: It cannot be written or read.
    """
    if not file.path.exists():
        _write(file, {secrets.token_hex(_ID_BYTES): secrets.token_bytes(KEY_BYTES)}, anew=True)
    keys = file.read()
    try:
        sync_folder(file.path.parent)  # who made it may have died before its name was on the disk
    except OSError as error:
        raise KeyFileError(f"{file.path.parent} cannot be synced: {error.strerror}") from error
    return keys


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
    text = "".join(f"{file.head} {key_id} {b64encode(key).decode()}\n" for key_id, key in keys.items())
    try:
        make_folder(file.path.parent)
        write_private(file.path, text, anew=anew)
    except OSError as error:
        raise KeyFileError(f"{file.path} cannot be written: {error.strerror}") from error
