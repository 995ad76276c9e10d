"""What a drill sees of its cases."""

from pathlib import Path

from activities.drill_observation import histories
from audit.sqlite import SqliteLog
from casetrail.scenario_file import load
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Actor, Role
from domain.drills import script
from engine.engine import Engine
from engine.rulebooks import Rulebooks
from tests.asked import opening
from tests.fakes import NotedNudges
from tests.policies import shipped_policy

SCENARIO = load(Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml")
LEAD = Actor(name="chloe", role=Role.ROLE_SUPERVISOR)


async def test_what_a_case_of_a_drill_did_last_counts_however_long_it_is(log: SqliteLog) -> None:
    engine = Engine(log, await Rulebooks.keep(log, shipped_policy()), NotedNudges())
    drill = (await engine.execute(Command(request_id="drill", actor=LEAD, open=script.opening(SCENARIO, 0)))).case
    asked = opening()
    asked.open.drill_id = drill.case_id
    case = (await engine.execute(asked)).case
    for n in range(1001):
        note = Command(case_id=case.case_id, request_id=f"note-{n}", actor=LEAD)
        note.note.words.text = "seen"
        case = (await engine.execute(note)).case

    (found,) = await histories(log, drill.case_id)

    assert found.events[-1].seq == case.seq
