"""Waiting for what tells nobody that it has come."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 30.0


async def become_true(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again: no witness, no publisher and no Temporal tells anybody when something has changed."""
    async with asyncio.timeout(PATIENCE):
        while not await check():  # noqa: ASYNC110 - there is nothing of theirs to wait on
            await asyncio.sleep(0.02)


async def until(check: Callable[[], bool]) -> None:
    """Look again and again, where a look is all that it takes."""
    async with asyncio.timeout(PATIENCE):
        while not check():  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.001)
