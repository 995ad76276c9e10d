"""The log in PostgreSQL: the contract, and what only a server, its roles and many processes can do wrong."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from audit.envelope import leaf_hash
from audit.listing import UNSERVED, which_cases
from audit.log import Appended, AppendResult, Batch, Known, Log, LogDamagedError, LogUnavailableError
from audit.postgres import PostgresLog
from audit.postgres.server import Server, Timeouts
from audit.postgres.store import HAS_KEY
from audit.questions import first_under_key
from audit.stores import KeySettings, open_keys
from audit.tables import TABLES
from casetrail.v1.case_service_pb2 import CaseFilter
from tests.audit.archive_contract import ArchiveContract
from tests.audit.contract import (
    Clock,
    LogContract,
    everybody_hears_that_a_table_is_gone,
    opened,
    take,
    two_cases,
)
from tests.audit.cutting_proxy import CuttingProxy
from tests.audit.given import Writer, note, opening, reply
from tests.audit.past_the_guards import change_server
from tests.audit.sharing_contract import SharingContract
from tests.audit.tampering_contract import Tamper, TamperingContract, is_found
from tests.audit.tree_contract import TreeContract
from tests.postgres_server import Databases, PostgresServer

QUICK = Timeouts(lock=0.3, statement=5, answer=5, patience=3)

COMMITTED = b"COMMIT\x00"
INSERTING = b"INSERT INTO event"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(request: pytest.FixtureRequest, new_database: Databases) -> Iterator[str]:
    made = new_database()
    yield made
    new_database.give_back(made, as_it_was={"superuser", "tamper"}.isdisjoint(request.fixturenames))


@pytest_asyncio.fixture
async def log(url: str, clock: Clock, tmp_path: Path) -> AsyncIterator[PostgresLog]:
    opened_log = await PostgresLog.open(url, timeouts=QUICK, clock=clock)
    await opened_log.use_keys(open_keys(KeySettings(url, tmp_path / "kek")))
    yield opened_log
    await opened_log.close()


@pytest.fixture
def superuser(url: str, postgres: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the log's database that may do everything."""
    with psycopg.connect(
        postgres.url(database_of(url)), autocommit=True, options="-c search_path=casetrail"
    ) as connection:
        yield connection


@pytest_asyncio.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[CuttingProxy]:
    async with CuttingProxy(postgres.port) as standing:
        yield standing


@pytest_asyncio.fixture
async def far_log(url: str, postgres: PostgresServer, proxy: CuttingProxy) -> AsyncIterator[PostgresLog]:
    """The log, reached by a way that can be cut."""
    timeouts = QUICK._replace(answer=1, patience=0.2)
    far = url.replace(f":{postgres.port}/", f":{proxy.port}/")
    opened_log = await PostgresLog.open(f"{far}?connect_timeout=2", timeouts=timeouts)
    yield opened_log
    await opened_log.close()


def database_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


class TestContract(LogContract):
    """PostgreSQL keeps to the contract."""


class TestSharing(SharingContract):
    """And to that of processes beside each other."""


class TestTree(TreeContract):
    """And to that of the tree."""


class TestArchive(ArchiveContract):
    """And to that of archives."""


# Groups and processes


async def test_batches_that_wait_together_share_a_commit(log: PostgresLog) -> None:
    await opened(log, "INQ-0")
    before = log.groups
    await asyncio.gather(*(log.append(Writer(log, f"INQ-{n}").batch(opening(), key="open")) for n in range(1, 201)))
    assert await log.size() == 201
    assert log.groups - before <= 5


async def test_processes_that_append_by_turns_never_write_by_what_they_remember_alone(
    log: PostgresLog, url: str
) -> None:
    other = await PostgresLog.open(url)
    writer = await opened(log, "INQ-1")
    await writer.write(note(), key="r1")
    missing = writer.batch(reply(), key="r2")
    assert isinstance(await other.append(missing), Appended)
    assert isinstance(await log.append(missing), Known)
    for number in range(3):
        for each in (log, other, other):
            assert await (await opened(each, f"INQ-{number}-{await log.size()}")).write(note(), key="r1")
    assert await log.size() == 21
    assert (await log.verify()).findings == ()
    await other.close()


