"""Publishing: what the log is, told where it cannot be taken back.

About once a second while the log grows, its tree is signed and kept: in the database, in a folder outside it, and with
witnesses. Nobody waits for it. Commands go on when the folder or a witness fails, since each is answered with a signed
receipt anyway (docs/adr/0011); that it fails is logged and shown until it works again.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from audit import proofs
from audit.checkpoint_folder import CheckpointFolder, FolderRefusedError
from audit.log import Checkpoint, Log, LogDamagedError, LogUnavailableError
from audit.signing import KeyRefusedError, Notary
from casetrail.proof.note import NoteError, SignedNote

_EVERY: Final = 1.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Witness(Protocol):
    """Somebody who co-signs what the log publishes."""

    def tell(self, checkpoint: Checkpoint) -> None:
        """Have it sign this checkpoint, as soon as it can; a later one makes an earlier one unnecessary."""


class Publisher:
    """Publishes the checkpoints of a log.

    Attributes:
        kept: Of how many events the folder has a checkpoint; None without a folder.
        trouble: Why the folder does not have the newest checkpoint; empty while it has.
    """

    def __init__(
        self, log: Log, notary: Notary, folder: CheckpointFolder | None = None, witnesses: Sequence[Witness] = ()
    ) -> None:
        """Say what to publish, and where besides the database."""
        self.kept = 0 if folder is not None else None
        self.trouble = ""
        self._log = log
        self._notary = notary
        self._folder = folder
        self._witnesses = witnesses
        self._published: Checkpoint | None = None
        self._lock = asyncio.Lock()

    @property
    def folder(self) -> Path | None:
        """The folder outside the database, where there is one."""
        return self._folder.path if self._folder is not None else None

    async def check(self) -> None:
        """Make sure that the log holds all that was ever published of it.

        Raises:
            LogDamagedError: It does not: it was changed, or restored from an old copy.
            FolderRefusedError: The folder cannot be used.
            LogUnavailableError: The log cannot be read.
        """
        newest = await self._log.newest_checkpoint()
        if newest is not None:
            await self._check(newest.size, newest.root, "the database")
        if self._folder is not None:
            kept = await asyncio.to_thread(self._folder.newest, self._notary.origin)
            if kept is not None:
                await self._check(kept.tree.size, kept.tree.root, str(self._folder.path))
                await self._put_back(kept)
                self.kept = kept.tree.size

    async def check_published(self) -> None:
        """Make sure that the log still holds what this process published last.

        Raises:
            LogDamagedError: It does not: it was changed, or an older copy was put in its place.
            LogUnavailableError: The log cannot be read.
        """
        if self._published is not None:
            await self._check(self._published.size, self._published.root, "by this process")

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self.attempt()
            await asyncio.sleep(_EVERY)

    async def attempt(self) -> None:
        """Publish now, if that can be done now."""
        try:
            await self.publish()
        except LogUnavailableError as error:
            _log.warning("no checkpoint now", why=str(error))
        except (LogDamagedError, KeyRefusedError) as error:
            _log.error("no checkpoint", why=str(error))

    async def publish(self) -> Checkpoint | None:
        """Publish the log as it is now; None when that has been done, or it is empty.

        Raises:
            LogUnavailableError: The log cannot be read or written.
            LogDamagedError: It is not what was published, or another tree of this size was.
            KeyRefusedError: The signing key cannot be used.
        """
        async with self._lock:
            await self.check_published()
            head = await self._log.tree_head()
            if head.size in (0, self._published.size if self._published else 0):
                if self._published is not None and self.trouble:
                    await self.keep_outside(self._published)
                return None
            note = (await self._notary.sign(head.size, head.root)).note
            checkpoint = Checkpoint(head.size, head.root, note, time.time_ns() // 1000)
            await self._log.keep_checkpoint(checkpoint)
            await self.keep_outside(checkpoint)
            self._published = checkpoint
        for witness in self._witnesses:
            witness.tell(checkpoint)
        return checkpoint

    async def keep_outside(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint, or one that has more co-signatures now, to the folder."""
        if self._folder is None:
            return
        try:
            await asyncio.to_thread(self._folder.add, checkpoint)
        except OSError as error:
            trouble = f"{self._folder.path} cannot be written: {error.strerror}"
            if trouble != self.trouble:
                _log.error("checkpoints are not kept outside the database", why=trouble, since=checkpoint.size)
            self.trouble = trouble
        else:
            if self.trouble:
                _log.info("checkpoints are kept outside the database again", size=checkpoint.size)
            self.trouble = ""
            self.kept = max(checkpoint.size, self.kept or 0)

    async def _put_back(self, kept: SignedNote) -> None:
        """Keep the newest checkpoint of the folder in the database, where that is a copy from the moment before."""
        size, root = kept.tree.size, kept.tree.root
        there = await self._log.checkpoints(after_size=size - 1, limit=1)
        if there and there[0].size == size:
            return
        try:
            signed = kept.signed_by(self._notary.keys)
        except NoteError:
            signed = []
        if not signed:
            raise FolderRefusedError(f"the newest checkpoint outside, of {size} events, is not signed by the log's key")
        await self._log.keep_checkpoint(Checkpoint(size, root, kept.text, time.time_ns() // 1000))
        _log.warning("a checkpoint was only outside the database, and was put back", size=size)

    async def _check(self, size: int, root: bytes, where: str) -> None:
        there = await self._log.size()
        if size > there:
            raise LogDamagedError(
                f"a checkpoint of {size} events was published ({where}), and the log has {there}: it was cut off, or "
                "restored from an old copy; restore the newest one"
            )
        if await proofs.root(self._log, size) != root:
            raise LogDamagedError(
                f"the first {size} events are not those of the checkpoint that was published ({where}): the log was "
                "changed; run `casetrail-db verify`"
            )


def witnesses_of(checkpoint: Checkpoint) -> list[str]:
    """Names of those who have co-signed a checkpoint."""
    if not checkpoint.cosignatures:
        return []
    note = SignedNote.parse(checkpoint.signed_note)
    return [name for name, *_ in note.lines if name != note.tree.origin]
