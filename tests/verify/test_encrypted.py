"""A payload whose personal fields are encrypted: it names its key, and so must its column."""

import pytest

from casetrail.v1.event_pb2 import Event, Replied
from casetrail.v1.types_pb2 import Encrypted, Words
from casetrail_verify.events import is_key

ENCRYPTED = Event(encrypted=Encrypted(key_id="k1", ciphertext=b"z" * 40), replied=Replied()).SerializeToString()
OPEN = Event(replied=Replied(words=Words(text="zzz"))).SerializeToString()


@pytest.mark.parametrize(
    ("dek_id", "payload", "right"),
    [
        ("k1", ENCRYPTED, True),
        ("k2", ENCRYPTED, False),
        (None, ENCRYPTED, False),
        (None, OPEN, True),
        ("k1", OPEN, False),
        ("k1", ENCRYPTED[:-1], False),
        ("k1", b"\x7a\xff", False),
        (None, b"", True),
    ],
)
def test_the_column_names_the_key_that_the_payload_names(dek_id: str | None, payload: bytes, *, right: bool) -> None:
    assert is_key(dek_id, payload) is right
