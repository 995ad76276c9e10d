"""What every test shares."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from audit.sqlite import SqliteLog
from tests.postgres_server import Databases, PostgresServer

# A busy machine is slow, not wrong; CI tries the same examples every time, a developer new ones.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

# A job in the background ignores Ctrl-C, and so would whatever the tests start and press it for.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server, started by the first test that wants it."""
    folder = Path(tempfile.mkdtemp(prefix="casetrail-postgres-"))
    server = PostgresServer.make(folder)
    yield server
    server.end()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new_database(postgres: PostgresServer) -> Databases:
    """Makes databases of the log, empty and ready; gives the URL that an application would use."""
    return Databases(postgres)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """A log of a test's own, in a file."""
    opened = SqliteLog(tmp_path / "casetrail.db")
    yield opened
    await opened.close()
