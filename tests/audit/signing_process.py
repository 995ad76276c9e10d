"""A process that writes to a log and prints a receipt for each commit, until it is killed. It publishes nothing.

python -m tests.audit.signing_process FILE KEYS
"""

import asyncio
import json
import sys
from itertools import count
from pathlib import Path

from audit.log import Appended
from audit.signing import Notary
from audit.sqlite import SqliteLog
from tests.audit.given import Writer, note, opening


async def write(path: Path, keys: Path) -> None:
    """Open a case and add notes to it for ever."""
    log = SqliteLog(path)
    notary = await Notary.open(log, keys)
    writer = Writer(log, "INQ-1")
    for n in count():
        batch = writer.batch(note() if n else opening(), key=f"k{n}")
        written = await log.append(batch)
        assert isinstance(written, Appended)
        writer.case = batch.case
        last, frontier = written.events[-1], written.growth.frontier
        receipt = {
            "position": last.position,
            "hash": last.hash,
            "inclusion": [each.hex() for each in written.growth.inclusion(last.position)],
            "note": (await notary.sign(frontier.size, frontier.root)).note,
        }
        print(json.dumps(receipt), flush=True)  # noqa: T201 - the acknowledgement


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), Path(sys.argv[2])))
