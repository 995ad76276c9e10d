"""Systems of drills that really stop answering: told so over HTTP, as the demo shop and the demo mailbox take it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Self

import aiohttp

from activities.outside import DRILL_HEADER, FaultsUnavailableError, NoSuchSystemError, sink_of

# How each system fails, in the words of its fault switch.
_DOWN: Final[Mapping[str, str]] = {"shop": "down", "mail": "temporary"}
_UP: Final = "none"


class FaultSwitches:
    """The fault switches of drills' systems: the shop knows a drill by its header, mail by the sink."""

    def __init__(self, http: aiohttp.ClientSession, urls: Mapping[str, str], sink: str) -> None:
        """Speak through a session that somebody else opens and closes.

        Args:
            http: The session.
            urls: By system, the base URL of what takes `POST /faults`; empty where there is none.
            sink: The address of all letters, with `{drill}` for the drill's number.
        """
        self._http = http
        self._urls = urls
        self._sink = sink

    @classmethod
    @asynccontextmanager
    async def connect(cls, urls: Mapping[str, str], sink: str, *, timeout_seconds: float = 10.0) -> AsyncIterator[Self]:
        """Open a session for these URLs."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_seconds)) as http:
            yield cls(http, urls, sink)

    async def begin(self, drill_id: str, system: str) -> None:
        """Let a system stop answering, or raise ``FaultsUnavailableError`` or ``NoSuchSystemError``."""
        await self._set(drill_id, system, _DOWN[system])

    async def end(self, drill_id: str, system: str) -> None:
        """Let it answer again, or raise likewise."""
        await self._set(drill_id, system, _UP)

    async def _set(self, drill_id: str, system: str, mode: str) -> None:
        url = self._urls.get(system)
        if not url:
            raise NoSuchSystemError(system)
        fault = {"mode": mode, "recipient": sink_of(self._sink, drill_id)} if system == "mail" else {"mode": mode}
        try:
            async with self._http.post(
                f"{url.rstrip('/')}/faults", json=fault, headers={DRILL_HEADER: drill_id}
            ) as answer:
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FaultsUnavailableError(f"the {system} of drills cannot be told to fail or answer: {error}") from error
