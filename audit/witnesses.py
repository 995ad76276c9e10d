"""Witnesses: others who co-sign the log's checkpoints, so that it cannot show two histories (C2SP tlog-witness)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import aiohttp
import structlog

from audit import proofs
from audit.log import Checkpoint, Log, LogDamagedError, LogUnavailableError
from audit.witness_file import WitnessAddress
from casetrail.proof.note import NoteError, SignedNote
from casetrail.proof.submission import Submission

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_LONGEST: Final = 16 * 1024  # bytes of an answer that are read
_SIZE: Final = re.compile(r"[0-9]{1,18}")
_ATTEMPTS: Final = 5
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Keep = Callable[[Checkpoint], Awaitable[None]]


class WitnessRefusedError(Exception):
    """A witness does not sign; the message says why."""


class HttpWitness:
    """One witness, asked over HTTP, apart from everything else: that it is slow or gone stops nobody.

    Attributes:
        address: Where it is and what key it has.
        size: The largest tree that it has co-signed.
        trouble: Why it has not signed the newest; empty while it has.
    """

    def __init__(
        self, address: WitnessAddress, log: Log, session: aiohttp.ClientSession, keep: Keep, *, size: int = 0
    ) -> None:
        """Say who is asked.

        Args:
            address: Where it is.
            log: For proofs, and to keep co-signatures.
            session: To ask with.
            keep: Takes a checkpoint that has one more co-signature.
            size: Of the largest tree that it has co-signed, as far as the log knows.
        """
        self.address = address
        self.size = size
        self.trouble = ""
        self._log = log
        self._session = session
        self._keep = keep
        self._newest: Checkpoint | None = None
        self._told = asyncio.Event()

    def tell(self, checkpoint: Checkpoint) -> None:
        """Have it sign this checkpoint, as soon as it can."""
        self._newest = checkpoint
        self._told.set()

    async def run(self) -> None:
        """Ask until cancelled, in growing pauses while it does not sign."""
        pause = _FIRST_PAUSE
        while True:
            await self._told.wait()
            self._told.clear()
            if self._newest is None:
                continue
            try:
                await self._ask(self._newest)
            except (WitnessRefusedError, NoteError, LogUnavailableError, LogDamagedError) as error:
                self._say(str(error))
                self._told.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._say("")
                pause = _FIRST_PAUSE

    async def _ask(self, checkpoint: Checkpoint) -> None:
        for _ in range(_ATTEMPTS):
            if self.size > checkpoint.size:
                return  # another server of this log had a later one signed, which vouches for this one, too
            answer = await self._submit(checkpoint, self.size)
            if isinstance(answer, str):
                await self._take(checkpoint, answer)
                return
            await self._learn(answer)
        raise WitnessRefusedError(f"{self.address.key.name} signs for others faster than for this server")

    async def _learn(self, size: int) -> None:
        """Take its word that it signed another size last: before we were started, or for another server of this log."""
        if size == self.size:
            raise WitnessRefusedError(
                f"{self.address.key.name} has signed another tree of {size} events: the log has two histories"
            )
        there = await self._log.size()
        if size > there:
            raise WitnessRefusedError(
                f"{self.address.key.name} has signed a tree of {size} events, and the log has {there}: "
                "the log was cut off, or restored from an old copy"
            )
        self.size = size

    async def _take(self, checkpoint: Checkpoint, line: str) -> None:
        self.size = checkpoint.size
        await self._log.keep_cosignature(checkpoint.size, self.address.key.name, line)
        for cosigned in await self._log.checkpoints(after_size=checkpoint.size - 1, limit=1):
            await self._keep(cosigned)

    async def _submit(self, checkpoint: Checkpoint, old_size: int) -> str | int:
        """Its signature line, or the size that it signed last where that is another one.

        Raises:
            WitnessRefusedError: It does not answer, or refuses.
        """
        proof = await proofs.consistency(self._log, old_size, checkpoint.size)
        body = Submission(old_size, proof, checkpoint.note).text.encode()
        try:
            async with self._session.post(
                f"{self.address.url}/add-checkpoint", data=body, timeout=_TIMEOUT
            ) as response:
                text = await _text_of(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise WitnessRefusedError(
                f"{self.address.key.name} does not answer at {self.address.url} ({type(error).__name__})"
            ) from error
        if response.status == HTTPStatus.CONFLICT and _SIZE.fullmatch(text.strip()):
            return int(text)
        if response.status != HTTPStatus.OK:
            raise WitnessRefusedError(f"{self.address.key.name} refuses ({response.status}): {text.strip()[:200]}")
        return self._own_line(checkpoint, text)

    def _own_line(self, checkpoint: Checkpoint, lines: str) -> str:
        note = SignedNote.parse(checkpoint.note + lines)
        if not note.cosigned_by([self.address.key]):
            raise WitnessRefusedError(f"{self.address.key.name} has signed with another key than it was said to have")
        own = f"— {self.address.key.name} "
        return next(f"{line}\n" for line in lines.splitlines() if line.startswith(own))

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            if trouble:
                _log.error("a witness does not co-sign", witness=self.address.key.name, why=trouble)
            else:
                _log.info("a witness co-signs again", witness=self.address.key.name, size=self.size)
        self.trouble = trouble


async def _text_of(response: aiohttp.ClientResponse) -> str:
    """What it answers, in however many pieces that comes: all of it, or the beginning of what is too long."""
    read = bytearray()
    async for piece in response.content.iter_any():
        read += piece
        if len(read) >= _LONGEST:
            break
    return read[:_LONGEST].decode(errors="replace")
