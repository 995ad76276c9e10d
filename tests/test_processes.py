"""Processes of the stack, each a real one."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from embedded.processes import Guard, ProcessError, Program, Supervised

# Ends the first time, as one does to which another took a port; stays the second time.
ENDS_ONCE = """
import pathlib, signal, sys
tried, up = map(pathlib.Path, sys.argv[1:])
if not tried.exists():
    tried.touch()
    print("panic: port taken", flush=True)
    sys.exit(2)
up.touch()
signal.pause()
"""


@pytest_asyncio.fixture
async def guard(tmp_path: Path) -> AsyncIterator[tuple[Guard, int]]:
    lock = os.open(tmp_path / "lock", os.O_CREAT)
    guard = await Guard.start(lock)
    yield guard, lock
    await guard.close()
    os.close(lock)


def _nobody_listens(_: str) -> None:
    """What the stack would say."""


def ends_once(folder: Path, *, tries: int) -> Program:
    up = folder / "up"

    async def ready(_process: int) -> None:
        while not up.exists():  # noqa: ASYNC110 - a file tells nobody that it is there
            await asyncio.sleep(0.01)

    return Program(
        "fragile", (sys.executable, "-c", ENDS_ONCE, str(folder / "tried"), str(up)), {}, ready, patience=5, tries=tries
    )


async def test_what_may_be_tried_again_comes_up_the_second_time(tmp_path: Path, guard: tuple[Guard, int]) -> None:
    said: list[str] = []
    fragile = Supervised(ends_once(tmp_path, tries=2), logs=tmp_path, lock=guard[1], guard=guard[0], say=said.append)
    await asyncio.wait_for(fragile.start(), 30)
    await fragile.stop()
    assert said == ["fragile ended with status 2 before it was up; starting it again"]


async def test_who_keeps_time_gives_way_to_who_answers_callers(tmp_path: Path, guard: tuple[Guard, int]) -> None:
    said = tmp_path / "said"

    async def ready(_process: int) -> None:
        while not said.exists() or not said.read_text():  # noqa: ASYNC110 - a file tells nobody that it is there
            await asyncio.sleep(0.01)

    tells = f"import os, signal; open({str(said)!r}, 'w').write(str(os.nice(0))); signal.pause()"
    polite = Program("polite", (sys.executable, "-c", tells), {}, ready, patience=5, niceness=7)
    process = Supervised(polite, logs=tmp_path, lock=guard[1], guard=guard[0], say=_nobody_listens)
    await asyncio.wait_for(process.start(), 30)
    await process.stop()
    assert int(said.read_text()) == os.nice(0) + 7


async def test_what_ends_each_time_is_given_up_with_its_last_words(tmp_path: Path, guard: tuple[Guard, int]) -> None:
    fragile = Supervised(
        ends_once(tmp_path, tries=1), logs=tmp_path, lock=guard[1], guard=guard[0], say=_nobody_listens
    )
    with pytest.raises(ProcessError, match=r"fragile ended with status 2 before it was up\n +panic: port taken"):
        await asyncio.wait_for(fragile.start(), 30)
