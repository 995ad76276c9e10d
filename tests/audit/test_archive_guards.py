"""Payloads leave the database only while they are archived: what the tables themselves refuse, to whomever."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest

from audit.log import ArchivingRefusedError, Log
from audit.postgres import PostgresLog
from audit.sqlite import SqliteLog
from tests.audit.archive_contract import A1, agreed, archived, closed, closed_cases
from tests.postgres_server import PostgresServer

# Of the log below, in which INQ-1 (1 to 3) is archived by the event 9, and INQ-2 (4 to 6) is agreed to be.
REFUSED = [
    "UPDATE event SET payload = NULL, dek_id = ''",
    "UPDATE event SET payload = NULL, dek_id = '' WHERE pos = 4",
    "UPDATE event SET payload = envelope WHERE pos = 1",
    "DELETE FROM archived",
    "UPDATE archived SET restored = 9",
    "UPDATE archived SET removed = 12",
    "INSERT INTO archived SELECT 'archive-1', case_id, opened, seq, leaf_hash, 9, NULL FROM case_index",
    "INSERT INTO archived SELECT 'archive-2', case_id, opened, seq, leaf_hash, 9, NULL FROM case_index",
    "INSERT INTO archived SELECT 'archive-2', case_id, opened, seq, leaf_hash, 11, NULL FROM case_index",
]
WORDS = "never|archive: "


async def filled(log: Log) -> None:
    await closed(log, "INQ-1")
    await closed(log, "INQ-2")
    first, second = await closed_cases(log)
    await agreed(log, [first])
    await archived(log, [first])
    await agreed(log, [second], "archive-2")


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(tmp_path / "log.db")
    await filled(log)
    yield log
    await log.close()


@pytest.mark.parametrize("change", REFUSED)
async def test_a_file_refuses_it(file: SqliteLog, change: str) -> None:
    with closing(sqlite.connect(file.path)) as other, pytest.raises(sqlite.IntegrityError, match=WORDS):
        other.execute(change)
    assert (await file.verify()).findings == ()


async def test_a_server_refuses_it_to_a_superuser_too(server_url: str, postgres: PostgresServer) -> None:
    log = await PostgresLog.open(server_url)
    await filled(log)
    database = server_url.rpartition("/")[2]
    with psycopg.connect(postgres.url(database), autocommit=True, options="-c search_path=casetrail") as superuser:
        superuser.execute("SET session_replication_role = replica")
        for change in REFUSED:
            with pytest.raises(psycopg.IntegrityError, match=WORDS):
                superuser.execute(change)
    assert (await log.verify()).findings == ()
    await log.close()


async def test_the_applications_role_can_only_ask_for_it_and_is_refused(server_url: str) -> None:
    log = await PostgresLog.open(server_url)
    await filled(log)
    with psycopg.connect(server_url, autocommit=True, options="-c search_path=casetrail") as application:
        for denied in (*REFUSED[:4], *REFUSED[5:]):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(denied)
        application.execute("SELECT archive_cases('archive-2', '[]')")  # nothing
        with pytest.raises(psycopg.IntegrityError, match=WORDS):
            application.execute("SELECT archive_cases('archive-2', %s)", ('[["INQ-2", 4, 3, "00"]]',))
        for position in (1, 4):
            with pytest.raises(psycopg.IntegrityError, match=WORDS):
                application.execute("SELECT restore_payload(%s, '', 'of another')", (position,))
    assert (await log.verify()).findings == ()
    await log.close()


NEEDED = "INSERT INTO need (opened, armed_seq) VALUES (4, 3)"
"""INQ-2 needs something from Temporal."""


async def test_a_file_keeps_a_case_that_needs_something(file: SqliteLog) -> None:
    cases = await closed_cases(file)
    with closing(sqlite.connect(file.path, isolation_level=None)) as other:
        other.execute(NEEDED)
    with pytest.raises(ArchivingRefusedError, match="not closed"):
        await archived(file, cases, "archive-2")


async def test_a_server_keeps_a_case_that_needs_something(server_url: str) -> None:
    log = await PostgresLog.open(server_url)
    await filled(log)
    cases = await closed_cases(log)
    with psycopg.connect(server_url, autocommit=True, options="-c search_path=casetrail") as other:
        other.execute(NEEDED)
    with pytest.raises(ArchivingRefusedError, match="not closed"):
        await archived(log, cases, "archive-2")
    await log.close()


def tampered(path: Path, *changes: str) -> None:
    """Change a file as somebody does who owns it: without its triggers."""
    with closing(sqlite.connect(path, isolation_level=None)) as owner:
        for (name,) in owner.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            owner.execute(f"DROP TRIGGER {name}")
        for change in changes:
            owner.execute(change)


NOTED = "INSERT INTO archived SELECT '{0}', case_id, opened, seq, leaf_hash, {1}, NULL FROM case_index"
REMOVED = ("UPDATE event SET payload = NULL WHERE pos BETWEEN 4 AND 6", "DELETE FROM case_index")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((NOTED.format(A1, 9), *REMOVED), ("ARCHIVE_WRONG", 9)),
        ((NOTED.format("archive-2", 9), *REMOVED), ("ARCHIVE_WRONG", 9)),
        ((NOTED.format("archive-2", 11), *REMOVED), ("ARCHIVE_WRONG", 11)),
        (("DELETE FROM archived",), ("PAYLOAD_MISSING", 1)),
        (("UPDATE archived SET seq = 2",), ("ARCHIVE_WRONG", 3)),
        (("UPDATE archived SET restored = 11",), ("PAYLOAD_MISSING", 1)),
        (REMOVED, ("PAYLOAD_MISSING", 4)),
    ],
)
async def test_verification_finds_what_was_archived_behind_the_logs_back(
    file: SqliteLog, changes: tuple[str, ...], expected: tuple[str, int]
) -> None:
    tampered(file.path, *changes)
    findings = (await file.verify()).findings
    assert expected in [(finding.reason, finding.position) for finding in findings]
    assert min(finding.position for finding in findings) == expected[1]
