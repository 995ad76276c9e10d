"""What a change of a case is made of: which event makes it, and the parts that several changes share."""

from collections.abc import Callable
from typing import Any

from casetrail.v1.case_pb2 import Case
from casetrail.v1.effect_pb2 import Effect
from casetrail.v1.event_pb2 import Event

Change = Callable[[Case, Event, Any], None]


class Changes(dict[str, Change]):
    """Changes by the name of the event's body."""

    def on(self, *names: str) -> Callable[[Change], Change]:
        """Say which events a change is for."""

        def register(change: Change) -> Change:
            self.update(dict.fromkeys(names, change))
            return change

        return register


def drop_effects(case: Case, matches: Callable[[Effect], bool]) -> None:
    """Nobody waits for these effects any more."""
    for i in reversed([i for i, effect in enumerate(case.pending_effects) if matches(effect)]):
        del case.pending_effects[i]
