"""Simulations side by side: a scenario run again and again in processes of their own, so that calls are not kept."""

import asyncio
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final, TypeVar

from casetrail.v1.drill_pb2 import DrillExpectation
from casetrail.v1.drill_service_pb2 import (
    SimulatedClock,
    SimulatedExpectation,
    SimulateDrillResponse,
)
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Role
from domain import Rulebook
from domain.drills.simulation import Run, Simulator
from domain.instants import Instant

_Number = TypeVar("_Number", int, float)

# Runs that one process does in one go, with random numbers of their own: the result does not depend on how many
# processes there are.
_BATCH: Final = 50
_NICENESS: Final = 10  # commands go first
# A Monday at 10:00 in Shanghai, in a week without holidays.
_START: Final[Instant] = 1_773_626_400


async def simulate(scenario: Scenario, policy: Policy, *, runs: int, seed: int) -> SimulateDrillResponse:
    """Run a scenario so often, and count what came of it.

    Args:
        scenario: The script.
        policy: The rules.
        runs: How often.
        seed: The same gives the same result.
    """
    began = time.monotonic()
    batches = [(min(_BATCH, runs - first), f"{seed}/{first}") for first in range(0, runs, _BATCH)]
    processes = ProcessPoolExecutor(
        min(os.cpu_count() or 1, len(batches)),
        # A fork would share the server's sockets.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(scenario.SerializeToString(), policy.SerializeToString()),
    )
    loop = asyncio.get_running_loop()
    try:
        done = await asyncio.gather(*(loop.run_in_executor(processes, _batch, *batch) for batch in batches))
    finally:
        # When the caller is gone nobody needs the rest; the next simulation waits until these processes have ended.
        await asyncio.to_thread(processes.shutdown, cancel_futures=True)
    # Off the loop: of 100,000 runs this takes seconds.
    response = await asyncio.to_thread(counted, scenario, [each for batch in done for each in batch])
    response.seconds = time.monotonic() - began
    return response


# --- in a process of its own ---

_prepared: list[Simulator] = []


def _prepare(scenario: bytes, policy: bytes) -> None:
    """Prepare this process for the scenario that it is to run."""
    os.nice(_NICENESS)
    rules = Rulebook(Policy.FromString(policy))
    _prepared[:] = [Simulator(Scenario.FromString(scenario), rules, _START)]


def _batch(runs: int, seed: str) -> list[Run]:
    numbers = random.Random(seed)  # noqa: S311 - response times, not secrets
    return [_prepared[0].run(lambda: _inside(numbers.random())) for _ in range(runs)]


def _inside(number: float) -> float:
    """A number between 0 and 1, both excluded."""
    return min(max(number, 1e-12), 1 - 1e-12)


def counted(scenario: Scenario, runs: Sequence[Run]) -> SimulateDrillResponse:
    """What many runs came to."""
    response = SimulateDrillResponse(runs=len(runs))
    for expectation in scenario.expectations:
        verdicts = Counter(each.judgements[expectation.id].verdict for each in runs)
        seconds = sorted(each.seconds[expectation.id] for each in runs if expectation.id in each.seconds) or [0]
        response.expectations.append(
            SimulatedExpectation(
                id=expectation.id,
                title=expectation.title,
                met=verdicts[DrillExpectation.VERDICT_MET],
                late=verdicts[DrillExpectation.VERDICT_LATE],
                missed=verdicts[DrillExpectation.VERDICT_MISSED],
                seconds_p50=_percentile(seconds, 50),
                seconds_p90=_percentile(seconds, 90),
            )
        )
    response.clocks.extend(_clocks(runs))
    scores = sorted(each.score for each in runs)
    response.score_p10, response.score_p50, response.score_p90 = (_percentile(scores, part) for part in (10, 50, 90))
    return response


def _clocks(runs: Sequence[Run]) -> list[SimulatedClock]:
    started: Counter[str] = Counter()
    for each in runs:
        started.update(each.started)
    climbs = [climb for each in runs for climb in each.climbs]
    clocks = []
    for name in sorted(started):
        broken = [climb for climb in climbs if climb.clock == name]
        clock = SimulatedClock(
            name=name,
            started=started[name],
            breached=len(broken),
            stuck=sum(not climb.answered for climb in broken),
        )
        climbed: Counter[Role.ValueType] = Counter(role for climb in broken for role in dict.fromkeys(climb.roles))
        # Whoever was asked before the last step did not answer there; the last one only if nobody ever did.
        unanswered: Counter[Role.ValueType] = Counter(
            role
            for climb in broken
            for role in dict.fromkeys(climb.roles)
            if not climb.answered or role != climb.roles[-1]
        )
        for role in sorted(climbed):
            clock.steps.add(role=role, climbed=climbed[role], unanswered=unanswered[role])
        clocks.append(clock)
    return clocks


def _percentile(ordered: Sequence[_Number], part: int) -> _Number:
    return ordered[min(len(ordered) * part // 100, len(ordered) - 1)]
