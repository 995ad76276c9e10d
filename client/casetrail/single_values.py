"""A single value of a message's field, from how people write it."""

import base64
import binascii
import math
import re
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from casetrail import short_forms

_LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def scalar(kind: FieldDescriptor, text: str) -> Any:  # noqa: ANN401 - any protobuf scalar
    """A single value of a field.

    Raises:
        ValueError: The text does not stand for one.
    """
    if kind.enum_type is not None:
        return short_forms.enum_number(kind.enum_type, text)
    if kind.cpp_type in _LIMITS:
        return _whole_number(text, *_LIMITS[kind.cpp_type])
    if kind.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text not in ("true", "false"):
            raise ValueError(f"{short_forms.quoted(text)} is neither true nor false")
        return text == "true"
    if kind.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return _number(text)
    if kind.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(text)
    if not text.isprintable() and any(0xD800 <= ord(letter) < 0xE000 for letter in text):  # noqa: PLR2004 - surrogates
        raise ValueError("holds half a character (a lone surrogate)")
    return text


def nothing(kind: FieldDescriptor) -> Any:  # noqa: ANN401 - any protobuf scalar
    """What a field holds that says nothing."""
    return 0 if kind.enum_type is not None else kind.default_value


def _whole_number(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[-+]?[0-9][0-9_]{0,30}", text):
        raise ValueError(f"{short_forms.quoted(text)} is not a whole number")
    number = int(text.replace("_", ""))
    if not least <= number <= most:
        raise ValueError(f"{text} is not between {least} and {most}")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{short_forms.quoted(text)} is not a number")
    return number


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error
