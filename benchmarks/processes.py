"""Processes of their own for everything that is measured or measures, so that none takes another's interpreter lock.

A child is `python -m MODULE ARGUMENT…`. It says `{"ready": …}` when it is, then answers requests, each a JSON object on
a line of its own, until its input ends: it cannot outlive whoever started it.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent

Request = dict[str, Any]
Answer = dict[str, Any]

_LONGEST_LINE: Final = 64 * 1024 * 1024
_PATIENCE: Final = 5.0


class BenchmarkError(Exception):
    """Something could not be measured; the message says what and why."""


class Child:
    """A process that answers requests, as its parent sees it."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        """Use a running one; see `started`."""
        self._name = name
        self._process = process

    @classmethod
    @asynccontextmanager
    async def started(
        cls, module: str, *arguments: str, environment: Mapping[str, str] | None = None, niceness: int = 0
    ) -> AsyncIterator["Child"]:
        """Run a module until the block ends.

        Args:
            module: What to run.
            arguments: Its command line.
            environment: Added to ours: where secrets belong, which a command line would show to everybody.
            niceness: How much it gives way to others when the processor is short.

        Raises:
            BenchmarkError: It ended instead of becoming ready.
        """
        process = await asyncio.create_subprocess_exec(
            *("nice", "-n", str(niceness), sys.executable, "-m", module, *arguments),
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            process_group=0,  # Ctrl-C is for us, who end it
        )
        child = cls(" ".join([module, *arguments[:1]]), process)
        try:
            await child._answer()
            yield child
        finally:
            await child._end()

    async def ask(self, **request: object) -> Answer:
        """Have a request carried out.

        Raises:
            BenchmarkError: It failed, or the process is gone.
        """
        if self._process.stdin is None:
            raise BenchmarkError(f"{self._name} has no input")
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return await self._answer()

    async def _answer(self) -> Answer:
        if self._process.stdout is None:
            raise BenchmarkError(f"{self._name} has no output")
        line = await self._process.stdout.readline()
        if not line:
            raise BenchmarkError(f"{self._name} ended with status {await self._process.wait()}")
        answer: Answer = json.loads(line)
        if "failure" in answer:
            raise BenchmarkError(f"{self._name}: {answer['failure']}")
        return answer

    async def _end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _PATIENCE)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def answer_requests(handle: Callable[[Request], Awaitable[Mapping[str, Any]]]) -> None:
    """In the child: answer requests one after the other, until the input ends, which ends what is under way too."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say({"ready": True})
    line = await reader.readline()
    while line:
        answering = asyncio.ensure_future(_answer(handle, json.loads(line)))
        following = asyncio.ensure_future(reader.readline())
        # The parent asks nothing while it waits: what ends first, if not the answer, is the input.
        await asyncio.wait({answering, following}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            answering.cancel()
            return
        _say(answering.result())
        line = await following


async def _answer(handle: Callable[[Request], Awaitable[Mapping[str, Any]]], request: Request) -> Mapping[str, Any]:
    try:
        return await handle(request)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return {"failure": f"{type(error).__name__}: {error}"}


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
