"""Verifying a file, as of one moment; whoever writes goes on beside it."""

from functools import partial

from audit.log import Verification
from audit.sqlite import reading
from audit.sqlite.file import Connection, DatabaseFile
from audit.subject_keys import SubjectKeys
from audit.verification.from_tables import snapshot
from audit.verification.kept_outside import KeptOutside
from audit.verification.processes import Checkers, Place, how_many, in_thread
from audit.verification.verify import verify as verify_snapshot


async def verify(
    file: DatabaseFile, keys: SubjectKeys | None, case_id: str = "", outside: KeptOutside | None = None
) -> Verification:
    """Check one case, or the whole log, and hold against it what is kept outside.

    Raises:
        LogUnavailableError: The file, or the keys, cannot be read.
        LogDamagedError: It is so damaged that it cannot be gone through.
    """
    with file.errors():
        connection = file.connect()
    try:
        return await in_thread(partial(_verify, file, connection, keys, case_id, outside), connection.interrupt)
    finally:
        connection.close()


def _verify(
    file: DatabaseFile,
    connection: Connection,
    keys: SubjectKeys | None,
    case_id: str,
    outside: KeptOutside | None,
    checkers: Checkers,
) -> Verification:
    select = partial(reading.rows, connection)
    with checkers, file.errors():
        connection.execute("BEGIN")  # one moment for all that is read; appends go on beside it
        log = snapshot(select, case_id)
        processes = how_many(log.size or 0) if file.can_be_held else 1
        if processes == 1:
            found = verify_snapshot(log, keys)
        else:
            connection.execute("ROLLBACK")
            checkers.start(processes, Place(f"sqlite:///{file.path.absolute()}", "", keys.place if keys else None))
            with file.nobody_writing():
                connection.execute("BEGIN")
                log = snapshot(select, case_id)
                checkers.begin()
            found = verify_snapshot(log, check=checkers.check)
        return outside.held_against(select, found) if outside is not None else found
