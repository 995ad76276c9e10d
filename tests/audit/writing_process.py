"""A process that writes to one case, event by event, and prints each seq once it is acknowledged.

python -m tests.audit.writing_process FILE CASE BATCHES
"""

import asyncio
import os
import sys
from pathlib import Path

from audit.log import Appended, Behind
from audit.sqlite import SqliteLog
from domain.evolve import fold
from tests.audit.given import Writer, note, opening


async def write(path: Path, case_id: str, batches: int) -> None:
    """Open the case if it is not there, then write to it, catching up with whoever writes to it besides."""
    log = SqliteLog(path)
    writer = Writer(log, case_id)
    opens = writer.batch(opening(), key="open")
    await log.append(opens)
    print(1, flush=True)  # noqa: T201 - the acknowledgement
    writer.case = await log.read_case(case_id)
    for n in range(batches):
        while True:
            batch = writer.batch(note(), key=f"{os.getpid()}-{n}")
            outcome = await log.append(batch)
            if isinstance(outcome, Appended):
                writer.case = batch.case
                break
            assert isinstance(outcome, Behind), outcome
            writer.case = fold(outcome.events, writer.case)
        print(writer.seq, flush=True)  # noqa: T201 - the acknowledgement
    await log.close()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
