"""The log's signing key, and what it signs.

The private key is a file of its own in a folder that only the servers of this log read; it is made at the first start.
Which key signs from when on is written in the log: a change of key is an event, signed by the old key and the new one.
Several servers may share the folder. Before a tree is signed, whoever signs looks whether a change is under way or was
made: the file of the next key is there before the event is written, and goes only when it takes the old one's place.

`log.key`       the private key
`log.key.next`  the one that is being changed to; only for the moment of a change
`log.vkey`      the public keys, the oldest first; for auditors
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from audit.durable import make_folder, sync_folder, write_private, write_public
from audit.key_changes import KeyChangeError, KeyHistory, change_statement
from audit.log import LOG_ITSELF, Checkpoint, Log
from audit.own_events import record
from casetrail.proof.note import NoteError, SignedNote, SigningKey, TreeNote, VerifierKey, signature_line, signed
from casetrail.v1.event_pb2 import Event, SigningKeyChanged
from casetrail.v1.types_pb2 import Actor

_PAGE: Final = 500
_ABANDONED: Final = 60.0  # seconds after which a change that was begun is not going on any more
_REMEMBERED: Final = 64  # signed trees: those of commits that are being answered


class KeyRefusedError(Exception):
    """The signing key cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class SignedTree:
    """A tree of the log, and the log's signature.

    Attributes:
        tree: Origin, size and root.
        key: That signed it.
        signature: Over the tree's body, 64 bytes.
    """

    tree: TreeNote
    key: VerifierKey
    signature: bytes

    @property
    def note(self) -> str:
        """The checkpoint, as it is published."""
        return signed(self.tree, [signature_line(self.key, self.signature)])


@dataclass(frozen=True, slots=True)
class _Term:
    """From which position on a key signs; None where its private part is gone already."""

    since: int
    key: SigningKey | None


def origin_of(log_id: str) -> str:
    """What checkpoints call a log."""
    return f"casetrail/{log_id}"


class Notary:
    """Signs what the log is.

    Attributes:
        origin: What checkpoints call the log.
        keys: All that it ever had, the oldest first.
    """

    def __init__(self, log: Log, origin: str, folder: Path, keys: Sequence[VerifierKey], term: _Term) -> None:
        """Sign with the key of this term; see `open`."""
        self.origin = origin
        self.keys: list[VerifierKey] = list(keys)
        self._log = log
        self._folder = folder
        self._seen = _mark(folder)
        self._terms = [term]
        self._signed: dict[tuple[int, bytes], SignedTree] = {}
        self._changing = asyncio.Lock()

    @classmethod
    async def open(cls, log: Log, folder: Path) -> "Notary":
        """Take the log's key from its folder, and make one when the log has never had any.

        Raises:
            KeyRefusedError: The key is missing, unreadable or not this log's, or was not changed to by the one before.
            LogUnavailableError: The log cannot be read.
        """
        origin = origin_of((await log.tree_head()).log)
        changes = await _changes(log)
        newest = await log.newest_checkpoint()
        with _using(folder):
            key = await asyncio.to_thread(_key_in, folder, origin, changes, newest)
            keys = _all_keys(changes, key)
            await asyncio.to_thread(_publish, folder, keys)
        return cls(log, origin, folder, keys, _Term(changes[-1].position if changes else 0, key))

    async def sign(self, size: int, root: bytes) -> SignedTree:
        """Sign a tree of the log that is committed, once, however many ask.

        Raises:
            KeyRefusedError: The keys cannot be used now, or that of this tree is gone: it was changed again meanwhile.
            LogUnavailableError: The key is being changed, and the log cannot be read.
        """
        known = self._signed.get((size, root))
        if known is not None:
            return known
        with _using(self._folder):
            mark = _mark(self._folder)
        if mark != self._seen or mark.changing:
            await self._learn_changes()
            self._seen = mark
        key = next(term.key for term in reversed(self._terms) if term.since <= size or term is self._terms[0])
        if key is None:
            raise KeyRefusedError(f"the key of the tree of {size} events is gone; ask again for a newer one")
        tree = TreeNote(self.origin, size, root)
        made = SignedTree(tree, key.verifier, key.sign(tree.body.encode()))
        if len(self._signed) >= _REMEMBERED:
            del self._signed[next(iter(self._signed))]
        self._signed[size, root] = made
        return made

    async def change_key(self, *, request_id: str, actor: Actor) -> Event:
        """Sign with a new key from now on.

        The old private key is gone afterwards: nobody can sign with it what comes later.

        Returns:
            The event that says so; of the same request, always the same one.

        Raises:
            KeyRefusedError: The folder cannot be written; the old key goes on.
            LogUnavailableError: Nothing has happened, or the same request again tells.
        """
        async with self._changing:
            await self._learn_changes()
            old = self._terms[-1].key
            if old is None:
                raise KeyRefusedError("another server has just changed the key: ask again")
            try:
                new = await asyncio.to_thread(_next_key, self._folder, self.origin)
            except OSError as error:
                raise KeyRefusedError(f"no new key can be kept in {self._folder}: {error.strerror}") from error
            statement = change_statement(self.origin, old.verifier, new.verifier)
            event = await record(
                self._log,
                SigningKeyChanged(
                    old_key=str(old.verifier),
                    new_key=str(new.verifier),
                    signature=old.sign(statement),
                    new_signature=new.sign(statement),
                ),
                key=request_id,
                actor=actor,
            )
            if event.signing_key_changed.new_key == str(new.verifier):
                await self._learn_changes()
                await self._settle()
            else:
                await asyncio.to_thread(_next_path(self._folder).unlink)
            return event

    async def _learn_changes(self) -> None:
        """Learn of changes of the key that the log has and we do not know, ours included.

        Raises:
            KeyRefusedError: The folder cannot be read.
            LogUnavailableError: The log cannot be read.
        """
        changes = await _changes(self._log)
        if len(changes) < len(self.keys):
            return
        with _using(self._folder):
            private = await asyncio.to_thread(_keys_in, self._folder)
        for change in changes[len(self.keys) - 1 :]:
            vkey = change.signing_key_changed.new_key
            self._terms.append(_Term(change.position, private.get(vkey)))
            self.keys.append(VerifierKey.parse(vkey))

    async def _settle(self) -> None:
        """Put the new key in the place of the old one.

        Raises:
            KeyRefusedError: That fails; the next start tries again.
        """
        try:
            await asyncio.to_thread(_promote, self._folder)
            await asyncio.to_thread(_publish, self._folder, self.keys)
        except OSError as error:
            raise KeyRefusedError(
                f"the log signs with the new key, but {self._folder} cannot be written: {error.strerror}; keep "
                "log.key.next: the next start needs it"
            ) from error


