"""Ctrl-C: how one ends what follows the log, and what every other command says of it."""

import asyncio
import os
import signal

from tests.programs import CASETRAIL
from tests.server.running import Running


async def interrupted(running: Running, case_id: str, *words: str) -> tuple[int | None, str]:
    """Exit status, and what was said, after Ctrl-C as soon as the command has told of a new event of the case."""
    process = await asyncio.create_subprocess_exec(
        CASETRAIL.installed,
        *words,
        env={**os.environ, "CASETRAIL_ADDRESS": running.address, "CASETRAIL_TOKEN": "admin-secret"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    await process.stdout.read(1)
    await running.note(case_id, process.pid, text="something new")
    await process.stdout.readuntil(b"something new")
    process.send_signal(signal.SIGINT)
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_what_follows_the_log_is_done_when_it_is_interrupted(running: Running) -> None:
    case_id = (await running.open()).case.case_id
    for words in (("watch", case_id), ("watch", "--all", "--json")):
        status, said = await interrupted(running, case_id, *words)
        assert (status, "Interrupted" in said, "Traceback" in said) == (0, False, False)


async def test_any_other_command_ends_as_interrupted_which_is_no_verdict() -> None:
    """Here one that waits for a service which takes the connection and never says a word."""
    asked = asyncio.Event()
    async with await asyncio.start_server(lambda *_: asked.set(), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(CASETRAIL.installed, "list", "--address", f"127.0.0.1:{port}"), stderr=asyncio.subprocess.PIPE
        )
        await asked.wait()
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert process.returncode == 130
    assert said.decode() == "Interrupted. What was asked for may have happened all the same.\n"
