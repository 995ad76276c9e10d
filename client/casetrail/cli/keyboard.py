"""Single keys from a terminal. What is typed ahead is not lost, also around a question that is answered by a line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

# Windows has no terminals of this kind; there `typer.getchar` does the same for a key at a time.
if sys.platform != "win32":
    import termios
    import tty

_MOST_AT_ONCE = 64


@contextmanager
def keys_at_once() -> Iterator[None]:
    """Inside, keys come without Enter, and are not echoed."""
    if sys.platform == "win32":
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


@contextmanager
def lines_at_once() -> Iterator[None]:
    """Inside of that, lines come with Enter again, and are echoed."""
    if sys.platform == "win32":
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[3] |= termios.ICANON | termios.ECHO
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, changed)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def typed() -> str:
    """What was typed, as soon as anything was; the end of the input where the terminal is gone."""
    if sys.platform == "win32":
        return typer.getchar()
    return os.read(sys.stdin.fileno(), _MOST_AT_ONCE).decode(errors="replace") or "\x04"
