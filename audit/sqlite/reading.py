"""Reading events and cases."""

from collections.abc import Iterator
from itertools import takewhile

from google.protobuf.message import DecodeError

from audit.envelope import StoredEvent, digest_of, event_of, facts_of
from audit.log import Known, LogDamagedError
from audit.sqlite.file import Connection
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event

ROWS = """
  SELECT event.pos, case_id, seq, key, ordinal, event_id, type, envelope, leaf_hash, recorded_at, dek_id, body
  FROM event LEFT JOIN payload ON payload.pos = event.pos
"""


def read_case(connection: Connection, case_id: str) -> Case | None:
    """The case as the projection has it."""
    found = connection.execute("SELECT body FROM case_index WHERE case_id = ?", (case_id,)).fetchall()
    return case_of(found[0][0]) if found else None


def case_of(body: bytes) -> Case:
    """The case from its bytes.

    Raises:
        LogDamagedError: They are none.
    """
    try:
        return Case.FromString(body)
    except DecodeError as error:
        raise LogDamagedError(f"the projection holds a case that cannot be read ({error}): run verify") from error


def events_of_case(connection: Connection, case_id: str, *, after_seq: int, limit: int) -> list[Event]:
    """Events of a case, in order."""
    return _events(
        connection,
        f"{ROWS} WHERE case_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (case_id, after_seq, limit),
    )


def events_of_all(connection: Connection, *, after_position: int, limit: int) -> list[Event]:
    """Events of all cases, in order."""
    return _events(connection, f"{ROWS} WHERE event.pos > ? ORDER BY event.pos LIMIT ?", (after_position, limit))


def size(connection: Connection) -> int:
    """How many events there are."""
    ((events,),) = connection.execute("SELECT size FROM log_head").fetchall()
    return int(events)


def policies(connection: Connection) -> list[tuple[str, str, bytes]]:
    """Every policy, the oldest first."""
    found: list[tuple[str, str, bytes]] = connection.execute(
        "SELECT digest, policy_id, body FROM policy ORDER BY number",
    ).fetchall()
    return found


def data_version(connection: Connection) -> int:
    """A number that changes when somebody else commits."""
    ((version,),) = connection.execute("PRAGMA data_version").fetchall()
    return int(version)


def find_key(connection: Connection, case_id: str, key: str) -> Known | None:
    """What was written under a request's key: its own events, and those that time owed before them."""
    first = connection.execute(
        f"{ROWS} WHERE case_id = ? AND key = ? AND ordinal = 0",
        (case_id, key),
    ).fetchall()
    if not first:
        return None
    found = StoredEvent(*first[0])
    digest = digest_of(found)
    if not digest:
        return None  # time's own key, not a request's
    before = _rows(connection, f"{ROWS} WHERE case_id = ? AND seq < ? ORDER BY seq DESC", (case_id, found.seq))
    after = _rows(connection, f"{ROWS} WHERE case_id = ? AND seq > ? ORDER BY seq", (case_id, found.seq))

    def of_the_batch(row: StoredEvent) -> bool:
        return bool(facts_of(row)["correlation"] == key)

    batch = [*reversed(list(takewhile(of_the_batch, before))), found, *takewhile(of_the_batch, after)]
    return Known([event_of(row) for row in batch], digest)


def _events(connection: Connection, query: str, values: tuple[str | int, ...]) -> list[Event]:
    return [event_of(StoredEvent(*row)) for row in connection.execute(query, values).fetchall()]


def _rows(connection: Connection, query: str, values: tuple[str | int, ...]) -> Iterator[StoredEvent]:
    """Rows one by one; the read ends with the iterator."""
    cursor = connection.execute(query, values)
    try:
        for row in cursor:
            yield StoredEvent(*row)
    finally:
        cursor.close()
