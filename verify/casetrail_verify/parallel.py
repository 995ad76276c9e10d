"""Runs a function over many inputs in several processes, and gives the results in order, without running far ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Final, TypeVar

_AHEAD: Final = 3  # for each process

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
    with ProcessPoolExecutor(processes) as pool:
        for each in inputs:
            waiting.append(pool.submit(function, each))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
