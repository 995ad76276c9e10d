"""One Temporal server for all tests of a module; a world of its own for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.workflows.world import World, new_payloads, virtual_time, world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkflowEnvironment]:
    keys = tmp_path_factory.mktemp("temporal") / "payload-keys"
    async with await virtual_time(payloads=new_payloads(keys)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", name="world")
async def _world(environment: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    async with world(environment, tmp_path) as whole:
        yield whole


@pytest_asyncio.fixture(loop_scope="module")
async def case_id(world: World) -> str:
    """An inquiry whose customer was told so, and whose workflow has nothing left to do."""
    opened = await world.open()
    await world.until(opened, "customer_told")
    await world.looked_at(opened, 6)
    return opened
