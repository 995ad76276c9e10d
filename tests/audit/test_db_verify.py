"""`casetrail-db verify`: what a server's own verification finds, where there is no server."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from google.protobuf.json_format import MessageToDict

from audit import db_verify
from audit.checkpoint_folder import CheckpointFolder
from audit.erasure import erase
from audit.log import LogUnavailableError
from audit.publishing import Publisher
from audit.signing import Notary
from audit.stores import KeySettings, open_log, sqlite_url
from audit.verification import from_tables, processes
from audit.verification.kept_outside import KeptOutside
from audit.verification.signatures import Signers
from casetrail.proof.note import WITNESS_KEY, SigningKey
from casetrail.v1.event_pb2 import CaseClosed
from casetrail.v1.types_pb2 import Actor, Role
from tests.audit.given import Writer, note, opening
from tests.audit.past_the_guards import change_file, change_server
from tests.postgres_server import PostgresServer
from tests.programs import CASETRAIL_DB

HOLDS = (
    "6 events of 2 cases checked: every hash, every chain, the numbering, the tree, the projection, "
    "the signatures of 1 checkpoint. All hold.\n"
)

ERASED = HOLDS.replace("6 events of 2 cases", "7 events of 2 cases")

WITHOUT_KEYS = (
    "6 events of 2 cases checked: every hash, every chain, the numbering, the tree, the projection, "
    "but for personal fields and signatures. All hold.\n"
)

Change = Callable[[str], None]


class Ran:
    """What the program did."""

    def __init__(self, log: str, data: Path, *words: str) -> None:
        self.status, self.out, self.err = CASETRAIL_DB.run(
            "verify", *words, folder=Path("/"), CASETRAIL_LOG=log, CASETRAIL_DATA=str(data)
        )


async def write(url: str, data: Path, outside: Path | None = None) -> dict[str, object]:
    """Two cases and a checkpoint; what the log itself finds when it verifies them."""
    log = await open_log(url, KeySettings.read({}, data, url))
    for case_id in ("INQ-1", "INQ-2"):
        await Writer(log, case_id).write(opening(customer=case_id), note(), note(), key="open")
    notary = await Notary.open(log, data / "keys")
    await Publisher(log, notary, CheckpointFolder(outside) if outside else None).publish()
    found = await log.verify(outside=KeptOutside(outside, Signers(notary.keys)))
    await log.close()
    answer: dict[str, object] = MessageToDict(found.answer)
    return answer


async def write_and_erase(url: str, data: Path) -> None:
    """Two cases, of which the first one's customer is erased."""
    log = await open_log(url, KeySettings.read({}, data, url))
    for case_id in ("INQ-1", "INQ-2"):
        await Writer(log, case_id).write(opening(customer=case_id), note(), CaseClosed(), key="open")
    admin = Actor(name="root", role=Role.ROLE_ADMIN)
    await erase(log, "INQ-1", why="asked for by letter", request_id="erase-1", actor=admin)
    await Publisher(log, await Notary.open(log, data / "keys")).publish()
    await log.close()