async def test_nothing_is_written_over_a_head_that_is_not_as_it_was_remembered(
    log: PostgresLog, superuser: psycopg.Connection[Any]
) -> None:
    writer = await opened(log, "INQ-1")
    await writer.write(note(), key="r1")
    superuser.execute("UPDATE log_head SET frontier = frontier || frontier")
    with pytest.raises(LogDamagedError, match="no frontier of 2 leaves"):
        await log.append(writer.batch(note(), key="r2"))
    assert superuser.execute("SELECT count(*) FROM event").fetchone() == (2,)


async def test_nothing_is_written_under_a_key_that_another_process_erased(
    log: PostgresLog, superuser: psycopg.Connection[Any]
) -> None:
    writer = await opened(log, "INQ-1")
    await writer.write(note(), key="r1")
    superuser.execute("INSERT INTO erased_key SELECT dek_id, 'e1', '', '' FROM event WHERE pos = 1")
    with pytest.raises(LogUnavailableError, match="erased"):
        await log.append(writer.batch(note(), key="r2"))
    assert await log.size() == 2


async def test_a_follower_passes_by_nothing_while_a_transaction_is_held_open(log: PostgresLog, url: str) -> None:
    await opened(log, "INQ-1")
    other = await PostgresLog.open(url, timeouts=QUICK._replace(lock=5))
    held = HeldCommit(other)
    async with aclosing(log.follow(after_position=1)) as events:
        following = asyncio.create_task(take(events, 2))
        early = asyncio.create_task(opened(other, "INQ-2"))
        await held.reached.wait()  # position 2 is given and written, and not committed
        patient = await PostgresLog.open(url, timeouts=QUICK._replace(lock=5))
        late = asyncio.create_task(opened(patient, "INQ-3"))
        with pytest.raises(LogUnavailableError, match="locked by another transaction"):
            await log.append(Writer(log, "INQ-4").batch(opening(), key="open"))
        assert [e.position for e in await log.scan()] == [1]
        assert not following.done()
        held.let_go.set()
        assert [(e.position, e.case_id) for e in await following] == [(2, "INQ-2"), (3, "INQ-3")]
    await asyncio.gather(early, late)
    await other.close()
    await patient.close()


class HeldCommit:
    """Stops a log's writer between its inserts and its commit."""

    def __init__(self, log: PostgresLog) -> None:
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()
        self._connected = log._writer._connected
        log._writer._connected = self._holding  # type: ignore[method-assign] # to hold the transaction open

    async def _holding(self) -> Any:  # noqa: ANN401 - what the writer has there
        connection = await self._connected()
        execute = connection.execute

        async def hold(query: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the driver's
            if query == "COMMIT" and not self.let_go.is_set():
                await execute("SELECT 1")
                await connection._pipeline.sync()  # type: ignore[union-attr] # the inserts are done
                self.reached.set()
                await self.let_go.wait()
            return await execute(query, *args, **options)

        connection.execute = hold  # type: ignore[method-assign] # to hold the transaction open
        return connection


async def test_followers_find_what_no_notification_told(log: PostgresLog, superuser: psycopg.Connection[Any]) -> None:
    writer = await opened(log, "INQ-1")
    async with aclosing(log.follow(after_position=0)) as events:
        await take(events, 1)
        following = asyncio.create_task(take(events, 2))
        async with asyncio.timeout(30):
            while not end_of(superuser, "query LIKE 'LISTEN%'"):  # noqa: ASYNC110 - PostgreSQL tells nobody of it
                await asyncio.sleep(0.01)
        log._writer._on_growth = lambda: None  # as if another process had written it
        await writer.write(note(), note(), key="r1")
        assert [e.position for e in await following] == [2, 3]


def end_of(superuser: psycopg.Connection[Any], which: str) -> int:
    """End the server's side of connections; returns how many there were."""
    found = superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "  # noqa: S608 - a test's
        f"AND pid <> pg_backend_pid() AND {which}"
    )
    return len(found.fetchall())


