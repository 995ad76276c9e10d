"""The load: callers who each lead one case after the other from its opening to its confirmation, without a pause."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final, Protocol

from benchmarks.processes import BenchmarkError

COMMANDS: Final = ("assign", "reply", "note", "resolve", "confirm")
"""What every case is told after its opening, one after the other."""

TEXT: Final = (
    "The customer asks where the parcel is that was promised for Tuesday. The carrier scanned it in the hub on Monday "
    "evening and not since; the address is right and nobody was at the door. We have asked the carrier, and come back "
    "to the customer this afternoon with what they say, or send the goods again from the nearest store."
)
"""What is said in each: some 300 bytes, as people write them."""

# While callers begin in step, and until a backlog has built up, nothing is counted.
_RUN_UP: Final = 0.2
_FEWEST: Final = 10


class System(Protocol):
    """Whatever keeps the cases."""

    async def open(self, name: str) -> str:
        """Open a case, under a name that no other has; returns its id once it is safe."""

    async def act(self, case_id: str, command: str) -> None:
        """Carry one of `COMMANDS` out; returns once it is acknowledged."""


@dataclass(frozen=True, slots=True)
class Round:
    """What callers saw in one round.

    Attributes:
        cases: Every case that was led to its end.
        rate: Commands acknowledged a second while all callers were busy.
        p50: Of a command, from sending it to its acknowledgement, in seconds.
        p99: Likewise.
        began: When the first caller began, by the machine's monotonic clock.
        ended: When the last one had finished its last case.
    """

    cases: Sequence[str]
    rate: float
    p50: float
    p99: float
    began: float
    ended: float


async def run_round(system: System, *, callers: int, seconds: float, tag: str) -> Round:
    """Let callers begin cases for so many seconds; each finishes the one it is at.

    Args:
        system: What they call.
        callers: How many at the same time.
        seconds: For how long cases are begun, and acknowledgements counted.
        tag: Distinguishes the cases of this round from all others.

    Raises:
        BenchmarkError: The round was too short for the machine.
    """
    began = time.monotonic()
    counting_from, end = began + _RUN_UP * seconds, began + seconds
    cases: list[str] = []
    counted: list[float] = []

    async def caller(number: int) -> None:
        done = 0
        while time.monotonic() < end:
            case_id = await system.open(f"{tag}-{number}-{done}")
            for command in COMMANDS:
                sent = time.monotonic()
                await system.act(case_id, command)
                acknowledged = time.monotonic()
                if counting_from <= acknowledged < end:
                    counted.append(acknowledged - sent)
            cases.append(case_id)
            done += 1

    async with asyncio.TaskGroup() as crowd:
        for number in range(callers):
            crowd.create_task(caller(number))
    ended = time.monotonic()
    if len(counted) < _FEWEST:
        raise BenchmarkError(f"{len(counted)} commands were acknowledged in {seconds:g} s: too few to say anything")
    cuts = quantiles(counted, n=100, method="inclusive")
    return Round(cases, len(counted) / (end - counting_from), cuts[49], cuts[98], began, ended)
