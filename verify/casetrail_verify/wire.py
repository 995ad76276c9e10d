"""As much of the protobuf wire format as an auditor needs: the fields of one message, one by one."""

from collections.abc import Set as AbstractSet
from typing import Final

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_MOST_VARINT_BITS: Final = 64
_MORE: Final = 0x80  # says that a number goes on


class WireError(Exception):
    """These bytes are no protobuf message, or not the expected one."""


def _fields(message: bytes) -> tuple[dict[int, int | bytes], set[int]]:
    """Each field's number and value, an integer, or bytes for everything that is not a varint; and what stands twice.

    Raises:
        WireError: They end early, or hold what a message cannot.
    """
    found: dict[int, int | bytes] = {}
    twice: set[int] = set()
    at, end = 0, len(message)
    while at < end:
        tag, at = (message[at], at + 1) if message[at] < _MORE else _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if number in found:
            twice.add(number)
        if kind in (_BYTES, _VARINT):
            # Nearly all are of one byte, and this is the hot loop.
            value, at = (message[at], at + 1) if at < end and message[at] < _MORE else _varint(message, at)
            if kind == _VARINT:
                found[number] = value
                continue
            length = value
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise WireError(f"field {number} is of an unknown kind")
        stop = at + length
        if stop > end:
            raise WireError(f"field {number} ends early")
        found[number] = message[at:stop]
        at = stop
    return found, twice


class Message:
    """A message whose fields are read by number; one that stands twice is not read: readers differ in what it says."""

    def __init__(self, message: bytes) -> None:
        """Read all of it.

        Raises:
            WireError: It cannot be read.
        """
        self._fields, self._twice = _fields(message)

    @property
    def numbers(self) -> AbstractSet[int]:
        """Of the fields that it has."""
        return self._fields.keys()

    def value(self, number: int) -> int | bytes | None:
        """A field as it stands there; None when absent.

        Raises:
            WireError: It stands twice.
        """
        if number in self._twice:
            raise WireError(f"field {number} stands twice")
        return self._fields.get(number)

    def integer(self, number: int) -> int:
        """An int64, 0 when absent.

        Raises:
            WireError: It is none.
        """
        value = self.value(number)
        if isinstance(value, bytes):
            raise WireError(f"field {number} is no number")
        return value or 0

    def data(self, number: int) -> bytes:
        """Bytes, empty when absent.

        Raises:
            WireError: It has none.
        """
        value = self.value(number)
        if isinstance(value, int):
            raise WireError(f"field {number} is no text")
        return value or b""

    def text(self, number: int) -> str:
        """A string, empty when absent.

        Raises:
            WireError: It is none.
        """
        try:
            return self.data(number).decode()
        except UnicodeDecodeError as error:
            raise WireError(f"field {number} is no text") from error


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < _MOST_VARINT_BITS:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, at
        shift += 7
    raise WireError("a number ends early")
