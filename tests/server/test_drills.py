"""DrillService over a real socket, on a real log."""

import asyncio
from pathlib import Path

import grpc
import pytest

from casetrail import Client
from casetrail.scenario_file import load
from casetrail.v1.case_service_pb2 import OpenCaseRequest
from casetrail.v1.command_pb2 import Command
from casetrail.v1.drill_service_pb2 import GetDrillRequest, SimulateDrillRequest
from casetrail.v1.drill_service_pb2_grpc import DrillServiceStub
from casetrail.v1.types_pb2 import Channel, Kind
from tests.server.running import Running, refusal, token

SCENARIO = Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml"


async def test_a_drill_is_answered_however_large_its_cases_are(running: Running) -> None:
    async with Client(running.address, "shop-secret") as client:
        drill = (await client.drills.start(load(SCENARIO))).drill
        numbers = [await _a_large_case(running, drill.case_id, n) for n in range(9)]

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await DrillServiceStub(running.channel).GetDrill(
                GetDrillRequest(case_id=drill.case_id), metadata=token("shop")
            )
        found = await client.drills.get(drill.case_id)

    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE")
    assert found.drill == drill
    assert [case.case_id for case in found.cases] == numbers


async def test_one_scenario_is_simulated_at_a_time_and_who_goes_away_gives_up_the_turn(running: Running) -> None:
    scenario = load(SCENARIO)
    stub = DrillServiceStub(running.channel)
    first = stub.SimulateDrill(SimulateDrillRequest(scenario=scenario, runs=100_000), metadata=token("shop"))
    await asyncio.sleep(0.1)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.SimulateDrill(SimulateDrillRequest(scenario=scenario, runs=1), metadata=token("shop"))
    first.cancel()
    async with Client(running.address, "shop-secret") as client:
        simulated = await client.drills.simulate(scenario, runs=1)

    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "BUSY")
    assert "1 simulations at a time" in told.message
    assert simulated.runs == 1


async def _a_large_case(running: Running, drill_id: str, number: int) -> str:
    """Open a case of a drill whose letters nobody sends, so that they stay pending."""
    request = OpenCaseRequest(request_id=f"open-{number}")
    request.open.kind = Kind.KIND_INQUIRY
    request.open.channel = Channel.CHANNEL_EMAIL
    request.open.customer.customer_id = "C-1"
    request.open.customer.email = "ms.wang@example.com"
    request.open.subject = "Where is my parcel?"
    request.open.drill_id = drill_id
    case_id = (await running.cases.OpenCase(request, metadata=token("shop"))).case.case_id
    for n in range(25):
        command = Command(case_id=case_id, request_id=f"reply-{n}")
        command.reply.words.text = "x" * 20_000
        await running.execute(command)
    return case_id
