"""A whole engine on a real Temporal server with virtual time: log, engine, worker, and fakes of the world outside."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Interceptor, Worker

from activities.directory import Directory
from activities.outside import Rehearsal
from activities.registry import all_activities
from audit import key_writing
from audit.sqlite import SqliteLog
from audit.stores import KeySettings, open_keys, sqlite_url
from casetrail.payload_keys import payload_key_file
from casetrail.temporal import data_converter
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Kind
from casetrail.v1.workflow_pb2 import Step
from engine.engine import Engine, Outcome
from engine.naming import CASE, CRITICAL, workflow_id
from engine.nudge import TemporalWaker, Waker
from engine.rulebooks import Rulebooks
from tests.asked import command, names, opening
from tests.fakes import CornerShop, Mailbox, Switches
from tests.policies import shipped_policy
from tests.temporal_server import TEMPORAL, begun
from tests.waiting import PATIENCE, become_true
from workflows.worker import sandbox, worker_for

STAFF = """\
people:
  - {name: amy, role: agent, email: amy@staff.example}
  - {name: chloe, role: team_lead, email: chloe@staff.example}
  - {name: daniel, role: supervisor, email: daniel@staff.example}
  - {name: erin, role: director, email: erin@staff.example}
  - {name: feng, role: executive, email: feng@staff.example}
  - {name: iris, role: incident_lead, email: iris@staff.example}
  - {name: tang, email: tang@staff.example}
departments:
  - {name: operations, email: operations@staff.example}
  - {name: technology, people: [tang], email: technology@staff.example}
  - {name: customer-care, people: [chloe]}
audiences:
  - {name: all users, email: all-users@notices.example}
"""


def new_payloads(keys: Path) -> DataConverter:
    """What Temporal gets, with a key of this new file."""
    key_writing.make(payload_key_file(keys))
    return data_converter(keys)


async def virtual_time(
    *dynamic_config: str, identity: str | None = None, payloads: DataConverter = DataConverter.default
) -> WorkflowEnvironment:
    """A real Temporal server on which a workflow's time can be moved forward."""
    values = ("frontend.WorkflowTimeSkippingEnabled=true", *dynamic_config)
    return await begun(
        lambda: WorkflowEnvironment.start_time_skipping_v2(
            identity=identity,
            data_converter=payloads,
            ts_config=TimeSkippingConfig(enabled=False),
            dev_server_existing_path=str(TEMPORAL),
            dev_server_log_level="never",
            dev_server_extra_args=[part for value in values for part in ("--dynamic-config-value", value)],
        )
    )


@dataclass
class VirtualClock:
    """The engine's clock, in the time of the one workflow that a test moves."""

    latest: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        if activity.in_activity() and not activity.info().is_local:
            self.move(activity.info().started_time)
        self.move(datetime.now(UTC))
        return self.latest

    def move(self, to: datetime) -> None:
        self.latest = max(self.latest, to)


@dataclass
class World:
    """Everything that a test drives and looks at."""

    environment: WorkflowEnvironment
    log: SqliteLog
    engine: Engine
    waker: Waker
    mailbox: Mailbox
    shop: CornerShop
    clock: VirtualClock
    queue: str

    async def open(self, kind: Kind.ValueType = Kind.KIND_INQUIRY, **more: Any) -> str:  # noqa: ANN401 - fields of Open
        return (await self.engine.execute(opening(kind, **more))).case.case_id

    async def do(self, case_id: str, **action: Any) -> Outcome:  # noqa: ANN401 - any action
        return await self.engine.execute(command(case_id, **action))

    async def case(self, case_id: str) -> Case:
        return await self.engine.case(case_id)

    async def events(self, case_id: str) -> Sequence[Event]:
        return await self.log.events(case_id)

    async def until(self, case_id: str, name: str, times: int = 1) -> list[Event]:
        """Follow the log until an event has happened so often, and return all of its name."""
        found: list[Event] = []
        async with asyncio.timeout(PATIENCE):
            async for event in self.log.follow(after_position=0):
                if event.case_id == case_id and event.WhichOneof("body") == name:
                    found.append(event)
                if len(found) == times:
                    return found
        raise AssertionError(f"{name} did not happen {times} times: {names(await self.events(case_id))}")

    def handle(self, case_id: str) -> WorkflowHandle[Any, Any]:
        return self.environment.client.get_workflow_handle(workflow_id(case_id))

    async def look(self, case_id: str) -> Step:
        step: Step = await self.handle(case_id).query(CASE, result_type=Step)
        return step

    async def pass_time(self, case_id: str, duration: timedelta) -> None:
        """Move a workflow's time; whatever it brings on the way has been done afterwards."""
        await self.environment.fast_forward(self.handle(case_id), duration)
        self.clock.move(await self.environment.get_current_time(self.handle(case_id)))

    async def looked_at(self, case_id: str, seq: int) -> Step:
        """Wait until the workflow has seen the case as of an event."""

        async def has_looked() -> bool:
            return (await self.look(case_id)).seq >= seq

        await become_true(has_looked)
        return await self.look(case_id)

    async def wake(self, case_id: str) -> None:
        """Nudge a case's workflow, and wait until Temporal has taken the nudge."""
        kind = (await self.case(case_id)).kind
        await TemporalWaker(self.environment.client, task_queue=self.queue).wake(case_id, kind)

    async def ended(self, case_id: str) -> None:
        await asyncio.wait_for(self.handle(case_id).result(), PATIENCE)


def never_closing_policy() -> Policy:
    """The shipped policy, of a desk that is open day and night: tests begin at any hour."""
    policy = shipped_policy()
    policy.calendars["business"].CopyFrom(policy.calendars["always"])
    return policy


@asynccontextmanager
async def world(
    environment: WorkflowEnvironment,
    folder: Path,
    *,
    mailbox: Mailbox | None = None,
    shop: CornerShop | None = None,
    waker: Waker | None = None,
    interceptors: Sequence[Interceptor] = (),
    ordinary: bool = True,
) -> AsyncIterator[World]:
    """An engine with a worker on a queue of its own, and one for critical incidents, until the block ends.

    Without `ordinary` nobody works on the queue of all other cases.
    """
    (folder / "staff.yaml").write_text(STAFF)
    mailbox, shop, clock = mailbox or Mailbox(), shop or CornerShop(), VirtualClock()
    queue = f"casetrail-{uuid4()}"
    waker = waker or TemporalWaker(environment.client, task_queue=queue)
    log = SqliteLog(folder / "casetrail.db")
    await log.use_keys(open_keys(KeySettings(sqlite_url(folder / "keys.db"), folder / "kek")))
    try:
        rulebooks = await Rulebooks.keep(log, never_closing_policy())
        engine = Engine(log, rulebooks, waker, clock.now)
        rehearsal = Rehearsal(mailbox, shop=lambda _: shop, faults=Switches())
        activities = all_activities(
            engine, mailbox, shop, Directory(folder / "staff.yaml"), log=log, rehearsal=rehearsal
        )
        async with AsyncExitStack() as working:
            for each in (queue + CRITICAL, queue)[: 1 + ordinary]:
                await working.enter_async_context(_worker(environment.client, activities, each, interceptors))
            yield World(environment, log, engine, waker, mailbox, shop, clock, queue)
    finally:
        await log.close()


def _worker(client: Client, activities: Sequence[Any], queue: str, interceptors: Sequence[Interceptor]) -> Worker:
    return worker_for(
        client,
        activities,
        task_queue=queue,
        drain=timedelta(0),
        workflow_runner=sandbox(),  # finds what a replay would not see again
        interceptors=interceptors,
    )