# The server goes away


@pytest.mark.parametrize("at_once", [False, True], ids=["ended", "crashed"])
async def test_nothing_is_lost_or_done_twice_while_the_server_restarts_under_load(
    url: str, postgres: PostgresServer, *, at_once: bool
) -> None:
    logs = [await PostgresLog.open(url, timeouts=QUICK._replace(lock=5)) for _ in range(3)]
    stop = asyncio.Event()

    async def write(log: PostgresLog, case_id: str) -> Writer:
        writer = Writer(log, case_id)
        while not stop.is_set():
            batch = writer.batch(note() if writer.seq else opening(), key=f"r{writer.seq}")
            await insisting(batch, log)
            writer.case = batch.case
        return writer

    async def insisting(batch: Batch, log: PostgresLog) -> None:
        while True:
            try:
                outcome = await log.append(batch)
            except LogUnavailableError:
                continue
            assert isinstance(outcome, Appended | Known), outcome
            return

    writing = [asyncio.create_task(write(log, f"INQ-{k}-{n}")) for k, log in enumerate(logs) for n in range(8)]
    for _ in range(3):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(postgres.restart, at_once=at_once)
    await asyncio.sleep(0.3)
    stop.set()
    writers = await asyncio.gather(*writing)
    verified = await logs[0].verify()
    assert verified.findings == ()
    assert verified.events == sum(writer.seq for writer in writers) > 100
    for writer in writers:
        assert await logs[1].read_case(writer.case_id) == writer.case
    for log in logs:
        await log.close()


async def test_a_restart_that_nobody_noticed_is_no_error(log: PostgresLog, postgres: PostgresServer) -> None:
    writer = await opened(log, "INQ-1")
    await asyncio.gather(*(log.read_case("INQ-1") for _ in range(20)))  # by all connections that read
    await asyncio.to_thread(postgres.restart)
    assert await asyncio.gather(*(log.read_case("INQ-1") for _ in range(20))) == [writer.case] * 20
    await writer.write(note(), key="r1")
    assert await log.size() == 2


async def test_a_server_that_is_down_takes_nothing_until_it_is_back(url: str, postgres: PostgresServer) -> None:
    log = await PostgresLog.open(url, timeouts=QUICK._replace(patience=0.1))
    writer = await opened(log, "INQ-1")
    batch = writer.batch(note(), key="r1")
    await asyncio.to_thread(postgres.stop)
    try:
        for asked in (log.append(batch), log.read_case("INQ-1"), log.verify()):
            with pytest.raises(LogUnavailableError, match=r"start it|ask again"):
                await asked
    finally:
        await asyncio.to_thread(postgres.start)
    assert isinstance(await _taken(log, batch), Appended)
    await log.close()


async def _taken(log: Log, batch: Batch) -> AppendResult:
    """What a batch is answered by a log that is not patient, and is there again."""
    async with asyncio.timeout(10):
        while True:
            with suppress(LogUnavailableError):
                return await log.append(batch)


async def test_a_commit_whose_answer_was_lost_is_answered_all_the_same(
    far_log: PostgresLog, proxy: CuttingProxy
) -> None:
    batch = Writer(far_log, "INQ-1").batch(opening(), key="open")
    proxy.cut_at_answer = COMMITTED
    assert isinstance(await far_log.append(batch), Appended)
    assert proxy.cuts == 1
    assert await far_log.size() == 1


async def test_a_group_that_was_lost_on_its_way_is_written_after_all(far_log: PostgresLog, proxy: CuttingProxy) -> None:
    batch = Writer(far_log, "INQ-1").batch(opening(), key="open")
    proxy.cut_at_request = INSERTING
    assert isinstance(await far_log.append(batch), Appended)
    assert proxy.cuts == 1
    assert await far_log.size() == 1


