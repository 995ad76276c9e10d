"""Records the histories that `test_replay.py` replays: `python -m tests.workflows.record [STORY …]`.

Record one anew only when running cases of the old code may break, as after a change that is patched
(`workflow.patched`); keep the old one as long as cases may run that began with it.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory

from engine.naming import workflow_id
from tests.workflows.stories import STORIES
from tests.workflows.world import World, virtual_time, world

HISTORIES = Path(__file__).parent / "histories"


_STACK_TRACE = re.compile(r'("stackTrace": )"(?:[^"\\]|\\.)*"')


async def record(names: list[str]) -> None:
    """Live each story on a real server and keep the histories of its runs."""
    async with await virtual_time(identity="recorder") as environment:
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                async with world(environment, Path(folder)) as one:
                    runs = await _runs(one, await STORIES[name](one))
            for number, history in enumerate(runs, 1):
                # Where the code lay on the recorder's machine is nobody's concern.
                text = _STACK_TRACE.sub(r'\1""', history.to_json())
                (HISTORIES / f"{name}_{number}.json").write_text(text + "\n")
                sys.stdout.write(f"{name}, run {number}: {len(history.events)} events\n")


async def _runs(one: World, told: str) -> list[WorkflowHistory]:
    """The histories of the runs of a workflow, named by itself or by its case; the first one first."""
    name = told if "/" in told else workflow_id(told)
    runs: list[WorkflowHistory] = []
    run_id = (await one.environment.client.get_workflow_handle(name).describe()).run_id
    while run_id:
        handle = one.environment.client.get_workflow_handle(name, run_id=run_id)
        runs.insert(0, await handle.fetch_history())
        run_id = runs[0].events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return runs


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or list(STORIES)))
