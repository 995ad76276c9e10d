"""A scripted service, a client of it, and the command line."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from casetrail import Client, Patience
from tests.client.scripted import Service
from tests.programs import CASETRAIL, Ran


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    scripted = Service()
    server = await scripted.start()
    yield scripted
    await server.stop(None)


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    patience = Patience(overall=3, attempt=0.3, first_pause=0.01, longest_pause=0.05)
    async with Client(service.address, "secret", patience=patience) as connected:
        yield connected


@pytest.fixture
def casetrail(service: Service, tmp_path: Path) -> Callable[..., Awaitable[Ran]]:
    """Run the command line against the service."""

    async def run(*words: str, address: str | None = None) -> Ran:
        return await asyncio.to_thread(
            CASETRAIL.run,
            *words,
            folder=tmp_path,
            CASETRAIL_ADDRESS=address or service.address,
            CASETRAIL_TOKEN="secret",
            COLUMNS="100",
            TZ="UTC",
        )

    return run