async def test_who_cannot_be_told_whether_it_was_committed_learns_it_by_asking_again(
    far_log: PostgresLog, proxy: CuttingProxy
) -> None:
    writer = await opened(far_log, "INQ-1")
    batch = writer.batch(note(), key="r1")
    proxy.cut_at_answer = COMMITTED
    proxy.open = False
    with pytest.raises(LogUnavailableError, match="is not known: ask again with the same request id"):
        await far_log.append(batch)
    with pytest.raises(LogUnavailableError):
        await far_log.append(batch)
    proxy.open = True
    assert isinstance(await far_log.append(batch), Known)
    assert await far_log.size() == 2


async def test_changes_that_were_lost_with_a_group_are_made_after_all(
    far_log: PostgresLog, proxy: CuttingProxy
) -> None:
    batch = Writer(far_log, "INQ-1").batch(opening(), key="open")
    proxy.cut_at_answer = COMMITTED
    appended, _ = await asyncio.gather(far_log.append(batch), far_log.remember("temporal", "a"))
    assert isinstance(appended, Appended)
    assert await far_log.remember("temporal", "b") == "a"


async def test_a_server_that_does_not_answer_is_given_up(far_log: PostgresLog, proxy: CuttingProxy) -> None:
    writer = await opened(far_log, "INQ-1")
    batch = writer.batch(note(), key="r1")
    proxy.flowing.clear()
    async with asyncio.timeout(20):
        writing, reading = asyncio.create_task(far_log.append(batch)), asyncio.create_task(far_log.read_case("INQ-1"))
        outcomes = await asyncio.gather(writing, reading, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LogUnavailableError] * 2
    proxy.flowing.set()
    assert isinstance(await far_log.append(batch), Appended | Known)
    assert await far_log.size() == 2


async def test_a_held_lock_is_unavailable_until_it_is_let_go(
    log: PostgresLog, superuser: psycopg.Connection[Any]
) -> None:
    writer = await opened(log, "INQ-1")
    batch = writer.batch(note(), key="r1")
    with superuser.transaction():
        superuser.execute("SELECT FROM log_head FOR UPDATE")
        with pytest.raises(LogUnavailableError, match="is locked by another transaction"):
            await log.append(batch)
        assert await log.read_case("INQ-1") == writer.case  # reading goes on
    assert isinstance(await log.append(batch), Appended)


async def test_a_process_that_hangs_while_it_holds_the_lock_is_cut_off(url: str) -> None:
    hanging = await Server(url, QUICK._replace(answer=0.3)).connect()
    await hanging.execute("BEGIN")
    await hanging.execute("SELECT FROM log_head FOR UPDATE")
    log = await PostgresLog.open(url, timeouts=QUICK._replace(lock=5))
    assert isinstance(await log.append(Writer(log, "INQ-1").batch(opening(), key="open")), Appended)
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        await hanging.execute("COMMIT")
    await log.close()


