"""Brings a file of an older version up to date, in one transaction: all of it, or nothing."""

from typing import Any, Final

from audit.log import LogDamagedError
from audit.merkle import Frontier

_AT_ONCE: Final = 4096  # leaf hashes that are read at once


def migrate(connection: Any, version: int) -> None:  # noqa: ANN401 - the driver has no types
    """Make what the tables of this version hold and older ones did not.

    Args:
        connection: In autocommit mode, on a file that has all tables.
        version: Of the schema.

    Raises:
        LogDamagedError: The events are not as many as the head says.
    """
    connection.execute("BEGIN IMMEDIATE")
    ((found,),) = connection.execute("PRAGMA user_version").fetchall()
    if found < version:
        _plant_tree(connection)
        connection.execute(f"PRAGMA user_version = {version:d}")
    connection.execute("COMMIT")


def _plant_tree(connection: Any) -> None:  # noqa: ANN401 - the driver has no types
    """Version 2: the Merkle tree over the events that are there."""
    frontier = Frontier()
    leaves = connection.execute("SELECT leaf_hash FROM event ORDER BY pos")
    while some := leaves.fetchmany(_AT_ONCE):
        growth = frontier.grow([leaf for (leaf,) in some])
        connection.executemany("INSERT INTO subtree VALUES (?, ?, ?)", growth.subtrees)
        frontier = growth.frontier
    ((size,),) = connection.execute("SELECT size FROM log_head").fetchall()
    if size != frontier.size:
        raise LogDamagedError(f"the head says {size} events, and there are {frontier.size}: restore the newest backup")
    connection.execute("UPDATE log_head SET frontier = ?", (frontier.stored,))
