"""The whole stack on PostgreSQL, as its user has it: server and worker processes, real sockets, the CLI."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from casetrail.v1.case_service_pb2 import WatchCaseRequest
from embedded.stack import Stack
from tests.postgres_server import PostgresServer
from tests.test_stack import PATIENCE, an_open_case, calling, cli

SAMPLE = ("examples/servicenow_sample.csv", "--mapping", "examples/servicenow.yaml")


async def test_cases_live_on_postgresql_and_outlast_its_restart(
    tmp_path: Path, new_database: Callable[[], str], postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASETRAIL_LOG", new_database())
    async with asyncio.timeout(PATIENCE), Stack.start(data=tmp_path / "data") as stack:
        played = await cli(stack.address, stack.data, "play", *SAMPLE, "--backfill")
        assert (played["cases"], played["refused"]) == (16, 0)

        await asyncio.to_thread(postgres.restart, at_once=True)
        again = await cli(stack.address, stack.data, "play", *SAMPLE, "--backfill")
        assert (again["events"], again["written"]) == (played["events"], 0)

        # 10 minutes to the first response are a sixth of a second here: only the workflow lets that time pass.
        case_id = await an_open_case(stack.address, stack.data, "--scale", "3600")
        async with calling(stack) as (cases, metadata):
            async for seen in cases.WatchCase(WatchCaseRequest(case_id=case_id), metadata=metadata):
                if seen.event.HasField("clock_breached"):
                    break

        verified = await cli(stack.address, stack.data, "verify")
        assert int(verified["cases"]) == 17
        assert int(verified["events"]) > played["events"]
        assert "findings" not in verified
    assert not (tmp_path / "data" / "casetrail.db").exists()
