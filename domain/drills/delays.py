"""How long somebody takes to answer, drawn from what a scenario says."""

import math
from collections.abc import Callable
from statistics import NormalDist

from casetrail.v1.scenario_pb2 import Delay

Draw = Callable[[], float]
"""Draws a number between 0 and 1, both excluded."""

_STANDARD = NormalDist()
_AT_P90 = _STANDARD.inv_cdf(0.9)


def draw_delay(delay: Delay, draw: Draw) -> int | None:
    """How many seconds somebody takes this time; None when the answer never comes."""
    if draw() * 100 < delay.never_percent:
        return None
    median, p90 = delay.median.seconds, delay.p90.seconds
    if p90 <= median:
        return median
    spread = math.log(p90 / median) / _AT_P90
    return max(1, round(median * math.exp(spread * _STANDARD.inv_cdf(draw()))))
