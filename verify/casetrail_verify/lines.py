"""Reads files that hold one JSON object a line; says what is wrong with a line."""

import codecs
import json
from base64 import b64decode
from typing import Any, Final

Line = dict[str, Any]

_SHA256: Final = 32  # bytes
_DEEPEST: Final = 64  # more than any format has, and less than it takes to exhaust a program


class LineError(Exception):
    """A line is not what the format says."""


def parse(line: bytes) -> Line:
    """Read one line.

    Raises:
        LineError: It is no object, or names a member twice: two readers could read two things.
    """
    if line.startswith(codecs.BOM_UTF8):
        raise LineError("it is no JSON: a byte order mark stands before it")
    try:
        read = _decode(line.decode())
    except UnicodeDecodeError as error:
        raise LineError(f"it is no UTF-8: byte {error.start + 1} is 0x{line[error.start]:02x}") from error
    except RecursionError as error:
        raise LineError("it is nested too deeply") from error
    except ValueError as error:
        raise LineError(f"it is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise LineError("it is no JSON object")
    if line.count(b"{") + line.count(b"[") > _DEEPEST and _is_deep(read):
        raise LineError("it is nested too deeply")
    return read


def text(line: Line, name: str) -> str:
    """A member that is text.

    Raises:
        LineError: It is not.
    """
    value: str = _of(line, name, str, "text")
    if not value.isascii() and not _is_unicode(value):
        raise LineError(f"{name!r} is not text that can be written: {value!r}")
    return value


def integer(line: Line, name: str) -> int:
    """A member that is an integer.

    Raises:
        LineError: It is not.
    """
    value: int = _of(line, name, int, "an integer")
    return value


def data(line: Line, name: str) -> bytes:
    """A member that is base64.

    Raises:
        LineError: It is not.
    """
    return unbase64(text(line, name), name)


def hashed(line: Line, name: str) -> bytes:
    """A member that is a SHA-256 in hex.

    Raises:
        LineError: It is not.
    """
    given = text(line, name)
    try:
        read = bytes.fromhex(given)
    except ValueError:
        read = b""
    if read.hex() != given or len(read) != _SHA256:
        raise LineError(f"{name} is no SHA-256 in lower-case hex: {given!r}")
    return read


def texts(line: Line, name: str) -> list[str]:
    """A member that is a list of texts, empty when absent.

    Raises:
        LineError: It is not.
    """
    values: list[Any] = _of({name: []} | line, name, list, "a list")
    if not all(isinstance(value, str) for value in values):
        raise LineError(f"{name} is no list of texts")
    return values


def hashes(line: Line, name: str) -> list[bytes]:
    """A member that is a list of hashes in base64, empty when absent.

    Raises:
        LineError: It is not.
    """
    found = [unbase64(each, name) for each in texts(line, name)]
    if any(len(each) != _SHA256 for each in found):
        raise LineError(f"{name} holds what is no hash")
    return found


def unbase64(given: str, name: str) -> bytes:
    """Read base64.

    Raises:
        LineError: It is none.
    """
    try:
        return b64decode(given.encode("ascii"), validate=True)
    except ValueError as error:
        raise LineError(f"{name} is no base64") from error


def _of(line: Line, name: str, expected: type, words: str) -> Any:  # noqa: ANN401 - of the expected type
    if name not in line:
        raise LineError(f"it lacks {name!r}")
    value = line[name]
    if type(value) is not expected:
        raise LineError(f"{name!r} is not {words}: {value!r}")
    return value


def _is_unicode(value: str) -> bool:
    """Whether it has no half of a character, which JSON can name and UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_deep(line: Line) -> bool:
    layer: list[Any] = [line]
    for _ in range(_DEEPEST):
        layer = [
            inner
            for each in layer
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(layer)


def _once(members: list[tuple[str, Any]]) -> Line:
    line = dict(members)
    if len(line) != len(members):
        raise ValueError("a member stands twice")
    return line


_decode = json.JSONDecoder(object_pairs_hook=_once).decode
