"""Runs a function over many inputs in several processes, and gives the results in order, without running far ahead."""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Final, TypeVar

_AHEAD: Final = 3  # for each process
_SELDOM: Final = 100_000  # objects

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(function: Callable[[Given], Made], inputs: Iterable[Given], processes: int) -> Iterator[Made]:
    """Apply a function to each input, which is taken only when its turn is near.

    Args:
        function: Of a module, so that another process finds it.
        inputs: What it is applied to.
        processes: How many; with 1, this one.
    """
    if processes == 1:
        yield from map(function, inputs)
        return
    waiting: deque[Future[Made]] = deque()
    with ProcessPoolExecutor(processes, initializer=_collect_seldom) as pool:
        for each in inputs:
            waiting.append(pool.submit(function, each))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _collect_seldom() -> None:
    """Look for garbage seldom: objects are many, and next to none in circles."""
    gc.freeze()
    gc.set_threshold(_SELDOM)
