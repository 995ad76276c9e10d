"""An engine on a real log, with a clock that the test sets and a waker that only notes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from audit.log import Log
from audit.sqlite import SqliteLog
from casetrail.v1.policy_pb2 import Policy
from engine.engine import Engine
from engine.rulebooks import Rulebooks
from tests.fakes import NotedNudges
from tests.policies import shipped_policy

MakeEngine = Callable[..., Engine]


@dataclass
class SetClock:
    """Real time as the test wants it: a working day's morning in Shanghai."""

    time: datetime = field(default_factory=lambda: datetime(2026, 3, 4, 2, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time

    def pass_(self, duration: timedelta) -> None:
        self.time += duration


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def nudges() -> NotedNudges:
    return NotedNudges()


@pytest.fixture(scope="session")
def policy() -> Policy:
    return shipped_policy()


@pytest_asyncio.fixture
async def make_engine(log: SqliteLog, clock: SetClock, nudges: NotedNudges, policy: Policy) -> MakeEngine:
    """Makes an engine on the log, or on another one: each call stands for one more process."""
    rulebooks = await Rulebooks.keep(log, policy)

    def make(on: Log | None = None, *, cached_cases: int = 100) -> Engine:
        return Engine(on or log, rulebooks, nudges, clock.now, cached_cases=cached_cases)

    return make


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine()