@contextmanager
def _using(folder: Path) -> Iterator[None]:
    """Use the keys in a folder.

    Raises:
        KeyRefusedError: They cannot be used.
    """
    try:
        yield
    except OSError as error:
        raise KeyRefusedError(f"the keys in {folder} cannot be used: {error.strerror}") from error
    except NoteError as error:
        raise KeyRefusedError(f"the keys in {folder} cannot be used: {error}") from error


class _Mark(NamedTuple):
    """What tells that the keys in the folder have changed, or are about to."""

    file: int
    written_at: int
    changing: bool


def _mark(folder: Path) -> _Mark:
    try:
        found = _path(folder).stat()
    except FileNotFoundError:
        return _Mark(0, 0, changing=True)
    return _Mark(found.st_ino, found.st_mtime_ns, changing=_next_path(folder).exists())


async def _changes(log: Log) -> list[Event]:
    changes: list[Event] = []
    seq = 0
    while events := await log.events(LOG_ITSELF, after_seq=seq, limit=_PAGE):
        changes += (event for event in events if event.HasField("signing_key_changed"))
        seq = events[-1].seq
    return changes


def _key_in(folder: Path, origin: str, changes: Sequence[Event], newest: Checkpoint | None) -> SigningKey:
    """The key that signs now. Finishes a change that was interrupted after its event was written."""
    make_folder(folder)
    current = changes[-1].signing_key_changed.new_key if changes else None
    following = _next_path(folder)
    if following.exists():
        if str(_read(following).verifier) == current:
            _promote(folder)
        elif (
            time.time() - following.stat().st_mtime > _ABANDONED
        ):  # else another server may be about to write the event
            following.unlink()
    path = _path(folder)
    if not path.exists():
        if newest is not None or changes:
            raise KeyRefusedError(f"the log's key {path} is missing, and the log has been signed: restore it")
        write_private(path, f"{SigningKey.generate(origin).secret}\n", anew=True)
    sync_folder(folder)  # who made or changed it may have died before its name was on the disk
    key = _read(path)
    if key.verifier.name != origin:
        raise KeyRefusedError(
            f"{path} is the key of {key.verifier.name}, and this log is {origin}: restore the database of that one, or "
            "where this is the right one, its key"
        )
    if current is not None and str(key.verifier) != current:
        raise KeyRefusedError(f"{path} is not the key that the log was changed to last ({current}): restore that one")
    if current is None and newest is not None and not SignedNote.parse(newest.note).signed_by([key.verifier]):
        raise KeyRefusedError(f"{path} is not the key that has signed the log's checkpoints: restore that one")
    return key


def _all_keys(changes: Sequence[Event], key: SigningKey) -> Sequence[VerifierKey]:
    """The public keys, from the first to the one that signs now, which vouches for those before it."""
    if not changes:
        return [key.verifier]
    try:
        return KeyHistory.of(VerifierKey.parse(changes[0].signing_key_changed.old_key), changes).keys
    except (KeyChangeError, NoteError) as error:
        raise KeyRefusedError(
            f"a change of the log's key does not hold: {error}; the log was changed: run `casetrail-db verify`"
        ) from error


def _keys_in(folder: Path) -> dict[str, SigningKey]:
    """The private keys that are there, the next one included, by their vkeys."""
    found = {}
    for path in (_next_path(folder), _path(folder)):
        try:
            key = _read(path)
        except FileNotFoundError:
            continue
        found[str(key.verifier)] = key
    return found


def _next_key(folder: Path, origin: str) -> SigningKey:
    """The key to change to: the one that an interrupted change has left, or a new one."""
    path = _next_path(folder)
    if not path.exists():
        write_private(path, f"{SigningKey.generate(origin).secret}\n", anew=True)
    path.touch()  # not abandoned
    sync_folder(folder)  # who began may have died before its name was on the disk
    return _read(path)


def _promote(folder: Path) -> None:
    _next_path(folder).replace(_path(folder))
    sync_folder(folder)


def _publish(folder: Path, keys: Sequence[VerifierKey]) -> None:
    """Write the public keys for whoever wants to know them."""
    write_public(folder / "log.vkey", "".join(f"{key}\n" for key in keys))


def _read(path: Path) -> SigningKey:
    if path.stat().st_mode & 0o077:
        raise KeyRefusedError(f"{path} can be read by others: `chmod 600 {path}`, and change the key if they may have")
    try:
        return SigningKey.parse(path.read_text(encoding="utf-8"))
    except NoteError as error:
        raise KeyRefusedError(f"{path} cannot be used: {error}") from error


def _path(folder: Path) -> Path:
    return folder / "log.key"


def _next_path(folder: Path) -> Path:
    return folder / "log.key.next"
