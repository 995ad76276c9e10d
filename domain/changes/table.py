"""Which event makes which change."""

from collections.abc import Callable
from typing import Any

from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event

Change = Callable[[Case, Event, Any], None]
"""What an event, whose body is the last argument, does to a case."""


class Changes(dict[str, Change]):
    """Changes by the name of the event's body."""

    def on(self, *names: str) -> Callable[[Change], Change]:
        """Say which events a change is for."""

        def register(change: Change) -> Change:
            self.update(dict.fromkeys(names, change))
            return change

        return register
