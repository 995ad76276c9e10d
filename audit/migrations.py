"""Migrations: the steps in `migrations/` that make the tables of a log, or bring older ones up to date.

Alembic runs them. Loading it takes a fifth of a second, so whoever seldom needs this module imports it only then.
"""

from pathlib import Path
from typing import Final, Literal

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

_FOLDER: Final = Path(__file__).parents[1] / "migrations"

Database = Literal["sqlite", "postgresql"]


def upgrade(
    connection: sqlalchemy.Connection, database: Database, *, since: str | None = None, to: str = "head"
) -> None:
    """Run what has not been run yet.

    Args:
        connection: To the log, in the transaction that all of it is to be done in; the caller commits.
        database: Of which kind it is.
        since: The step that was the last, where the tables are older than the notes of it.
        to: The step that is to be the last.
    """
    config = _config(database)
    config.attributes["connection"] = connection
    if since is not None:
        command.stamp(config, since)
    command.upgrade(config, to)


def newest(database: Database) -> str:
    """The last step."""
    head = ScriptDirectory.from_config(_config(database)).get_current_head()
    if head is None:
        raise FileNotFoundError(f"there are no migrations in {_FOLDER / database}")
    return head


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("version_locations", str(_FOLDER / database).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
