"""A scripted service, a client of it, and the command line."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from casetrail import Client, Patience
from tests.client.scripted import Service


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


@dataclass(frozen=True)
class Ran:
    """How the command line ended, and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def casetrail(service: Service, tmp_path: Path) -> Callable[..., Awaitable[Ran]]:
    """Run the installed command line against the service."""
    program = Path(sys.executable).parent / "casetrail"

    async def run(*words: str, address: str | None = None) -> Ran:
        environment = {
            **os.environ,
            "CASETRAIL_ADDRESS": address or service.address,
            "CASETRAIL_TOKEN": "secret",
            "COLUMNS": "100",
            "TZ": "UTC",
        }
        process = await asyncio.create_subprocess_exec(
            program,
            *words,
            env=environment,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    return run
