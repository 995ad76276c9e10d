"""The tables of both databases: made by migrations, alike, and brought up to date with everything in them."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest
import sqlalchemy

from audit import migrations
from audit.envelope import StoredEvent
from audit.group import INDEX_COLUMNS
from audit.log import Log, LogDamagedError, LogUnavailableError
from audit.postgres import PostgresLog, administration
from audit.postgres.schema import REVISION
from audit.sqlite import SqliteLog
from audit.sqlite.file import SCHEMA_VERSION
from tests.audit.archive_contract import agreed, archived, closed, closed_cases
from tests.audit.contract import opened
from tests.audit.given import note
from tests.postgres_server import Databases, PostgresServer

FIRST = Path(__file__).parents[2] / "migrations" / "sqlite" / "0001_log.sql"
_CASES = ", ".join(INDEX_COLUMNS)
_KEY, _TYPE = (f"CAST(envelope AS TEXT) ->> '{member}'" for member in ("key", "type"))
TAKEN_BACK = f"""
  INSERT INTO event
  SELECT pos, case_id, seq, {_KEY}, ordinal, case_id || ':' || seq, {_TYPE}, envelope, leaf_hash, recorded_at
  FROM now.event;
  INSERT INTO payload SELECT pos, nullif(dek_id, ''), payload FROM now.event;
  INSERT INTO case_index ({_CASES}, effects, effects_seq) SELECT {_CASES}, 0, 0 FROM now.case_index;
  UPDATE log_head SET (log, size) = (SELECT log, size FROM now.log_head);
  PRAGMA user_version = 1;
"""  # noqa: S608 - our own names
"""What a log of now says, in the tables of the first version."""

_SAID_KEY, _SAID_TYPE = (f"convert_from(envelope, 'UTF8')::json ->> '{member}'" for member in ("key", "type"))
ON_A_SERVER = f"""
  ALTER TABLE archived DISABLE TRIGGER by_two_as_it_was;
  INSERT INTO event (pos, case_id, seq, key, ordinal, type, envelope, leaf_hash, recorded_at)
  SELECT pos, case_id, seq, {_SAID_KEY}, ordinal, {_SAID_TYPE}, envelope, leaf_hash, recorded_at FROM now.event;
  INSERT INTO payload SELECT pos, nullif(dek_id, ''), payload FROM now.event WHERE payload IS NOT NULL;
  INSERT INTO case_index ({_CASES}, effects, effects_seq) SELECT {_CASES}, 0, 0 FROM now.case_index;
  INSERT INTO archived SELECT * FROM now.archived;
  UPDATE log_head SET (log, size, frontier) = (SELECT log, size, frontier FROM now.log_head);
  ALTER TABLE archived ENABLE ALWAYS TRIGGER by_two_as_it_was;
"""  # noqa: S608 - our own names
"""What a log of now says, in the tables of a server before payloads stood with their events."""

WITH_ARCHIVED = f"""
  INSERT INTO event
  SELECT pos, case_id, seq, {_KEY}, ordinal, {_TYPE}, envelope, leaf_hash, recorded_at FROM now.event;
  INSERT INTO payload SELECT pos, nullif(dek_id, ''), payload FROM now.event WHERE payload IS NOT NULL;
  INSERT INTO case_index ({_CASES}, effects, effects_seq) SELECT {_CASES}, 0, 0 FROM now.case_index;
  INSERT INTO archived SELECT * FROM now.archived;
  UPDATE log_head SET (log, size, frontier) = (SELECT log, size, frontier FROM now.log_head);
  PRAGMA user_version = 5;
"""  # noqa: S608 - our own names
"""The same in a file's."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def a_log_of_version_1(path: Path) -> None:
    """A file as the first version left it: without a tree, and without a note of its migrations."""
    newest = path.with_name("newest.db")
    log = SqliteLog(newest)
    writer = await opened(log, "INQ-1")
    await writer.write(*[note() for _ in range(600)], key="r1")
    await log.close()
    with closing(sqlite.connect(path, isolation_level=None)) as old:
        old.executescript(FIRST.read_text())
        old.execute("ATTACH ? AS now", (str(newest),))
        old.executescript(TAKEN_BACK)


