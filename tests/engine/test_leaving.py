"""A process that has spoken to Temporal ends with its own status, not by a crash of Temporal's threads."""

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_ONCE = 8
"""Of as many that end by `sys.exit`, hardly ever all end with their status."""

PROGRAM = """
import asyncio
from contextlib import suppress
from temporalio.client import Client
from engine.leaving import leave

async def ask():
    with suppress(RuntimeError):
        await Client.connect("127.0.0.1:1")

async def ask_often():
    await asyncio.gather(*(ask() for _ in range(20)))

asyncio.run(ask_often())
print("asked")
leave({outcome!r})
"""


@pytest.mark.parametrize(
    ("outcome", "status", "said"), [(3, 3, b""), (None, 0, b""), ("it is not there", 1, b"it is not there\n")]
)
async def test_a_process_ends_with_its_status(outcome: int | str | None, status: int, said: bytes) -> None:
    async def run() -> tuple[int | None, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM.format(outcome=outcome)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        return process.returncode, out, error

    ended = await asyncio.gather(*(run() for _ in range(AT_ONCE if outcome == 3 else 1)))
    assert ended == [(status, b"asked\n", said)] * len(ended)
