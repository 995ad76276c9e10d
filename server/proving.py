"""All that makes the log provable in a server: its key, what is published of it, and who witnesses it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from audit.checkpoint_folder import CheckpointFolder
from audit.log import Log
from audit.publishing import Publisher
from audit.signing import Notary
from audit.verification.signatures import Signers
from audit.witness_file import WitnessAddress, witnesses_in
from audit.witnesses import HttpWitness


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """What the environment says about proofs.

    Attributes:
        keys: CASETRAIL_KEYS, the folder of the log's signing key; `keys` in CASETRAIL_DATA when left out.
        checkpoints: CASETRAIL_CHECKPOINTS, a folder outside the database that keeps checkpoints; none when left out.
        witnesses: CASETRAIL_WITNESSES, a file with a line `URL VKEY` for each witness; none when left out.
    """

    keys: Path
    checkpoints: Path | None = None
    witnesses: Path | None = None

    def addresses(self) -> list[WitnessAddress]:
        """The witnesses of the file.

        Raises:
            ValueError: It cannot be read; the message says why.
        """
        return witnesses_in(self.witnesses) if self.witnesses is not None else []


@dataclass(frozen=True, slots=True)
class Proving:
    """A log's notary, publisher and witnesses."""

    notary: Notary
    publisher: Publisher
    witnesses: Sequence[HttpWitness] = ()

    @property
    def signers(self) -> Signers:
        """Whose signatures the log is to have."""
        return Signers(self.notary.keys, [witness.address.key for witness in self.witnesses])

    @classmethod
    @asynccontextmanager
    async def open(cls, log: Log, settings: ProofSettings) -> AsyncIterator["Proving"]:
        """Begin with a log that holds all that was ever published of it.

        What was written up to the end of the block is published when it ends.

        Raises:
            KeyRefusedError: The signing key cannot be used.
            FolderRefusedError: The folder of checkpoints cannot be used.
            LogDamagedError: The log is not the one that was published.
            LogUnavailableError: The log cannot be read.
            ValueError: The file of witnesses is wrong.
        """
        addresses = settings.addresses()
        folder = CheckpointFolder(settings.checkpoints) if settings.checkpoints is not None else None
        notary = await Notary.open(log, settings.keys)
        async with aiohttp.ClientSession() as session:
            witnesses: list[HttpWitness] = []
            publisher = Publisher(log, notary, folder, witnesses)
            await publisher.check()
            for address in addresses:
                signed = await log.newest_checkpoint(witnesses=[address.key.name])
                size = signed.size if signed is not None else 0
                witnesses.append(HttpWitness(address, log, session, publisher.keep_outside, size=size))
            yield cls(notary, publisher, witnesses)
            await publisher.attempt()

    async def run(self) -> None:
        """Publish and have it witnessed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.publisher.run())
            for witness in self.witnesses:
                group.create_task(witness.run())
