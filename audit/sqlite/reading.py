"""Asking the file."""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, Final

import pysqlite3.dbapi2 as sqlite

from audit.questions import Answer, Question
from audit.sqlite.file import Connection

DATA_VERSION: Final = Question("PRAGMA data_version", {})
"""A number that changes when somebody else commits."""


def answer(connection: Connection, question: Question) -> list[tuple[Any, ...]]:
    """All rows that a question asks for."""
    found: list[tuple[Any, ...]] = connection.execute(question.text, question.values).fetchall()
    return found


def rows(connection: Connection, question: Question) -> Iterator[tuple[Any, ...]]:
    """The rows that a question asks for, one by one; the read ends with the iterator."""
    cursor = connection.execute(question.text, question.values)
    try:
        for row in cursor:  # noqa: UP028 - `yield from` would close the cursor by itself
            yield row
    finally:
        with suppress(sqlite.ProgrammingError):  # the connection was closed first, and the read with it
            cursor.close()


def change(connection: Connection, question: Question) -> Answer:
    """Change something, or read within the transaction."""
    with closing(connection.execute(question.text, question.values)) as cursor:
        return Answer(cursor.fetchall(), cursor.rowcount)
