"""How fast the log is appended to: beside a bare batch insert of the same bytes, and by many callers at once."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count, islice
from statistics import median
from typing import Any, Final

from audit.group import Group, Head, prepare
from audit.log import Appended, Batch, Log, Need
from audit.merkle import Frontier
from benchmarks.bare import Bare
from benchmarks.lives import batches_of, lives
from casetrail.v1.case_pb2 import Case
from domain import Rulebook

EVENTS_A_TRANSACTION: Final = (1, 50, 200)

_ROUNDS: Final = 15  # short ones, so that both meet the same disk
_EVENTS_A_ROUND: Final = {1: 60, 50: 1_500, 200: 4_000}
_TOGETHER: Final = 1000  # cases
_CALLERS: Final = 64
_FIRST: Final = 10_000_000  # no number of a case that is written besides
_KEY: Final = "00000000-0000-0001-0000-00006a1d05c0"


async def beside_bare(log: Log, bare: Bare, ready: "ReadyMade", rules: Rulebook, *, size: int) -> Mapping[str, Any]:
    """Append so many events a transaction, one after the other, and insert the rows that came of it, by turns.

    Returns:
        Events a second of each round: appended, events and payloads inserted, every row inserted.
    """
    batches = _batches(rules, size)
    position = await log.size()
    ours, bares, every = [], [], []
    for number in range(1 + _ROUNDS):
        transactions = list(islice(batches, _EVENTS_A_ROUND[size] // size))
        began = time.perf_counter()
        for batch in transactions:
            await log.append(batch)
        appended = time.perf_counter() - began
        rows = await log.rows(after_position=position, limit=_EVENTS_A_ROUND[size])
        began = time.perf_counter()
        for start in range(0, len(rows), size):
            bare.insert(rows[start : start + size])
        inserted = time.perf_counter() - began
        all_inserted = ready.insert(transactions)
        position += len(rows)
        if number:  # the first round warms up
            ours.append(len(rows) / appended)
            bares.append(len(rows) / inserted)
            every.append(len(rows) / all_inserted)
    return {"appended": ours, "bare": bares, "every_row": every}


class ReadyMade:
    """A database into which every row goes that the log writes with a batch, made before."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._head = Head("ready-made", 0, 0, Frontier())

    def insert(self, batches: Sequence[Batch]) -> float:
        """Write each batch's rows in a transaction of its own; returns how many seconds it took."""
        groups = [self._group(batch) for batch in batches]
        began = time.perf_counter()
        for group in groups:
            self._bare.insert_all(group)
        return time.perf_counter() - began

    def _group(self, batch: Batch) -> Group:
        group = Group(self._head, {}, set(), set(), time.time_ns() // 1000)
        group.decide(prepare(batch))
        self._head = group.head
        return group


def _batches(rules: Rulebook, size: int) -> Iterator[Batch]:
    """What simulated cases went through, as requests that bring so many events to a case of their own."""
    events = ((event, steps[-1].case) for steps in lives(rules) for step in steps for event in step.events)
    while some := list(islice(events, size)):
        case_id, case = f"APP-{next(_numbers):011}", Case()
        case.CopyFrom(some[-1][1])
        case.case_id, case.seq = case_id, size
        for seq, (event, _) in enumerate(some, start=1):
            event.case_id, event.seq, event.key = case_id, seq, _KEY
        yield Batch(
            case_id=case_id,
            expected_seq=0,
            key=_KEY,
            digest=sha256(_KEY.encode()).hexdigest(),
            events=[event for event, _ in some],
            case=case,
            need=Need(wake=None, effects=False),
        )


_numbers: Final = count(1)


async def together(log: Log, rules: Rulebook) -> Mapping[str, Any]:
    """Lead cases through their lives by many callers side by side.

    Returns:
        Events a second, and the median seconds that a caller waits for its batch.
    """
    cases = iter([batches_of(steps) for steps in islice(lives(rules, first=_FIRST), _TOGETHER)])
    events = 0
    times: list[float] = []

    async def caller() -> None:
        nonlocal events
        for batches in cases:
            for batch in batches:
                sent = time.perf_counter()
                result = await log.append(batch)
                times.append(time.perf_counter() - sent)
                if not isinstance(result, Appended):
                    raise TypeError(f"a new batch of {batch.case_id} was answered with {result}")
                events += len(batch.events)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as crowd:
        for _ in range(_CALLERS):
            crowd.create_task(caller())
    took = time.perf_counter() - began
    return {"rate": events / took, "wait": median(times)}
