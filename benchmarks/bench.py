"""What a run measures with: the embedded stack, a worker for the plain cases, and the callers of each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from audit import stores
from audit.log import Log
from benchmarks.plain_temporal import AS_IT_COMES, TUNED
from benchmarks.processes import Child
from embedded.stack import AFTER_CALLERS, Stack


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that runs, each in processes of its own.

    Attributes:
        stack: Casetrail as `make up` starts it, on an empty folder.
        log: Its log, opened a second time: to look at, never to write.
        casetrail: The process with Casetrail's callers.
        plain: The process with the plain cases' callers; their worker, as it comes, is another one, on the stack's
            Temporal.
        tuned: The same with a worker that is set up as Casetrail's own is.
    """

    stack: Stack
    log: Log
    casetrail: Child
    plain: Child
    tuned: Child

    @classmethod
    @asynccontextmanager
    async def set_up(cls, folder: Path) -> AsyncIterator["Bench"]:
        """Start it all in a folder, and end it all when the block ends."""
        async with (
            Stack.start(data=folder) as stack,
            Child.started("benchmarks.plain_temporal", stack.temporal_address, AS_IT_COMES, niceness=AFTER_CALLERS),
            Child.started("benchmarks.driver", AS_IT_COMES, stack.temporal_address) as plain,
            Child.started("benchmarks.plain_temporal", stack.temporal_address, TUNED, niceness=AFTER_CALLERS),
            Child.started("benchmarks.driver", TUNED, stack.temporal_address) as tuned,
            Child.started(
                *("benchmarks.driver", "casetrail", stack.address), environment={"CASETRAIL_TOKEN": stack.token}
            ) as casetrail,
        ):
            log = await stores.open_log(stores.from_settings({}, stack.data))
            try:
                yield cls(stack, log, casetrail, plain, tuned)
            finally:
                await log.close()
