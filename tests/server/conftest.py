from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.running import Running, serving


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as it:
        yield it
