"""Simulations do not keep calls waiting."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from casetrail.scenario_file import load
from casetrail.v1.drill_service_pb2 import SimulateDrillResponse
from casetrail.v1.scenario_pb2 import Scenario
from domain.drills.simulation import Run
from server import simulating
from tests.policies import shipped_policy

SCENARIO = Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml"


async def test_runs_are_counted_while_the_server_goes_on_answering(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, answered, counted = asyncio.get_running_loop(), threading.Event(), simulating.counted

    def counted_slowly(scenario: Scenario, runs: Sequence[Run]) -> SimulateDrillResponse:
        loop.call_soon_threadsafe(answered.set)
        assert answered.wait(10), "the loop is kept until all is counted"
        return counted(scenario, runs)

    monkeypatch.setattr(simulating, "counted", counted_slowly)

    assert (await simulating.simulate(load(SCENARIO), shipped_policy(), runs=1, seed=1)).runs == 1
