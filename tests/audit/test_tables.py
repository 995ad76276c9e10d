"""Rows that no log has are refused by the tables themselves, whoever writes them."""

from collections.abc import Sequence
from contextlib import closing

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest

from audit.envelope import leaf_hash
from audit.sqlite import SqliteLog
from tests.postgres_server import PostgresServer

Insertion = tuple[str, Sequence[object]]

EVENT = (
    "INSERT INTO event (pos, case_id, seq, key, ordinal, envelope, leaf_hash, recorded_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
)
HASH = leaf_hash(b"{}")


def event(
    pos: int = 2, case_id: str = "INQ-1", seq: int = 2, key: str = "k2", ordinal: int = 0, hashed: bytes = HASH
) -> Insertion:
    return EVENT, (pos, case_id, seq, key, ordinal, b"{}", hashed)


def subtree(level: int, root: bytes) -> Insertion:
    return "INSERT INTO subtree VALUES (?, 0, ?)", (level, root)


FIRST = event(1, seq=1, key="k1")
TAKEN = {
    "the next event": event(),
    "the first event of another case, under the same key": event(case_id="INQ-2", seq=1, key="k1"),
    "a further event of a request": event(key="", ordinal=1),
    "a subtree": subtree(1, HASH),
}
REFUSED = {
    "an event at the place of another": event(1),
    "a second event of one number": event(seq=1),
    "a second event that is first under a key": event(key="k1"),
    "a first event without a key": event(key=""),
    "a further event with a key": event(ordinal=1),
    "a hash that is none": event(hashed=HASH[:-1]),
    "a subtree of no level": subtree(0, HASH),
    "a subtree whose root is no hash": subtree(1, HASH[:-1]),
    "a checkpoint whose root is no hash": ("INSERT INTO checkpoint VALUES (1, ?, '', 0)", (HASH[:-1],)),
}


@pytest.mark.parametrize("name", TAKEN | REFUSED)
def test_a_file_refuses_rows_that_no_log_has(log: SqliteLog, name: str) -> None:
    with closing(sqlite.connect(log.path)) as owner:
        owner.execute(*FIRST)
        if name in TAKEN:
            owner.execute(*TAKEN[name])
            return
        with pytest.raises(sqlite.IntegrityError, match=r"UNIQUE|CHECK"):
            owner.execute(*REFUSED[name])


def test_a_server_refuses_rows_that_no_log_has(
    server_url: str, postgres: PostgresServer, subtests: pytest.Subtests
) -> None:
    database = server_url.rpartition("/")[2]
    with psycopg.connect(postgres.url(database), options="-c search_path=casetrail") as owner:
        for name, second in (TAKEN | REFUSED).items():
            first, (statement, values) = (
                (words.replace("?", "%s").encode(), given) for words, given in (FIRST, second)
            )
            with subtests.test(name):
                owner.execute(*first)
                if name in TAKEN:
                    owner.execute(statement, values)
                else:
                    with pytest.raises((psycopg.errors.UniqueViolation, psycopg.errors.CheckViolation)):
                        owner.execute(statement, values)
            owner.rollback()


UNCHANGEABLE = {
    "subtree": "(1, 0, zeroblob(32))",
    "checkpoint": "(1, zeroblob(32), '', 0)",
    "cosignature": "(1, 'w1', '')",
    "erased_key": "('k1', 'r1', '', x'')",
}
CHANGES = [
    "UPDATE subtree SET root = root",
    "UPDATE checkpoint SET note = note",
    "UPDATE cosignature SET line = line",
    "UPDATE erased_key SET event = event",
    *(f"DELETE FROM {table}" for table in UNCHANGEABLE),  # noqa: S608 - from above
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_refuses_to_change_what_was_published_or_erased(log: SqliteLog, change: str) -> None:
    with closing(sqlite.connect(log.path)) as owner:
        for table, row in UNCHANGEABLE.items():
            owner.execute(f"INSERT INTO {table} VALUES {row}")  # noqa: S608 - from above
        with pytest.raises(sqlite.IntegrityError, match=r"is never|stays erased"):
            owner.execute(change)


def test_a_file_refuses_an_append_that_forgets_the_tree(log: SqliteLog) -> None:
    with closing(sqlite.connect(log.path)) as owner:
        owner.execute("UPDATE log_head SET size = 1, frontier = zeroblob(32)")
        owner.execute("UPDATE log_head SET size = 1")
        with pytest.raises(sqlite.IntegrityError, match="the tree grows with the log"):
            owner.execute("UPDATE log_head SET size = 2")


async def test_a_subtree_is_read_at_its_level(log: SqliteLog) -> None:
    with closing(sqlite.connect(log.path, isolation_level=None)) as owner:
        for level in (1, 2):
            owner.execute(*subtree(level, bytes([level]) * 32))
    assert [await log.subtrees(level, 0, 1) for level in (1, 2)] == [[b"\1" * 32], [b"\2" * 32]]
