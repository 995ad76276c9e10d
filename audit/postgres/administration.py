"""What an administrator does with a PostgreSQL database of the log: prepare it, upgrade it, look at it.

Two roles have to do with it. The administrator's owns the tables. The application's may read, append and keep the
projection, but has no right to change or delete an event; it gets what it may do from the role `casetrail_app`.
"""

from contextlib import AbstractContextManager
from typing import Any, Final

import psycopg
import sqlalchemy
from psycopg import conninfo, sql

from audit import migrations, tables
from audit.log import LogUnavailableError, NoLogError
from audit.postgres.keys import SCHEMA as KEY_SCHEMA
from audit.postgres.schema import REVISION
from audit.postgres.server import SCHEMA, Server
from audit.questions import head, head_of
from audit.state import State

APPLICATION: Final = "casetrail_app"
"""The role that has the application's rights; the roles that it logs in with are members."""

_UPGRADING: Final = int.from_bytes(b"casetrai", "big") >> 1  # of the advisory lock: one upgrade at a time

Connection = psycopg.Connection[tuple[Any, ...]]


def init(url: str, admin: str) -> list[str]:
    """Make whatever is missing: the application's role, the database, the tables, the rights.

    Args:
        url: As the application will use it, with the password that its role shall have.
        admin: URL of a role that may create roles and databases, to any database of the same server.

    Returns:
        What was done, in words.

    Raises:
        LogUnavailableError: It cannot be done; what is in the log is as before.
        ValueError: A URL lacks something.
    """
    wanted = conninfo.conninfo_to_dict(url)
    role, password, database = (str(wanted.get(part) or "") for part in ("user", "password", "dbname"))
    if not role or not database:
        raise ValueError("CASETRAIL_LOG must name role and database: postgresql://USER:PASSWORD@HOST/DATABASE")
    done = []
    server = Server(admin)
    with server.errors(), server.connect_for_long() as connection:
        connection.autocommit = True
        if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", APPLICATION):
            _run(connection, "CREATE ROLE {} NOLOGIN", sql.Identifier(APPLICATION))
            done.append(f"made the role {APPLICATION}, which has the application's rights")
        if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
            _run(connection, "CREATE ROLE {} LOGIN PASSWORD {}", sql.Identifier(role), sql.Literal(password or None))
            done.append(f"made the role {role}, which the application logs in with")
        _run(connection, "GRANT {} TO {}", sql.Identifier(APPLICATION), sql.Identifier(role))
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", database):
            _run(connection, "CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0", sql.Identifier(database))
            _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", sql.Identifier(database))
            done.append(f"made the database {database}")
        _run(connection, "GRANT CONNECT ON DATABASE {} TO {}", sql.Identifier(database), sql.Identifier(APPLICATION))
    return [*done, *_upgrade(_of_admin(admin, database))]


def left_without_log(url: str, admin: str) -> list[str] | None:
    """What shows, in a database without a log, that there was one; None where there is a log.

    Raises:
        LogUnavailableError: It cannot be looked at.
    """
    database = str(conninfo.conninfo_to_dict(url).get("dbname") or "")
    server = Server(admin)
    with server.errors(), server.connect_for_long() as connection:
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", database):
            return []
    server = _of_admin(admin, database)
    with server.errors(), server.connect_for_long() as connection:
        if _exists(connection, "SELECT FROM pg_tables WHERE schemaname = %s LIMIT 1", SCHEMA):
            return None
        if _exists(connection, "SELECT FROM pg_tables WHERE schemaname = %s LIMIT 1", KEY_SCHEMA):
            return [f"its schema {KEY_SCHEMA} has the keys of one"]
    return []


def upgrade(url: str, admin: str) -> list[str]:
    """Bring the tables up to date. No process of the application may run meanwhile.

    Raises:
        LogUnavailableError: It cannot be done; everything is as before.
    """
    server = _of_admin(admin, str(conninfo.conninfo_to_dict(url).get("dbname") or ""))
    with server.errors(), server.connect_for_long() as connection:
        if not _schema_of(connection):
            raise NoLogError.without_tables(server.name)
    return _upgrade(server)


def status(url: str) -> State:
    """Look at the database as the application sees it.

    Raises:
        LogUnavailableError: It does not answer, or does not let us in.
        LogDamagedError: A table is gone.
    """
    server = Server(url)
    with server.errors(), server.connect_for_long() as connection:
        database, schema = f"PostgreSQL {_setting(connection, 'server_version')}", _schema_of(connection)
        if not schema:
            if _exists(connection, "SELECT FROM pg_tables WHERE schemaname = %s", SCHEMA):
                raise tables.gone(server.name, "there is no alembic_version")
            return State(database, schema="", newest=REVISION)
        if schema == REVISION:
            connection.execute(tables.ALL.text)
        log, size, _ = head_of(connection.execute(head().text).fetchall())
        return State(database, schema, REVISION, log, size, tuple(_warnings(connection)))


def _warnings(connection: Connection) -> list[str]:
    found = []
    ((role, may_change),) = connection.execute(
        "SELECT current_user, pg_has_role(current_user, relowner, 'MEMBER') "
        "OR has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') "
        "FROM pg_class WHERE oid = 'event'::regclass"
    ).fetchall()
    if may_change:
        found.append(f"the role {role} may change events: let the application log in with one that `init` makes")
    if _setting(connection, "fsync") == "off":
        found.append("fsync is off: a crash of the machine can lose what was acknowledged")
    if _setting(connection, "full_page_writes") == "off":
        found.append("full_page_writes is off: a crash of the machine can damage the log")
    return found


def _of_admin(admin: str, database: str) -> Server:
    return Server(conninfo.make_conninfo(admin, dbname=database))


def _upgrade(server: Server) -> list[str]:
    try:
        with server.errors(), server.connect_for_long() as own, _as_alembic_wants(own) as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADING})")
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {APPLICATION}")
            before = _schema_of(own)
            if before > REVISION:
                raise LogUnavailableError(
                    f"the log {server.name} was upgraded by a newer Casetrail (schema {before}; this one knows "
                    f"{REVISION}): run that one"
                )
            migrations.upgrade(connection, "postgresql")
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise server.translated(error.orig) from error
        raise
    if before == REVISION:
        return [f"the schema {REVISION} is the newest already"]
    return [f"upgraded the schema from {before} to {REVISION}" if before else f"made the tables, schema {REVISION}"]


def _as_alembic_wants(own: Connection) -> AbstractContextManager[sqlalchemy.Connection]:
    """A connection of ours, in a transaction that is committed at the end of the block."""
    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: own, poolclass=sqlalchemy.StaticPool
    ).begin()


def _schema_of(connection: Connection) -> str:
    """The newest migration that was run; empty before the first."""
    if not _exists(connection, "SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'alembic_version'", SCHEMA):
        return ""
    ((revision,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(revision)


def _exists(connection: Connection, query: str, name: str) -> bool:
    return bool(connection.execute(query, (name,)).fetchall())


def _run(connection: Connection, statement: str, *parts: sql.Composable) -> None:
    connection.execute(sql.SQL(statement).format(*parts))


def _setting(connection: Connection, name: str) -> str:
    ((value,),) = connection.execute("SELECT current_setting(%s)", (name,)).fetchall()
    return str(value)
