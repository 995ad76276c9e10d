"""Runs a function over many inputs in several processes, and gives the results in order, without running far ahead."""

import gc
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Final, TypeVar

_AHEAD: Final = 3  # for each process
_SELDOM: Final = 100_000  # objects

Given = TypeVar("Given")
Made = TypeVar("Made")


class ProcessesError(Exception):
    """What was given to other processes cannot be known."""


def in_order(function: Callable[[Given], Made], inputs: Iterable[Given], processes: int) -> Iterator[Made]:
    """Apply a function to each input, which is taken only when its turn is near.

    Args:
        function: Of a module, so that another process finds it.
        inputs: What it is applied to.
        processes: How many; with 1, this one.

    Raises:
        ProcessesError: One has died, or cannot be started.
    """
    if processes == 1:
        yield from map(function, inputs)
        return
    waiting: deque[Future[Made]] = deque()
    others = set(active_children())
    pool = ProcessPoolExecutor(processes, initializer=_begin)
    try:
        for each in inputs:
            waiting.append(_submitted(pool, function, each))
            if len(waiting) > _AHEAD * processes:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    except BaseException:
        _break_off(pool, set(active_children()) - others)
        raise
    pool.shutdown()


def _break_off(pool: ProcessPoolExecutor, its_processes: set[BaseProcess]) -> None:
    """End a pool as it is: one that a signal met while it was being started can tell its processes nothing."""
    for each in its_processes:
        each.kill()
        each.join()
    pool.shutdown(wait=False, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, function: Callable[[Given], Made], each: Given) -> Future[Made]:
    try:
        return pool.submit(function, each)
    except BrokenProcessPool as error:
        raise _has_died() from error
    except OSError as error:
        raise ProcessesError(f"no process can be started: {error.strerror}") from error


def _result(future: Future[Made]) -> Made:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise _has_died() from error


def _has_died() -> ProcessesError:
    return ProcessesError("one of its processes has ended, and what it would have found is not known")


def _begin() -> None:
    """Look for garbage seldom: objects are many, and next to none in circles. End when the parent does."""
    gc.freeze()
    gc.set_threshold(_SELDOM)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """A parent that is killed cannot say that there is nothing more to do."""
    if parent := parent_process():
        parent.join()
    os._exit(1)
