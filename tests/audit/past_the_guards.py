"""Changing a log past its guards, as whoever owns its file or its server can; what changes nothing is an error."""

from contextlib import closing
from pathlib import Path

import psycopg
import pysqlite3.dbapi2 as sqlite

from audit.envelope import leaf_hash

_GUARDED = ("event", "subtree", "checkpoint", "cosignature", "policy", "log_head", "archived")
_CONSTRAINTS = ("event_check", "event_key_check")


def change_file(path: Path, *statements: str) -> None:
    """Change a file without its triggers and rules; `fresh_hash` makes an envelope's hash anew."""
    with closing(sqlite.connect(path, isolation_level=None)) as owner:
        owner.create_function("fresh_hash", 1, leaf_hash)
        owner.execute("PRAGMA ignore_check_constraints = ON")
        for (name,) in owner.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            owner.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert owner.execute(statement).rowcount, statement


def change_server(url: str, *statements: str) -> None:
    """Change the tables of a database, reached as a superuser, without triggers and rules."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=casetrail") as owner:
        for table in _GUARDED:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        for constraint in _CONSTRAINTS:
            owner.execute(f"ALTER TABLE event DROP CONSTRAINT IF EXISTS {constraint}".encode())
        for statement in statements:
            assert owner.execute(statement.encode()).rowcount, statement
