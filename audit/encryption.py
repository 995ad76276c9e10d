"""How the personal fields of an event or a case are encrypted, so that destroying a key erases them.

They are taken out of the message, which stays readable without them, and put beside the rest as `encrypted`: by
AES-256-GCM with the key of whom they are about, bound to the place where they belong. What is hashed is the message
with them in this form, so that every proof holds whether the key exists or not.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError

from audit.log import LogDamagedError
from casetrail.ciphertext import decrypted, encrypted
from casetrail.personal import put_back
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Encrypted, PersonalFields


class KeyMissingError(LogDamagedError):
    """A key that was never destroyed is not there."""


class Key(NamedTuple):
    """The key of one subject's personal data.

    Attributes:
        key_id: Its name.
        cipher: With the key in it.
        renewed: Whether an earlier key of this subject was destroyed.
    """

    key_id: str
    cipher: AESGCM
    renewed: bool = False


Keys = Mapping[str, Key | None]
"""Keys by their names; None for one that was destroyed."""


def event_place(case_id: str, seq: int) -> str:
    """Where an event's personal fields belong."""
    return f"casetrail/event/{case_id}:{seq}"


def case_place(case: Case) -> str:
    """Where a case's personal fields belong: to this case as it was after this event."""
    return f"casetrail/case/{case.case_id}:{case.seq}"


def encrypted_fields(taken: PersonalFields, key: Key, place: str) -> Encrypted:
    """Personal fields that were taken out of a message, encrypted."""
    return Encrypted(key_id=key.key_id, ciphertext=encrypted(key.cipher, taken.SerializeToString(), place))


def decrypt(message: Event | Case, keys: Keys, place: str) -> None:
    """Decrypt the personal fields of a message, in it; where their key was destroyed they stay empty.

    Raises:
        KeyMissingError: The key is not there.
        LogDamagedError: It does not open them.
    """
    if not message.HasField("encrypted"):
        return
    key_id, ciphertext = message.encrypted.key_id, message.encrypted.ciphertext
    if key_id not in keys:
        raise KeyMissingError(f"the key {key_id} of {place} is missing: restore the subjects' keys")
    message.ClearField("encrypted")
    key = keys[key_id]
    if key is None:
        message.erased = True
        return
    try:
        put_back(message, PersonalFields.FromString(decrypted(key.cipher, ciphertext, place)))
    except (DecodeError, ValueError) as error:
        raise LogDamagedError(f"the personal fields of {place} cannot be opened with their key {key_id}") from error
