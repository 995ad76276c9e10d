"""Processes of the stack: each started, watched, started again when it dies, and ended."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parent.parent

Say = Callable[[str], None]

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_STEADY_SECONDS: Final = 60.0
_LONGEST_LOG: Final = 20 * 1024 * 1024
_LONGEST_LINE: Final = 1024 * 1024


class ProcessError(Exception):
    """A process of the stack does not come up; the message says which and shows its last words."""


class Guard:
    """The process that kills the others when this one is killed."""

    def __init__(self, process: asyncio.subprocess.Process, told: asyncio.StreamWriter) -> None:
        """Use a running one; see `start`."""
        self._process = process
        self._input = told

    @classmethod
    async def start(cls, lock: int) -> "Guard":
        """Start it, away from this process's group, so that what kills the group leaves it alive."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "embedded.guard"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(lock,),
            process_group=0,
        )
        if process.stdin is None:
            raise ProcessError("the guard has no input")
        return cls(process, process.stdin)

    def watch(self, group: int) -> None:
        """Kill this process group, too, when we are gone."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """It has ended by itself."""
        self._tell(f"-{group}\n")

    async def close(self) -> None:
        """End the guard; whatever it still watches is killed."""
        self._input.close()
        await self._process.wait()

    def _tell(self, line: str) -> None:
        self._input.write(line.encode())


def inherited() -> dict[str, str]:
    """Our own environment, without what it says of another Temporal and of TLS: the stack speaks on loopback."""
    others = ("TEMPORAL_", "CASETRAIL_TLS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how to see that it is up.

    Attributes:
        name: What people call it.
        command: The command line.
        environment: Added to ours.
        ready: Returns once the process with this id answers.
        patience: Seconds that it has to end by itself when asked to.
        tries: How often it is started before it is given up, as long as it has never been up.
        niceness: How much it gives way to others when the processor is short; POSIX has 0 to 19.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[int], Awaitable[None]]
    patience: float
    tries: int = 1
    niceness: int = 0


class Supervised:
    """A program that is kept running until it is told to stop."""

    def __init__(self, program: Program, *, logs: Path, lock: int, guard: Guard, say: Say) -> None:
        """Prepare it; `start` runs it. Its output goes into a file of `logs`, its errors also to `say`."""
        self.program = program
        self._output = _Output(program.name, logs / f"{program.name}.log", say)
        self._lock = lock
        self._guard = guard
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def start(self) -> None:
        """Start it, wait until it answers, and from then on keep it running.

        Raises:
            ProcessError: It ended instead, each time it was tried.
        """
        process = await self._launch()
        for _ in range(self.program.tries - 1):
            if self._ready.is_set():
                break
            self._say(f"{self.program.name} {_outcome(process)} before it was up; starting it again")
            process = await self._launch()
        if not self._ready.is_set():
            raise ProcessError(f"{self.program.name} {_outcome(process)} before it was up\n{self._output.last_words}")
        self._keeping = asyncio.create_task(self._keep(process))

    async def until_ready(self) -> None:
        """Wait until it answers."""
        await self._ready.wait()

    async def kill(self) -> None:
        """Kill it without warning; unless it is stopped, it is started again."""
        if self._process is not None and self._process.returncode is None:
            self._ready.clear()
            _signal(self._process, signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            _signal(process, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), self.program.patience)
            except TimeoutError:
                self._say(f"{self.program.name} did not end within {self.program.patience:g} s: killed")
                await self.kill()
        await self._ended(process)

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        """Start it again whenever it dies, after a pause that grows while it dies again and again."""
        clock = asyncio.get_running_loop().time
        pause = _FIRST_PAUSE
        while True:
            came_up = clock()
            await process.wait()
            await self._ended(process)
            if clock() - came_up > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            self._say(
                f"{self.program.name} {_outcome(process)}; starting it again in {pause:g} s (log: {self._output.path})"
            )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            process = await self._launch()
            if self._ready.is_set():
                self._say(f"{self.program.name} is up again")

    async def _launch(self) -> asyncio.subprocess.Process:
        """Start it and wait until it answers or has ended."""
        process = self._process = await asyncio.create_subprocess_exec(
            *("nice", "-n", str(self.program.niceness)),
            *self.program.command,
            cwd=ROOT,
            env={**inherited(), **self.program.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LONGEST_LINE,
            pass_fds=(self._lock,),
            process_group=0,  # Ctrl-C is for us: they are ended in order
        )
        self._guard.watch(process.pid)
        self._reading = asyncio.create_task(self._output.take(process))
        ready = asyncio.ensure_future(self.program.ready(process.pid))
        ended = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                self._ready.set()
            else:
                await self._ended(process)
        finally:
            ready.cancel()
            ended.cancel()
        return process

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        self._ready.clear()
        self._guard.forget(process.pid)
        if self._reading is not None:
            await self._reading


class _Output:
    """What a process writes: kept in a file, the last lines at hand, errors told at once."""

    def __init__(self, name: str, path: Path, say: Say) -> None:
        self._name = name
        self.path = path
        self._say = say
        self._last: deque[str] = deque(maxlen=15)

    @property
    def last_words(self) -> str:
        return "\n".join(f"    {line}" for line in self._last)

    async def take(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        with self._open() as file:
            async for line in process.stdout:
                file.write(line)
                text = line.decode(errors="replace").rstrip()
                self._last.append(text)
                if complaint := _complaint(text):
                    self._say(f"{self._name}: {complaint}")

    def _open(self) -> IO[bytes]:
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size > _LONGEST_LOG:
                self.path.replace(self.path.with_suffix(".log.1"))
        return self.path.open("ab", buffering=0)


def _complaint(line: str) -> str:
    """Return what a log line in JSON has to say to a person: an error, and only that."""
    if not line.startswith("{"):
        return ""
    try:
        content = json.loads(line)
    except ValueError:
        return ""
    if content.get("level") not in {"error", "critical"}:
        return ""
    details = " ".join(f"{key}={content[key]}" for key in ("why", "error", "case_id", "method") if content.get(key))
    return f"{content.get('event', '')} {details}".strip()


def _outcome(process: asyncio.subprocess.Process) -> str:
    code = process.returncode or 0
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to a process and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
