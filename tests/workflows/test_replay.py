"""Today's workflow code still agrees with what running cases have lived through."""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from casetrail.v1.workflow_pb2 import CaseRun
from tests.workflows.stories import STORIES
from tests.workflows.world import new_payloads
from workflows.worker import WORKFLOWS, sandbox

HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(HISTORIES.glob("*.json"))


@workflow.defn(name="Return")
class ReturnThatWaitsFirst:
    """A return's workflow after a careless change."""

    @workflow.run
    async def run(self, run: CaseRun) -> None:
        del run
        await workflow.sleep(60)


def _history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"case/{path.stem}", path.read_text())


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_is_replayed_without_a_difference(path: Path, tmp_path: Path) -> None:
    payloads = new_payloads(tmp_path / "payload-keys")  # what was recorded in plain is read as it is
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=sandbox(), data_converter=payloads)
    await replayer.replay_workflow(_history(path))


def test_every_story_has_its_history() -> None:
    assert {path.stem.rpartition("_")[0] for path in RECORDED} == STORIES.keys()


async def test_a_careless_change_would_be_noticed() -> None:
    replayer = Replayer(workflows=[ReturnThatWaitsFirst], workflow_runner=UnsandboxedWorkflowRunner())
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(_history(HISTORIES / "return_that_is_refunded_1.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_history_holds_no_word_of_the_customers_and_nothing_of_the_machine(path: Path) -> None:
    text = path.read_text()
    for word in ("kettle", "Li Lei", "customer.example", "@staff", ".py"):
        assert word not in text
