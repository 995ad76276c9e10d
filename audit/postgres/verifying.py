"""Verifying a database, as of one moment; whoever writes goes on beside it."""

import asyncio
from functools import partial
from typing import Any

import psycopg

from audit.log import Verification
from audit.postgres.reading import rows_of
from audit.postgres.server import Server
from audit.subject_keys import SubjectKeys
from audit.verification.from_tables import snapshot
from audit.verification.kept_outside import KeptOutside
from audit.verification.processes import Checkers, Place, how_many, in_thread
from audit.verification.verify import verify as verify_snapshot

Connection = psycopg.Connection[tuple[Any, ...]]


async def verify(
    server: Server, keys: SubjectKeys | None, case_id: str = "", outside: KeptOutside | None = None
) -> Verification:
    """Check one case, or the whole log, and hold against it what is kept outside.

    Raises:
        LogUnavailableError: The database, or the keys, cannot be read.
        LogDamagedError: It is so damaged that it cannot be gone through.
    """
    connection = await asyncio.to_thread(server.connect_for_long)
    try:
        return await in_thread(partial(_verify, server, connection, keys, case_id, outside), connection.cancel_safe)
    finally:
        connection.close()


def _verify(
    server: Server,
    connection: Connection,
    keys: SubjectKeys | None,
    case_id: str,
    outside: KeptOutside | None,
    checkers: Checkers,
) -> Verification:
    select = partial(rows_of, connection)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    # One moment for all that is read; appends go on beside it.
    with checkers, server.errors(), connection.transaction():
        log = snapshot(select, case_id)
        processes = how_many(log.size or 0)
        if processes == 1:
            found = verify_snapshot(log, keys)
        else:
            ((moment,),) = connection.execute("SELECT pg_export_snapshot()").fetchall()
            checkers.start(processes, Place(server.url, moment, keys.place if keys else None))
            checkers.begin()
            found = verify_snapshot(log, check=checkers.check)
        return outside.held_against(select, found) if outside is not None else found
