"""Encrypted personal fields and their erasure, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest
import pytest_asyncio

from audit.key_table import put_in_force_first
from audit.log import Batch, Log, LogUnavailableError
from audit.questions import Question
from audit.sqlite.keys import SqliteKeys
from audit.stores import KeySettings, open_log, sqlite_url
from tests.audit.erasure_contract import ErasureContract, Find
from tests.audit.given import Writer, opening
from tests.postgres_server import Databases, PostgresServer


@pytest_asyncio.fixture
async def log(log_url: str, key_settings: KeySettings) -> AsyncIterator[Log]:
    opened = await open_log(log_url, key_settings)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def bare_log(log_url: str) -> AsyncIterator[Log]:
    """The log as it was before personal fields were encrypted."""
    opened = await open_log(log_url)
    yield opened
    await opened.close()


class TestSqlite(ErasureContract):
    """In files."""

    @pytest.fixture
    def log_url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "log.db")

    @pytest.fixture
    def key_settings(self, tmp_path: Path) -> KeySettings:
        return KeySettings(sqlite_url(tmp_path / "keys.db"), tmp_path / "kek")

    @pytest.fixture
    def finds(self, tmp_path: Path) -> Find:
        async def find(text: str) -> bool:
            found = text.encode() in _bytes_of(tmp_path)
            # Nor where a database keeps what was overwritten.
            with closing(sqlite.connect(tmp_path / "log.db", isolation_level=None)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("VACUUM")
            return found or text.encode() in _bytes_of(tmp_path)

        return find

    @pytest.fixture
    def change_keys(self, tmp_path: Path) -> Callable[[str], None]:
        return lambda statement: _execute(tmp_path / "keys.db", statement.format("subject_key"))

    @pytest.fixture
    def lose_keys(self, tmp_path: Path) -> Callable[[], None]:
        return (tmp_path / "keys.db").unlink

    async def test_only_their_owner_can_read_the_keys(self, log: Log, tmp_path: Path) -> None:
        assert await log.size() == 0
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("kek", "keys.db", "log.db")} == {0o600}

    async def test_a_destroyed_key_is_nowhere_in_the_file(self, log: Log, tmp_path: Path) -> None:
        await log.append(_batch(log))
        with closing(sqlite.connect(tmp_path / "keys.db")) as connection:
            ((wrapped,),) = connection.execute("SELECT wrapped FROM subject_key").fetchall()
        assert wrapped in _bytes_of(tmp_path)
        await log.destroy_keys(await log.keys_of("cu-1"))
        assert wrapped not in _bytes_of(tmp_path)

    def test_power_that_goes_takes_no_key_back(self, tmp_path: Path) -> None:
        """What is committed is so by the removal of the journal: EXTRA has that on the disk before it goes on."""
        extra = 3
        with closing(SqliteKeys(tmp_path / "keys.db")) as keys:
            assert keys.within(lambda run: run(Question("PRAGMA synchronous", {}))).rows == [(extra,)]

    def test_keys_that_somebody_reads_for_long_can_be_written_afterwards(self, tmp_path: Path) -> None:
        """As a backup does: in a file without a write-ahead log, who reads keeps others from committing."""
        with (
            closing(SqliteKeys(tmp_path / "keys.db")) as keys,
            closing(sqlite.connect(tmp_path / "keys.db", isolation_level=None)) as backup,
        ):
            keys._connection.execute("PRAGMA busy_timeout = 10")
            backup.execute("BEGIN")
            backup.execute("SELECT * FROM kek").fetchall()
            with pytest.raises(LogUnavailableError, match="is locked by another process"):
                keys.within(lambda run: put_in_force_first(run, "a"))
            backup.execute("COMMIT")
            assert keys.within(lambda run: put_in_force_first(run, "b")) == "b"


class TestPostgres(ErasureContract):
    """In a schema apart."""

    @pytest.fixture
    def log_url(self, new_database: Databases) -> Iterator[str]:
        made = new_database()
        yield made
        new_database.give_back(made, as_it_was=True)

    @pytest.fixture
    def key_settings(self, log_url: str, tmp_path: Path) -> KeySettings:
        return KeySettings(log_url, tmp_path / "kek")

    @pytest.fixture
    def finds(self, log_url: str, postgres: PostgresServer) -> Find:
        def look(text: str) -> bool:
            with psycopg.connect(_as_superuser(postgres, log_url), autocommit=True) as connection:
                connection.execute("VACUUM")
                connection.execute("CHECKPOINT")
                ((oid,),) = connection.execute(
                    "SELECT oid FROM pg_database WHERE datname = current_database()"
                ).fetchall()
            return text.encode() in _bytes_of(postgres.data / "base" / str(oid))

        async def find(text: str) -> bool:
            return await asyncio.to_thread(look, text)

        return find

    @pytest.fixture
    def change_keys(self, log_url: str, postgres: PostgresServer) -> Callable[[str], None]:
        return lambda statement: postgres.execute(
            statement.format("casetrail_keys.subject_key"), database=_database_of(log_url)
        )

    @pytest.fixture
    def lose_keys(self, log_url: str, postgres: PostgresServer) -> Callable[[], None]:
        return lambda: postgres.execute(
            "TRUNCATE casetrail_keys.subject_key, casetrail_keys.kek", database=_database_of(log_url)
        )

    async def test_the_application_cannot_delete_a_key_and_leave_no_trace(self, log: Log, log_url: str) -> None:
        await log.append(_batch(log))
        with (
            psycopg.connect(log_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("DELETE FROM casetrail_keys.subject_key")


def _batch(log: Log) -> Batch:
    return Writer(log, "INQ-1").batch(opening(), key="open")


def _bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def _execute(path: Path, statement: str) -> None:
    with closing(sqlite.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def _database_of(url: str) -> str:
    return url.rpartition("/")[2]


def _as_superuser(postgres: PostgresServer, url: str) -> str:
    return postgres.url(_database_of(url))
