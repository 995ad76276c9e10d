"""Send what is to be played: history as fast as it is taken, live cases each row at its time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice

from casetrail.client import Client
from casetrail.play.playback import Playback
from casetrail.v1.command_pb2 import Command

Progress = Callable[[Playback], None]
"""Told after each answer."""

# Two batches on their way, so that the service works on one while we read the other's answers.
_LANES = 2
# The service refuses a message of more than 4 MiB.
_LARGEST_BATCH = 3 * 1024 * 1024


async def send_history(client: Client, playbacks: Sequence[Playback], side_by_side: int, progress: Progress) -> None:
    """Play cases with their own times, `side_by_side` of them at once.

    A batch holds the next command of each of many cases: they are written side by side, and every case stays in order.

    Raises:
        Stopped: A case cannot go on.
        CasetrailError: The service cannot be reached, or refuses the caller.
    """
    waiting = iter(playbacks)
    width = max(1, side_by_side // _LANES)
    async with _together() as group:
        for _ in range(min(_LANES, side_by_side)):
            group.create_task(_send_in_batches(client, waiting, width, progress))


async def _send_in_batches(client: Client, waiting: Iterator[Playback], width: int, progress: Progress) -> None:
    active: list[Playback] = []
    while True:
        active += islice(waiting, width - len(active))
        if not active:
            return
        batch = _batch(active)
        for playback, result in zip(active, await client.batch(batch), strict=False):
            playback.answer(result)
            progress(playback)
        async with _together() as group:
            for playback in active:
                if playback.known:
                    group.create_task(_catch_up(client, playback, progress))
        active = [playback for playback in active if not playback.over]


def _batch(playbacks: Sequence[Playback]) -> list[Command]:
    """The next command of as many cases as a message can carry, at least of one."""
    commands: list[Command] = []
    size = 0
    for playback in playbacks:
        command = playback.command()
        size += command.ByteSize() + 8
        if commands and size > _LARGEST_BATCH:
            break
        commands.append(command)
    return commands


async def send_live(
    client: Client, playbacks: Sequence[Playback], scale: float, side_by_side: int, progress: Progress
) -> None:
    """Play cases on compressed time: the instant at which the first one opened is now.

    Where the first case is there already, that is when it opened: a playing that was interrupted goes on, and what was
    missed meanwhile is sent at once.

    Args:
        client: The service.
        playbacks: The cases, in the order in which they opened.
        scale: Seconds of the log per real second.
        side_by_side: How many commands are on their way at once.
        progress: Told after each answer.

    Raises:
        Stopped: A case cannot go on.
        CasetrailError: The service cannot be reached, or refuses the caller.
    """
    gate = asyncio.Semaphore(side_by_side)
    first = playbacks[0]
    await _send_next(client, first, gate, progress)
    begin = time.time() if first.began is None else first.began

    async def play(playback: Playback) -> None:
        opened_at = playback.plan.source.opened_at
        await _until(begin + (opened_at - first.plan.source.opened_at) / scale)
        while not playback.over:
            if playback.began is not None:
                await _until(playback.began + (playback.due - opened_at) / scale)
            await _send_next(client, playback, gate, progress)

    async with _together() as group:
        for playback in playbacks:
            group.create_task(play(playback))


async def _send_next(client: Client, playback: Playback, gate: asyncio.Semaphore, progress: Progress) -> None:
    async with gate:
        [result] = await client.batch([playback.command()])
        playback.answer(result)
        progress(playback)
        if playback.known:
            await _catch_up(client, playback, progress)


async def _catch_up(client: Client, playback: Playback, progress: Progress) -> None:
    """Learn from the log what of a known case is done."""
    playback.resume([event async for event in client.events(playback.plan.case_id)])
    progress(playback)


async def _until(moment: float) -> None:
    """Wait for a moment in unix seconds; not at all when it has passed."""
    await asyncio.sleep(max(0.0, moment - time.time()))


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks that end together. The first error is raised as itself: the others are only its consequences."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed
