"""Python's garbage collector, in a process that keeps much and makes much."""

import gc
from typing import Final

# Allocations before the youngest are looked at, and how many looks at one generation make a look at the next. Almost
# all that a call leaves is freed without the collector.
_THRESHOLDS: Final = (50_000, 20, 50)


def spare_what_stays() -> None:
    """Have the collector look seldom, and never at what is there already: code, contract and rules stay for ever.

    To be called once, when everything has been loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
