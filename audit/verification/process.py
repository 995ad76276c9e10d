"""One process that checks cases for `processes`: asked through its standard input, which is a socket."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from audit import stores
from audit.archived import Archived
from audit.log import LogDamagedError, LogUnavailableError
from audit.postgres.reading import streamed
from audit.postgres.server import Server
from audit.sqlite import reading
from audit.sqlite.file import DatabaseFile
from audit.stores import KeySettings
from audit.verification.cases import check_cases
from audit.verification.from_tables import Select, snapshot
from audit.verification.processes import Place

_SELDOM: Final = 100_000  # objects between looks for garbage: there are many, and next to none in circles
_NICENESS: Final = 10  # commands go first
_PATIENCE: Final = 5.0  # seconds for another process's transaction


def main() -> None:
    """Answer until nobody asks any more."""
    os.nice(_NICENESS)
    gc.freeze()
    gc.set_threshold(_SELDOM)
    with Connection(os.dup(0)) as pipe, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _answer(pipe)
        except (LogUnavailableError, LogDamagedError) as error:
            pipe.send(error)


def _answer(pipe: Connection) -> None:
    place: Place = pipe.recv()
    keys = stores.open_keys(KeySettings(*place.keys)) if place.keys is not None else None
    path = stores.sqlite_path(place.url)
    with _in_file(path) if path else _in_postgres(place) as begin:
        pipe.send(None)
        pipe.recv()
        log = snapshot(begin(), "")
        pipe.send(None)  # at once: until all have begun, nobody writes
        archived = Archived(log.archived())
        while True:
            pipe.send(check_cases(log, archived, keys, pipe.recv()))


@contextmanager
def _in_file(path: Path) -> Iterator[Callable[[], Select]]:
    file = DatabaseFile(path, busy_timeout=_PATIENCE, read_only=True)
    with file.errors(), closing(file.connect()) as connection:

        def begin() -> Select:
            connection.execute("BEGIN")
            return partial(reading.rows, connection)

        yield begin


@contextmanager
def _in_postgres(place: Place) -> Iterator[Callable[[], Select]]:
    server = Server(place.url)
    with server.errors(), closing(server.connect_for_long()) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(place.snapshot))
            yield lambda: partial(streamed, connection)


if __name__ == "__main__":
    main()
