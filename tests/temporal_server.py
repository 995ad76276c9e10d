"""Starts a real Temporal server for a test.

The server chooses ports for its inner services before it listens on them, and ends when another program was faster to
take one: then it is started again.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

TEMPORAL: Final = Path(sys.executable).with_name("temporal")

_TRIES: Final = 3


async def begun(begin: Callable[[], Awaitable[WorkflowEnvironment]]) -> WorkflowEnvironment:
    """An environment with a server of its own."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(RuntimeError):
            return await begin()
    return await begin()


async def in_memory() -> WorkflowEnvironment:
    """A server that forgets everything when it ends."""
    return await begun(
        lambda: WorkflowEnvironment.start_local(dev_server_existing_path=str(TEMPORAL), dev_server_log_level="never")
    )


@asynccontextmanager
async def with_memory(port: int, database: Path) -> AsyncIterator[None]:
    """A server that answers on this port and keeps all it knows in a file."""
    server = await _launched(port, database)
    for _ in range(_TRIES - 1):
        if await _is_up(server, port):
            break
        server = await _launched(port, database)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.terminate()
        await server.wait()


async def _launched(port: int, database: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(TEMPORAL, "server", "start-dev", "--headless", "--log-level", "never"),
        *("--port", str(port), "--db-filename", database),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def _is_up(server: asyncio.subprocess.Process, port: int) -> bool:
    """Wait until it answers, or has ended."""
    async with asyncio.timeout(30):
        while server.returncode is None:
            with contextlib.suppress(RuntimeError):
                await Client.connect(f"127.0.0.1:{port}")
                return True
            await asyncio.sleep(0.1)
    return False
