"""How the demo ends when something does not go as it shows it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from casetrail import Client
from casetrail.v1.case_pb2 import Case
from casetrail.v1.drill_service_pb2 import StartDrillResponse
from embedded import demo
from embedded.stack import Stack
from tests.client.scripted import Service, Silence

ROOT = Path(__file__).parents[1]
NO_STACK = cast("Stack", None)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    scripted = Service()
    server = await scripted.start()
    yield scripted
    await server.stop(None)


async def test_a_drill_that_does_not_end_is_told_in_words(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_PATIENCE_SECONDS", 0.4)
    service.script("StartDrill", StartDrillResponse(drill=Case(case_id="DRL-1")))
    service.script("WatchDrill", [Silence()])
    async with Client(service.address, "secret") as client:
        with pytest.raises(demo.DemoError, match="DRL-1: it was not over within 0 s"):
            await demo.drill(demo.Scene(NO_STACK, client, Console(quiet=True), tmp_path))


async def test_a_demo_that_is_interrupted_while_it_starts_ends_with_130_and_says_no_more() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embedded", "demo"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readuntil(b"Starting")

    process.send_signal(signal.SIGINT)

    _, said = await process.communicate()
    assert (process.returncode, said) == (130, b"")
