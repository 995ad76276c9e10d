"""A log from before envelopes had version 2: it is read, verified, continued and exported as any other.

`version_1/` is what such a log exported: real events as they were written then, with the log's key and a receipt file.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest
import rfc8785
import sqlalchemy
from psycopg import conninfo

from audit import facts, migrations
from audit.log import Known, Log
from audit.merkle import Frontier
from audit.postgres import PostgresLog, administration
from audit.projection import findable
from audit.sqlite import SqliteLog
from casetrail.client import Client
from casetrail.export import jsonl
from casetrail.export.selection import Selection
from casetrail.v1.case_pb2 import Case
from casetrail_verify import Evidence, verify
from casetrail_verify.evidence import keys
from casetrail_verify.notes import LOG_KEY
from domain.evolve import fold
from server.export_lines import event_line
from server.proving import ProofSettings
from tests.audit.given import Writer, note
from tests.postgres_server import PostgresServer
from tests.server.running import serving

FOLDER = Path(__file__).parent / "version_1"
LINES: list[dict[str, Any]] = [json.loads(line) for line in (FOLDER / "export.jsonl").read_bytes().splitlines()]
EVENTS = [line for line in LINES if line["kind"] == "event"]
OPEN = next(line["case_id"] for line in reversed(EVENTS) if line["type"] == "NoteAdded")
RESOLVED = next(line for line in EVENTS if line["type"] == "Resolved")
"""What was asked for when time had first brought seven events."""

Insert = Callable[[str, Sequence[str], Sequence[Any]], object]


def put_back(insert: Insert) -> None:
    """Insert what was exported into the tables as they were then."""
    for line in EVENTS:
        columns = ["pos", "case_id", "seq", "key", "ordinal", "event_id", "type", "recorded_at"]
        values = [line[name] for name in columns] + [line["envelope"].encode(), bytes.fromhex(line["leaf_hash"])]
        insert("event", [*columns, "envelope", "leaf_hash"], values)
        insert("payload", ["pos", "body"], [line["pos"], b64decode(line["payload"])])
    for line in (line for line in LINES if line["kind"] == "case"):
        row = index_row(line)
        insert("case_index", list(row), list(row.values()))
    for line in (line for line in LINES if line["kind"] == "policy"):
        insert("policy", ["digest", "policy_id", "body"], [line["digest"], line["policy_id"], b64decode(line["body"])])


def index_row(line: dict[str, Any]) -> dict[str, Any]:
    case = Case.FromString(b64decode(line["body"]))
    row = {name: int(value) if isinstance(value, bool) else value for name, value in findable(case)._asdict().items()}
    row |= {"opened": line["opened"], "case_id": line["case_id"], "seq": line["seq"], "body": b64decode(line["body"])}
    return row | {"leaf_hash": bytes.fromhex(line["leaf_hash"]), "effects": 0, "effects_seq": 0}


def head() -> tuple[str, int, bytes]:
    frontier = Frontier().grow([bytes.fromhex(line["leaf_hash"]) for line in EVENTS]).frontier
    return LINES[0]["log"], len(EVENTS), frontier.stored


def make_old_file(path: Path) -> None:
    """A file as the version before left it."""
    with closing(sqlite.connect(path, isolation_level=None)) as file:
        engine = sqlalchemy.create_engine(
            "sqlite://", module=sqlite, creator=lambda: file, poolclass=sqlalchemy.StaticPool
        )
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN")
            migrations.upgrade(connection, "sqlite", to="0004")
            connection.exec_driver_sql("PRAGMA user_version = 4")

            def insert(table: str, columns: Sequence[str], values: Sequence[Any]) -> object:
                marks = ", ".join("?" * len(values))
                return file.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608 - our own names

            put_back(insert)
            file.execute("UPDATE log_head SET log = ?, size = ?, frontier = ?", head())


def make_old_database(admin: psycopg.Connection[Any]) -> None:
    """A database as the version before left it."""
    admin.execute("DROP SCHEMA casetrail CASCADE; DROP SCHEMA casetrail_keys CASCADE; CREATE SCHEMA casetrail")
    admin.execute("GRANT USAGE ON SCHEMA casetrail TO casetrail_app")
    admin.commit()
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: admin, poolclass=sqlalchemy.StaticPool)
    with engine.begin() as connection:
        migrations.upgrade(connection, "postgresql", to="0003")

        def insert(table: str, columns: Sequence[str], values: Sequence[Any]) -> object:
            marks = ", ".join(["%s"] * len(values))
            return admin.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608 - our own names

        put_back(insert)
        admin.execute("UPDATE log_head SET log = %s, size = %s, frontier = %s", head())


async def check(log: Log) -> None:
    """Read, verify and continue it."""
    verified = await log.verify()
    assert (verified.events, verified.findings) == (len(EVENTS), ())
    rows = await log.rows()
    assert [event_line(row) for row in rows] == EVENTS, "nothing of what was written then is otherwise"

    known = await log.find_key(RESOLVED["case_id"], RESOLVED["key"])
    assert isinstance(known, Known)
    assert [event.HasField("due") for event in known.events] == [True] * 7 + [False] * 4
    assert known.digest == json.loads(RESOLVED["envelope"])["cause"].removeprefix("request:")

    writer = Writer(log, OPEN)
    writer.case = await log.read_case(OPEN)
    (written,) = await writer.write(note(), key="later")
    again = await log.append(writer.batch(note(), key="later"))
    assert isinstance(again, Known)
    assert again.events == [written]
    assert written.previous_hash == rows[[row.case_id for row in rows].index(OPEN) + 3].leaf_hash.hex()

    assert fold(await log.events(OPEN)) == await log.read_case(OPEN)
    assert {facts.read(row.envelope).version for row in await log.rows()} == {1, 2}
    assert (await log.verify()).findings == ()


async def test_a_file_is_brought_up_to_date_and_continued(tmp_path: Path) -> None:
    make_old_file(tmp_path / "log.db")
    log = SqliteLog(tmp_path / "log.db")
    await check(log)
    await log.close()
    with closing(sqlite.connect(tmp_path / "log.db")) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        longest = max((b64decode(line["payload"]) for line in EVENTS), key=len)
        assert (tmp_path / "log.db").read_bytes().count(longest) == 1, "the tables of before left nothing behind"
        for change in ("UPDATE event SET key = 'r9'", "DELETE FROM event"):
            with pytest.raises(sqlite.IntegrityError, match="never"):
                file.execute(change)


async def test_a_database_is_brought_up_to_date_and_continued(
    new_database: Callable[[], str], postgres: PostgresServer
) -> None:
    url = new_database()
    as_superuser = postgres.url(str(conninfo.conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(as_superuser, options="-c search_path=casetrail") as admin:
        make_old_database(admin)
    assert administration.upgrade(url, postgres.url()) == ["upgraded the schema from 0003 to 0007"]
    log = await PostgresLog.open(url)
    await check(log)
    await log.close()
    with psycopg.connect(url, options="-c search_path=casetrail") as application:
        for change in ("UPDATE event SET key = 'r9'", "DELETE FROM event", "TRUNCATE event"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), application.transaction():
                application.execute(change)
    with psycopg.connect(as_superuser, options="-c search_path=casetrail") as superuser:
        with pytest.raises(psycopg.IntegrityError, match="never"), superuser.transaction():
            superuser.execute("DELETE FROM event")
        with pytest.raises(psycopg.IntegrityError, match="event_check"), superuser.transaction():
            superuser.execute(
                "INSERT INTO event (pos, recorded_at, seq, ordinal, case_id, key, leaf_hash, envelope) "
                "SELECT 99, 0, 99, 0, 'x', 'k', envelope, envelope FROM event"
            )
    new_database.give_back(url, as_it_was=False)  # type: ignore[attr-defined] # it is `Databases`


def test_an_export_of_then_holds_before_the_verifier_of_now() -> None:
    report = verify(
        Evidence(
            export=FOLDER / "export.jsonl",
            log_keys=keys([str(FOLDER / "log.vkey")], LOG_KEY),
            witness_keys=[],
            checkpoints=[],
            receipts=[FOLDER / "receipts.jsonl"],
        )
    )
    assert report.holds, report.words
    assert next(iter(report.checked.values())) == len(EVENTS)


async def test_a_log_that_was_continued_is_exported_and_holds(tmp_path: Path) -> None:
    make_old_file(tmp_path / "casetrail.db")
    proofs = ProofSettings(tmp_path / "keys")
    async with serving(tmp_path, proofs) as running, Client(running.address, "shop-secret") as shop:
        await shop.note(OPEN, "seen once more")
        await running.proving.publisher.publish()
        async with Client(running.address, "player-secret") as auditor:
            with (tmp_path / "export.jsonl").open("wb") as file:
                await jsonl.write(auditor, Selection(), file)
    report = verify(
        Evidence(
            export=tmp_path / "export.jsonl",
            log_keys=keys([str(tmp_path / "keys" / "log.vkey")], LOG_KEY),
            witness_keys=[],
            checkpoints=[],
            receipts=[],
        )
    )
    assert report.holds, report.words
    events, cases, _, _, seals, listed, folded, _ = report.checked.values()
    assert (cases, seals, listed, folded) == (3, 1, 3, 3)
    assert events > len(EVENTS)


@pytest.mark.parametrize("line", EVENTS, ids=lambda line: str(line["pos"]))
def test_both_versions_say_the_same(line: dict[str, Any]) -> None:
    envelope = line["envelope"].encode()
    said, read = json.loads(envelope), facts.read(envelope)
    assert rfc8785.dumps(said) == envelope
    assert (read.log, read.position, read.case_id, read.seq) == (said["log"], said["pos"], said["case"], said["seq"])
    assert (read.previous.hex() or None, read.payload_hash.hex()) == (said["prev"], said["payload_hash"])
    assert (read.by_time, read.due is None) == (said["cause"] == "time", said["due"] is None)
    assert read.correlation == said["correlation"]
    assert read.recorded_at == line["recorded_at"]
