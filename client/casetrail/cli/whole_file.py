"""Files that are there when they are whole, and not before."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

Written = TypeVar("Written")


def write_whole(file: Path, write: Callable[[BinaryIO], Written]) -> Written:
    """Write a file beside its place, then put it there; whoever writes the same one meanwhile writes another beside it.

    Args:
        file: Where it is to be.
        write: Writes it.

    Raises:
        OSError: It cannot be written.
    """
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as opened:
            written = write(opened)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(file)) from error
        raise
    return written
