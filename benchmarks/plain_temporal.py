"""The same lifecycle on Temporal alone, as somebody would write it who needs neither a log nor an API of their own.

A workflow a case. It keeps the audit rows in its memory, takes every command as an update, answers once the row is
kept, and holds a one-hour deadline that each command moves. Temporal's history is the only record.

Its worker is Temporal's as it comes, or a tuned one, set up as Casetrail's own is: without the sandbox, with pollers
that adapt.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import uvloop
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

with workflow.unsafe.imports_passed_through():
    from benchmarks.closed_loop import TEXT
    from benchmarks.processes import Answer, Request, answer_requests

AS_IT_COMES: Final = "plain"
TUNED: Final = "plain-tuned"
"""The task queues of the two workers."""
_PROMISE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Said:
    """A command, or the opening."""

    action: str
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the audit trail."""

    seq: int
    at: datetime
    said: Said


@workflow.defn(name="PlainCase")
class PlainCase:
    """One case."""

    @workflow.init
    def __init__(self, opening: Said) -> None:
        self._rows: list[Row] = []
        self._keep(opening)

    @workflow.run
    async def run(self, opening: Said) -> None:
        """Keep the deadline, and escalate whenever it passes."""
        del opening  # kept by __init__, which runs before any update
        while True:
            try:
                await self._until_moved(self._due)
            except TimeoutError:
                self._keep(Said("escalate", "system", "nobody has done anything for an hour"))

    async def _until_moved(self, due: datetime) -> None:
        await workflow.wait_condition(lambda: self._due != due, timeout=due - workflow.now())

    @workflow.update
    async def execute(self, said: Said) -> int:
        """Carry a command out; answers its number."""
        return self._keep(said)

    @workflow.query
    def trail(self) -> list[str]:
        """What was done, in order."""
        return [row.said.action for row in self._rows]

    def _keep(self, said: Said) -> int:
        self._rows.append(Row(len(self._rows) + 1, workflow.now(), said))
        self._due = workflow.now() + _PROMISE
        return len(self._rows)


class PlainTemporal:
    """The plain cases, as a caller reaches them: Temporal's own client."""

    def __init__(self, client: Client, *, task_queue: str = AS_IT_COMES) -> None:
        """Call through a client that somebody else opened, for the worker of a task queue."""
        self._client = client
        self._task_queue = task_queue

    async def open(self, name: str) -> str:
        """Start a case's workflow; Temporal has it, with the opening, when this returns."""
        case_id = f"{self._task_queue}/{name}"
        await self._client.start_workflow(PlainCase.run, _said("open"), id=case_id, task_queue=self._task_queue)
        return case_id

    async def act(self, case_id: str, command: str) -> None:
        """Have a command carried out."""
        await self._client.get_workflow_handle(case_id).execute_update(PlainCase.execute, _said(command))

    async def trail(self, case_id: str) -> Sequence[str]:
        """What a case says that was done."""
        return await self._client.get_workflow_handle(case_id).query(PlainCase.trail)


def _said(action: str) -> Said:
    return Said(action, "amy", TEXT)


async def work(address: str, task_queue: str) -> None:
    """Run a worker until the input ends."""
    client = await Client.connect(address)
    async with _worker(client, task_queue):
        await answer_requests(_nothing_else)


def _worker(client: Client, task_queue: str) -> Worker:
    if task_queue == AS_IT_COMES:
        return Worker(client, task_queue=task_queue, workflows=[PlainCase])
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[PlainCase],
        max_cached_workflows=5000,
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
    )


async def _nothing_else(request: Request) -> Answer:
    raise ValueError(f"a worker takes its work from Temporal, not {request}")


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], sys.argv[2]))
