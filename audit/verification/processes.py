"""Checks the cases of a large log in several processes, all of which look at the same moment of it.

The server goes on serving meanwhile: what is done in its own process is little. The processes are told where log and
keys are through a pipe, never on a command line; they end when it is closed, and so with the server. One that dies is
an error: what it would have found is not known.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from multiprocessing import Pipe
from pathlib import Path
from queue import SimpleQueue
from subprocess import Popen
from typing import Final, NamedTuple, Self

from audit.log import LogDamagedError, LogUnavailableError, Verification
from audit.subject_keys import KeyPlace
from audit.verification.cases import CheckedCases
from audit.verification.snapshot import CaseRange

WORTH_PROCESSES: Final = 20_000  # events; fewer are checked sooner than processes are started
_MOST: Final = 4
_ROOT: Final = Path(__file__).parents[2]


class Place(NamedTuple):
    """Where a log is.

    Attributes:
        url: Of the database.
        snapshot: Name of the moment to look at, where the database names moments.
        keys: Where the keys are that personal fields are encrypted with.
    """

    url: str
    snapshot: str
    keys: KeyPlace | None


def how_many(events: int) -> int:
    """In how many processes so many events are best checked; 1 means this one."""
    return min(os.cpu_count() or 1, _MOST) if events >= WORTH_PROCESSES else 1


async def in_thread(verify: Callable[["Checkers"], Verification], interrupt: Callable[[], None]) -> Verification:
    """Verify in a thread of its own. Whoever calls that off waits until it has let go of the log.

    Args:
        verify: Verifies, with processes that it starts where they are worth it.
        interrupt: Ends what the thread has the database do.
    """
    checkers = Checkers()
    checking = asyncio.create_task(asyncio.to_thread(verify, checkers))
    try:
        return await asyncio.shield(checking)
    except asyncio.CancelledError:
        checkers.stop()
        if not checking.done():
            interrupt()
        with suppress(LogUnavailableError, LogDamagedError):
            await checking
        raise


class Checkers:
    """Processes that check cases; a context in which they run."""

    def __init__(self) -> None:
        self._running: list[_Checker] = []
        self._stopped = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    def start(self, processes: int, place: Place) -> None:
        """Start them; they connect.

        Raises:
            LogUnavailableError: One cannot be started, or cannot use the log.
        """
        for _ in range(processes):
            self._running.append(self._stack.enter_context(_Checker(place)))
            if self._stopped:
                raise LogUnavailableError("the verification was called off")
        for checker in self._running:
            checker.is_ready()

    def begin(self) -> None:
        """Have all of them take the log as it is now.

        Raises:
            LogUnavailableError: One cannot.
        """
        for checker in self._running:
            checker.begin()

    def check(self, ranges: Iterable[CaseRange]) -> Iterator[CheckedCases]:
        """What each range has given, in their order; begins with the first as soon as it is known.

        Raises:
            LogUnavailableError: A process has died, or the log is not there any more.
            LogDamagedError: The log cannot be read.
        """
        free: SimpleQueue[_Checker] = SimpleQueue()
        for checker in self._running:
            free.put(checker)

        def checked(cases: CaseRange) -> CheckedCases:
            checker = free.get()
            try:
                return checker.check(cases)
            finally:
                free.put(checker)

        pool = ThreadPoolExecutor(len(self._running), "checkers")
        self._stack.callback(pool.shutdown, cancel_futures=True)
        return pool.map(checked, ranges)

    def stop(self) -> None:
        """End the processes, whatever they do; from any thread."""
        self._stopped = True
        for checker in self._running:
            checker.stop()


class _Checker:
    """One process; a context in which it runs."""

    def __init__(self, place: Place) -> None:
        self._pipe, its_own = Pipe()
        with its_own:
            try:
                self._process = Popen(
                    [sys.executable, "-m", "audit.verification.process"],
                    stdin=its_own.fileno(),
                    env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)])},
                    process_group=0,  # who interrupts the server in a terminal does not interrupt it
                )
            except OSError as error:
                self._pipe.close()
                raise LogUnavailableError(f"no process can be started to verify: {error.strerror}") from error
        self._pipe.send(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._process.wait()
        self._pipe.close()

    def is_ready(self) -> None:
        """Wait until it has reached the log."""
        self._answer()

    def begin(self) -> None:
        """Have it take the log as it is now."""
        self._ask(None)

    def check(self, cases: CaseRange) -> CheckedCases:
        """What it finds in a range of cases."""
        checked = self._ask(cases)
        if not isinstance(checked, CheckedCases):
            raise LogUnavailableError(f"a process that verified the log has answered {checked!r}")
        return checked

    def _ask(self, what: CaseRange | None) -> object:
        with suppress(OSError):  # that it has died is said below
            self._pipe.send(what)
        return self._answer()

    def _answer(self) -> object:
        try:
            answer: object = self._pipe.recv()
        except (EOFError, OSError):
            status = self._process.wait()
            raise LogUnavailableError(
                f"a process that verified the log has ended with status {status}, and what it would have found is not "
                "known: verify again"
            ) from None
        if isinstance(answer, LogUnavailableError | LogDamagedError):
            raise answer
        return answer

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
