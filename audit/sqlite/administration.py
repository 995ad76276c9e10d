"""What an administrator does with a log's file: look at it. It is made and upgraded by whoever opens it."""

from contextlib import closing
from pathlib import Path

import pysqlite3.dbapi2 as sqlite

from audit import tables
from audit.log import LogDamagedError, NoLogError
from audit.questions import head, head_of
from audit.sqlite.file import NO_TABLE, SCHEMA_VERSION
from audit.state import State


def status(path: Path) -> State:
    """Look at a file without changing it.

    Raises:
        LogUnavailableError: It is not there, or cannot be read.
        LogDamagedError: It is no log, or a table is gone.
    """
    if not path.exists():
        raise NoLogError.of_file(path)
    database, newest = f"SQLite {sqlite.sqlite_version}", f"{SCHEMA_VERSION:04d}"
    try:
        with closing(sqlite.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
            if not version:
                return State(database, schema="", newest=newest)
            if version == SCHEMA_VERSION:
                connection.execute(tables.ALL.text)
            log, size, _ = head_of(connection.execute(head().text).fetchall())
    except sqlite.Error as error:
        if str(error).startswith(NO_TABLE):
            raise tables.gone(str(path), str(error)) from error
        raise LogDamagedError(f"{path} cannot be read as a log: {error}") from error
    return State(database, f"{version:04d}", newest, log, size)
