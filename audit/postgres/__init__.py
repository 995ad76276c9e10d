"""The log in a PostgreSQL database."""

from audit.postgres.store import PostgresLog

__all__ = ["PostgresLog"]
