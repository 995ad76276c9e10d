"""Keys, signed notes and co-signatures, to be checked (C2SP signed-note, tlog-checkpoint, cosignature/v1)."""

import binascii
import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from casetrail_verify.tree import HASH

LOG_KEY: Final = 0x01
"""Type of a key that signs a log's checkpoints."""

WITNESS_KEY: Final = 0x04
"""Type of a key that co-signs checkpoints of others, with the time."""

_PUBLIC: Final = 32
_KEY_HASH: Final = 4
_TIME: Final = 8
_NAME: Final = re.compile(r"[^\s+]+")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(Exception):
    """A key or a note is not what it should be."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key with its name: NAME+HASH+KEY, a *vkey*."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> "VerifierKey":
        """Read a vkey.

        Raises:
            NoteError: It is none.
        """
        name, hashed, encoded = [*vkey.split("+", 2), "", ""][:3]
        if name == "PRIVATE" and hashed == "KEY":
            raise NoteError("this is a private key, which nobody but its owner should ever see")
        data = unbase64(encoded)
        if not _NAME.fullmatch(name) or len(data) != 1 + _PUBLIC or data[0] not in (LOG_KEY, WITNESS_KEY):
            raise NoteError(f"{vkey!r} is no key of a log or a witness: NAME+HASH+KEY")
        key = cls(name, data[0], data[1:])
        if key.key_hash.hex() != hashed:
            raise NoteError(f"the key {vkey!r} does not match its hash: it was not copied whole")
        return key

    def __str__(self) -> str:
        """The vkey."""
        return f"{self.short}+{b64encode(bytes([self.kind]) + self.public).decode()}"

    @property
    def short(self) -> str:
        """Name and hash, which tell keys apart."""
        return f"{self.name}+{self.key_hash.hex()}"

    @property
    def key_hash(self) -> bytes:
        """Four bytes that tell the keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_KEY_HASH]

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made the signature of this message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def cosigned(self, body: str, signature: bytes) -> bool:
        """Whether this witness's key made the co-signature of a note's body."""
        seconds = int.from_bytes(signature[:_TIME], "big")
        return self.signed(f"cosignature/v1\ntime {seconds}\n{body}".encode(), signature[_TIME:])


@dataclass(frozen=True)
class Checkpoint:
    """A signed note about a tree: read, not yet checked.

    Attributes:
        origin: Which log.
        size: How many leaves its tree has.
        root: Of the tree.
        body: What is signed.
        signatures: Name, key hash and signature of each line.
    """

    origin: str
    size: int
    root: bytes
    body: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> "Checkpoint":
        """Read a note.

        Raises:
            NoteError: It is none.
        """
        text, separator, lines = note.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise NoteError("it is no signed note: a text, an empty line, lines of signatures")
        origin, size, root, *extensions = [*text.split("\n"), "", ""]
        if not origin or not _SIZE.fullmatch(size) or len(unbase64(root)) != HASH or "" in extensions[:-2]:
            raise NoteError("it is no checkpoint: origin, size and root")
        signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
        return cls(origin, int(size), unbase64(root), f"{text}\n", signatures)

    def by(self, key: VerifierKey) -> Iterator[bytes]:
        """The signatures in the name of a key."""
        return (
            signature for name, key_hash, signature in self.signatures if name == key.name and key_hash == key.key_hash
        )


def body_of(origin: str, size: int, root: bytes) -> str:
    """The text that is signed of a tree."""
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n"


def unbase64(text: str) -> bytes:
    """Read base64 as it is written, with padding and nothing besides; what is none is empty."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        return b""
    return data if b64encode(data).decode() == text else b""


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, name, encoded = [*line.split(" ", 2), "", ""][:3]
    data = unbase64(encoded)
    if dash != "—" or not _NAME.fullmatch(name) or len(data) <= _KEY_HASH:
        raise NoteError(f"it has a line that is no signature: {line!r}")
    return name, data[:_KEY_HASH], data[_KEY_HASH:]
