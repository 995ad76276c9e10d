"""No log is begun in the place of one that was lost, which what it has left outside its database shows."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from audit.checkpoint_folder import CheckpointFolder
from audit.log import LogDamagedError, LogUnavailableError
from audit.publishing import Publisher
from audit.remains import Remains
from audit.signing import Notary
from audit.stores import open_log, sqlite_url
from engine.ground import Ground
from engine.settings import EngineSettings
from telemetry import Telemetry
from tests.audit.given import Writer, opening
from tests.postgres_server import PostgresServer
from tests.programs import CASETRAIL_DB


def init(log: str, data: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Status and words of `casetrail-db init`."""
    return casetrail_db("init", *words, CASETRAIL_LOG=log, CASETRAIL_DATA=str(data), **environment)


def casetrail_db(*words: str, **environment: str) -> tuple[int, str]:
    """Status and words of the program."""
    ran = CASETRAIL_DB.run(*words, folder=Path("/"), **environment)
    return ran.code, ran.out + ran.err


async def run_for_a_while(url: str, data: Path) -> None:
    """What a server does with a log: it signs it, and publishes."""
    (data / "outside").mkdir()
    log = await open_log(url)
    await Writer(log, "INQ-1").write(opening(), key="open")
    await Publisher(log, await Notary.open(log, data / "keys"), CheckpointFolder(data / "outside")).publish()
    await log.close()


async def start(environment: Mapping[str, str], data: Path) -> None:
    """What servers and workers begin with."""
    settings = EngineSettings.read({"CASETRAIL_DATA": str(data), **environment})
    async with Ground.opened(settings, Telemetry(None, None)):
        pass


class RemainsContract:
    """What holds on each database. The fixture `lose` takes it away."""

    def test_a_log_that_was_lost_is_not_begun_again_while_its_key_is_there(
        self, url: str, admin: str, lose: Callable[[], None], tmp_path: Path
    ) -> None:
        asyncio.run(run_for_a_while(url, tmp_path))
        assert init(url, tmp_path, CASETRAIL_DB_ADMIN=admin)[0] == 0
        lose()

        status, words = init(url, tmp_path, CASETRAIL_DB_ADMIN=admin)
        with pytest.raises(
            LogDamagedError, match=r"is gone: its database is empty, but .*keys has the signing key of casetrail/"
        ):
            asyncio.run(start({"CASETRAIL_LOG": url}, tmp_path))

        assert (status, "Traceback" in words) == (1, False)
        assert f"{tmp_path / 'keys'} has the signing key of casetrail/" in words
        assert "Restore the newest backup of the database. Only if a new log is to begin there, move" in words
        assert self.is_lost(tmp_path)

    def test_a_log_that_was_lost_is_not_begun_again_while_what_it_published_is_there(
        self, url: str, admin: str, lose: Callable[[], None], tmp_path: Path
    ) -> None:
        asyncio.run(run_for_a_while(url, tmp_path))
        lose()
        (tmp_path / "keys").rename(tmp_path / "keys.away")
        outside = {"CASETRAIL_CHECKPOINTS": str(tmp_path / "outside")}

        status, words = init(url, tmp_path, CASETRAIL_DB_ADMIN=admin, **outside)
        with pytest.raises(LogDamagedError, match="outside has what a log has published"):
            asyncio.run(start({"CASETRAIL_LOG": url, **outside}, tmp_path))

        assert (status, "outside has what a log has published" in words) == (1, True)
        assert self.is_lost(tmp_path)

    @pytest.mark.parametrize(("command", "status"), [("status", 1), ("upgrade", 1), ("verify", 2)])
    def test_whoever_looks_at_a_log_that_was_lost_is_not_told_to_begin_one(
        self, url: str, admin: str, lose: Callable[[], None], tmp_path: Path, command: str, status: int
    ) -> None:
        asyncio.run(run_for_a_while(url, tmp_path))
        lose()

        ended = casetrail_db(
            command, CASETRAIL_LOG=url, CASETRAIL_DATA=str(tmp_path), CASETRAIL_DB_ADMIN=admin or "postgresql://none"
        )

        assert self.is_lost(tmp_path)
        assert (ended[0], "is gone: its database is empty" in ended[1], "run `casetrail-db init`" in ended[1]) == (
            status,
            True,
            False,
        ), ended[1]

    def is_lost(self, data: Path) -> bool:
        """Whether nothing was made in its place."""
        return not (data / "log.db").exists() or not (data / "log.db").stat().st_size


