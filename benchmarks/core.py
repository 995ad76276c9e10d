"""The pure core, alone: `python -m benchmarks.core`.

A process that leads cases through their lives on a virtual clock, and folds what came of them: no I/O, no Temporal.
"""

import time
from collections.abc import Mapping
from typing import Any

import uvloop

from benchmarks.lives import Step, lives
from benchmarks.processes import Answer, Request, answer_requests
from casetrail import policy_file
from domain import Rulebook, fold
from engine.settings import DEFAULT_POLICY


def measure_core(rules: Rulebook, *, seconds: float) -> Mapping[str, Any]:
    """Simulate for so many seconds of processor time, which others on the machine take nothing of; then fold it all.

    Returns:
        Events a second of each, and how many cases and events were simulated.
    """
    led: list[list[Step]] = []
    events = 0
    began = time.process_time()
    for steps in lives(rules):
        led.append(steps)
        events += sum(len(step.events) for step in steps)
        if (simulating := time.process_time() - began) >= seconds:
            break
    histories = [[event for step in steps for event in step.events] for steps in led]
    began = time.process_time()
    for history in histories:
        fold(history)
    folding = time.process_time() - began
    return {"simulated": events / simulating, "folded": events / folding, "cases": len(led), "events": events}


async def main() -> None:
    """Answer requests until the input ends."""
    rules = Rulebook(policy_file.load(DEFAULT_POLICY))

    async def handle(request: Request) -> Answer:
        return dict(measure_core(rules, seconds=request["seconds"]))

    await answer_requests(handle)


if __name__ == "__main__":
    uvloop.run(main())
