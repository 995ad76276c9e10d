"""What a server or a worker stands on: the log, the policies, and what goes to Temporal encrypted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from temporalio.converter import DataConverter

from audit import stores
from audit.log import Log
from casetrail import policy_file
from engine.payloads import converter
from engine.rulebooks import Rulebooks
from engine.settings import EngineSettings
from engine.temporal_settings import temporal_settings
from telemetry import Telemetry, observed


@dataclass(frozen=True, slots=True)
class Ground:
    """What is open for as long as a process runs.

    Attributes:
        log: The log, seen by telemetry where that goes anywhere.
        rulebooks: The policies, the one of the settings in force.
        payloads: Temporal's data converter.
    """

    log: Log
    rulebooks: Rulebooks
    payloads: DataConverter

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: EngineSettings, telemetry: Telemetry) -> AsyncIterator[Self]:
        """Open what the settings name, until the block ends.

        Raises:
            KeyFileError: The keys of payloads cannot be used.
            LogDamagedError: The log is damaged, or was lost.
            LogUnavailableError: It cannot be used.
            PolicyError: The policy is wrong.
            PolicyIdReusedError: It is another one than the log knows by its id.
            ValueError: Something else of the settings cannot be used, those of Temporal included.
        """
        temporal_settings()  # a mistake in them is no outage of Temporal's: told now, not waited for
        policy = policy_file.load(settings.policy)
        store = await stores.open_log(settings.log, settings.subject_keys, settings.remains)
        try:
            payloads = await converter(store, settings.payload_keys)
            log = observed(store) if telemetry.tracing or telemetry.measuring else store
            yield cls(log, await Rulebooks.keep(log, policy), payloads)
        finally:
            await store.close()
