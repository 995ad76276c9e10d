"""What holds on either database when several processes share a log. The module gives its `url`."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest_asyncio

from audit.log import Appended, Known, Log
from audit.stores import open_log
from tests.audit.contract import opened, take
from tests.audit.given import Writer, note, opening
from tests.audit.processes import writing_process


class SharingContract:
    """Processes write beside each other, and one that ends takes nothing with it."""

    @pytest_asyncio.fixture
    async def log(self, url: str) -> AsyncIterator[Log]:
        """As patient with the others as a real one."""
        opened_log = await open_log(url)
        yield opened_log
        await opened_log.close()

    async def test_several_processes_share_one_log_and_a_follower_loses_nothing(self, log: Log, url: str) -> None:
        processes = [writing_process(url, f"INQ-{n % 3}", 40) for n in range(4)]  # two of them at one case
        async with aclosing(log.follow(after_position=0)) as events:
            mine = await opened(log, "INQ-9")
            for n in range(40):
                await mine.write(note(), key=f"mine-{n}")
            followed = await take(events, 41 + 3 + 4 * 40)
        assert [process.wait(timeout=30) for process in processes] == [0] * 4
        assert [e.position for e in followed] == list(range(1, 205))
        assert followed == await log.scan(limit=1000)
        assert (await log.verify()).findings == ()

    async def test_a_process_killed_while_writing_leaves_a_whole_log(self, log: Log, url: str) -> None:
        process = writing_process(url, "INQ-1", 1_000_000)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(30)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
        process.wait(timeout=30)
        # The dead process's transaction ends before this one: it waits for the lock.
        assert isinstance(await log.append(Writer(log, "INQ-2").batch(opening(), key="open")), Appended)
        seqs = [int(line) for line in acknowledged if line.endswith("\n")]
        assert seqs == list(range(1, len(seqs) + 1))
        verified = await log.verify()
        assert verified.findings == ()
        assert verified.events - 1 in (len(seqs), len(seqs) + 1)  # at most one was written and not yet told

    async def test_a_key_is_known_to_another_process_too(self, log: Log, url: str) -> None:
        other = await open_log(url)
        batch = Writer(log, "INQ-1").batch(opening(), key="open")
        await other.append(Writer(other, "INQ-1").batch(opening(), key="open"))
        assert isinstance(await log.append(batch), Known)
        await other.close()

    async def test_closing_writes_what_was_asked_before(self, url: str) -> None:
        log = await open_log(url)
        appending = asyncio.create_task(log.append(Writer(log, "INQ-1").batch(opening(), key="open")))
        await asyncio.sleep(0)  # let it begin
        await log.close()
        assert isinstance(await appending, Appended)
