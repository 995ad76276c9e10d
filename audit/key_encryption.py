"""The key-encryption keys: what the subjects' keys are wrapped with, in a file apart from every database.

Usually the file has one key. Which of them is in force is written beside the subjects' keys, so that a process with an
old file notices. It is made at the first start. Without it no subject's key can be read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit import key_writing
from audit.log import LogDamagedError, LogUnavailableError
from casetrail.ciphertext import decrypted, encrypted
from casetrail.key_file import KeyFile, KeyFileError

_HEAD: Final = "casetrail-kek/v1"


class KeyEncryptionKeys:
    """The keys of a file.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = KeyFile(path, _HEAD, "personal fields are encrypted with it")
        self._keys: dict[str, bytes] = {}

    def make(self) -> str:
        """Make the file with a first key, unless there is one; returns the newest key's id.

        Raises:
            LogUnavailableError: It cannot be written or read.
        """
        with _unavailable():
            self._keys = key_writing.make(self._file)
        return list(self._keys)[-1]

    def add(self) -> str:
        """Add a new key beside those that are there; returns its id.

        Raises:
            LogUnavailableError: The file cannot be written or read.
        """
        with _unavailable():
            self._keys = key_writing.add(self._file)
        return list(self._keys)[-1]

    def keep_only(self, kek_id: str) -> None:
        """Let go of all keys but one.

        Raises:
            LogUnavailableError: The file cannot be written.
        """
        with _unavailable():
            self._keys = key_writing.keep_only(self._file, kek_id)

    def wrap(self, kek_id: str, key: bytes, about: str) -> bytes:
        """Encrypt a subject's key.

        Raises:
            LogUnavailableError: There is no such key-encryption key.
        """
        return encrypted(AESGCM(self._key(kek_id)), key, about)

    def unwrap(self, kek_id: str, wrapped: bytes, about: str) -> bytes:
        """Decrypt a subject's key.

        Raises:
            LogUnavailableError: There is no such key-encryption key.
            LogDamagedError: It is not what this was wrapped with, or this is about another subject.
        """
        try:
            return decrypted(AESGCM(self._key(kek_id)), wrapped, about)
        except ValueError as error:
            raise LogDamagedError(f"the key {about} cannot be opened with {kek_id} in {self.path}") from error

    def check(self, kek_id: str) -> None:
        """Make sure that a key is there.

        Raises:
            LogUnavailableError: It is not, or the file cannot be used.
        """
        self._key(kek_id)

    def _key(self, kek_id: str) -> bytes:
        if kek_id not in self._keys:
            with _unavailable():
                self._keys = self._file.read()
        if kek_id not in self._keys:
            raise LogUnavailableError(
                f"the key-encryption key {kek_id} is not in {self.path}: restore that file, or copy it from where it is"
            )
        return self._keys[kek_id]


@contextmanager
def _unavailable() -> Iterator[None]:
    """Without the file, the log cannot be used."""
    try:
        yield
    except KeyFileError as error:
        raise LogUnavailableError(str(error)) from error
