"""For whoever talks to Casetrail's workflows through Temporal: what may be personal is encrypted before it leaves.

    converter = casetrail.temporal.data_converter(Path("payload-keys"))
    temporal = await temporalio.client.Client.connect("temporal.example:7233", data_converter=converter)

Payloads of messages whose contract marks personal fields are encrypted, and so are messages and stack traces of
failures, which may quote them. All others stay readable, and what was written before, or by others, in plain is read
as it is. Install `casetrail[temporal]`.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

from google.protobuf.descriptor_pool import Default
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    PayloadCodec,
    PayloadConverter,
)

from casetrail.key_file import KeyFileError
from casetrail.payload_keys import PayloadKeys
from casetrail.personal import may_be_personal

_ENCODING: Final = "encoding"
_MESSAGE_TYPE: Final = "messageType"
_KEY_ID: Final = "encryption-key-id"
_ENCRYPTED: Final = b"binary/encrypted"
_WHY: Final = "why"
_UNOPENED: Final = "casetrail/unopened"
_FAILURE: Final = Failure.DESCRIPTOR.full_name.encode()

_log = logging.getLogger(__name__)


def data_converter(keys: Path) -> DataConverter:
    """Temporal's data converter, with the keys of this file.

    Raises:
        KeyFileError: There is no such file, or it cannot be used.
    """
    return replace(
        DataConverter.default,
        payload_codec=PersonalCodec(PayloadKeys(keys)),
        payload_converter_class=PayloadsThatOpen,
        failure_converter_class=QuotingFailures,
    )


class PersonalCodec(PayloadCodec):
    """Encrypts the payloads that may hold personal data, and no other."""

    def __init__(self, keys: PayloadKeys) -> None:
        """Encrypt and decrypt with these keys."""
        self._keys = keys

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt what may be personal; what could not be opened goes back as it came."""
        return [self._encoded(each) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is encrypted.

        What cannot be opened fails whoever wants to read it, not here: an update that a stranger sends would hold up
        all the work of its workflow.
        """
        return [self._decrypted(each) if each.metadata.get(_ENCODING) == _ENCRYPTED else each for each in payloads]

    def _encoded(self, payload: Payload) -> Payload:
        if not _may_be_personal(payload):
            return payload
        if payload.metadata.get(_ENCODING) == _UNOPENED.encode():
            return Payload.FromString(payload.data)
        key_id, ciphertext = self._keys.encrypt(payload.SerializeToString())
        # What kind of message it is stays readable.
        metadata = {_ENCODING: _ENCRYPTED, _KEY_ID: key_id.encode(), _MESSAGE_TYPE: payload.metadata[_MESSAGE_TYPE]}
        return Payload(metadata=metadata, data=ciphertext)

    def _decrypted(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        try:
            return Payload.FromString(self._keys.decrypt(key_id, payload.data))
        except KeyFileError as error:
            # Where a history is replayed, Temporal will call it nondeterminism.
            _log.error("a payload of Temporal's cannot be opened: %s", error)
            metadata = {**payload.metadata, _ENCODING: _UNOPENED.encode(), _WHY: str(error).encode()}
            return Payload(metadata=metadata, data=payload.SerializeToString())


class PayloadsThatOpen(CompositePayloadConverter):
    """Temporal's own conversion, and an error for each payload that could not be opened."""

    def __init__(self) -> None:
        """Temporal makes one for every workflow."""
        super().__init__(*DefaultPayloadConverter.default_encoding_payload_converters, _Unopened())


class _Unopened(EncodingPayloadConverter):
    @property
    def encoding(self) -> str:
        return _UNOPENED

    def to_payload(self, value: object) -> None:
        del value  # others convert

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> NoReturn:
        del type_hint
        raise KeyFileError(payload.metadata[_WHY].decode())


class QuotingFailures(DefaultFailureConverter):
    """Puts message and stack trace of a failure into a payload that is encrypted; its type stays readable.

    Of keys that are missing, everything does: nobody else could say so.
    """

    def __init__(self) -> None:
        """Temporal makes one for every workflow."""
        super().__init__(encode_common_attributes=True)

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Convert an exception, and what caused it."""
        if isinstance(exception, KeyFileError):
            DefaultFailureConverter.default.to_failure(exception, payload_converter, failure)
            return
        super().to_failure(exception, payload_converter, failure)
        failure.encoded_attributes.metadata[_MESSAGE_TYPE] = _FAILURE


def _may_be_personal(payload: Payload) -> bool:
    message_type = payload.metadata.get(_MESSAGE_TYPE)
    if not message_type or payload.metadata.get(_ENCODING) == _ENCRYPTED:
        return False
    return _marked(message_type)


@cache
def _marked(message_type: bytes) -> bool:
    if message_type == _FAILURE:
        return True
    try:
        return may_be_personal(Default().FindMessageTypeByName(message_type.decode()))
    except KeyError:
        return True  # nobody here knows what it holds
