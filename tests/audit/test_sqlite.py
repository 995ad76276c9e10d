"""The log in SQLite: the contract, and what only a file, its driver and several processes can do wrong."""

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest
import pytest_asyncio

from audit.key_encryption import KeyEncryptionKeys
from audit.listing import UNSERVED, which_cases
from audit.log import Appended, Checkpoint, Log, LogDamagedError, LogUnavailableError
from audit.sqlite import SqliteLog
from audit.sqlite.file import DatabaseFile, check_sqlite, trouble_of
from audit.sqlite.keys import SqliteKeys
from audit.stores import KeySettings, open_keys, sqlite_url
from audit.subject_keys import SubjectKeys
from audit.tables import TABLES
from casetrail.v1.case_service_pb2 import CaseFilter
from tests.audit.archive_contract import ArchiveContract
from tests.audit.contract import (
    Clock,
    LogContract,
    everybody_hears_that_a_table_is_gone,
    opened,
    reasons,
    two_cases,
)
from tests.audit.given import Writer, note, opening
from tests.audit.past_the_guards import change_file
from tests.audit.sharing_contract import SharingContract
from tests.audit.tampering_contract import Tamper, TamperingContract, is_found
from tests.audit.tree_contract import TreeContract, true_checkpoint


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def url(path: Path) -> str:
    return sqlite_url(path)


@pytest_asyncio.fixture
async def log(path: Path, clock: Clock) -> AsyncIterator[SqliteLog]:
    opened_log = SqliteLog(path, busy_timeout=0.3, clock=clock)
    await opened_log.use_keys(open_keys(KeySettings(sqlite_url(path.with_name("keys.db")), path.with_name("kek"))))
    yield opened_log
    await opened_log.close()


class TestContract(LogContract):
    """SQLite keeps to the contract."""


class TestSharing(SharingContract):
    """And to that of processes beside each other."""


class TestTree(TreeContract):
    """And to that of the tree."""


class TestArchive(ArchiveContract):
    """And to that of archives."""


# Groups


async def test_batches_that_wait_together_share_a_commit(path: Path) -> None:
    log = SqliteLog(path)
    await opened(log, "INQ-0")
    before = log.groups
    with closing(sqlite.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # the first of them waits, and so do all behind it
        batches = [Writer(log, f"INQ-{n}").batch(opening(), key="open") for n in range(1, 201)]
        appending = [asyncio.create_task(log.append(batch)) for batch in batches]
        await asyncio.sleep(0)
    await asyncio.gather(*appending)
    assert await log.size() == 201
    assert log.groups - before <= 2
    await log.close()


# What cannot be changed


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET key = 'r9'",
        "DELETE FROM event",
        "UPDATE event SET payload = x''",
        "UPDATE event SET payload = NULL",
        "UPDATE policy SET policy_id = 'mine'",
        "DELETE FROM policy",
    ],
)
async def test_the_database_itself_refuses_changes(log: SqliteLog, path: Path, change: str) -> None:
    await opened(log, "INQ-1")
    await log.keep_policy("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "default", b"{}")
    with closing(sqlite.connect(path)) as other, pytest.raises(sqlite.IntegrityError, match="never"):
        other.execute(change)


@pytest.mark.parametrize("table", ["event", "checkpoint", "policy"])
async def test_our_own_connections_replace_nothing_that_is_never_changed(
    log: SqliteLog, path: Path, table: str
) -> None:
    await opened(log, "INQ-1")
    await log.keep_policy("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "default", b"{}")
    await log.keep_checkpoint(Checkpoint(size=1, root=bytes(32), note="note", published_at=1))
    with (
        closing(DatabaseFile(path, busy_timeout=1.0).connect()) as ours,
        pytest.raises(sqlite.IntegrityError, match="never"),
    ):
        ours.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")  # noqa: S608 - from above


@pytest.fixture
def tamper(path: Path) -> Tamper:
    return partial(change_file, path)


class TestTampering(TamperingContract):
    """Whatever its owner changes in a file is found."""

    BY_BOB = "UPDATE event SET envelope = CAST(replace(envelope, 'mei', 'bob') AS BLOB) WHERE pos = 3"
    REHASHED = "UPDATE event SET leaf_hash = fresh_hash(envelope) WHERE pos = 3"

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ("UPDATE event SET leaf_hash = zeroblob(32) WHERE pos = 3", ("HASH_WRONG", 3)),
            ("UPDATE event SET envelope = x'7b' WHERE pos = 3", ("ENVELOPE_INVALID", 3)),
            ("UPDATE event SET envelope = x'5b5d' WHERE pos = 3", ("ENVELOPE_INVALID", 3)),
            ("UPDATE event SET envelope = CAST(envelope || ' ' AS BLOB) WHERE pos = 3", ("ENVELOPE_INVALID", 3)),
            ("UPDATE event SET payload = CAST(payload || x'00' AS BLOB) WHERE pos = 3", ("PAYLOAD_CHANGED", 3)),
            ("UPDATE event SET payload = x'' WHERE pos = 3", ("PAYLOAD_CHANGED", 3)),
            ("UPDATE case_index SET body = x'' WHERE case_id = 'INQ-1'", ("PROJECTION_DIFFERS", 6)),
            ("UPDATE case_index SET body = x'ff' WHERE case_id = 'INQ-1'", ("PROJECTION_DIFFERS", 6)),
            ("INSERT INTO policy VALUES (1, 'd', 'default', x'00')", ("POLICY_CHANGED", 0)),
        ],
    )
    async def test_bytes_that_were_changed_are_found_where_they_are(
        self, log: Log, tamper: Tamper, change: str, expected: tuple[str, int]
    ) -> None:
        await is_found(log, tamper, change, expected)


