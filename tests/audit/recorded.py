"""Stories as the log keeps them: the events of one command under its request."""

from collections.abc import Callable
from typing import Any

from casetrail.v1.case_pb2 import PolicyRef
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor
from domain import Rulebook
from tests.domain.story import RULES, Story


class Recorded(Story):
    """A story that remembers what was asked of it, and keys its events by that.

    Attributes:
        asked: The commands that were carried out, in order.
    """

    def __init__(self, rules: Rulebook = RULES) -> None:
        super().__init__(rules)
        self.asked: list[Command] = []
        self._latest = Command()

    def command(self, actor: Actor, action: str, *first: object, **fields: object) -> Command:
        self._latest = super().command(actor, action, *first, **fields)
        return self._latest

    def _write(self, events: list[Event]) -> list[str]:
        if not all(event.HasField("due") for event in events):
            self.asked.append(self._latest)
        for event in events:
            event.key = event.key or self._latest.request_id
        return super()._write(events)

    def actions(self) -> list[str]:
        return [action_of(command) for command in self.asked]


def action_of(command: Command | None) -> str:
    return (command.WhichOneof("action") if command else "") or ""


def known(*rulebooks: Rulebook) -> Callable[[PolicyRef], Rulebook]:
    """The policies of the record."""
    by_digest: dict[Any, Rulebook] = {rules.ref.digest: rules for rules in (RULES, *rulebooks)}
    return lambda ref: by_digest[ref.digest]
