"""The key-encryption keys: what the subjects' keys are wrapped with, in a file apart from every database.

The file has one line a key, `casetrail-kek/v1 ID BASE64`, the newest last; usually there is one. Which of them is in
force is written beside the subjects' keys, so that a process with an old file notices. The file is made at the first
start, for its owner alone. Without it no subject's key can be read.
"""

import os
import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.durable import sync_folder
from audit.encryption import KEY_BYTES
from audit.log import LogDamagedError, LogUnavailableError

_HEAD: Final = "casetrail-kek/v1"
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_PARTS: Final = 3


class KeyEncryptionKeys:
    """The keys of a file.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, bytes] = {}

    def make(self) -> str:
        """Make the file with a first key, unless there is one; returns the newest key's id.

        Raises:
            LogUnavailableError: It cannot be written or read.
        """
        if not self.path.exists():
            self._write({secrets.token_hex(_ID_BYTES): secrets.token_bytes(KEY_BYTES)}, anew=True)
        self._read()
        return list(self._keys)[-1]

    def add(self) -> str:
        """Add a new key beside those that are there; returns its id.

        Raises:
            LogUnavailableError: The file cannot be written or read.
        """
        self._read()
        new = secrets.token_hex(_ID_BYTES)
        self._write({**self._keys, new: secrets.token_bytes(KEY_BYTES)})
        self._read()
        return new

    def keep_only(self, kek_id: str) -> None:
        """Let go of all keys but one.

        Raises:
            LogUnavailableError: The file cannot be written.
        """
        self._write({kek_id: self._key(kek_id)})
        self._read()

    def wrap(self, kek_id: str, key: bytes, about: str) -> bytes:
        """Encrypt a subject's key.

        Raises:
            LogUnavailableError: There is no such key-encryption key.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key(kek_id)).encrypt(nonce, key, about.encode())

    def unwrap(self, kek_id: str, wrapped: bytes, about: str) -> bytes:
        """Decrypt a subject's key.

        Raises:
            LogUnavailableError: There is no such key-encryption key.
            LogDamagedError: It is not what this was wrapped with, or this is about another subject.
        """
        try:
            return AESGCM(self._key(kek_id)).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], about.encode())
        except InvalidTag as error:
            raise LogDamagedError(f"the key {about} cannot be opened with {kek_id} in {self.path}") from error

    def check(self, kek_id: str) -> None:
        """Make sure that a key is there.

        Raises:
            LogUnavailableError: It is not, or the file cannot be used.
        """
        self._key(kek_id)

    def _key(self, kek_id: str) -> bytes:
        if kek_id not in self._keys:
            self._read()
        if kek_id not in self._keys:
            raise LogUnavailableError(
                f"the key-encryption key {kek_id} is not in {self.path}: restore that file, or copy it from where it is"
            )
        return self._keys[kek_id]

    def _read(self) -> None:
        try:
            if self.path.stat().st_mode & 0o077:
                raise LogUnavailableError(f"{self.path} can be read by others: `chmod 600 {self.path}`")
            lines = self.path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            raise LogUnavailableError(
                f"{self.path} is missing, and personal fields are encrypted with it: restore it"
            ) from None
        except OSError as error:
            raise LogUnavailableError(f"{self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LogUnavailableError(f"{self.path} is no file of key-encryption keys") from error
        self._keys = dict(self._parsed(line) for line in lines if line)
        if not self._keys:
            raise LogUnavailableError(f"{self.path} holds no key: restore it")

    def _parsed(self, line: str) -> tuple[str, bytes]:
        parts = line.split(" ")
        try:
            key = b64decode(parts[-1], validate=True)
        except ValueError:
            key = b""
        if len(parts) != _PARTS or parts[0] != _HEAD or len(key) != KEY_BYTES:
            raise LogUnavailableError(f"{self.path} is no file of key-encryption keys")
        return parts[1], key

    def _write(self, keys: dict[str, bytes], *, anew: bool = False) -> None:
        """Write the file whole; anew, only where no other process was faster."""
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        text = "".join(f"{_HEAD} {kek_id} {b64encode(key).decode()}\n" for kek_id, key in keys.items())
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if anew:
                _link(partial, self.path)
            else:
                partial.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise LogUnavailableError(f"{self.path} cannot be written: {error.strerror}") from error


def _link(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        pass  # theirs counts
    finally:
        partial.unlink()
