"""How often promises were given in a run, and how far the ladders of the broken ones were climbed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role

# What tells whether promises were kept, and how far their ladders were climbed.
OF_PROMISES = frozenset(
    {
        "clock_started",
        "clock_met",
        "clock_met_late",
        "clock_cancelled",
        "clock_breached",
        "escalation_stepped",
        "escalation_acknowledged",
    }
)


@dataclass(frozen=True, slots=True)
class Climb:
    """A promise that was broken, and how far its ladder was climbed.

    Attributes:
        clock: The promise.
        roles: To whom each step went.
        answered: Whether somebody acknowledged the last one, or kept the promise late.
    """

    clock: str
    roles: tuple[Role.ValueType, ...]
    answered: bool


def promises_in(events: Iterable[Event]) -> tuple[Counter[str], list[Climb]]:
    """How often each promise was given in a case, and how far the ladders of those that were broken were climbed.

    Args:
        events: Of one case, those of `OF_PROMISES`.
    """
    names: dict[str, str] = {}
    steps: dict[str, list[Role.ValueType]] = {}
    answered: set[str] = set()
    for event in events:
        match event.WhichOneof("body"):
            case "clock_started":
                clock = event.clock_started.clock
                names[clock.clock_id] = clock.name
            case "clock_breached":
                steps.setdefault(event.clock_breached.clock.clock_id, [])
            case "escalation_stepped":
                steps.setdefault(event.escalation_stepped.clock_id, []).append(event.escalation_stepped.role)
            case "escalation_acknowledged":
                answered.add(event.escalation_acknowledged.clock_id)
            case "clock_met":
                answered.add(event.clock_met.clock.clock_id)
            case "clock_met_late":
                answered.add(event.clock_met_late.clock.clock_id)
            case "clock_cancelled":
                answered.add(event.clock_cancelled.clock.clock_id)
    climbs = [
        Climb(names[clock_id], tuple(roles), clock_id in answered)
        for clock_id, roles in steps.items()
        if clock_id in names
    ]
    return Counter(names.values()), climbs