class TestSqlite(RemainsContract):
    """In a file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "log.db")

    @pytest.fixture
    def admin(self) -> str:
        return ""

    @pytest.fixture(params=["deleted", "emptied"])
    def lose(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], None]:
        def lose() -> None:
            for name in ("log.db", "log.db-wal", "log.db-shm"):
                (tmp_path / name).unlink(missing_ok=True)
            if request.param == "emptied":
                (tmp_path / "log.db").touch()

        return lose

    def test_where_nothing_is_left_one_is_begun(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "keys").mkdir()
        (tmp_path / "outside").mkdir()
        asyncio.run(start({"CASETRAIL_LOG": url, "CASETRAIL_CHECKPOINTS": str(tmp_path / "outside")}, tmp_path))
        assert (tmp_path / "log.db").stat().st_size

    def test_a_new_one_is_begun_when_what_is_left_was_moved_away(
        self, url: str, lose: Callable[[], None], tmp_path: Path
    ) -> None:
        asyncio.run(run_for_a_while(url, tmp_path))
        lose()
        (tmp_path / "keys").rename(tmp_path / "keys.away")
        assert init(url, tmp_path)[0] == 0
        asyncio.run(start({"CASETRAIL_LOG": url}, tmp_path))

    @pytest.mark.parametrize(
        "key", ["", "what is this\n", "\N{SNOWMAN}".encode("utf-16")], ids=["empty", "no key", "no text"]
    )
    def test_a_key_that_cannot_be_read_shows_that_there_was_one(self, tmp_path: Path, key: str | bytes) -> None:
        (tmp_path / "log.vkey").write_bytes(key.encode() if isinstance(key, str) else key)
        assert Remains(tmp_path, None).found() == [f"{tmp_path} has the signing key of a log"]

    @pytest.mark.parametrize("name", ["log.key", "log.vkey"])
    def test_either_half_of_the_key_shows_that_there_was_one(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir()  # nor can it be read
        assert Remains(tmp_path, None).found() == [f"{tmp_path} has the signing key of a log"]

    def test_where_nothing_was_published_the_folder_shows_nothing(self, tmp_path: Path) -> None:
        assert Remains(tmp_path / "keys", tmp_path / "checkpoints").found() == []
        (tmp_path / "2026-11-21.jsonl").touch()  # by a process that died then
        assert Remains(tmp_path / "keys", tmp_path).found() == []

    def test_the_key_is_looked_for_where_the_environment_says_it_is(self, tmp_path: Path) -> None:
        elsewhere = {"CASETRAIL_KEYS": str(tmp_path / "elsewhere")}
        assert Remains.read(elsewhere, tmp_path) == Remains(tmp_path / "elsewhere", None)
        assert Remains.read({}, tmp_path) == Remains(tmp_path / "keys", None)

    def test_whether_there_was_one_has_to_be_seen(self, tmp_path: Path) -> None:
        (tmp_path / "keys").mkdir()
        (tmp_path / "outside").touch()
        with pytest.raises(LogUnavailableError, match=r"whether there was a log before cannot be seen: .*outside"):
            Remains(tmp_path / "keys", tmp_path / "outside").found()


class TestPostgres(RemainsContract):
    """On a server."""

    @pytest.fixture
    def url(self, server_url: str) -> str:
        return server_url

    @pytest.fixture
    def admin(self, postgres: PostgresServer) -> str:
        return postgres.url()

    @pytest.fixture
    def lose(self, url: str, postgres: PostgresServer) -> Callable[[], None]:
        return lambda: postgres.execute("DROP SCHEMA casetrail CASCADE", database=url.rpartition("/")[2])

    def test_a_log_that_was_lost_is_not_begun_again_while_its_customers_keys_are_there(
        self, url: str, admin: str, lose: Callable[[], None], postgres: PostgresServer, tmp_path: Path
    ) -> None:
        lose()

        status, words = init(url, tmp_path, CASETRAIL_DB_ADMIN=admin)

        assert (status, "is gone: its database is empty, but its schema casetrail_keys has the keys" in words) == (
            1,
            True,
        )
        postgres.execute("ALTER SCHEMA casetrail_keys RENAME TO lost_keys", database=url.rpartition("/")[2])
        status, words = init(url, tmp_path, CASETRAIL_DB_ADMIN=admin)
        assert (status, "made the tables" in words) == (0, True), words

    def test_a_database_for_keys_alone_is_prepared_beside_a_log(
        self, url: str, admin: str, lose: Callable[[], None], postgres: PostgresServer, tmp_path: Path
    ) -> None:
        own = sqlite_url(tmp_path / "log.db")
        asyncio.run(run_for_a_while(own, tmp_path))
        postgres.execute("DROP SCHEMA casetrail_keys CASCADE", database=url.rpartition("/")[2])
        lose()
        status, words = init(own, tmp_path, "--log", url, "--admin", admin)
        assert (status, "made the tables" in words) == (0, True), words
