"""The verifier reads lines and messages of the right form only: what has another is refused, and never guessed."""

from typing import Any

import pytest

from casetrail_verify import lines
from casetrail_verify.lines import LineError
from casetrail_verify.wire import Message, WireError
from tests.verify.forging import b64, proto, varint

SHA256 = "ab" * 32
FIXED = bytes([3 << 3 | 5]) + b"1234" + bytes([4 << 3 | 1]) + b"12345678"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"7",
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":1}x',
        b'{"a":"\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=range(9),
)
def test_a_line_is_one_object_that_names_no_member_twice(line: bytes) -> None:
    with pytest.raises(LineError):
        lines.parse(line)


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (lines.text, ["", "a"], [None, 7, ["a"]]),
        (lines.integer, [0, -1, 2**64], [None, "7", 7.0, True]),
        (lines.data, ["", "YQ=="], [None, "YQ", "Y_==", "é", "YQ==\n"]),
        (lines.hashed, [SHA256], [None, "", SHA256[:-2], SHA256 + "ab", SHA256.upper(), f" {SHA256}", "xy" * 32]),
        (lines.texts, [[], ["a", ""]], [None, "a", ["a", 7]]),
        (lines.hashes, [[], [b64(bytes(32))]], ["a", ["YQ=="], [b64(bytes(32)), b64(bytes(33))]]),
    ],
)
def test_a_member_is_of_its_form(read: Any, right: list[Any], wrong: list[Any]) -> None:  # noqa: ANN401 - a reader of any form
    for value in right:
        read({"name": value}, "name")
    for value in wrong:
        with pytest.raises(LineError, match="name"):
            read({"name": value}, "name")


@pytest.mark.parametrize("read", [lines.text, lines.integer, lines.data, lines.hashed])
def test_a_member_that_is_missing_is_named(read: Any) -> None:  # noqa: ANN401 - a reader of any form
    with pytest.raises(LineError, match="lacks 'name'"):
        read({"other": 1}, "name")


def test_a_list_that_is_missing_is_empty() -> None:
    assert (lines.texts({}, "name"), lines.hashes({}, "name")) == ([], [])


def test_a_message_is_read_by_the_numbers_of_its_fields() -> None:
    message = Message(proto((1, 300), (2, "text"), (2, "last"), (20, 2**64 - 1)) + FIXED)

    assert (message.integer(1), message.text(2), message.integer(20)) == (300, "last", 2**64 - 1)
    assert (message.value(3), message.value(4), message.value(5)) == (b"1234", b"12345678", None)
    assert (message.integer(5), message.data(5), message.text(5)) == (0, b"", "")


@pytest.mark.parametrize(
    "message",
    [
        b"\x08",  # a number that is not there
        b"\x08\x80",  # one that goes on
        b"\x08" + b"\x80" * 10 + b"\x01",  # one of too many bytes
        b"\x80",  # a field's number that goes on
        proto((1, "text"))[:-1],
        FIXED[:-1],
        b"\x0b",  # a group begins
        b"\x0e",  # there is no such kind
        bytes([1 << 3 | 2]) + varint(2**63) + b"x",
    ],
)
def test_a_message_that_ends_early_or_holds_what_none_can_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        Message(message)


def test_a_field_of_another_form_is_refused() -> None:
    message = Message(proto((1, 7), (2, b"\xff")))

    for read in (message.data, message.text):
        with pytest.raises(WireError, match="field 1"):
            read(1)
    with pytest.raises(WireError, match="field 2"):
        message.integer(2)
    with pytest.raises(WireError, match="field 2"):
        message.text(2)
