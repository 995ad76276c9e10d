"""Which database the log is in, by its URL; and `casetrail-db`, which prepares it."""

import os
import secrets
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest
from psycopg import sql

from audit import key_writing, stores
from audit.log import LogDamagedError, LogUnavailableError
from audit.postgres import PostgresLog
from audit.postgres import administration as postgres_administration
from audit.sqlite import SqliteLog
from audit.sqlite import administration as sqlite_administration
from audit.sqlite.file import DatabaseFile
from casetrail.payload_keys import payload_key_file
from engine.settings import EngineSettings
from tests.postgres_server import Databases, PostgresServer
from tests.programs import CASETRAIL_DB


async def test_a_url_says_which_database_it_is(tmp_path: Path, new_database: Callable[[], str]) -> None:
    for url, kind in ((stores.sqlite_url(tmp_path / "log.db"), SqliteLog), (new_database(), PostgresLog)):
        log = await stores.open_log(url)
        assert isinstance(log, kind)
        assert await log.size() == 0
        await log.close()


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///data/log.db", "data/log.db"), ("sqlite:////var/log.db", "/var/log.db")],
)
def test_a_file_is_named_from_this_folder_or_from_the_root(url: str, path: str) -> None:
    assert stores.sqlite_path(url) == Path(path)
    assert stores.sqlite_url(Path(path)) == stores.shown(url) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "must be sqlite:///PATH or postgresql://"),
        ("data/log.db", "for the file data/log.db write sqlite:///data/log.db"),
        ("sqlite:///", "must be sqlite:///PATH"),
        ("sqlite://log.db", "must be sqlite:///PATH"),
        ("mysql://user:secret@host/log", "must be sqlite:///PATH"),
        ("postgresql://user:secret@host:port/log", "its port is no number"),
        ("postgresql://user:se@cret@host/log", "an @ in user or password is written %40"),
        ("postgresql://host/log?nonsense=secret", "write postgresql://"),
    ],
)
async def test_what_is_no_url_of_a_log_is_refused_without_repeating_a_password(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        await stores.open_log(url)
    assert "cret" not in str(refused.value)


def test_an_engine_is_told_the_log_by_its_environment_and_never_shows_the_password() -> None:
    told = EngineSettings.read({"CASETRAIL_LOG": "postgresql://casetrail:secret@db:5433/trail?sslmode=require"})
    assert "secret" not in repr(told)
    assert stores.shown(told.log) == "postgresql://casetrail@db:5433/trail"
    assert EngineSettings.read({"CASETRAIL_DATA": "/var/d"}).log == "sqlite:////var/d/casetrail.db"
    with pytest.raises(ValueError, match="CASETRAIL_LOG"):
        EngineSettings.read({"CASETRAIL_LOG": "log.db"})


def test_keys_are_beside_the_log_unless_the_environment_says_otherwise() -> None:
    data = Path("/var/d")
    beside = stores.KeySettings.read({}, data, stores.sqlite_url(data / "log.db"))
    assert beside == stores.KeySettings("sqlite:////var/d/keys.db", data / "kek")
    postgres = "postgresql://casetrail:secret@db/trail"
    assert stores.KeySettings.read({}, data, postgres).url == postgres
    told = {"CASETRAIL_SUBJECT_KEYS": "postgresql://keys:secret@other/keys", "CASETRAIL_KEK": "/secrets/kek"}
    elsewhere = stores.KeySettings.read(told, data, postgres)
    assert elsewhere == stores.KeySettings("postgresql://keys:secret@other/keys", Path("/secrets/kek"))
    assert "secret@" not in repr(elsewhere)
    with pytest.raises(ValueError, match="CASETRAIL_SUBJECT_KEYS"):
        stores.KeySettings.read({"CASETRAIL_SUBJECT_KEYS": "keys.db"}, data, postgres)


# casetrail-db


def casetrail_db(*words: str, log: str, **environment: str) -> tuple[int, str]:
    """Status and words of the program."""
    ran = CASETRAIL_DB.run(*words, folder=Path("/"), CASETRAIL_LOG=log, **environment)
    return ran.code, ran.out + ran.err


@pytest.mark.parametrize("table", ["event", "log_head", "alembic_version"])
def test_a_table_that_is_gone_is_told_to_whoever_looks(
    table: str, tmp_path: Path, postgres: PostgresServer, new_database: Databases
) -> None:
    file, url = tmp_path / "log.db", new_database()
    DatabaseFile(file, busy_timeout=1.0)
    with closing(sqlite.connect(file, isolation_level=None)) as other:
        other.execute(f"DROP TABLE {table}")
    postgres.execute(sql.SQL("DROP TABLE casetrail.{}").format(sql.Identifier(table)), database=url.rpartition("/")[2])
    with pytest.raises(LogDamagedError, match=f"has lost its table {table}: "):
        sqlite_administration.status(file)
    with pytest.raises(LogDamagedError, match=f"has lost its table {table}: "):
        postgres_administration.status(url)
    new_database.give_back(url, as_it_was=False)


def test_a_file_is_made_looked_at_and_upgraded(tmp_path: Path) -> None:
    url = stores.sqlite_url(tmp_path / "new" / "log.db")
    for early in ("status", "upgrade"):
        status, words = casetrail_db(early, log=url)
        assert (status, "run `casetrail-db init`" in words) == (1, True)
        assert not (tmp_path / "new").exists()
    for command in ("init", "upgrade", "status"):
        status, words = casetrail_db(command, log=url)
        assert (status, "schema    0008 (this Casetrail: 0008)" in words) == (0, True), words


def test_when_nobody_reads_on_it_ends_without_a_word(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [str(CASETRAIL_DB.installed), "init", "--log", stores.sqlite_url(tmp_path / "log.db")]
    ended = subprocess.run(command, cwd="/", stdout=writes, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (-signal.SIGPIPE, b"")


async def test_a_server_is_prepared_from_nothing_and_as_often_as_one_likes(postgres: PostgresServer) -> None:
    name = f"new_{secrets.token_hex(4)}"
    url = postgres.url(name, user=name, password="a'b %\"c")
    status, words = casetrail_db("init", log=url)
    assert (status, "name its URL by --admin or CASETRAIL_DB_ADMIN" in words) == (1, True)
    status, words = casetrail_db("status", log=url)
    assert (status, "refuses role or password" in words) == (1, True), words
    with pytest.raises(LogUnavailableError):
        await stores.open_log(url)

    status, words = casetrail_db("init", "--admin", postgres.url(), log=url)
    assert status == 0, words
    for made in (f"made the role {name}", f"made the database {name}", "made the tables", "events    0"):
        assert made in words
    log = await stores.open_log(url)
    await log.remember("temporal", "a")
    await log.close()

    status, words = casetrail_db("init", log=url, CASETRAIL_DB_ADMIN=postgres.url())
    assert (status, "made" in words) == (0, False), words
    status, words = casetrail_db("upgrade", log=url, CASETRAIL_DB_ADMIN=postgres.url())
    assert (status, "is the newest already" in words) == (0, True), words
    log = await stores.open_log(url)
    assert await log.remember("temporal", "a") == "a"
    await log.close()


async def test_a_database_without_tls_is_refused_where_the_url_wants_it(new_database: Callable[[], str]) -> None:
    url = f"{new_database()}?sslmode=require"
    with pytest.raises(LogUnavailableError, match="server does not support SSL, but SSL was required"):
        await stores.open_log(url)
    status, words = casetrail_db("status", log=url)
    assert (status, "SSL was required" in words, "Traceback" in words) == (1, True, False), words


def test_tables_that_cannot_all_be_made_are_not_made_at_all(postgres: PostgresServer) -> None:
    name = f"taken_{secrets.token_hex(4)}"
    postgres.execute(f"CREATE DATABASE {name}")
    postgres.execute("CREATE SCHEMA casetrail CREATE TABLE policy (mine text)", database=name)
    url = postgres.url(name, user="casetrail", password="x")
    status, words = casetrail_db("init", "--admin", postgres.url(), log=url)
    assert (status, 'relation "policy" already exists' in words) == (1, True), words
    with psycopg.connect(postgres.url(name)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'casetrail'").fetchall()
    assert tables == [("policy",)]


def test_nobody_else_comes_into_the_database(postgres: PostgresServer, new_database: Callable[[], str]) -> None:
    url = new_database()
    postgres.execute("DROP ROLE IF EXISTS stranger")
    postgres.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    stranger = url.replace(url.partition("//")[2].partition("@")[0], "stranger:stranger")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(stranger)


def test_a_role_that_may_change_events_is_told_of(new_database: Callable[[], str]) -> None:
    url = new_database()
    assert "may change events" not in casetrail_db("status", log=url)[1]
    as_admin = url.replace(url.partition("//")[2].partition("@")[0], f"admin:{quote('admin')}")
    status, words = casetrail_db("status", log=as_admin)
    assert (status, "warning   the role admin may change events" in words) == (0, True), words


def test_another_schema_is_told_with_what_to_do(postgres: PostgresServer, new_database: Callable[[], str]) -> None:
    url = new_database()
    database = url.rpartition("/")[2]
    note = sql.SQL("UPDATE casetrail.alembic_version SET version_num = {}")
    for revision, advice in (("0000", "run `casetrail-db upgrade`"), ("9999", "run the newer one")):
        postgres.execute(note.format(revision), database=database)
        status, words = casetrail_db("status", log=url)
        assert (status, advice in words) == (1, True), words
    status, words = casetrail_db("upgrade", "--admin", postgres.url(), log=url)
    assert (status, "was upgraded by a newer Casetrail" in words) == (1, True)


def test_the_key_encryption_key_is_changed_by_a_command(tmp_path: Path) -> None:
    log, kek = stores.sqlite_url(tmp_path / "log.db"), tmp_path / "kek"
    for _ in range(2):
        before = kek.read_text() if kek.exists() else ""
        status, words = casetrail_db("rotate-kek", log=log, CASETRAIL_DATA=str(tmp_path))
        assert (status, f"wrapped 0 keys anew; copy {kek}" in words) == (0, True), words
        assert kek.read_text() != before
    kek.unlink()
    status, words = casetrail_db("rotate-kek", log=log, CASETRAIL_DATA=str(tmp_path))
    assert (status, f"{kek} is missing" in words) == (1, True), words


def test_a_payload_key_is_added_by_a_command_and_the_older_ones_stay(tmp_path: Path) -> None:
    log, keys = stores.sqlite_url(tmp_path / "log.db"), tmp_path / "payload-keys"
    status, words = casetrail_db("rotate-payload-key", log=log, CASETRAIL_DATA=str(tmp_path))
    assert (status, f"{keys} is missing" in words) == (1, True), words
    file = payload_key_file(keys)
    before = key_writing.make(file)
    status, words = casetrail_db("rotate-payload-key", log=log, CASETRAIL_DATA=str(tmp_path))
    assert (status, f"copy {keys}" in words) == (0, True), words
    *older, new = file.read()
    assert older == list(before)
    assert new in words


def test_a_payload_key_that_is_lost_for_ever_is_replaced_by_a_command(tmp_path: Path) -> None:
    log, keys = stores.sqlite_url(tmp_path / "log.db"), tmp_path / "payload-keys"
    status, words = casetrail_db("replace-payload-key", log=log, CASETRAIL_DATA=str(tmp_path))
    (first,) = payload_key_file(keys).read()
    assert (status, f"began with {first}; copy {keys}" in words) == (0, True), words

    status, words = casetrail_db("replace-payload-key", log=log, CASETRAIL_DATA=str(tmp_path))
    assert (status, f"the key {first} is not lost" in words) == (1, True), words
    keys.unlink()
    status, words = casetrail_db("replace-payload-key", log=log, CASETRAIL_DATA=str(tmp_path))
    assert (status, f"under {first} cannot be read any more" in words) == (0, True), words
