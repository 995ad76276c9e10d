"""A story for every test of the core."""

from collections.abc import Iterator

import pytest

from tests.domain.story import Story


@pytest.fixture
def story() -> Iterator[Story]:
    told = Story()
    yield told
    if told.told is not None:
        told.end()