@pytest.mark.parametrize(
    ("configured", "used"), [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
async def test_a_server_that_would_answer_before_it_is_safe_is_not_believed_and_a_stricter_one_is_left_so(
    url: str, superuser: psycopg.Connection[Any], configured: str, used: str
) -> None:
    database = sql.Identifier(database_of(url))
    superuser.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = {}").format(database, configured))
    log = await PostgresLog.open(url, timeouts=QUICK)

    writes = await log._writer._connected()

    assert await (await writes.execute("SHOW synchronous_commit")).fetchone() == (used,)
    await log.close()


async def test_a_database_that_may_only_be_read_takes_nothing(
    log: PostgresLog, url: str, superuser: psycopg.Connection[Any]
) -> None:
    writer = await opened(log, "INQ-1")
    batch = writer.batch(note(), key="r1")
    setting = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    name = sql.Identifier(database_of(url))
    superuser.execute(setting.format(name, sql.SQL("on")))
    end_of(superuser, "TRUE")
    with pytest.raises(LogUnavailableError, match="may only be read"):
        await log.append(batch)
    superuser.execute(setting.format(name, sql.SQL("off")))
    assert isinstance(await log.append(batch), Appended)


# What a server refuses at the start


@pytest.mark.parametrize(
    ("part", "instead", "words"),
    [
        ("casetrail:", "nobody:", "refuses role or password: look at CASETRAIL_LOG, or run `casetrail-db init`"),
        ("100%25", "wrong", "refuses role or password: look at CASETRAIL_LOG, or run `casetrail-db init`"),
        ("/log_", "/missing_", "lacks this database or role: run `casetrail-db init`"),
        ("@127.0.0.1:", "@127.0.0.1:1", "is not there: start it"),
    ],
)
async def test_a_log_that_cannot_be_reached_says_what_to_do_and_never_the_password(
    url: str, part: str, instead: str, words: str
) -> None:
    wrong = url.replace(part, instead) if part != "@127.0.0.1:" else url.replace(f":{urlsplit(url).port}", ":1")
    with pytest.raises(LogUnavailableError, match=words) as refused:
        await PostgresLog.open(wrong)
    assert "100%" not in str(refused.value)
    assert "p@ss" not in str(refused.value)


async def test_a_database_that_takes_no_more_connections_says_so(url: str, superuser: psycopg.Connection[Any]) -> None:
    superuser.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 0").format(sql.Identifier(database_of(url))))
    with pytest.raises(LogUnavailableError, match="has too many connections: raise max_connections"):
        await PostgresLog.open(url)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (psycopg.errors.DiskFull("could not extend file"), LogUnavailableError, "the disk is full: free some space"),
        (psycopg.errors.OutOfMemory("out of memory"), LogUnavailableError, "lacks memory or disk"),
        (psycopg.errors.IoError("could not read block"), LogUnavailableError, "the disk fails"),
        (psycopg.errors.QueryCanceled("statement timeout"), LogUnavailableError, "did not answer in time"),
        (psycopg.errors.DataCorrupted("invalid page"), LogDamagedError, "is damaged .* restore the newest backup"),
        (psycopg.errors.SyntaxError("never seen"), LogUnavailableError, "cannot be used .never seen"),
    ],
)
def test_what_goes_wrong_in_the_server_is_told_with_what_to_do(
    url: str, error: psycopg.Error, kind: type[Exception], words: str
) -> None:
    translated = Server(url).translated(error)
    assert type(translated) is kind
    assert re.search(words, str(translated))


async def test_a_database_without_tables_is_refused(postgres: PostgresServer) -> None:
    with pytest.raises(LogUnavailableError, match="has no tables yet: run `casetrail-db init`"):
        await PostgresLog.open(postgres.url())


@pytest.mark.parametrize(
    ("revision", "words"),
    [("0000", "older schema .* run `casetrail-db upgrade`"), ("9999", "newer Casetrail .* run that one")],
)
async def test_another_schema_is_refused(
    url: str, superuser: psycopg.Connection[Any], revision: str, words: str
) -> None:
    superuser.execute("UPDATE alembic_version SET version_num = %s", (revision,))
    with pytest.raises(LogUnavailableError, match=words):
        await PostgresLog.open(url)


async def test_a_running_process_stops_writing_when_it_meets_a_newer_schema(
    log: PostgresLog, superuser: psycopg.Connection[Any]
) -> None:
    writer = await opened(log, "INQ-1")
    superuser.execute("UPDATE alembic_version SET version_num = '9999'")
    end_of(superuser, "TRUE")  # as an upgrade does, which wants the tables for itself
    with pytest.raises(LogUnavailableError, match="newer Casetrail"):
        await writer.write(note(), key="r1")


# What cannot be changed

GUARDED = ("event", "subtree", "checkpoint", "cosignature", "policy", "archived", "erased_key")
CHANGES = [
    "UPDATE event SET key = key",
    "UPDATE subtree SET root = root",
    "UPDATE checkpoint SET note = note",
    "UPDATE cosignature SET line = line",
    "UPDATE policy SET policy_id = policy_id",
    "UPDATE erased_key SET event = event",
    *(f"DELETE FROM {table}" for table in GUARDED),  # noqa: S608 - from above
    *(f"TRUNCATE {table}" for table in GUARDED),
]


