"""What came from outside: the commands that recorded events were written for.

The log keeps what a command led to, not the command. Of a case's events

- those with a `due` were brought by time, and follow from the rules;
- the others were written for a request, whose id is their key: those that share one are what it led to. The first of
  them that a rule does not bring by itself names the *deed*: what a person did, or an outcome from outside. The rest
  (clocks, letters that are demanded, a rule's verdict, the closing) follows from it and the rules.

Where the events leave open what was asked (did the customer, or the policy, give the case its priority?), the policy is
given the benefit: what it would have decided by itself counts as left to it. Nothing is believed of a command until the
rules under which it was decided make the recorded events of it again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from audit.asked import candidates, is_outcome
from casetrail.v1.case_pb2 import Case, PolicyRef
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event
from domain import Rejected, Rulebook, act, fold
from domain.instants import Instant, instant

RulesOf = Callable[[PolicyRef], Rulebook]

# What the log gives an event, or a caller its command: no part of what was decided.
_NOT_DECIDED: Final = (
    "position",
    "event_id",
    "recorded_at",
    "erased",
    "key",
    "previous_hash",
    "hash",
    "source_activity",
)

_ACTIONS: Final = {
    type(getattr(Command(), field.name)): field.name for field in Command.DESCRIPTOR.oneofs_by_name["action"].fields
}


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person or the world outside did.

    Attributes:
        command: What was asked; None when no command is found that leads to what is recorded.
        at: When, in case time.
        seq: The first event that it led to.
        answers: For an outcome, the seq of the event that demanded it; else 0.
    """

    command: Command | None
    at: Instant
    seq: int
    answers: int = 0


def deeds(events: Sequence[Event], rules_of: RulesOf) -> Iterator[Deed]:
    """Everything that was done to a case from outside, in order.

    Args:
        events: All events of the case.
        rules_of: The policies that it was under.
    """
    case: Case | None = None
    place = 0
    while place < len(events):
        group = _written_for_one(events, place)
        if group:
            yield _deed(case, group, events[place:], rules_of)
        step = group or events[place : place + 1]
        case = fold(step, case)
        place += len(step)


def _written_for_one(events: Sequence[Event], place: int) -> Sequence[Event]:
    """The events from a place on that were written for one request; none where time brought the first of them."""
    end = place
    while end < len(events) and not events[end].HasField("due") and events[end].key == events[place].key:
        end += 1
    return events[place:end]


def _deed(case: Case | None, group: Sequence[Event], rest: Sequence[Event], rules_of: RulesOf) -> Deed:
    first, at = group[0], instant(group[-1].at)
    before = case or Case()
    answers = _answered(group)
    for action in candidates(before, group):
        command = Command(case_id=first.case_id, request_id=first.key, actor=first.actor)
        getattr(command, _ACTIONS[type(action)]).CopyFrom(action)
        if _leads_to(case, command, at, rest, rules_of):
            return Deed(command, at, first.seq, answers)
    return Deed(None, at, first.seq, answers)


def _leads_to(case: Case | None, command: Command, at: Instant, recorded: Sequence[Event], rules_of: RulesOf) -> bool:
    """Whether the rules of the record make the recorded events of a command."""
    ref = case.policy if case is not None else recorded[0].case_opened.policy
    after = rules_of(_policy_after(recorded)) if command.HasField("change_policy") else None
    try:
        made = act(case, command, at, rules_of(ref), rules_after=after)
    except Rejected:
        return False
    return [_decided(event) for event in made] == [_decided(event) for event in recorded[: len(made)]]


def _decided(event: Event) -> Event:
    decided = Event()
    decided.CopyFrom(event)
    for name in _NOT_DECIDED:
        decided.ClearField(name)
    return decided


def _policy_after(group: Iterable[Event]) -> PolicyRef:
    return next(event.policy_changed.policy for event in group if event.HasField("policy_changed"))


def _answered(group: Sequence[Event]) -> int:
    first = group[0]
    if not is_outcome(first):
        return 0
    effect_id: str = getattr(first, first.WhichOneof("body") or "").effect_id
    return int(effect_id.rpartition(":")[2])
