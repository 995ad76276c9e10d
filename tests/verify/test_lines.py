"""The verifier reads lines and messages of the right form only: what has another is refused, and never guessed."""

from typing import Any

import pytest

from casetrail_verify import lines
from casetrail_verify.lines import LineError
from casetrail_verify.payload import body_of
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
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"a":' * 65 + b"7" + b"}" * 65,
    ],
    ids=range(11),
)
def test_a_line_is_one_object_that_names_no_member_twice(line: bytes) -> None:
    with pytest.raises(LineError):
        lines.parse(line)


def test_a_line_may_be_as_deep_as_no_format_is() -> None:
    assert lines.parse(b'{"a":' + b"[" * 63 + b"]" * 63 + b"}")
    assert lines.parse(b'{"a":[' + b"[]," * 1000 + b"[]]}")


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (lines.text, ["", "a", "\U0001f4dc"], [None, 7, ["a"], "\ud800"]),
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
    message = Message(proto((1, 300), (2, "text"), (20, 2**64 - 1)) + FIXED)

    assert (message.integer(1), message.text(2), message.integer(20)) == (300, "text", 2**64 - 1)
    assert message.numbers == {1, 2, 3, 4, 20}
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


@pytest.mark.parametrize("twice", [proto((1, 7), (1, 7)), proto((1, "a"), (1, "a")), proto((1, 7), (1, "a"))])
def test_a_field_that_stands_twice_is_read_by_nobody(twice: bytes) -> None:
    """Other readers would take the last, or join the two."""
    message = Message(twice + proto((2, 7)))

    assert message.integer(2) == 7
    for read in (message.value, message.integer, message.data, message.text):
        with pytest.raises(WireError, match="field 1 stands twice"):
            read(1)


def test_an_event_has_one_body_and_what_may_stand_beside_it() -> None:
    beside = proto((10, b"why"), (14, "activity"), (15, b"encrypted"))

    assert body_of(beside + proto((20, proto((1, 7)))), 20).integer(1) == 7
    for payload in (b"", beside, proto((21, b"")), proto((20, b""), (21, b""))):
        with pytest.raises(WireError, match="another body than 20, or others besides"):
            body_of(payload, 20)
    with pytest.raises(WireError, match="field 20 stands twice"):
        body_of(proto((20, b""), (20, b"")), 20)


def test_a_field_of_another_form_is_refused() -> None:
    message = Message(proto((1, 7), (2, b"\xff")))

    for read in (message.data, message.text):
        with pytest.raises(WireError, match="field 1"):
            read(1)
    with pytest.raises(WireError, match="field 2"):
        message.integer(2)
    with pytest.raises(WireError, match="field 2"):
        message.text(2)