async def test_an_older_file_is_brought_up_to_date_when_it_is_opened(path: Path) -> None:
    await a_log_of_version_1(path)
    log = SqliteLog(path)
    verified = await log.verify()
    assert (verified.events, verified.findings) == (601, ())
    assert len(await log.subtrees(1, 0, 2)) == 2
    await opened(log, "INQ-2")
    assert (await log.verify()).findings == ()
    await log.close()


async def with_one_of_two_archived(log: Log) -> Sequence[StoredEvent]:
    """What a log has then, which is closed."""
    for case_id in ("INQ-1", "INQ-2"):
        await closed(log, case_id)
    first = (await closed_cases(log))[:1]
    await agreed(log, first)
    await archived(log, first)
    rows = await log.rows()
    await log.close()
    assert [row.payload is None for row in rows] == [row.case_id == "INQ-1" for row in rows]
    return rows


async def test_what_an_archive_has_alone_is_as_it_was_after_an_upgrade_of_a_file(path: Path) -> None:
    newest = path.with_name("newest.db")
    rows = await with_one_of_two_archived(SqliteLog(newest))
    with closing(sqlite.connect(path, isolation_level=None)) as old:
        engine = sqlalchemy.create_engine(
            "sqlite://", module=sqlite, creator=lambda: old, poolclass=sqlalchemy.StaticPool
        )
        with engine.begin() as connection:
            migrations.upgrade(connection, "sqlite", to="0005")
        old.execute("ATTACH ? AS now", (str(newest),))
        ((guard,),) = old.execute("SELECT sql FROM main.sqlite_schema WHERE name = 'archived_as_it_was'").fetchall()
        old.executescript(f"DROP TRIGGER archived_as_it_was; {WITH_ARCHIVED} {guard}")

    log = SqliteLog(path)

    assert await log.rows() == rows
    assert (await log.verify()).findings == ()
    await log.close()


async def test_what_an_archive_has_alone_is_as_it_was_after_an_upgrade_of_a_server(
    new_database: Databases, postgres: PostgresServer
) -> None:
    url = new_database()
    rows = await with_one_of_two_archived(await PostgresLog.open(url))
    admin = postgres.url(url.rpartition("/")[2])
    with psycopg.connect(admin, options="-c search_path=casetrail") as old:
        old.execute("ALTER SCHEMA casetrail RENAME TO now")
        old.execute("ALTER SCHEMA casetrail_keys RENAME TO keys_now")
        old.execute("CREATE SCHEMA casetrail")
        old.execute("GRANT USAGE ON SCHEMA casetrail TO casetrail_app")
        old.commit()
        engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: old, poolclass=sqlalchemy.StaticPool)
        with engine.begin() as connection:
            migrations.upgrade(connection, "postgresql", to="0004")
        old.execute(ON_A_SERVER.encode())
        old.execute("DROP SCHEMA now CASCADE")
    with pytest.raises(LogUnavailableError, match="older schema"):
        await PostgresLog.open(url)

    administration.upgrade(url, postgres.url())

    log = await PostgresLog.open(url)
    assert await log.rows() == rows
    assert (await log.verify()).findings == ()
    await log.close()
    new_database.give_back(url, as_it_was=False)


async def test_an_upgrade_that_fails_changes_nothing(path: Path) -> None:
    await a_log_of_version_1(path)
    with closing(sqlite.connect(path, isolation_level=None)) as old:
        old.execute("UPDATE log_head SET size = 7")
        before = old.execute("SELECT * FROM sqlite_schema").fetchall()
    with pytest.raises(LogDamagedError, match="the head says 7 events, and there are 601"):
        SqliteLog(path)
    with closing(sqlite.connect(path)) as old:
        assert old.execute("SELECT * FROM sqlite_schema").fetchall() == before
        assert old.execute("PRAGMA user_version").fetchall() == [(1,)]


