"""One Temporal server for all tests of a module; a world of its own for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.workflows.world import World, virtual_time, world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with await virtual_time() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", name="world")
async def _world(environment: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    async with world(environment, tmp_path) as whole:
        yield whole