REPLACED = (
    "INSERT OR REPLACE INTO event SELECT pos, case_id, seq, key, ordinal, {}, {}, recorded_at, dek_id, {} "
    "FROM event WHERE pos = 3"
)
ANOTHER = "(SELECT {} FROM event WHERE pos = 6)"
SIGNED = "INSERT OR REPLACE INTO checkpoint SELECT {}, published_at FROM checkpoint"


@pytest.mark.parametrize(
    ("replaces", "expected"),
    [
        (REPLACED.format("envelope", "leaf_hash", ANOTHER.format("payload")), ("PAYLOAD_CHANGED", 3)),
        (REPLACED.format(ANOTHER.format("envelope"), "leaf_hash", "payload"), ("HASH_WRONG", 3)),
        (
            REPLACED.format(ANOTHER.format("envelope"), ANOTHER.format("leaf_hash"), ANOTHER.format("payload")),
            ("COLUMN_CHANGED", 3),
        ),
        (
            REPLACED.replace("SELECT pos", "SELECT 8").format("envelope", "leaf_hash", "payload"),
            ("GAP", 3),
        ),
        (SIGNED.format("size, zeroblob(32), note"), ("CHECKPOINT_DIFFERS", 7)),
        (SIGNED.format("size, root, replace(note, '7', '6')"), ("CHECKPOINT_DIFFERS", 7)),
        ("INSERT OR REPLACE INTO subtree VALUES (1, 0, zeroblob(32))", ("TREE_WRONG", 1)),
        ("INSERT OR REPLACE INTO log_head SELECT id, log, 6, frontier FROM log_head", ("HEAD_WRONG", 7)),
    ],
)
async def test_what_another_program_replaced_past_the_triggers_is_found(
    log: SqliteLog, path: Path, replaces: str, expected: tuple[str, int]
) -> None:
    await two_cases(log)
    await log.keep_checkpoint(await true_checkpoint(log, 7))
    assert (await log.verify()).findings == ()
    with closing(sqlite.connect(path, isolation_level=None)) as other:  # deletes what it replaces without asking them
        assert other.execute(replaces).rowcount == 1
    assert expected in reasons((await log.verify()).findings)


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_that_was_dropped_is_damage_to_whoever_needs_it_and_at_each_start(
    log: SqliteLog, path: Path, table: str
) -> None:
    await two_cases(log)
    await log.check()
    with closing(sqlite.connect(path, isolation_level=None)) as other:
        other.execute(f"DROP TABLE {table}")
    await everybody_hears_that_a_table_is_gone(log, table)
    with pytest.raises(LogDamagedError, match=f"has lost its table {table}: "):
        SqliteLog(path)


def test_every_table_of_a_new_file_is_one_that_is_looked_for(path: Path) -> None:
    SqliteLog(path)
    with closing(sqlite.connect(path)) as other:
        made = other.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    assert {name for (name,) in made} == set(TABLES)


async def test_text_that_is_none_is_damage_to_whoever_reads_it(log: SqliteLog, tamper: Tamper) -> None:
    await two_cases(log)
    tamper("UPDATE event SET key = CAST(x'ff' AS TEXT) WHERE pos = 3")
    for asking in (log.verify(), log.events("INQ-1")):
        with pytest.raises(LogDamagedError, match=r"holds text that is no UTF-8 .*column 'key'"):
            await asking


# What goes wrong below


async def test_a_locked_file_is_unavailable_until_it_is_let_go(log: SqliteLog, path: Path) -> None:
    writer = await opened(log, "INQ-1")
    batch = writer.batch(note(), key="r1")
    with closing(sqlite.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailableError, match=r"log\.db is locked by another process"):
            await log.append(batch)
        assert await log.read_case("INQ-1") == writer.case  # reading goes on
    assert isinstance(await log.append(batch), Appended)
    assert (await log.verify()).findings == ()