BEFORE_NEED = """
  INSERT INTO case_index (opened, case_id, closed, live, next_wake, effects, effects_seq, effects_since,
    armed_seq, armed_wake, served_at,
    kind, stage, priority, channel, category, owner, team, customer_id, order_id, opened_at, running, overdue, drill_id,
    seq, leaf_hash, body)
  SELECT state.*, 1, 1, 1, 1, '', '', '', '', '', 0, 0, 0, '', 9, {none}, {none} FROM (VALUES
    (1, 'never armed', 0, 1, NULL, 0, 0, NULL, NULL, NULL, NULL),
    (2, 'armed for its wake', 0, 1, 500, 0, 0, NULL, 4, 500, 50),
    (3, 'armed for a later one', 0, 1, 500, 0, 0, NULL, 4, 600, 50),
    (4, 'closed with an effect', 1, 0, NULL, 1, 7, 70, 8, NULL, 80),
    (5, 'with an effect that is not known', 0, 1, 900, 1, 9, 90, 8, 900, 80),
    (6, 'closed', 1, 0, NULL, 0, 0, NULL, 9, NULL, 90),
    (7, 'imported', 0, 0, NULL, 0, 0, NULL, NULL, NULL, NULL),
    (8, 'closed with a wake', 1, 0, 800, 0, 0, NULL, 9, 800, 90),
    (9, 'armed nobody knows when', 0, 1, 500, 0, 0, NULL, 4, 500, NULL)
  ) AS state
"""
NEEDED = [
    (1, None, None, None, None, 0, None, 0),
    (2, 500, None, 500, 50, 500, None, 4),
    (3, 500, None, 600, 50, 0, None, 4),
    (4, None, 70, None, 80, 70, 7, 8),
    (5, 900, 90, 900, 80, 0, 9, 8),
    (8, 800, None, 800, 90, 800, None, 9),
    (9, 500, None, 500, 0, 500, None, 4),
]
"""Of each case that is live or needs something: wake, effects, what Temporal knows, and from when on it may be late."""

NEEDS = """
  SELECT opened, next_wake, effects_since, armed_wake, served_at, late_from, effects_seq, armed_seq
  FROM need ORDER BY opened
"""


def test_a_file_keeps_through_an_upgrade_what_cases_need_and_what_temporal_knows(path: Path) -> None:
    with closing(sqlite.connect(path, isolation_level=None)) as file:
        engine = sqlalchemy.create_engine(
            "sqlite://", module=sqlite, creator=lambda: file, poolclass=sqlalchemy.StaticPool
        )
        with engine.begin() as connection:
            migrations.upgrade(connection, "sqlite", to="0007")
            file.execute(BEFORE_NEED.format(none="x''"))
            migrations.upgrade(connection, "sqlite", to="0008")
        assert file.execute(NEEDS).fetchall() == NEEDED


def test_a_database_keeps_through_an_upgrade_what_cases_need_and_what_temporal_knows(
    new_database: Databases, postgres: PostgresServer
) -> None:
    url = new_database()
    as_superuser = postgres.url(url.rpartition("/")[2])
    with psycopg.connect(as_superuser, options="-c search_path=casetrail") as admin:
        admin.execute("DROP SCHEMA casetrail CASCADE; DROP SCHEMA casetrail_keys CASCADE; CREATE SCHEMA casetrail")
        admin.commit()
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=lambda: admin, poolclass=sqlalchemy.StaticPool
        )
        with engine.begin() as connection:
            migrations.upgrade(connection, "postgresql", to="0006")
            admin.execute(BEFORE_NEED.format(none="''"))
            migrations.upgrade(connection, "postgresql", to="0007")
        assert admin.execute(NEEDS).fetchall() == NEEDED
    new_database.give_back(url, as_it_was=False)


def test_what_this_version_works_with_is_the_newest_migration() -> None:
    assert migrations.newest("postgresql") == REVISION
    assert migrations.newest("sqlite") == f"{SCHEMA_VERSION:04d}"


async def test_both_databases_have_the_same_tables(path: Path, new_database: Callable[[], str]) -> None:
    await SqliteLog(path).close()
    with closing(sqlite.connect(path)) as file:
        in_file = file.execute(
            "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS c WHERE m.type = 'table'"
        ).fetchall()
    with psycopg.connect(new_database()) as server:
        in_server = server.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'casetrail'"
        ).fetchall()
    assert set(in_file) == set(in_server)