@pytest.mark.parametrize(
    "change",
    [
        *CHANGES,
        "UPDATE event SET payload = payload",
        "DELETE FROM case_index",
        "DELETE FROM log_head",
        "UPDATE log_head SET log = 'mine'",
        "DROP TABLE event",
        "DROP TRIGGER unchangeable ON event",
        "ALTER TABLE event DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "CREATE TABLE casetrail.mine (id int)",
        "UPDATE alembic_version SET version_num = '1'",
    ],
)
def test_the_applications_role_has_no_right_to_change_the_log(url: str, change: str) -> None:
    with (
        psycopg.connect(url, options="-c search_path=casetrail") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(change)


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_refuses_changes_to_a_superuser_too(superuser: psycopg.Connection[Any], change: str) -> None:
    superuser.execute("SET session_replication_role = replica")
    with pytest.raises(psycopg.IntegrityError, match="is never changed or deleted"):
        superuser.execute(change)


def test_an_event_whose_hash_is_not_its_envelopes_is_refused(superuser: psycopg.Connection[Any]) -> None:
    values = (b"{}", leaf_hash(b"{}"))
    insert = (
        "INSERT INTO event (pos, case_id, seq, key, ordinal, envelope, leaf_hash, recorded_at) "
        "VALUES (%s, 'INQ-1', %s, %s, 0, %s, %s, 0)"
    )
    superuser.execute(insert, (1, 1, "k1", *values))
    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute(insert, (2, 2, "k2", b"{ }", values[1]))


async def test_an_append_that_forgets_the_tree_is_refused(superuser: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.IntegrityError, match="the tree grows with the log"):
        superuser.execute("UPDATE log_head SET size = 1")


# What a superuser changes all the same


@pytest.fixture
def tamper(url: str, postgres: PostgresServer) -> Tamper:
    return partial(change_server, postgres.url(database_of(url)))


ENVELOPE = "UPDATE event SET envelope = {} WHERE pos = 3"


class TestTampering(TamperingContract):
    """Whatever a superuser changes on a server is found."""

    BY_BOB = ENVELOPE.format("convert_to(replace(convert_from(envelope, 'UTF8'), 'mei', 'bob'), 'UTF8')")
    REHASHED = r"UPDATE event SET leaf_hash = sha256('\x00'::bytea || envelope) WHERE pos = 3"

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ("UPDATE event SET leaf_hash = decode(repeat('00', 32), 'hex') WHERE pos = 3", ("HASH_WRONG", 3)),
            (ENVELOPE.format("envelope || ' '::bytea"), ("ENVELOPE_INVALID", 3)),
            ("UPDATE event SET payload = payload || ' '::bytea WHERE pos = 3", ("PAYLOAD_CHANGED", 3)),
            ("UPDATE log_head SET frontier = frontier || ' '::bytea", ("TREE_WRONG", 7)),
            ("INSERT INTO policy (digest, policy_id, body) VALUES ('d', 'default', ' ')", ("POLICY_CHANGED", 0)),
        ],
    )
    async def test_bytes_that_were_changed_are_found_where_they_are(
        self, log: Log, tamper: Tamper, change: str, expected: tuple[str, int]
    ) -> None:
        await is_found(log, tamper, change, expected)


async def test_an_older_copy_in_the_place_of_the_log_takes_nothing(
    log: PostgresLog, superuser: psycopg.Connection[Any], tamper: Tamper
) -> None:
    await opened(log, "INQ-1")
    superuser.execute("CREATE TABLE head_before AS SELECT size, frontier FROM log_head")
    await opened(log, "INQ-2")
    tamper(
        "DELETE FROM need WHERE opened = 2",
        "DELETE FROM case_index WHERE opened = 2",
        "DELETE FROM event WHERE pos = 2",
        "UPDATE log_head SET (size, frontier) = (SELECT size, frontier FROM head_before)",
    )
    with pytest.raises(LogDamagedError, match="has 1 events, and had 2: an older copy was put in its place"):
        await opened(log, "INQ-3")
    assert await log.size() == 1


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_that_was_dropped_is_damage_to_whoever_needs_it_and_at_each_start(
    log: PostgresLog, url: str, superuser: psycopg.Connection[Any], table: str
) -> None:
    await two_cases(log)
    await log.check()
    superuser.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))
    await everybody_hears_that_a_table_is_gone(log, table)
    with pytest.raises(LogDamagedError, match=f"has lost its table {table}: "):
        await PostgresLog.open(url)


