"""Verification of what stands in the file, as of one moment."""

from collections.abc import Iterator
from contextlib import closing

from audit import verify as verification
from audit.envelope import StoredEvent
from audit.log import Verification
from audit.projection import Findable
from audit.sqlite import reading
from audit.sqlite.file import Connection
from audit.verify import Projected


def verify(connection: Connection, case_id: str) -> Verification:
    """Check one case, or the whole log when the id is empty, in one read transaction: appends go on beside it."""
    connection.execute("BEGIN")
    return verification.verify(_OneCase(connection, case_id) if case_id else _WholeLog(connection))


class _WholeLog:
    """The file as of the transaction's begin."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        ((self.log, size),) = connection.execute("SELECT log, size FROM log_head").fetchall()
        self.size: int | None = size

    def by_position(self) -> Iterator[StoredEvent]:
        return self._rows(f"{reading.ROWS} ORDER BY event.pos")

    def by_case(self) -> Iterator[StoredEvent]:
        return self._rows(f"{reading.ROWS} ORDER BY case_id, seq")

    def projected(self) -> Iterator[Projected]:
        return self._projected("ORDER BY case_id")

    def policies(self) -> Iterator[tuple[str, str, bytes]]:
        return iter(reading.policies(self._connection))

    def _rows(self, query: str, *values: str) -> Iterator[StoredEvent]:
        with closing(self._connection.execute(query, values)) as cursor:
            for row in cursor:
                yield StoredEvent(*row)

    def _projected(self, which: str, *values: str) -> Iterator[Projected]:
        query = f"SELECT case_id, opened, seq, leaf_hash, body, {', '.join(Findable._fields)} FROM case_index {which}"  # noqa: S608 - our own column names
        with closing(self._connection.execute(query, values)) as cursor:
            for case_id, opened, seq, leaf_hash, body, *columns in cursor:
                yield Projected(case_id, opened, Findable(*columns), seq, leaf_hash, body)


class _OneCase(_WholeLog):
    """One case of it."""

    def __init__(self, connection: Connection, case_id: str) -> None:
        super().__init__(connection)
        self.size = None
        self._case_id = case_id

    def by_position(self) -> Iterator[StoredEvent]:
        return self.by_case()

    def by_case(self) -> Iterator[StoredEvent]:
        return self._rows(f"{reading.ROWS} WHERE case_id = ? ORDER BY seq", self._case_id)

    def projected(self) -> Iterator[Projected]:
        return self._projected("WHERE case_id = ?", self._case_id)

    def policies(self) -> Iterator[tuple[str, str, bytes]]:
        return iter(())
