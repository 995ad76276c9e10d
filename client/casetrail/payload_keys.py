"""The keys that personal data is encrypted with before Temporal gets it: AES-256-GCM, the newest of a file's keys.

All keys of the file decrypt, so that they can be changed while histories last that were encrypted with an older one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from casetrail.ciphertext import decrypted, encrypted
from casetrail.key_file import KeyFile, KeyFileError

_PLACE: Final = "casetrail/payload"


def payload_key_file(path: Path) -> KeyFile:
    """The file in this place."""
    return KeyFile(path, "casetrail-payload-key/v1", "what Temporal keeps is encrypted with it")


def path_from(environment: Mapping[str, str], data: Path) -> Path:
    """CASETRAIL_PAYLOAD_KEYS, or `payload-keys` in the data folder."""
    return Path(environment.get("CASETRAIL_PAYLOAD_KEYS") or data / "payload-keys")


class PayloadKeys:
    """The keys of a file, read again when one is asked for that was not there."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            KeyFileError: There is none, or it cannot be used.
        """
        self._file = payload_key_file(path)
        self._ciphers: dict[str, AESGCM] = {}
        self._newest = ""
        self._read()

    def encrypt(self, text: bytes) -> tuple[str, bytes]:
        """Encrypt with the newest key; returns its id too."""
        return self._newest, encrypted(self._ciphers[self._newest], text, _PLACE)

    def decrypt(self, key_id: str, ciphertext: bytes) -> bytes:
        """Decrypt what `encrypt` made, here or elsewhere.

        Raises:
            KeyFileError: The file does not have that key, or it does not open this.
        """
        if key_id not in self._ciphers:
            self._read()
        if key_id not in self._ciphers:
            raise KeyFileError(
                f"the key {key_id!r} is not in {self._file.path}, and this payload is encrypted with it: restore that "
                "file, or copy it from where it is"
            )
        try:
            return decrypted(self._ciphers[key_id], ciphertext, _PLACE)
        except ValueError as error:
            raise KeyFileError(f"this payload cannot be opened with the key {key_id!r} in {self._file.path}") from error

    def _read(self) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in self._file.read().items()}
        self._newest = list(self._ciphers)[-1]
