"""Case numbers that can be read over a phone, such as `INQ-7K3-M9Q-XDP`.

A number follows from the request that opens the case, so that the request repeated finds the same case. Its letters
are Crockford's base 32, which has no I, L, O and U; the last one is a check character, so that a number misheard is
nobody else's.
"""

from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from typing import Final

from casetrail.v1.types_pb2 import Kind

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {letter: value for value, letter in enumerate(_LETTERS)}
_DRAWN: Final = 8
_PREFIXES: Final = {
    Kind.KIND_INQUIRY: "INQ",
    Kind.KIND_COMPLAINT: "CMP",
    Kind.KIND_RETURN: "RET",
    Kind.KIND_INCIDENT: "INC",
    Kind.KIND_DRILL: "DRL",
}


def numbers(kind: Kind.ValueType, principal: str, request_id: str) -> Iterator[str]:
    """Every number that a request may get: the first, and the next ones in case another request has it."""
    for attempt in count():
        drawn = _drawn(f"{principal}\0{request_id}\0{attempt}")
        letters = drawn + check_letter(drawn)
        yield f"{_PREFIXES[kind]}-{letters[:3]}-{letters[3:6]}-{letters[6:]}"


def check_letter(letters: str) -> str:
    """The letter that makes a number whole, by Luhn's rule in base 32.

    It finds every single wrong letter, and every two neighbours exchanged except 0 and Z.
    """
    total = sum(_weigh(_VALUES[letter], place) for place, letter in enumerate(reversed(letters)))
    return _LETTERS[-total % len(_LETTERS)]


def _weigh(value: int, place: int) -> int:
    """Double every other letter's value, from the last one on, and add the digits of what comes out."""
    if place % 2:
        return value
    return sum(divmod(2 * value, len(_LETTERS)))


def _drawn(seed: str) -> str:
    bits = int.from_bytes(sha256(seed.encode()).digest()[:5], "big")
    return "".join(_LETTERS[bits >> 5 * place & 31] for place in reversed(range(_DRAWN)))
