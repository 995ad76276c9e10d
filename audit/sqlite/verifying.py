"""Verifying a file, as of one moment; whoever writes goes on beside it."""

from functools import partial

from audit.checking import Checkers, Place, how_many, in_thread
from audit.log import Verification
from audit.snapshots import snapshot
from audit.sqlite import reading
from audit.sqlite.file import Connection, DatabaseFile
from audit.subject_keys import SubjectKeys
from audit.verify import verify as verify_snapshot


async def verify(file: DatabaseFile, keys: SubjectKeys | None, case_id: str = "") -> Verification:
    """Check one case, or the whole log.

    Raises:
        LogUnavailableError: The file, or the keys, cannot be read.
        LogDamagedError: It is so damaged that it cannot be gone through.
    """
    with file.errors():
        connection = file.connect()
    try:
        return await in_thread(partial(_verify, file, connection, keys, case_id), connection.interrupt)
    finally:
        connection.close()


def _verify(
    file: DatabaseFile, connection: Connection, keys: SubjectKeys | None, case_id: str, checkers: Checkers
) -> Verification:
    with checkers, file.errors():
        connection.execute("BEGIN")  # one moment for all that is read; appends go on beside it
        log = snapshot(partial(reading.rows, connection), case_id)
        processes = how_many(log.size or 0) if file.can_be_held else 1
        if processes == 1:
            return verify_snapshot(log, keys)
        connection.execute("ROLLBACK")
        checkers.start(processes, Place(f"sqlite:///{file.path.absolute()}", "", keys.place if keys else None))
        with file.nobody_writing():
            connection.execute("BEGIN")
            log = snapshot(partial(reading.rows, connection), case_id)
            checkers.begin()
        return verify_snapshot(log, check=checkers.check)
