"""Payloads leave the database only while they are archived: what the tables themselves refuse, to whomever."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest

from audit.envelope import leaf_hash
from audit.log import LOG_ITSELF, ArchivingRefusedError, Log
from audit.postgres import PostgresLog
from audit.sqlite import SqliteLog
from tests.audit.archive_contract import A1, agreed, archived, closed, closed_cases
from tests.audit.past_the_guards import change_file
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
WORDS = r"never|archive: |archived_now|archived\.case_id"


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

Step = tuple[str, Sequence[object]]
"""A statement and its values. Several are what somebody does in one transaction, by hand."""


def step(statement: str, *values: object) -> Step:
    return statement, values


def happened(position: int, key: str, type_: str, *, case_id: str = LOG_ITSELF, actor: str = "boris") -> Step:
    """An event, as far as the tables look at it."""
    envelope = json.dumps({"actor": actor, "type": type_}).encode()
    return step(
        "INSERT INTO event (pos, case_id, seq, key, ordinal, envelope, leaf_hash, recorded_at, payload) "
        "VALUES (?, ?, ?, ?, 0, ?, ?, 0, ?)",
        *(position, case_id, 1000 + position, key, envelope, leaf_hash(envelope), b""),
    )


def noted(**columns: str) -> Step:
    """INQ-2 is noted as archived, but for some columns."""
    as_it_is = {
        "archive_id": "'archive-3'",
        **{name: name for name in ("case_id", "opened", "seq", "leaf_hash")},
        "removed": "14",
        "restored": "NULL",
    }
    return step(f"INSERT INTO archived SELECT {', '.join((as_it_is | columns).values())} FROM case_index")  # noqa: S608 - our own words


PROPOSED = happened(12, "propose archive-3", "ArchiveProposed", actor="anna")
APPROVED = happened(13, "approve archive-3", "ArchiveApproved")
CARRIED_OUT = happened(14, "archive archive-3", "CasesArchived")
AGREED = (PROPOSED, APPROVED, CARRIED_OUT)
ARCHIVED = (*AGREED, noted())
REMOVED_IN_PART = step("UPDATE event SET payload = NULL, dek_id = '' WHERE pos = 4")
BROUGHT_BACK = happened(15, "restore archive-3 INQ-2", "CaseRestored")
RESTORED = step("UPDATE archived SET restored = 15 WHERE case_id = 'INQ-2'")
PUT_BACK = step("UPDATE event SET payload = envelope WHERE case_id = 'INQ-1'")
SAID_SO = happened(12, "restore archive-1 INQ-1", "CaseRestored")


def head_moved(size: int) -> Step:
    """The transaction is over, as it were."""
    return step("UPDATE log_head SET size = ?, frontier = ?", size, b"moved")


ALLOWED = {
    "a case is archived and restored": (*ARCHIVED, BROUGHT_BACK, RESTORED),
    "a case is archived while another one needs something": (
        step("INSERT INTO need (opened, armed_seq) VALUES (1, 3)"),
        *ARCHIVED,
    ),
    "a case that is back is archived again": (
        *(*ARCHIVED, BROUGHT_BACK, RESTORED, happened(16, "propose archive-4", "ArchiveProposed", actor="anna")),
        *(happened(17, "approve archive-4", "ArchiveApproved"), happened(18, "archive archive-4", "CasesArchived")),
        noted(archive_id="'archive-4'", removed="18"),
    ),
    "a payload leaves": (*ARCHIVED, REMOVED_IN_PART),
    "payloads come back": (SAID_SO, PUT_BACK),
}
FORBIDDEN = {
    "nobody has proposed": (APPROVED, CARRIED_OUT, noted()),
    "a case's event is no proposal": (
        happened(12, "propose archive-3", "ArchiveProposed", case_id="INQ-9", actor="anna"),
        *(APPROVED, CARRIED_OUT, noted()),
    ),
    "something else was proposed": (
        happened(12, "propose archive-9", "ArchiveProposed", actor="anna"),
        *(APPROVED, CARRIED_OUT, noted()),
    ),
    "it was no proposal": (
        happened(12, "propose archive-3", "ArchiveApproved", actor="anna"),
        *(APPROVED, CARRIED_OUT, noted()),
    ),
    "nobody has approved": (PROPOSED, CARRIED_OUT, noted()),
    "a case's event is no approval": (
        *(PROPOSED, happened(13, "approve archive-3", "ArchiveApproved", case_id="INQ-9")),
        *(CARRIED_OUT, noted()),
    ),
    "something else was approved": (
        PROPOSED,
        happened(13, "approve archive-9", "ArchiveApproved"),
        CARRIED_OUT,
        noted(),
    ),
    "it was no approval": (PROPOSED, happened(13, "approve archive-3", "ArchiveProposed"), CARRIED_OUT, noted()),
    "one alone did both": (
        *(PROPOSED, happened(13, "approve archive-3", "ArchiveApproved", actor="anna")),
        *(CARRIED_OUT, noted()),
    ),
    "a case's event carries nothing out": (
        *(PROPOSED, APPROVED, happened(14, "archive archive-3", "CasesArchived", case_id="INQ-9"), noted()),
    ),
    "something else was carried out": (PROPOSED, APPROVED, happened(14, "archive archive-9", "CasesArchived"), noted()),
    "nothing was carried out": (PROPOSED, APPROVED, happened(14, "archive archive-3", "LogSealed"), noted()),
    "another event is said to be it": (*AGREED, noted(removed="13")),
    "it was carried out before": (*AGREED, head_moved(14), noted()),
    "it is noted as restored": (*AGREED, noted(restored="14")),
    "there is no such case": (*AGREED, noted(case_id="'INQ-9'")),
    "the case was opened elsewhere": (*AGREED, noted(opened="5")),
    "the case has gone on": (*AGREED, noted(seq="2")),
    "the case has ended otherwise": (*AGREED, noted(leaf_hash="(SELECT leaf_hash FROM event WHERE pos = 1)")),
    "the case is open": (*AGREED, step("UPDATE case_index SET closed = 0"), noted()),
    "it is in an archive already": (
        *ARCHIVED,
        *(happened(15, "propose archive-4", "ArchiveProposed", actor="anna"),),
        *(happened(16, "approve archive-4", "ArchiveApproved"), happened(17, "archive archive-4", "CasesArchived")),
        noted(archive_id="'archive-4'", removed="17"),
    ),
    "the case needs something": (*AGREED, step(NEEDED), noted()),
    **{
        f"with its payload an event changes: {change}": (
            *ARCHIVED,
            step(f"UPDATE event SET payload = NULL, {change} WHERE pos = 4"),  # noqa: S608 - our own words
        )
        for change in (
            *("pos = 40", "case_id = 'INQ-9'", "seq = 77", "key = 'k'", "ordinal = 7", "recorded_at = 7"),
            "envelope = (SELECT envelope FROM event WHERE pos = 1)",
            "leaf_hash = (SELECT leaf_hash FROM event WHERE pos = 1)",
            "dek_id = 'k1'",
        )
    },
    "the payload of another case leaves": (*ARCHIVED, step("UPDATE event SET payload = NULL WHERE pos = 7")),
    "a payload leaves afterwards": (*ARCHIVED, head_moved(14), REMOVED_IN_PART),
    "a payload leaves a case that is back": (*ARCHIVED, BROUGHT_BACK, RESTORED, REMOVED_IN_PART),
    "a payload becomes another": (
        *(*ARCHIVED, BROUGHT_BACK),
        step("UPDATE event SET payload = envelope WHERE case_id = 'INQ-2'"),
    ),
    "no event says that payloads come back": (PUT_BACK,),
    "a case's event brings no payloads back": (
        *(happened(12, "restore archive-1 INQ-1", "CaseRestored", case_id="INQ-9"), PUT_BACK),
    ),
    "another case comes back": (happened(12, "restore archive-1 INQ-9", "CaseRestored"), PUT_BACK),
    "it comes back from another archive": (happened(12, "restore archive-9 INQ-1", "CaseRestored"), PUT_BACK),
    "the event brings nothing back": (happened(12, "restore archive-1 INQ-1", "LogSealed"), PUT_BACK),
    "payloads come back afterwards": (SAID_SO, head_moved(12), PUT_BACK),
    "no event says that the case is back": (*ARCHIVED, RESTORED),
    "a case's event restores nothing": (
        *(*ARCHIVED, happened(15, "restore archive-3 INQ-2", "CaseRestored", case_id="INQ-9"), RESTORED),
    ),
    "another case is back": (*ARCHIVED, happened(15, "restore archive-3 INQ-9", "CaseRestored"), RESTORED),
    "it is back from another archive": (*ARCHIVED, happened(15, "restore archive-9 INQ-2", "CaseRestored"), RESTORED),
    "the event restores nothing": (*ARCHIVED, happened(15, "restore archive-3 INQ-2", "LogSealed"), RESTORED),
    "another event is said to restore": (
        *(*ARCHIVED, BROUGHT_BACK, step("UPDATE archived SET restored = 14 WHERE case_id = 'INQ-2'")),
    ),
    "it is noted afterwards": (*ARCHIVED, BROUGHT_BACK, head_moved(15), RESTORED),
    "it is noted twice": (*ARCHIVED, BROUGHT_BACK, RESTORED, RESTORED),
    "a payload is not back": (*ARCHIVED, REMOVED_IN_PART, BROUGHT_BACK, RESTORED),
    **{
        f"what was noted changes: {change}": (
            *(*ARCHIVED, BROUGHT_BACK),
            step(f"UPDATE archived SET restored = 15, {change} WHERE case_id = 'INQ-2'"),  # noqa: S608 - our own words
        )
        for change in (
            *("archive_id = 'archive-9'", "case_id = 'INQ-9'", "opened = 5", "seq = 2", "removed = 13"),
            "leaf_hash = (SELECT leaf_hash FROM event WHERE pos = 1)",
        )
    },
}
"""What no owner of the tables can do in the last of some steps, though all else is in order."""


@pytest.mark.parametrize("steps", ALLOWED.values(), ids=ALLOWED)
async def test_a_file_allows_what_is_in_order(file: SqliteLog, steps: Sequence[Step]) -> None:
    with closing(sqlite.connect(file.path)) as owner:
        for statement, values in steps:
            owner.execute(statement, values)


@pytest.mark.parametrize("steps", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_a_file_refuses_what_is_not_in_order(file: SqliteLog, steps: Sequence[Step]) -> None:
    *before, (statement, values) = steps
    with closing(sqlite.connect(file.path)) as owner:
        for each in before:
            owner.execute(*each)
        with pytest.raises(sqlite.IntegrityError, match=WORDS):
            owner.execute(statement, values)


async def test_a_server_allows_what_is_in_order_and_refuses_what_is_not(
    server_url: str, postgres: PostgresServer, subtests: pytest.Subtests
) -> None:
    log = await PostgresLog.open(server_url)
    await filled(log)
    await log.close()
    database = server_url.rpartition("/")[2]
    with psycopg.connect(postgres.url(database), options="-c search_path=casetrail") as owner:
        owner.execute("SET session_replication_role = replica")
        owner.commit()
        for name, steps in (ALLOWED | FORBIDDEN).items():
            *before, last = [(statement.replace("?", "%s").encode(), values) for statement, values in steps]
            with subtests.test(name):
                for each in before:
                    owner.execute(*each)
                with pytest.raises(psycopg.IntegrityError, match=WORDS) if name in FORBIDDEN else nullcontext():
                    owner.execute(*last)
            owner.rollback()


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
        (("UPDATE case_index SET case_id = 'INQ-1', opened = 1",), ("PROJECTION_DIFFERS", 3)),
        (("UPDATE event SET payload = NULL WHERE pos = 9",), ("PAYLOAD_MISSING", 9)),
        (("UPDATE event SET payload = envelope WHERE pos = 9",), ("PAYLOAD_CHANGED", 9)),
        (("UPDATE event SET envelope = payload WHERE pos = 9",), ("ENVELOPE_INVALID", 9)),
    ],
)
async def test_verification_finds_what_was_archived_behind_the_logs_back(
    file: SqliteLog, changes: tuple[str, ...], expected: tuple[str, int]
) -> None:
    change_file(file.path, *changes)
    findings = (await file.verify()).findings
    assert expected in [(finding.reason, finding.position) for finding in findings]
    assert min(finding.position for finding in findings) == expected[1]
