"""As much of the protobuf wire format as an auditor needs: the fields of one message, one by one."""

from typing import Final

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_MOST_VARINT_BITS: Final = 64
_MORE: Final = 0x80  # says that a number goes on


class WireError(Exception):
    """These bytes are no protobuf message, or not the expected one."""


def _fields(message: bytes) -> dict[int, int | bytes]:
    """Each field's number and value: an integer, or bytes for everything that is not a varint.

    Raises:
        WireError: They end early, or hold what a message cannot.
    """
    found: dict[int, int | bytes] = {}
    at, end = 0, len(message)
    while at < end:
        tag, at = (message[at], at + 1) if message[at] < _MORE else _varint(message, at)
        number, kind = tag >> 3, tag & 7
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
    return found


class Message:
    """A message whose fields are read by number; of one that stands twice, the last counts."""

    def __init__(self, message: bytes) -> None:
        """Read all of it.

        Raises:
            WireError: It cannot be read.
        """
        self._fields = _fields(message)

    def value(self, number: int) -> int | bytes | None:
        """A field as it stands there; None when absent."""
        return self._fields.get(number)

    def integer(self, number: int) -> int:
        """An int64, 0 when absent.

        Raises:
            WireError: It is none.
        """
        value = self._fields.get(number, 0)
        if not isinstance(value, int):
            raise WireError(f"field {number} is no number")
        return value

    def data(self, number: int) -> bytes:
        """Bytes, empty when absent.

        Raises:
            WireError: It has none.
        """
        value = self._fields.get(number, b"")
        if not isinstance(value, bytes):
            raise WireError(f"field {number} is no text")
        return value

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
