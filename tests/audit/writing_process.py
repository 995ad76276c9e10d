"""A process that writes to one case, event by event, and prints each seq once it is acknowledged.

python -m tests.audit.writing_process URL CASE BATCHES
"""

import asyncio
import os
import sys

from audit.log import Appended, Behind
from audit.stores import open_log
from domain.evolve import fold
from tests.audit.given import Writer, note, opening


async def write(url: str, case_id: str, batches: int) -> None:
    """Open the case if it is not there, then write to it, catching up with whoever writes to it besides."""
    log = await open_log(url)
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
    asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3])))
