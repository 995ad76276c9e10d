"""The callers' process: `python -m benchmarks.driver SYSTEM ADDRESS`, which leads rounds when it is asked to.

SYSTEM is `casetrail`, with its token in CASETRAIL_TOKEN, or `plain` or `plain-tuned`. It waits on stdin for requests
(see `processes`): `job` names what is to be done.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

import uvloop
from temporalio.client import Client as TemporalClient

from benchmarks import hot_case, reading
from benchmarks.casetrail_cases import CasetrailCases
from benchmarks.closed_loop import COMMANDS, System, run_round
from benchmarks.plain_temporal import AS_IT_COMES, TUNED, PlainTemporal
from benchmarks.processes import Answer, Request, answer_requests
from casetrail import Client, environment

_CHECKED_AT_ONCE: Final = 16

Job = Callable[..., Awaitable[Mapping[str, Any]]]


def main() -> None:
    """Answer requests until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.driver")
    parser.add_argument("system", choices=("casetrail", AS_IT_COMES, TUNED))
    parser.add_argument("address")
    arguments = parser.parse_args()
    if arguments.system == "casetrail":
        uvloop.run(_drive_casetrail(arguments.address, environment.token()))
    else:
        uvloop.run(_drive_plain(arguments.address, arguments.system))


async def _drive_casetrail(address: str, token: str) -> None:
    async with Client(address, token) as client:
        cases = CasetrailCases(client)
        await _answer(
            {
                "round": lambda **how: _round(cases, **how),
                "hot_case": lambda **how: hot_case.measure(client, **how),
                "reading": lambda **how: reading.measure(address, token, cases, **how),
            }
        )


async def _drive_plain(address: str, task_queue: str) -> None:
    plain = PlainTemporal(await TemporalClient.connect(address), task_queue=task_queue)
    await _answer(
        {
            "round": lambda **how: _round(plain, **how),
            "check": lambda **how: _check(plain, **how),
        }
    )


async def _answer(jobs: Mapping[str, Job]) -> None:
    async def handle(request: Request) -> Answer:
        return dict(await jobs[request.pop("job")](**request))

    await answer_requests(handle)


async def _round(system: System, *, callers: int, seconds: float, tag: str) -> Answer:
    return asdict(await run_round(system, callers=callers, seconds=seconds, tag=tag))


async def _check(plain: PlainTemporal, *, cases: list[str]) -> Answer:
    """Ask every case for its trail, and count those that are not as they should be."""
    free = asyncio.Semaphore(_CHECKED_AT_ONCE)

    async def is_right(case_id: str) -> bool:
        async with free:
            return list(await plain.trail(case_id)) == ["open", *COMMANDS]

    found = Counter(await asyncio.gather(*map(is_right, cases)))
    return {"right": found[True], "wrong": found[False]}


if __name__ == "__main__":
    main()
