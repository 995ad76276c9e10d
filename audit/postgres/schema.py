"""Which tables a database has, and whether this version of Casetrail can work with them."""

from typing import Final

import psycopg

from audit import tables
from audit.log import LogUnavailableError, NoLogError
from audit.postgres.server import SCHEMA, Connection, Server

REVISION: Final = "0007"
"""The newest migration, which this version works with."""


async def check(connection: Connection, name: str) -> None:
    """Make sure that the schema is the one that this version knows, and that every table is there.

    Args:
        connection: To the database.
        name: What errors call it.

    Raises:
        NoLogError: There is none.
        LogUnavailableError: There is an older or newer one.
        LogDamagedError: A table is gone.
    """
    try:
        found = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchall()
    except psycopg.errors.UndefinedTable as error:
        if await _has_tables(connection):
            raise tables.gone(name, error.diag.message_primary or str(error)) from error
        found = []
    if not found:
        raise NoLogError.without_tables(name)
    ((revision,),) = found
    if revision < REVISION:
        raise LogUnavailableError(
            f"the log {name} has an older schema ({revision}; this Casetrail needs {REVISION}): "
            "run `casetrail-db upgrade`"
        )
    if revision > REVISION:
        raise LogUnavailableError(
            f"the log {name} was upgraded by a newer Casetrail (schema {revision}; this one knows {REVISION}): "
            "run that one"
        )
    try:
        await connection.execute(tables.ALL.text)
    except psycopg.errors.UndefinedTable as error:
        raise tables.gone(name, error.diag.message_primary or str(error)) from error


async def check_at(server: Server) -> None:
    """The same on a connection of its own."""
    async with await server.connect() as connection:
        with server.errors():
            await check(connection, server.name)


async def _has_tables(connection: Connection) -> bool:
    """Whether there are any, besides the one that says which."""
    found = await connection.execute("SELECT FROM pg_tables WHERE schemaname = %s LIMIT 1", (SCHEMA,))
    return bool(await found.fetchall())