async def test_a_lock_that_passes_is_waited_for(log: SqliteLog, path: Path) -> None:
    batch = Writer(log, "INQ-1").batch(opening(), key="open")
    with closing(sqlite.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        appending = asyncio.create_task(log.append(batch))
        await asyncio.sleep(0.1)
        assert not appending.done()
    assert isinstance(await appending, Appended)


async def test_a_full_disk_is_unavailable_until_there_is_room(log: SqliteLog) -> None:
    first = await opened(log, "INQ-1")
    writers_connection(log).execute("PRAGMA max_page_count = 60")
    large = first.batch(*[note("x" * 10_000) for _ in range(40)], key="large")
    small = Writer(log, "INQ-2").batch(opening(), key="open")
    with pytest.raises(LogUnavailableError, match=r"log\.db cannot grow because the disk is full: free some space"):
        await log.append(large)
    assert await log.size() == 1
    # The bound went with the connection: there is room again.
    assert isinstance(await log.append(large), Appended)
    assert isinstance(await log.append(small), Appended)
    assert (await log.verify()).findings == ()


async def test_keys_that_find_the_disk_full_say_so_and_go_on_when_there_is_room(tmp_path: Path) -> None:
    keys = SqliteKeys(tmp_path / "keys.db")
    subjects = SubjectKeys(keys, KeyEncryptionKeys(tmp_path / "kek"))
    subjects.begin()
    first = await subjects.of("customer:C-1")
    keys._connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(LogUnavailableError, match=r"keys\.db cannot grow because the disk is full: free some space"):
        await asyncio.gather(*(subjects.of(f"customer:{'x' * 1000}-{number}") for number in range(50)))

    keys._connection.execute("PRAGMA max_page_count = 1000")
    assert await subjects.of("customer:C-2")
    subjects.forget()
    assert (await subjects.of("customer:C-1")).key_id == first.key_id
    await subjects.close()


def writers_connection(log: SqliteLog) -> Any:  # noqa: ANN401 - the driver has no types
    connection = log._writer._connection
    assert connection is not None
    return connection


async def test_a_corrupt_file_is_damaged(path: Path) -> None:
    log = SqliteLog(path)
    writer = await opened(log, "INQ-1")
    await writer.write(*[note("x" * 1000) for _ in range(100)], key="r1")
    await log.close()
    scramble(path)
    with pytest.raises(LogDamagedError, match=r"log\.db .*restore the newest backup"):  # noqa: PT012 - where depends on the page
        log = SqliteLog(path)
        try:
            await log.read_case("INQ-1")
            await log.verify()
        finally:
            await log.close()


def scramble(path: Path) -> None:
    """Overwrite all pages but the first."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(LogDamagedError, match=r"log\.db is no SQLite database"):
        SqliteLog(path)


def test_a_database_of_something_else_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite.connect(path)) as other:
        other.execute("CREATE TABLE recipe (name)")
    with pytest.raises(LogUnavailableError, match="something else: choose another file"):
        SqliteLog(path)
    with closing(sqlite.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipe",)]


async def test_a_newer_schema_is_refused(path: Path) -> None:
    await SqliteLog(path).close()
    with closing(sqlite.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(LogUnavailableError, match=r"newer Casetrail \(schema 99; this one knows 8\)"):
        SqliteLog(path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailableError, match=r"missing/log\.db cannot be opened: No such file or directory"):
        SqliteLog(tmp_path / "missing" / "log.db")


async def test_a_log_that_was_taken_away_takes_nothing_until_it_is_back(log: SqliteLog, path: Path) -> None:
    writer = await opened(log, "INQ-1")
    move(path, path.with_name("aside.db"))
    with pytest.raises(LogUnavailableError, match="moved, deleted or replaced"):
        await writer.write(note(), key="r1")
    assert not exists(path)
    move(path.with_name("aside.db"), path)
    await writer.write(note(), key="r1")
    assert (await log.verify()).findings == ()


async def test_a_log_that_was_replaced_takes_nothing(log: SqliteLog, path: Path) -> None:
    writer = await opened(log, "INQ-1")
    move(path, path.with_name("aside.db"))
    await SqliteLog(path).close()
    with pytest.raises(LogUnavailableError, match="moved, deleted or replaced"):
        await writer.write(note(), key="r1")


async def test_an_older_copy_in_the_place_of_the_log_takes_nothing(log: SqliteLog, path: Path) -> None:
    await opened(log, "INQ-1")
    old = path.with_name("old.db")
    copy(path, old)
    await opened(log, "INQ-2")
    copy(old, path)
    with pytest.raises(LogDamagedError, match="has 1 events, and had 2: an older copy was put in its place"):
        await opened(log, "INQ-3")
    assert await log.size() == 1


async def test_an_older_copy_that_another_process_brought_as_far_is_not_taken_for_the_log(
    log: SqliteLog, path: Path
) -> None:
    await opened(log, "INQ-1")
    old = path.with_name("old.db")
    copy(path, old)
    await opened(log, "INQ-2")
    copy(old, path)
    another = SqliteLog(path)
    await opened(another, "INQ-3")
    with pytest.raises(LogDamagedError, match="of 2 events is not the one that this process left"):
        await opened(log, "INQ-4")
    assert (await another.verify()).findings == ()
    await another.close()


def copy(path: Path, to: Path) -> None:
    """Copy a database into a file, as `.backup` and `.restore` of SQLite's program do."""
    with closing(sqlite.connect(path)) as source, closing(sqlite.connect(to)) as target:
        source.backup(target)


def move(path: Path, to: Path) -> None:
    path.replace(to)


def exists(path: Path) -> bool:
    return path.exists()


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder whose files this process may be forbidden to write: root first becomes nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    os.seteuid(os.getuid())
    folder.chmod(0o700)
    shutil.rmtree(folder)


def forbid_writing(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)


async def test_a_file_that_may_only_be_read_takes_nothing(folder_of_nobody: Path) -> None:
    path = folder_of_nobody / "log.db"
    log = SqliteLog(path)
    await opened(log, "INQ-1")
    await log.close()
    forbid_writing(path)
    with pytest.raises(LogUnavailableError, match=r"log\.db cannot be opened: Permission denied"):
        SqliteLog(path)


async def test_a_file_that_becomes_read_only_is_unavailable_until_it_is_writable(log: SqliteLog) -> None:
    writer = await opened(log, "INQ-1")
    writers_connection(log).execute("PRAGMA query_only = ON")
    with pytest.raises(LogUnavailableError, match="give this process the right to write"):
        await writer.write(note(), key="r1")
    await writer.write(note(), key="r1")
    assert await log.size() == 2


async def test_only_the_owner_can_read_the_file(log: SqliteLog, path: Path) -> None:
    await opened(log, "INQ-1")
    files = list(path.parent.iterdir())
    assert len(files) == 5  # the log with its side files, the subjects' keys and what they are wrapped with
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_an_error_without_a_code_has_words_all_the_same() -> None:
    assert trouble_of(sqlite.ProgrammingError("closed")) == "cannot be used"


@pytest.mark.parametrize("version", ["3.6.23", "3.7.0", "3.40.1", "3.44.5", "3.45.0", "3.50.6", "3.51.0", "3.51.2"])
def test_an_sqlite_with_the_wal_reset_defect_is_refused(version: str) -> None:
    with pytest.raises(LogUnavailableError, match=f"SQLite {version} can corrupt"):
        check_sqlite(version)


@pytest.mark.parametrize("version", ["3.44.6", "3.44.9", "3.50.7", "3.51.3", "3.53.4", "4.0.0", sqlite.sqlite_version])
def test_a_repaired_sqlite_is_taken(version: str) -> None:
    check_sqlite(version)


def test_every_start_checks_the_sqlite_that_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "sqlite_version", "3.40.1")
    with pytest.raises(LogUnavailableError, match=r"3\.40\.1"):
        SqliteLog(path)


