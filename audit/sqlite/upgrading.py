"""Makes the tables of a new file and brings one of an older version up to date: all of it, or nothing."""

from pathlib import Path
from typing import Final

import pysqlite3.dbapi2 as sqlite
import sqlalchemy
from alembic import op

from audit import migrations
from audit.log import LogDamagedError
from audit.merkle import Frontier
from audit.sqlite.file import Connection, user_version

_BEFORE_NOTES: Final = "0001"  # the schema of files that carry no note of their migrations
_AT_ONCE: Final = 4096  # leaf hashes that are read at once


def upgrade(connection: Connection, version: int) -> None:
    """Run the migrations that a file has not seen.

    Args:
        connection: In autocommit mode.
        version: Of the schema that is wanted; the file notes it as its `user_version`.

    Raises:
        LogDamagedError: The events are not as many as the head says.
        sqlite.Error: As the driver has it.
    """
    engine = sqlalchemy.create_engine(
        "sqlite://", module=sqlite, creator=lambda: connection, poolclass=sqlalchemy.StaticPool
    )
    try:
        with engine.begin() as whole:
            whole.exec_driver_sql("BEGIN IMMEDIATE")
            found = user_version(connection)
            if found < version:  # else another process was faster
                noted = sqlalchemy.inspect(whole).has_table("alembic_version")
                migrations.upgrade(whole, "sqlite", since=_BEFORE_NOTES if found and not noted else None)
                whole.exec_driver_sql(f"PRAGMA user_version = {version:d}")
    except sqlalchemy.exc.DBAPIError as error:
        raise (error.orig or error) from error


def run_file(path: Path) -> None:
    """Within a migration: run a file's statements one by one, since a script would end the transaction."""
    statement = ""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        statement += line
        if sqlite.complete_statement(statement):
            op.get_bind().exec_driver_sql(statement)
            statement = ""


def plant_tree() -> None:
    """Within a migration: grow the Merkle tree over the events that are there.

    Raises:
        LogDamagedError: They are not as many as the head says.
    """
    log = op.get_bind()
    frontier = Frontier()
    leaves = log.exec_driver_sql("SELECT leaf_hash FROM event ORDER BY pos")
    while some := leaves.fetchmany(_AT_ONCE):
        growth = frontier.grow([leaf for (leaf,) in some])
        for subtree in growth.subtrees:
            log.exec_driver_sql("INSERT INTO subtree VALUES (?, ?, ?)", tuple(subtree))
        frontier = growth.frontier
    size = log.exec_driver_sql("SELECT size FROM log_head").scalar_one()
    if size != frontier.size:
        raise LogDamagedError(f"the head says {size} events, and there are {frontier.size}: restore the newest backup")
    log.exec_driver_sql("UPDATE log_head SET frontier = ?", (frontier.stored,))
