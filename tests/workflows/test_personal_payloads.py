"""What a customer said does not stand in Temporal's history, and whoever has the keys is answered all the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from audit import key_writing
from casetrail.payload_keys import payload_key_file
from casetrail.temporal import data_converter
from casetrail.v1.case_service_pb2 import ExecuteResponse
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Words
from engine.naming import EXECUTE, workflow_id
from tests.asked import command, names
from tests.workflows.world import World, new_payloads, virtual_time
from workflows.worker import WORKFLOWS, sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "The kettle leaks; call me on 555-0199"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporal") / "payload-keys"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(keys: Path) -> AsyncIterator[WorkflowEnvironment]:
    async with await virtual_time(payloads=new_payloads(keys)) as running:
        yield running


def note(case_id: str) -> Command:
    return command(case_id, note={"words": Words(text=TEXT)})


def caller(environment: WorkflowEnvironment, payloads: DataConverter) -> Client:
    """Another client of the same Temporal."""
    return Client(environment.client.service_client, data_converter=payloads)


async def execute(client: Client, asked: Command) -> ExecuteResponse:
    handle = client.get_workflow_handle(workflow_id(asked.case_id))
    answer: ExecuteResponse = await handle.execute_update(EXECUTE, asked, result_type=ExecuteResponse)
    return answer


async def raw(one: World, case_id: str) -> WorkflowHistory:
    client = caller(one.environment, DataConverter.default)
    return await client.get_workflow_handle(workflow_id(case_id)).fetch_history()


def all_bytes(history: WorkflowHistory) -> bytes:
    return b"".join(event.SerializeToString() for event in history.events)


async def test_a_customers_words_are_in_the_log_and_not_in_temporals_history(world: World, case_id: str) -> None:
    response = await execute(world.environment.client, note(case_id))

    assert names(response.events) == ["note_added"]
    assert (await world.events(case_id))[-1].note_added.words.text == TEXT
    history = all_bytes(await raw(world, case_id))
    for word in (b"kettle", b"leaks", b"555-0199"):
        assert word not in history
    # What a person looks for in Temporal's UI is there.
    assert case_id.encode() in history
    assert b"casetrail.v1.Command" in history


async def test_why_something_was_refused_is_for_the_caller_and_its_type_for_everybody(
    world: World, case_id: str
) -> None:
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await execute(world.environment.client, command(case_id, inspect={"passed": True}))

    assert isinstance(failure.value.cause, ApplicationError)
    assert "which has no inspect" in failure.value.cause.message
    history = all_bytes(await raw(world, case_id))
    assert b"which has no inspect" not in history
    assert b"WRONG_KIND" in history


async def test_an_encrypted_history_is_replayed_with_its_key_and_with_no_other(
    world: World, case_id: str, keys: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await execute(world.environment.client, note(case_id))
    history = await raw(world, case_id)

    await _replay(history, data_converter(keys))
    with pytest.raises(NondeterminismError):
        await _replay(history, new_payloads(tmp_path / "other"))
    assert f"is not in {tmp_path / 'other'}, and this payload is encrypted with it: restore that file" in caplog.text


async def _replay(history: WorkflowHistory, payloads: DataConverter) -> None:
    await Replayer(workflows=WORKFLOWS, workflow_runner=sandbox(), data_converter=payloads).replay_workflow(history)


async def test_after_a_new_key_callers_with_the_old_file_and_with_the_new_one_are_answered(
    world: World, case_id: str, keys: Path
) -> None:
    started_before = world.environment.client
    key_writing.add(payload_key_file(keys))
    started_after = caller(world.environment, data_converter(keys))

    for client in (started_after, started_before):
        assert names((await execute(client, note(case_id))).events) == ["note_added"]
    await _replay(await raw(world, case_id), data_converter(keys))


async def test_a_caller_with_another_key_is_refused_and_stops_nobody_else(
    world: World, case_id: str, tmp_path: Path
) -> None:
    before = await raw(world, case_id)
    stranger = caller(world.environment, new_payloads(tmp_path / "other"))

    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await execute(stranger, note(case_id))

    why = failure.value.cause.__cause__
    assert isinstance(why, ApplicationError)
    assert why.type == "KeyFileError"
    assert "is not in" in why.message
    assert len((await raw(world, case_id)).events) == len(before.events)
    assert names((await execute(world.environment.client, note(case_id))).events) == ["note_added"]
