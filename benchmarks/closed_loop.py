"""The load: callers who each lead one case after the other from its opening to its confirmation, without a pause."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final, Protocol, TypeVar

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


Answer = TypeVar("Answer")


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
        rate: Commands acknowledged a second while all callers were busy, openings among them.
        p50: Of a command after the opening, from sending it to its acknowledgement, in seconds.
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
    openings: list[float] = []
    commands: list[float] = []

    async def timed(work: Awaitable[Answer], times: list[float]) -> Answer:
        sent = time.monotonic()
        answer = await work
        acknowledged = time.monotonic()
        if counting_from <= acknowledged < end:
            times.append(acknowledged - sent)
        return answer

    async def caller(number: int) -> None:
        done = 0
        while time.monotonic() < end:
            case_id = await timed(system.open(f"{tag}-{number}-{done}"), openings)
            for command in COMMANDS:
                await timed(system.act(case_id, command), commands)
            cases.append(case_id)
            done += 1

    async with asyncio.TaskGroup() as crowd:
        for number in range(callers):
            crowd.create_task(caller(number))
    ended = time.monotonic()
    if len(commands) < _FEWEST:
        raise BenchmarkError(f"{len(commands)} commands were acknowledged in {seconds:g} s: too few to say anything")
    cuts = quantiles(commands, n=100, method="inclusive")
    rate = (len(openings) + len(commands)) / (end - counting_from)
    return Round(cases, rate, cuts[49], cuts[98], began, ended)
