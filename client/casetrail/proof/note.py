"""Signed notes: checkpoints of logs, and the co-signatures of witnesses.

Formats: C2SP signed-note, tlog-checkpoint and cosignature/v1.

Needs `cryptography`: install `casetrail[proof]`.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from casetrail.proof import ProofError

LOG_KEY: Final = 1
"""Type of a key that signs checkpoints of its log."""

WITNESS_KEY: Final = 4
"""Type of a key that co-signs checkpoints of others, with the time."""

_ED25519: Final = 32
_KEY_HASH: Final = 4
_TIME: Final = 8
_HASH: Final = 32
_NAME: Final = re.compile(r"[^\s+]+")
_SIZE: Final = re.compile(r"0|[1-9][0-9]*")
_BODY_LINES: Final = 3
_PRIVATE: Final = "PRIVATE+KEY+"


class NoteError(ProofError):
    """A key, a note or a signature is not what it should be."""


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
        name, hashed, encoded = _parted(vkey, "verifier key")
        data = _decoded(encoded, "verifier key")
        if len(data) != 1 + _ED25519 or data[0] not in (LOG_KEY, WITNESS_KEY):
            raise NoteError(f"{vkey!r} is no Ed25519 key of a log or a witness")
        key = cls(name, data[0], data[1:])
        if key.key_hash.hex() != hashed:
            raise NoteError(f"the key of {name!r} does not match its hash: it was not copied whole")
        return key

    def __str__(self) -> str:
        return f"{self.short}+{_encoded(bytes([self.kind]) + self.public)}"

    @property
    def short(self) -> str:
        """Name and hash, which tell keys apart."""
        return f"{self.name}+{self.key_hash.hex()}"

    @cached_property
    def key_hash(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_KEY_HASH]

    def check(self, signature: bytes, message: bytes) -> None:
        """Check a bare Ed25519 signature.

        Raises:
            NoteError: It is not by this key, or not of this message.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise NoteError(f"the signature of {self.name} is wrong") from error


class SigningKey:
    """A private key with its name.

    Attributes:
        verifier: Its public part.
    """

    def __init__(self, name: str, kind: int, private: Ed25519PrivateKey) -> None:
        """Use a private key; see `generate` and `parse`."""
        if not _NAME.fullmatch(name):
            raise NoteError(f"{name!r} is no name of a key: it may have no space and no +")
        self.verifier = VerifierKey(name, kind, private.public_key().public_bytes_raw())
        self._private = private

    @classmethod
    def generate(cls, name: str, kind: int = LOG_KEY) -> "SigningKey":
        """A new key.

        Raises:
            NoteError: The name cannot be one.
        """
        return cls(name, kind, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, secret: str) -> "SigningKey":
        """Read a key as `secret` writes it.

        Raises:
            NoteError: It is none. The message does not quote it.
        """
        if not secret.startswith(_PRIVATE):
            raise NoteError(f"this is no private key: one begins with {_PRIVATE}")
        name, hashed, encoded = _parted(secret.removeprefix(_PRIVATE).strip(), "private key", quoting=False)
        data = _decoded(encoded, "private key")
        if len(data) != 1 + _ED25519 or data[0] not in (LOG_KEY, WITNESS_KEY):
            raise NoteError("this is no private Ed25519 key of a log or a witness")
        key = cls(name, data[0], Ed25519PrivateKey.from_private_bytes(data[1:]))
        if key.verifier.key_hash.hex() != hashed:
            raise NoteError(f"the private key of {name} does not match its hash: it was not copied whole")
        return key

    @property
    def secret(self) -> str:
        """The key in one line, to be stored where nobody else can read it."""
        data = bytes([self.verifier.kind]) + self._private.private_bytes_raw()
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.key_hash.hex()}+{_encoded(data)}"

    def sign(self, message: bytes) -> bytes:
        """A bare Ed25519 signature, 64 bytes."""
        return self._private.sign(message)

    def line(self, body: str) -> str:
        """The log's signature line of a note's body."""
        return signature_line(self.verifier, self.sign(body.encode()))

    def cosign(self, body: str, seconds: int) -> str:
        """A witness's signature line: it has seen this body, and nothing that contradicts it, up to this time."""
        signature = self.sign(_cosigned(body, seconds))
        return signature_line(self.verifier, seconds.to_bytes(_TIME, "big") + signature)