# What must be cheap


async def test_the_sweep_never_looks_at_all_cases(log: SqliteLog, path: Path) -> None:
    await opened(log, "INQ-1")
    (step,) = plan(path, UNSERVED, late=1, late_wake=1, late_effect=1)
    assert "need USING INDEX need_late" in step


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (CaseFilter(owner="mei"), "case_owner"),
        (CaseFilter(team="parcels"), "case_team"),
        (CaseFilter(customer_id="cu-1"), "case_customer"),
        (CaseFilter(order_id="o-1"), "case_order"),
        (CaseFilter(drill_id="DRL-1"), "case_drill"),
        (CaseFilter(open=True), "case_open"),
        (CaseFilter(overdue=True), "case_overdue"),
    ],
    ids=str,
)
async def test_a_list_by_what_is_rare_uses_an_index(log: SqliteLog, path: Path, wanted: CaseFilter, index: str) -> None:
    await opened(log, "INQ-1")
    question = which_cases(wanted, page_size=10, token="")
    steps = plan(path, question.text, **question.values)
    assert index in " ".join(steps)
    assert not any("TEMP B-TREE" in step for step in steps)


def plan(path: Path, query: str, **values: Any) -> list[str]:  # noqa: ANN401 - whatever a query takes
    with closing(sqlite.connect(path)) as other:
        return [step for *_, step in other.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()]
