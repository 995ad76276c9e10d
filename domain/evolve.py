"""How an event changes a case: the only way in which one ever changes.

`evolve` and `fold` are the definition of a case. What each event changes stands in `domain.changes`; an event without
a change only counts.
"""

from collections.abc import Iterable

from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind
from domain import awaited, effects
from domain.changes import clocks, closing, drill, incident, joining, opening, people, returns, settlements
from domain.changes.table import Change

_MATTERS = (opening, people, clocks, settlements, returns, closing, joining, incident, drill)
_CHANGES: dict[str, Change] = {name: change for matter in _MATTERS for name, change in matter.CHANGES.items()}


def evolve(case: Case | None, event: Event) -> Case:
    """The case after one more event; the given case is left as it was."""
    return fold((event,), case)


def fold(events: Iterable[Event], case: Case | None = None) -> Case:
    """The case after these events, from nothing or from an earlier state of it; that is left as it was."""
    folded = Case()
    if case is not None:
        folded.CopyFrom(case)
    for event in events:
        apply(folded, event)
    return folded


def apply(case: Case, event: Event) -> None:
    """Change a case that nobody else holds."""
    name = event.WhichOneof("body") or ""
    case.seq = event.seq
    case.updated_at.seconds = event.at.seconds
    change = _CHANGES.get(name)
    if change is not None:
        change(case, event, getattr(event, name))
    effects.follow(case, event, name)
    if case.kind == Kind.KIND_INCIDENT:
        case.incident.waits_for[:] = awaited.waits_for(case)