@dataclass(frozen=True)
class TreeNote:
    """What a checkpoint says.

    Attributes:
        origin: Which log.
        size: How many leaves its tree has.
        root: Of the tree.
        extensions: Further lines, which are signed and mean nothing to us.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, _encoded(self.root), *self.extensions))


@dataclass(frozen=True)
class Cosignature:
    """That a witness has seen a checkpoint, and nothing that contradicts it.

    Attributes:
        witness: Its key.
        seconds: When, in seconds since 1970.
    """

    witness: VerifierKey
    seconds: int


@dataclass(frozen=True)
class SignedNote:
    """A checkpoint with its signature lines, read but not yet checked.

    Attributes:
        tree: What it says.
        text: All of it.
        lines: Its signatures: name, key hash and the rest.
    """

    tree: TreeNote
    text: str
    lines: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, text: str) -> "SignedNote":
        """Read a checkpoint.

        Raises:
            NoteError: It is none.
        """
        body, empty, signatures = text.rpartition("\n\n")
        if not empty or not text.endswith("\n"):
            raise NoteError("this is no signed note: a text, an empty line, signature lines")
        lines = tuple(_signature(line) for line in signatures.removesuffix("\n").split("\n"))
        return cls(_tree(f"{body}\n"), text, lines)

    def signed_by(self, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
        """Which of these keys of logs have signed it.

        Raises:
            NoteError: A signature in the name of one of them is wrong.
        """
        found = []
        for key, signature in self._of(keys, LOG_KEY):
            key.check(signature, self.tree.body.encode())
            found.append(key)
        return found

    def cosigned_by(self, keys: Iterable[VerifierKey]) -> list[Cosignature]:
        """Which of these keys of witnesses have signed it, and when.

        Raises:
            NoteError: A signature in the name of one of them is wrong.
        """
        found = []
        for key, signature in self._of(keys, WITNESS_KEY):
            seconds = int.from_bytes(signature[:_TIME], "big")
            key.check(signature[_TIME:], _cosigned(self.tree.body, seconds))
            found.append(Cosignature(key, seconds))
        return found

    def _of(self, keys: Iterable[VerifierKey], kind: int) -> list[tuple[VerifierKey, bytes]]:
        known = {(key.name, key.key_hash): key for key in keys if key.kind == kind}
        return [
            (known[name, key_hash], signature) for name, key_hash, signature in self.lines if (name, key_hash) in known
        ]


def signature_line(key: VerifierKey, signature: bytes) -> str:
    """A line of a note that says who signed it."""
    return f"— {key.name} {_encoded(key.key_hash + signature)}\n"


def signed(tree: TreeNote, lines: Sequence[str]) -> str:
    """The note that these lines make of a body."""
    return f"{tree.body}\n{''.join(lines)}"


def keys_of(text: str) -> list[VerifierKey]:
    """Read a file of vkeys, one a line; empty lines and comments (#) are skipped.

    Raises:
        NoteError: A line is none.
    """
    lines = (line.strip() for line in text.splitlines())
    return [VerifierKey.parse(line) for line in lines if line and not line.startswith("#")]


def _cosigned(body: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{body}".encode()


def _tree(body: str) -> TreeNote:
    lines = body.removesuffix("\n").split("\n")
    if len(lines) < _BODY_LINES or not all(lines):
        raise NoteError("this is no checkpoint: origin, size and root, each on a line of its own")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise NoteError(f"the size of the checkpoint is no number: {size!r}")
    hashed = _decoded(root, "root of the checkpoint")
    if len(hashed) != _HASH:
        raise NoteError("the root of the checkpoint is no SHA-256")
    return TreeNote(origin, int(size), hashed, tuple(extensions))


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or not _NAME.fullmatch(name):
        raise NoteError(f"this is no signature line: {line!r}")
    data = _decoded(encoded, f"signature of {name}")
    if len(data) <= _KEY_HASH:
        raise NoteError(f"the signature of {name} is too short")
    return name, data[:_KEY_HASH], data[_KEY_HASH:]


def _parted(text: str, what: str, *, quoting: bool = True) -> tuple[str, str, str]:
    # The last part is base64, in which there can be a +; a name has none.
    name, first, rest = text.partition("+")
    hashed, second, encoded = rest.partition("+")
    if not first or not second or not _NAME.fullmatch(name):
        raise NoteError(f"this is no {what} (NAME+HASH+KEY){f': {text!r}' if quoting else ''}")
    return name, hashed, encoded


def _decoded(text: str, what: str) -> bytes:
    try:
        data = b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise NoteError(f"the {what} is no base64") from error
    if _encoded(data) != text:
        raise NoteError(f"the {what} is no base64 as it is written today")
    return data


def _encoded(data: bytes) -> str:
    return b64encode(data).decode()
