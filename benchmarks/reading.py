"""How many cases can be read in a second, beside calls of the same server that do nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import cycle
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.casetrail_cases import CasetrailCases
from benchmarks.closed_loop import run_round
from casetrail.v1.case_service_pb2 import GetCaseRequest
from casetrail.v1.case_service_pb2_grpc import CaseServiceStub

CALLERS: Final = 16
_ROUNDS: Final = 5
_CASES: Final = 64

Call = Callable[[], Awaitable[object]]


async def measure(address: str, token: str, cases: CasetrailCases, *, seconds: float) -> Mapping[str, Any]:
    """Call both by turns, from as many callers, over the same channel and with the same metadata.

    Returns:
        Calls a second of each, round by round.
    """
    known = await _some_cases(cases)
    metadata = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(address) as channel:
        service = CaseServiceStub(channel)
        health: Any = HealthStub(channel)  # its types do not know its methods
        wanted = cycle([GetCaseRequest(case_id=case_id) for case_id in known])
        nothing = HealthCheckRequest()
        kinds: Mapping[str, Call] = {
            "get_case": lambda: service.GetCase(next(wanted), metadata=metadata),
            "empty": lambda: health.Check(nothing, metadata=metadata),
        }
        rates: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(_ROUNDS):
            for name, call in kinds.items():
                rates[name].append(await _rate(call, seconds))
    return rates


async def _some_cases(cases: CasetrailCases) -> Sequence[str]:
    """Cases as they stand at the end of their lives."""
    led = await run_round(cases, callers=CALLERS, seconds=1.0, tag="read")
    return led.cases[:_CASES]


async def _rate(call: Call, seconds: float) -> float:
    began = time.monotonic()
    done = 0

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < began + seconds:
            await call()
            done += 1

    async with asyncio.TaskGroup() as crowd:
        for _ in range(CALLERS):
            crowd.create_task(caller())
    return done / (time.monotonic() - began)
