"""Files that are there when they are whole, and not before."""

import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

Written = TypeVar("Written")


def write_whole(file: Path, write: Callable[[BinaryIO], Written], *, private: bool = False) -> Written:
    """Write a file beside its place, then put it there; whoever writes the same one meanwhile writes another beside it.

    Args:
        file: Where it is to be.
        write: Writes it.
        private: Whether it is for its owner alone.

    Raises:
        OSError: It cannot be written.
    """
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    try:
        with _ended_in_order():
            made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
            with os.fdopen(made, "wb") as opened:
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


_BY_SIGNAL = 128  # and its number, as shells say it


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Have what ends a program at once end it as Ctrl-C does, so that no part of a file stays."""
    at_once = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in at_once:
        signal.signal(number, lambda ended_by, _: sys.exit(_BY_SIGNAL + ended_by))
    try:
        yield
    finally:
        for number in at_once:
            signal.signal(number, signal.SIG_DFL)