def test_every_table_of_a_new_database_is_one_that_is_looked_for(superuser: psycopg.Connection[Any]) -> None:
    made = superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'casetrail'").fetchall()
    assert {name for (name,) in made} == set(TABLES)


# What PostgreSQL cannot hold


async def test_a_zero_character_is_refused_and_harms_nobody_else(log: PostgresLog) -> None:
    batches = [
        Writer(log, f"INQ-{n}").batch(opening(customer="cu-\x001" if n == 2 else "cu-1"), key="open") for n in range(5)
    ]
    outcomes = await asyncio.gather(*(log.append(batch) for batch in batches), return_exceptions=True)
    assert [type(o).__name__ for o in outcomes] == ["Appended", "Appended", "ValueError", "Appended", "Appended"]
    assert await log.size() == 4
    found = await log.list_cases(CaseFilter(customer_id="cu-\x001"), page_size=10, token="")
    assert found.cases == []


# What must be cheap


def listed(wanted: CaseFilter) -> str:
    return which_cases(wanted, page_size=10, token="").text


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (listed(CaseFilter(owner="mei")), "case_owner"),
        (listed(CaseFilter(team="parcels")), "case_team"),
        (listed(CaseFilter(customer_id="cu-1")), "case_customer"),
        (listed(CaseFilter(order_id="o-1")), "case_order"),
        (listed(CaseFilter(drill_id="DRL-1")), "case_drill"),
        (listed(CaseFilter(overdue=True)), "case_overdue"),
        (listed(CaseFilter(open=True)), "case_open"),
        (UNSERVED, "need_late"),
    ],
)
def test_what_is_rare_is_found_by_an_index(superuser: psycopg.Connection[Any], query: str, index: str) -> None:
    plan = kept_plan(superuser, query)
    assert index in plan
    assert "Seq Scan" not in plan


def test_a_request_is_found_by_its_key_however_long_its_case_is(superuser: psycopg.Connection[Any]) -> None:
    plan = kept_plan(superuser, first_under_key("INQ-1", "r1", HAS_KEY).text)
    assert "event_first" in plan
    assert re.search(r"Index Cond: .*hashtextextended", plan)


def kept_plan(superuser: psycopg.Connection[Any], query: str) -> str:
    """The plan that is kept for a statement which is asked again and again, whatever the values."""
    superuser.execute("SET enable_seqscan = off")
    numbers = count(1)
    numbered = re.sub(r":\w+", lambda _: f"${next(numbers)}", query)
    steps = superuser.execute(f"EXPLAIN (GENERIC_PLAN) {numbered}").fetchall()
    return "\n".join(step for (step,) in steps)


async def test_an_append_reads_no_more_as_the_log_grows(url: str, superuser: psycopg.Connection[Any]) -> None:
    log = await PostgresLog.open(url)
    before = _rows_read(superuser)
    for number in range(60):
        await (await opened(log, f"INQ-{number}")).write(note(), key="r1")
    await log.close()
    async with asyncio.timeout(10):
        while (after := _rows_read(superuser)).written < before.written + 120:  # noqa: ASYNC110 - the server counts later
            await asyncio.sleep(0.05)
    assert after.read - before.read <= 4 * 120


class _Rows(NamedTuple):
    read: int
    written: int


def _rows_read(superuser: psycopg.Connection[Any]) -> _Rows:
    """What was read of events and cases, and how many events were written, as the server has counted so far."""
    found = superuser.execute("""
      SELECT
        (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname IN ('event', 'case_index'))
          + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname IN ('event', 'case_index')),
        (SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'event')
    """).fetchone()
    assert found is not None
    return _Rows(*found)
