"""The pure core and the log, each alone: `python -m benchmarks.core`, a process that answers two requests.

`job: core` leads cases through their lives on a virtual clock, and folds what came of them: no I/O, no Temporal.
`job: log` writes the same to a log of its own, then verifies it.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from audit.log import Appended, Batch, Need
from audit.sqlite import SqliteLog
from benchmarks.closed_loop import TEXT
from benchmarks.processes import ROOT, Answer, Request, answer_requests
from casetrail import policy_file
from casetrail.commands import command
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.command_pb2 import AddNote, Assign, Command, Confirm, Open, Reply, Resolve
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Channel, Kind, Role, Words
from domain import Rulebook, act, expire, fold

_NOON: Final = 1_780_286_400  # 2026-06-01 12:00, a working day in Shanghai
_MINUTE: Final = 60
_WEEK: Final = 7 * 24 * 3600
_AGENT: Final = Actor(name="amy", role=Role.ROLE_AGENT)
_WORDS: Final = Words(text=TEXT)
_OPENING: Final = Open(
    kind=Kind.KIND_INQUIRY,
    channel=Channel.CHANNEL_WEB,
    customer=Customer(customer_id="C-1"),
    subject="Where is my parcel?",
    words=_WORDS,
)
_ACTIONS: Final = (
    Assign(to="amy", team="parcels"),
    Reply(words=_WORDS),
    AddNote(words=_WORDS),
    Resolve(words=_WORDS),
    Confirm(),
)
_NOTHING: Final = Need(wake=None, effects=False)

# Of the log: cases written one after the other, and cases written by so many callers at the same time.
_ALONE: Final = 100
_TOGETHER: Final = 1000
_CALLERS: Final = 64


@dataclass(frozen=True, slots=True)
class Step:
    """What one command, or the passing of time, has brought to a case: its events, and the case after them."""

    request_id: str
    events: Sequence[Event]
    case: Case


def lives(rules: Rulebook) -> Iterator[list[Step]]:
    """One case after the other: three that are attended to for one that nobody looks at."""
    for number in count(1):
        life = _Life(f"INQ-{number}", rules)
        if number % 4:
            for action in _ACTIONS:
                life.take(command(life.case_id, action, request_id=f"{life.at}", actor=_AGENT))
        life.wait(_WEEK)
        yield life.steps


class _Life:
    """A case on a virtual clock."""

    def __init__(self, case_id: str, rules: Rulebook) -> None:
        self.case_id = case_id
        self.at = _NOON
        self.steps: list[Step] = []
        self._rules = rules
        self._case: Case | None = None
        self.take(Command(case_id=case_id, request_id="open", open=_OPENING, actor=_AGENT))

    def take(self, asked: Command) -> None:
        """Carry a command out; a minute later comes the next one."""
        self._keep(asked.request_id, act(self._case, asked, self.at, self._rules))
        self.at += _MINUTE

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.at += seconds
        if self._case is not None:
            self._keep("", expire(self._case, self.at, self._rules))

    def _keep(self, request_id: str, events: Sequence[Event]) -> None:
        self._case = fold(events, self._case)
        self.steps.append(Step(request_id, events, self._case))


def measure_core(rules: Rulebook, *, seconds: float) -> Mapping[str, Any]:
    """Simulate for so many seconds of processor time, which others on the machine take nothing of; then fold it all.

    Returns:
        Events a second of each, and how many cases and events were simulated.
    """
    led: list[list[Step]] = []
    events = 0
    began = time.process_time()
    for steps in lives(rules):
        led.append(steps)
        events += sum(len(step.events) for step in steps)
        if (simulating := time.process_time() - began) >= seconds:
            break
    histories = [[event for step in steps for event in step.events] for steps in led]
    began = time.process_time()
    for history in histories:
        fold(history)
    folding = time.process_time() - began
    return {"simulated": events / simulating, "folded": events / folding, "cases": len(led), "events": events}


async def measure_log(rules: Rulebook) -> Mapping[str, Any]:
    """Write lives to a log: one batch after the other, then from many callers side by side; then verify it.

    Returns:
        Events a second of each way and of the verification, and what one batch took when it was alone, in seconds.
    """
    prepared = map(_batches, lives(rules))
    alone, together = list(islice(prepared, _ALONE)), list(islice(prepared, _TOGETHER))
    with tempfile.TemporaryDirectory(prefix="casetrail-bench-") as folder:
        log = SqliteLog(Path(folder) / "casetrail.db")
        try:
            each, alone_rate = await _write(log, alone, callers=1)
            _, together_rate = await _write(log, together, callers=_CALLERS)
            began = time.perf_counter()
            verified = await log.verify()
            verifying = time.perf_counter() - began
        finally:
            await log.close()
    if verified.findings:
        raise ValueError(f"the log that was just written is not whole: {verified.findings[0]}")
    return {"batch": each, "alone": alone_rate, "together": together_rate, "verified": verified.events / verifying}


def _batches(steps: Sequence[Step]) -> list[Batch]:
    batches = []
    seq = 0
    for step in steps:
        for event in step.events:
            event.key = event.key or step.request_id
        batches.append(
            Batch(
                case_id=step.case.case_id,
                expected_seq=seq,
                key=step.request_id,
                digest="0" * 64,
                events=step.events,
                case=step.case,
                need=_NOTHING,
            )
        )
        seq = step.case.seq
    return batches


async def _write(log: SqliteLog, cases: Sequence[Sequence[Batch]], *, callers: int) -> tuple[float, float]:
    """Append every batch; returns the median seconds of one, and events a second."""
    waiting = iter(cases)
    times: list[float] = []

    async def caller() -> None:
        for batches in waiting:
            for batch in batches:
                sent = time.perf_counter()
                result = await log.append(batch)
                times.append(time.perf_counter() - sent)
                if not isinstance(result, Appended):
                    raise TypeError(f"a new batch of {batch.case_id} was answered with {result}")

    began = time.perf_counter()
    async with asyncio.TaskGroup() as crowd:
        for _ in range(callers):
            crowd.create_task(caller())
    took = time.perf_counter() - began
    return median(times), sum(len(batch.events) for batches in cases for batch in batches) / took


async def main() -> None:
    """Answer requests until the input ends."""
    rules = Rulebook(policy_file.load(ROOT / "policies" / "default.yaml"))

    async def handle(request: Request) -> Answer:
        if request["job"] == "core":
            return dict(measure_core(rules, seconds=request["seconds"]))
        return dict(await measure_log(rules))

    await answer_requests(handle)


if __name__ == "__main__":
    uvloop.run(main())
