"""A drill in the pure core: its script on a clock that a test moves, and outcomes that a test reports."""

from pathlib import Path
from typing import Any

from casetrail.scenario_file import load
from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import Command, ReportOutcome
from casetrail.v1.drill_pb2 import DrillExpectation
from casetrail.v1.effect_pb2 import InjectMade, Outcome
from casetrail.v1.event_pb2 import Event
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Actor, Role
from domain import act, expire, fold, pending_effects
from domain.draft import SYSTEM
from domain.drills import script
from tests.asked import names
from tests.domain.story import OPENED, RULES

ROOT = Path(__file__).parents[2]
SCENARIO = load(ROOT / "scenarios" / "system-failure.en.yaml")
LEAD = Actor(name="erin", role=Role.ROLE_DIRECTOR)
MINUTE = 60


class Rehearsal:
    """A drill in the pure core, without a world around it."""

    def __init__(self, scenario: Scenario = SCENARIO) -> None:
        self.events: list[Event] = []
        self.case = Case()
        self.now = OPENED
        self._take(act(None, self._command(open=script.opening(scenario, 0)), OPENED, RULES))

    def _command(self, actor: Actor = LEAD, **action: Any) -> Command:  # noqa: ANN401 - any action
        return Command(case_id="DRL-1", request_id="r", actor=actor, **action)

    def _take(self, events: list[Event]) -> None:
        self.case = fold(events, self.case)
        self.events += events

    def until(self, minutes: int) -> list[str]:
        """Let time pass up to so many minutes after the start; what it brought."""
        self.now = OPENED + minutes * MINUTE
        owed = expire(self.case, self.now, RULES)
        self._take(owed)
        return names(owed)

    def do(self, **action: Any) -> list[str]:  # noqa: ANN401 - likewise
        events = act(self.case, self._command(**action), self.now, RULES)
        self._take(events)
        return names(events)

    def report(self, demand: str, subject: str = "", **outcome: Any) -> list[str]:  # noqa: ANN401 - any outcome
        """Say what came of a pending effect."""
        effect = next(
            effect
            for effect in pending_effects(self.case)
            if effect.WhichOneof("demand") == demand and subject in str(getattr(effect, demand))
        )
        report = ReportOutcome(effect_id=effect.effect_id, outcome=Outcome(**outcome))
        return self.do(actor=SYSTEM, report_outcome=report)

    def made(self, inject_id: str, *case_ids: str, began: int = 0) -> list[str]:
        made = InjectMade(inject_id=inject_id, case_ids=case_ids)
        made.began_at.seconds = OPENED + began * MINUTE
        return self.report("inject", f'"{inject_id}"', inject_made=made)

    def expectation(self, expectation_id: str) -> DrillExpectation:
        return next(one for one in self.case.drill.expectations if one.id == expectation_id)

    def demands(self) -> list[str]:
        return sorted(effect.WhichOneof("demand") or "" for effect in pending_effects(self.case))
