"""The daily seal, by a real Temporal server's schedule."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.sealing import Sealing
from audit.log import LOG_ITSELF, CaseEnd
from audit.sealing import seal, seal_root
from audit.sqlite import SqliteLog
from casetrail.v1.workflow_pb2 import SealRun, SealStep
from tests.audit.given import Writer, note, opening
from tests.temporal_server import in_memory
from workflows.seal import SCHEDULE, day_before, ensure_schedule
from workflows.worker import sandbox, worker_for


async def two_cases(log: SqliteLog) -> tuple[Writer, Writer]:
    writers = Writer(log, "INQ-2"), Writer(log, "INQ-1")
    for writer in writers:
        await writer.write(opening(), note(), key="open")
    return writers


async def test_a_seal_is_about_the_last_event_of_each_case(log: SqliteLog) -> None:
    second, first = await two_cases(log)
    await second.write(note(), key="more")
    ends = [CaseEnd("INQ-1", 2, b""), CaseEnd("INQ-2", 3, b"")]
    ends = [CaseEnd(end.case_id, end.seq, bytes.fromhex((await log.events(end.case_id))[-1].hash)) for end in ends]
    event = await seal(log, date(2026, 11, 22))
    assert await log.case_ends(5) == ends
    assert (event.log_sealed.day, event.log_sealed.size, event.log_sealed.cases) == ("2026-11-22", 5, 2)
    assert event.log_sealed.root == seal_root(ends).hex()
    assert (event.case_id, event.position) == (LOG_ITSELF, 6)
    await first.write(note(), key="later")
    assert (await log.case_ends(5), len(await log.case_ends(7))) == (ends, 2)


async def test_a_day_is_sealed_once(log: SqliteLog) -> None:
    (writer, _) = await two_cases(log)
    first = await seal(log, date(2026, 11, 22))
    await writer.write(note(), key="more")
    assert await seal(log, date(2026, 11, 22)) == first
    following = await seal(log, date(2026, 11, 23))
    assert (following.seq, following.previous_hash) == (2, first.hash)


async def test_a_sealed_log_is_whole_and_the_seal_is_no_case(log: SqliteLog) -> None:
    await two_cases(log)
    await seal(log, date(2026, 11, 22))
    await seal(log, date(2026, 11, 23))
    found = await log.verify()
    assert (found.events, found.cases, found.findings) == (6, 2, ())
    assert await log.read_case(LOG_ITSELF) is None


async def test_what_is_no_day_is_refused_for_good(log: SqliteLog) -> None:
    with pytest.raises(ApplicationError, match="is no day") as refused:
        await ActivityEnvironment().run(Sealing(log).seal_day, SealRun(day="today"))
    assert refused.value.non_retryable


def test_the_day_that_is_over_is_sealed() -> None:
    assert day_before(datetime(2026, 11, 22, 0, 5, tzinfo=UTC)) == "2026-11-21"
    assert day_before(datetime(2026, 3, 1, 7, 59, tzinfo=UTC) - timedelta(hours=8)) == "2026-02-27"


async def test_the_schedule_is_made_once_and_seals_the_day_before(log: SqliteLog) -> None:
    await two_cases(log)
    queue = f"seal-{uuid4()}"
    async with await in_memory() as environment:
        client = environment.client
        await ensure_schedule(client, queue)
        await ensure_schedule(client, queue)
        async with worker_for(client, [Sealing(log).seal_day], task_queue=queue, workflow_runner=sandbox()):
            await client.get_schedule_handle(SCHEDULE).trigger()
            step = await _result(client)
    assert (step.position, step.size, step.cases) == (5, 4, 2)
    (sealed,) = await log.events(LOG_ITSELF)
    assert sealed.log_sealed.day in {day_before(datetime.now(UTC)), day_before(datetime.now(UTC) - timedelta(hours=1))}


async def _result(client: Client) -> SealStep:
    """What the run that the schedule started has come to."""
    async with asyncio.timeout(30):
        while True:
            described = await client.get_schedule_handle(SCHEDULE).describe()
            if described.info.recent_actions:
                break
            await asyncio.sleep(0.05)
        run = described.info.recent_actions[0].action
        assert isinstance(run, ScheduleActionExecutionStartWorkflow)
        handle = client.get_workflow_handle(run.workflow_id, result_type=SealStep)
        try:
            result: SealStep = await handle.result()
        except WorkflowFailureError as failure:
            cause = failure.cause
            raise AssertionError(str(cause.cause if isinstance(cause, ActivityError) else cause)) from failure
    return result
