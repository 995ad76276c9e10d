"""Verification by several processes finds what one finds, of one moment, and never calls whole what it has not seen."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import PIPE, Popen

import psycopg
import pytest
import pytest_asyncio

from audit.log import Log, LogDamagedError, LogUnavailableError, Verification
from audit.sqlite.file import DatabaseFile
from audit.stores import KeySettings, open_log, sqlite_url
from audit.verification import from_tables, processes
from audit.verification.processes import Checkers, Place, in_thread
from audit.verification.snapshot import ALL_CASES
from tests.audit.archive_contract import agreed, archived, closed, closed_cases
from tests.audit.given import Writer, note, opening
from tests.audit.past_the_guards import change_file, change_server
from tests.postgres_server import PostgresServer

CASES, NOTES = 6, 5
_DAMAGE = (
    "UPDATE event SET ordinal = 7 WHERE pos = 3",
    "UPDATE event SET leaf_hash = (SELECT leaf_hash FROM event WHERE pos = 1) WHERE pos = 9",
    "UPDATE event SET payload = (SELECT payload FROM event WHERE pos = 1) WHERE pos = 14",
    "DELETE FROM event WHERE pos = 20",
    "UPDATE case_index SET owner = 'bob' WHERE case_id = 'INQ-2'",
    "DELETE FROM case_index WHERE case_id = 'INQ-4'",
)

NOWHERE = Place("sqlite:////nowhere/log.db", "", None)

Damage = Callable[[], None]


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a log is, two processes check it, a few events at a time."""
    monkeypatch.setattr(processes, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(from_tables, "_EVENTS_IN_A_RANGE", 2)


@pytest_asyncio.fixture
async def log(log_url: str, key_settings: KeySettings) -> AsyncIterator[Log]:
    opened = await open_log(log_url, key_settings)
    for number in range(CASES):
        writer = Writer(opened, f"INQ-{number}")
        await writer.write(opening(customer=f"cu-{number}"), key="open")
        await writer.write(*[note() for _ in range(NOTES)], key="notes")
    yield opened
    await opened.close()


class CheckingContract:
    """What holds on each database."""

    async def test_several_processes_find_what_one_finds(
        self, log: Log, damage: Damage, request: pytest.FixtureRequest
    ) -> None:
        damage()
        alone = await log.verify()

        request.getfixturevalue("in_processes")

        assert await log.verify() == alone
        assert {finding.reason for finding in alone.findings} >= {
            "COLUMN_CHANGED",
            "HASH_WRONG",
            "PAYLOAD_CHANGED",
            "GAP",
            "TREE_WRONG",
            "CHAIN_BROKEN",
            "PROJECTION_DIFFERS",
        }

    async def test_one_process_finds_the_same_however_few_cases_it_takes_at_once(
        self, log: Log, damage: Damage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        damage()
        at_once = await log.verify()

        monkeypatch.setattr(from_tables, "_EVENTS_IN_A_RANGE", 2)

        assert await log.verify() == at_once

    @pytest.mark.usefixtures("in_processes")
    async def test_all_look_at_one_moment_while_others_write(self, log: Log) -> None:
        before = await log.size()
        writing = asyncio.create_task(_write_without_end(log))
        try:
            await _has_more_than(log, before)
            first = await log.verify()
            await _has_more_than(log, first.events)
            second = await log.verify()
            await _has_more_than(log, second.events)
        finally:
            writing.cancel()

        assert (first.findings, second.findings) == ((), ())
        assert before < first.events < second.events

    @pytest.mark.usefixtures("in_processes")
    async def test_a_process_that_dies_is_an_error_and_no_clean_bill(
        self, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin = Checkers.begin

        def begin_and_lose_one(checkers: Checkers) -> None:
            begin(checkers)
            os.kill(_checking_processes()[0], 9)

        monkeypatch.setattr(Checkers, "begin", begin_and_lose_one)

        with pytest.raises(LogUnavailableError, match="has ended with status -9, and what it would have found"):
            await log.verify()
        assert _checking_processes() == []

    @pytest.mark.usefixtures("in_processes")
    async def test_a_case_that_was_archived_is_missed_by_no_process(self, log: Log) -> None:
        await closed(log, "INQ-old")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await archived(log, cases)

        assert (await log.verify()).findings == ()

    @pytest.mark.usefixtures("in_processes")
    async def test_what_stops_a_process_is_said_as_it_met_it(self, log: Log, key_settings: KeySettings) -> None:
        version, name, _ = key_settings.kek.read_text().split()
        key_settings.kek.write_text(f"{version} {name} {'A' * 43}=\n")

        with pytest.raises(LogDamagedError, match=f"cannot be opened with {name}"):
            await log.verify()
        assert _checking_processes() == []

    @pytest.mark.usefixtures("in_processes")
    async def test_a_verification_that_is_called_off_leaves_no_process(self, log: Log) -> None:
        verifying = asyncio.create_task(log.verify())
        async with asyncio.timeout(10):
            while not _checking_processes():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

        verifying.cancel()

        with pytest.raises(asyncio.CancelledError):
            await verifying
        assert _checking_processes() == []


async def test_who_calls_it_off_interrupts_what_the_database_is_asked() -> None:
    asked, interrupted, let_go = threading.Event(), threading.Event(), threading.Event()

    def verify(checkers: Checkers) -> Verification:
        asked.set()
        assert interrupted.wait(10)
        with checkers, pytest.raises(LogUnavailableError, match="called off"):
            checkers.start(1, NOWHERE)
        time.sleep(0.05)
        let_go.set()
        raise LogUnavailableError("interrupted")

    verifying = asyncio.create_task(in_thread(verify, interrupted.set))
    await asyncio.to_thread(asked.wait)

    verifying.cancel()

    with pytest.raises(asyncio.CancelledError):
        await verifying
    assert let_go.is_set()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (NOWHERE, "there is no log at /nowhere"),
        (Place("postgresql://casetrail@127.0.0.1:1/log", "", None), "is not there"),
    ],
)
def test_a_process_that_cannot_use_the_log_says_why(place: Place, words: str) -> None:
    with Checkers() as checkers, pytest.raises(LogUnavailableError, match=words):
        checkers.start(2, place)
    assert _checking_processes() == []


def test_a_process_that_finds_no_log_in_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"no database" * 1000)
    with Checkers() as checkers, pytest.raises(LogDamagedError, match=r"log\.db"):
        checkers.start(1, Place(sqlite_url(tmp_path / "log.db"), "", None))


