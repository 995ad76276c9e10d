"""Whole cases on a virtual clock: the same decisions, without waiting and without a log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event
from domain.decide import act
from domain.evolve import fold
from domain.instants import Instant
from domain.passing import expire
from domain.refusal import Rejected
from domain.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Planned:
    """A command, and when it comes in, in case time. It opens the case that it names when it is an `open`."""

    at: Instant
    command: Command


@dataclass(frozen=True, slots=True)
class Refused:
    """A planned command that was refused, and why."""

    planned: Planned
    why: Rejected


@dataclass(slots=True)
class Simulation:
    """What a plan leads to.

    Attributes:
        cases: Every case as it is now, by its number.
        refused: The commands that were refused.
    """

    rules: Rulebook
    cases: dict[str, Case] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    def run(self, plan: Iterable[Planned], until: Instant) -> Iterator[Event]:
        """Carry out a plan, then let time pass for every case.

        Args:
            plan: In the order in which it happens within each case. All of it is carried out, also what is later
                than `until`.
            until: How far time goes for every case afterwards. Cases on the importer's clock stay where they are.

        Yields:
            Each event, case by case as the plan has them.
        """
        for planned in plan:
            yield from self._write(planned.command.case_id, self._events(planned))
        for case_id, case in list(self.cases.items()):
            if case.time_base.mode != TimeBase.MODE_IMPORTED:
                yield from self._write(case_id, expire(case, until, self.rules))

    def _events(self, planned: Planned) -> list[Event]:
        try:
            return act(self.cases.get(planned.command.case_id), planned.command, planned.at, self.rules)
        except Rejected as why:
            self.refused.append(Refused(planned, why))
            return []

    def _write(self, case_id: str, events: list[Event]) -> list[Event]:
        if events:
            self.cases[case_id] = fold(events, self.cases.get(case_id))
        return events
