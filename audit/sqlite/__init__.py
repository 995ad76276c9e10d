"""The log in one SQLite file."""

from audit.sqlite.store import SqliteLog

__all__ = ["SqliteLog"]
