"""What a scripted participant does, as a command to a case."""

from collections.abc import Mapping, Sequence
from typing import Any

from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event
from casetrail.v1.scenario_pb2 import Move, Participant
from casetrail.v1.types_pb2 import Actor
from domain.drills.matching import word_at

# Fields that are the answered event's where the script leaves them out, and where the event has them.
_FROM_THE_EVENT: Mapping[str, Sequence[str]] = {
    "task_id": ("task_id", "task.task_id"),
    "notice_id": ("notice_id", "notice.notice_id"),
}


def actor_of(participant: Participant, drill_id: str) -> Actor:
    """Who acts: the participant, through the drill."""
    return Actor(name=participant.name, role=participant.role, via=drill_id)


def command_of(move: Move, event: Event, case_ids: Mapping[str, Sequence[str]]) -> Command:
    """The command that a move is, to the case in which the answered event happened.

    Args:
        move: What the script says.
        event: The event that it answers.
        case_ids: The cases that each inject has brought.
    """
    name = move.WhichOneof("action") or ""
    command = Command(case_id=event.case_id)
    action: Any = getattr(command, name)
    action.SetInParent()
    action.CopyFrom(getattr(move, name))
    body = getattr(event, event.WhichOneof("body") or "")
    for field, places in _FROM_THE_EVENT.items():
        if field in action.DESCRIPTOR.fields_by_name and not getattr(action, field):
            setattr(action, field, next(filter(None, (word_at(body, place) for place in places)), ""))
    if name == "link_cases":
        action.case_ids[:] = [case for known in move.link_cases.case_ids for case in case_ids.get(known, (known,))]
    return command