class DbVerifyContract:
    """What holds on each database."""

    def test_a_log_that_holds_is_said_to(self, url: str, tmp_path: Path) -> None:
        found = asyncio.run(write(url, tmp_path))

        ran, for_programs = Ran(url, tmp_path), Ran(url, tmp_path, "--json")

        assert (ran.status, ran.out, ran.err) == (0, HOLDS, "")
        assert (for_programs.status, json.loads(for_programs.out)) == (0, found)

    def test_what_does_not_hold_is_named_with_its_place(self, url: str, change: Change, tmp_path: Path) -> None:
        asyncio.run(write(url, tmp_path))
        change("UPDATE event SET ordinal = 7 WHERE pos = 3")

        ran = Ran(url, tmp_path)

        assert (ran.status, ran.out) == (1, "")
        assert ran.err == (
            "COLUMN_CHANGED: ordinal is 7, not 2 (position 3, INQ-1 event 3)\n"
            "6 events of 2 cases checked: 1 does not hold.\n"
        )

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            ("DELETE FROM log_head", "the log has 0 heads instead of one: restore the newest backup"),
            ("DROP TABLE log_head", "has lost its table log_head: keep a copy of it, restore the newest backup"),
            ("DROP TABLE event", "has lost its table event: keep a copy of it, restore the newest backup"),
            ("DROP TABLE fact", "has lost its table fact: keep a copy of it, restore the newest backup"),
        ],
    )
    def test_a_log_that_cannot_be_gone_through_does_not_hold(
        self, url: str, change: Change, tmp_path: Path, damage: str, words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asyncio.run(write(url, tmp_path))
        change(damage)

        statuses = [db_verify.verify(url, tmp_path, with_keys=True, as_json=as_json) for as_json in (False, True)]

        assert statuses == [1, 1]
        said = capsys.readouterr()
        damaged, nothing_else = said.err.splitlines()
        assert damaged.startswith("LOG_DAMAGED: ")
        assert words in damaged
        assert nothing_else == "Nothing else can be checked."
        (fault,) = json.loads(said.out)["faults"]
        assert (fault["reason"], words in fault["message"]) == ("LOG_DAMAGED", True)

    def test_without_the_keys_all_but_personal_fields_is_checked_and_only_when_that_is_meant(
        self, url: str, change: Change, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        asyncio.run(write(url, tmp_path))

        refused, ran = Ran(url, elsewhere), Ran(url, elsewhere, "--without-keys")

        assert (refused.status, refused.out) == (2, "")
        assert "is missing, and personal fields cannot be read without it" in refused.err
        assert (ran.status, ran.out) == (0, WITHOUT_KEYS)
        assert list(elsewhere.iterdir()) == []
        change("UPDATE event SET ordinal = 7 WHERE pos = 3")
        assert Ran(url, elsewhere, "--without-keys").status == 1

    def test_an_erased_customers_cases_hold_with_the_keys_and_without_and_a_wrong_key_is_told_from_a_destroyed_one(
        self, url: str, tmp_path: Path
    ) -> None:
        asyncio.run(write_and_erase(url, tmp_path))
        with_keys, without = Ran(url, tmp_path), Ran(url, tmp_path, "--without-keys")
        assert (with_keys.status, with_keys.out, with_keys.err) == (0, ERASED, "")
        assert (without.status, without.out) == (
            0,
            ERASED.replace("checkpoint.", "checkpoint, but for personal fields."),
        )

        kek = tmp_path / "kek"
        version, name, _ = kek.read_text().split()
        kek.write_text(f"{version} {name} {'A' * 43}=\n")

        assert Ran(url, tmp_path, "--without-keys").status == 0
        with_others = Ran(url, tmp_path)
        assert (with_others.status, with_others.out) == (1, "")
        assert re.match(
            rf"LOG_DAMAGED: the key .* customer:INQ-2 cannot be opened with {name} in .*kek\n", with_others.err
        )
        assert "INQ-1" not in with_others.err

    def test_signatures_are_checked_without_the_subjects_keys_where_the_public_keys_are(
        self, url: str, tmp_path: Path
    ) -> None:
        asyncio.run(write(url, tmp_path))
        (tmp_path / "kek").unlink()

        ran = Ran(url, tmp_path, "--without-keys")

        assert (ran.status, ran.out) == (0, HOLDS.replace("checkpoint.", "checkpoint, but for personal fields."))

    def test_a_checkpoint_that_is_kept_outside_and_gone_from_the_database_is_found(
        self,
        url: str,
        change: Change,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        outside = tmp_path / "outside"
        monkeypatch.setenv("CASETRAIL_CHECKPOINTS", str(outside))
        outside.mkdir()
        asyncio.run(write(url, tmp_path, outside))
        outside.rename(tmp_path / "away")
        with pytest.raises(LogUnavailableError, match="outside cannot be read: No such file or directory"):
            db_verify.verify(url, tmp_path, with_keys=True, as_json=False)
        (tmp_path / "away").rename(outside)
        assert db_verify.verify(url, tmp_path, with_keys=True, as_json=False) == 0
        change("DELETE FROM checkpoint")

        status = db_verify.verify(url, tmp_path, with_keys=True, as_json=False)

        assert status == 1
        said = capsys.readouterr().err
        assert re.search(r"CHECKPOINT_MISSING: .*outside.*is gone from the database \(position 6\)", said)

    def test_the_log_that_its_public_keys_are_missing_of_is_not_checked_by_halves(
        self, url: str, tmp_path: Path
    ) -> None:
        asyncio.run(write(url, tmp_path))
        (tmp_path / "keys" / "log.vkey").rename(tmp_path / "elsewhere.vkey")

        refused, ran = Ran(url, tmp_path), Ran(url, tmp_path, "--without-keys")

        assert (refused.status, refused.out) == (2, "")
        assert "log.vkey is missing, and signatures cannot be checked without the log's public keys" in refused.err
        assert (ran.status, ran.out) == (0, WITHOUT_KEYS)
        (tmp_path / "keys" / "log.vkey").write_text("# nothing yet\n")
        assert "log.vkey has no key" in Ran(url, tmp_path).err
        (tmp_path / "keys" / "log.vkey").write_text("what is this\n")
        assert "log.vkey cannot be read: this is no verifier key" in Ran(url, tmp_path).err

    def test_a_checkpoint_that_the_log_or_its_witness_has_not_signed_is_found(
        self,
        url: str,
        change: Change,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        asyncio.run(write(url, tmp_path))
        witness = SigningKey.generate("w1", WITNESS_KEY)
        (tmp_path / "witnesses").write_text(f"https://w1.example {witness.verifier}\n")
        monkeypatch.setenv("CASETRAIL_WITNESSES", str(tmp_path / "witnesses"))
        line = witness.cosign("another body\n", 1_790_000_000)
        change(f"INSERT INTO cosignature VALUES (6, 'w1', '{line}')")  # noqa: S608 - our own words
        change("UPDATE checkpoint SET note = replace(note, '— ', '— x')")

        status = db_verify.verify(url, tmp_path, with_keys=True, as_json=False)

        assert status == 1
        said = capsys.readouterr().err
        assert "CHECKPOINT_UNSIGNED: the checkpoint of 6 events has no valid signature of casetrail/" in said
        assert "WITNESS_SIGNATURE_WRONG: the signature of w1+" in said

    def test_a_large_log_is_checked_by_several_processes(
        self,
        url: str,
        change: Change,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        asyncio.run(write(url, tmp_path))
        change("UPDATE case_index SET owner = 'bob' WHERE case_id = 'INQ-2'")
        monkeypatch.setattr(processes, "WORTH_PROCESSES", 1)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        monkeypatch.setattr(from_tables, "_EVENTS_IN_A_RANGE", 2)

        for with_keys in (True, False):
            assert db_verify.verify(url, tmp_path, with_keys=with_keys, as_json=False) == 1
            assert "PROJECTION_DIFFERS: columns of the projection are not the case's: owner" in capsys.readouterr().err


class TestSqlite(DbVerifyContract):
    """In a file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "log.db")

    @pytest.fixture
    def change(self, tmp_path: Path) -> Change:
        return partial(change_file, tmp_path / "log.db")

    def test_it_writes_nothing(self, url: str, tmp_path: Path) -> None:
        asyncio.run(write(url, tmp_path))
        files = {path: path.read_bytes() for path in (tmp_path / "log.db", tmp_path / "keys.db", tmp_path / "kek")}

        assert Ran(url, tmp_path).status == 0

        assert {path: path.read_bytes() for path in files} == files

    def test_what_is_not_there_or_not_of_this_version_is_not_made(self, tmp_path: Path) -> None:
        missing, older, newer, else_, empty = (
            tmp_path / f"{name}.db" for name in ("missing", "older", "newer", "else", "empty")
        )
        asyncio.run(write(sqlite_url(older), tmp_path))
        shutil.copy(older, newer)
        for path, change in ((older, "PRAGMA user_version = 3"), (newer, "PRAGMA user_version = 99")):
            with closing(sqlite.connect(path, isolation_level=None)) as other:
                other.execute(change)
        with closing(sqlite.connect(else_, isolation_level=None)) as other:
            other.execute("CREATE TABLE diary (words TEXT)")
        empty.touch()
        for path, words in (
            (missing, "there is no log at"),
            (older, "has an older schema (3; this Casetrail needs"),
            (newer, "was written by a newer Casetrail (schema 99; this one knows"),
            (else_, "is the database of something else: choose another file"),
            (empty, "has no tables yet: run `casetrail-db init`"),
        ):
            ran = Ran(sqlite_url(path), tmp_path / "elsewhere")
            assert (ran.status, ran.out, words in ran.err) == (2, "", True), ran.err
        assert not missing.exists()
        assert empty.stat().st_size == 0

    def test_a_file_that_is_no_database_does_not_hold(self, tmp_path: Path) -> None:
        path = tmp_path / "diary.db"
        path.write_text("Dear diary, " * 1000)

        ran = Ran(sqlite_url(path), tmp_path)

        assert (ran.status, ran.out) == (1, "")
        assert "diary.db is no SQLite database" in ran.err
        assert "Traceback" not in ran.err


class TestPostgres(DbVerifyContract):
    """On a server."""

    @pytest.fixture
    def url(self, server_url: str) -> str:
        return server_url

    @pytest.fixture
    def change(self, url: str, postgres: PostgresServer) -> Change:
        return partial(change_server, postgres.url(url.rpartition("/")[2]))

    def test_a_server_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        ran = Ran("postgresql://casetrail:secret@127.0.0.1:1/log", tmp_path)

        assert (ran.status, ran.out) == (2, "")
        assert "casetrail-db: the log postgresql://casetrail@127.0.0.1:1/log is not there: start it" in ran.err