def test_a_process_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with (
        Checkers() as checkers,
        pytest.raises(LogUnavailableError, match="no process can be started to verify"),
    ):
        checkers.start(2, NOWHERE)


class TestSqlite(CheckingContract):
    """In files."""

    @pytest.fixture
    def log_url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "log.db")

    @pytest.fixture
    def key_settings(self, tmp_path: Path) -> KeySettings:
        return KeySettings(sqlite_url(tmp_path / "keys.db"), tmp_path / "kek")

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Damage:
        return partial(change_file, tmp_path / "log.db", *_DAMAGE)

    @pytest.mark.usefixtures("log")
    async def test_an_answer_to_something_else_is_an_error_and_no_clean_bill(self, log_url: str) -> None:
        with Checkers() as checkers:
            checkers.start(1, Place(log_url, "", None))
            with pytest.raises(LogUnavailableError, match="has answered None"):
                list(checkers.check([ALL_CASES]))  # before the log's moment was taken

    async def test_a_process_looks_at_the_moment_in_which_it_began(self, log: Log, log_url: str) -> None:
        with Checkers() as checkers:
            checkers.start(1, Place(log_url, "", None))
            checkers.begin()
            await Writer(log, "INQ-new").write(opening(), key="open")
            (found,) = checkers.check([ALL_CASES])

        assert found.cases == CASES

    @pytest.mark.usefixtures("log")
    def test_a_process_that_nobody_asks_any_more_ends_without_a_word(self, log_url: str) -> None:
        """Before it is ready, once it has said so, and when that was read."""
        asked = [_asked(log_url) for _ in range(3)]
        for pipe, _ in asked[1:]:
            assert pipe.poll(30)
        asked[2][0].recv()

        for pipe, _ in asked:
            pipe.close()

        ended = [(process.communicate(timeout=30)[1], process.returncode) for _, process in asked]
        assert ended == [(b"", 0)] * 3


class TestPostgres(CheckingContract):
    """In a schema apart."""

    @pytest.fixture
    def log_url(self, server_url: str) -> str:
        return server_url

    @pytest.fixture
    def key_settings(self, log_url: str, tmp_path: Path) -> KeySettings:
        return KeySettings(log_url, tmp_path / "kek")

    @pytest.fixture
    def damage(self, log_url: str, postgres: PostgresServer) -> Damage:
        return partial(change_server, postgres.url(log_url.rpartition("/")[2]), *_DAMAGE)

    async def test_a_process_looks_at_the_moment_that_it_was_given(self, log: Log, log_url: str) -> None:
        with psycopg.connect(log_url) as asking, Checkers() as checkers:
            asking.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            ((moment,),) = asking.execute("SELECT pg_export_snapshot()").fetchall()
            await Writer(log, "INQ-new").write(opening(), key="open")
            checkers.start(1, Place(log_url, moment, None))
            checkers.begin()
            (found,) = checkers.check([ALL_CASES])

        assert found.cases == CASES


def test_what_was_archived_is_read_when_others_may_write_again(tmp_path: Path) -> None:
    """However much that is: nobody writes to a file until all processes have begun. Here it cannot be read at all."""
    url = sqlite_url(tmp_path / "log.db")
    DatabaseFile(tmp_path / "log.db", busy_timeout=5)
    change_file(tmp_path / "log.db", "INSERT INTO archived VALUES ('A-1', CAST(x'ff' AS TEXT), 1, 1, x'', 1, NULL)")
    with Checkers() as checkers:
        checkers.start(1, Place(url, "", None))
        checkers.begin()
        with pytest.raises(LogDamagedError, match="no UTF-8"):
            list(checkers.check([ALL_CASES]))


def _asked(log_url: str) -> tuple[Connection, Popen[bytes]]:
    """A process that checks, and the pipe to it."""
    pipe, its_own = Pipe()
    with its_own:
        words = [sys.executable, "-m", "audit.verification.process"]
        process = Popen(words, stdin=its_own.fileno(), stderr=PIPE, cwd=Path(__file__).parents[2])
    pipe.send(Place(log_url, "", None))
    return pipe, process


async def _write_without_end(log: Log) -> None:
    writer = Writer(log, "INQ-live")
    await writer.write(opening(customer="cu-live"), key="open")
    for number in range(1_000_000):
        await writer.write(note(), key=f"note-{number}")


async def _has_more_than(log: Log, events: int) -> None:
    async with asyncio.timeout(10), aclosing(log.follow(after_position=events)) as following:
        await anext(following)


def _checking_processes() -> list[int]:
    """The children of this process that check."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended
        if int(parent) == os.getpid() and b"audit.verification.process" in words:
            found.append(int(folder.name))
    return found
