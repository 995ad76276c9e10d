"""A file with secret keys: a line a key, `HEAD ID BASE64`, the newest last, for its owner alone."""

from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

KEY_BYTES = 32
_PARTS = 3


class KeyFileError(Exception):
    """The file, or a key that it should have, cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where keys are, and what they are for.

    Attributes:
        path: The file.
        head: What each line begins with.
        use: For messages, for example "personal fields are encrypted with it".
    """

    path: Path
    head: str
    use: str

    def read(self) -> dict[str, bytes]:
        """The keys by their ids, the newest last; there is at least one.

        Raises:
            KeyFileError: There is no such file, or it cannot be used.
        """
        try:
            if self.path.stat().st_mode & 0o077:
                raise KeyFileError(f"{self.path} can be read by others: `chmod 600 {self.path}`")
            lines = self.path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            raise KeyFileError(f"{self.path} is missing, and {self.use}: restore it") from None
        except OSError as error:
            raise KeyFileError(f"{self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise self._is_none() from error
        keys = dict(self._parsed(line) for line in lines if line)
        if not keys:
            raise KeyFileError(f"{self.path} holds no key: restore it")
        return keys

    def _parsed(self, line: str) -> tuple[str, bytes]:
        parts = line.split(" ")
        try:
            key = b64decode(parts[-1], validate=True)
        except ValueError:
            key = b""
        if len(parts) != _PARTS or parts[0] != self.head or len(key) != KEY_BYTES:
            raise self._is_none()
        return parts[1], key

    def _is_none(self) -> KeyFileError:
        return KeyFileError(f"{self.path} is no file of keys that begin with {self.head}")
