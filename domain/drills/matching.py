"""Which events meet an expectation, or are a cue for somebody to answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from casetrail.v1.drill_pb2 import DrillExpectation
from casetrail.v1.event_pb2 import Event
from casetrail.v1.scenario_pb2 import Answer, Expectation
from domain.instants import Instant
from domain.words import prefix_of


@dataclass(frozen=True, slots=True)
class History:
    """What happened in one case of a drill.

    Attributes:
        inject_id: The inject that brought the case; empty when a person did.
        events: In order.
    """

    inject_id: str
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an expectation was met.

    Attributes:
        verdict: Met, late, or missed.
        event_ids: The events that prove it; for a missed one, what there was of it.
        met_at: When the last of them happened; None for a missed one.
    """

    verdict: DrillExpectation.Verdict.ValueType
    event_ids: tuple[str, ...]
    met_at: Instant | None


def judge(
    expectation: Expectation, planned: DrillExpectation, begins: Instant, histories: Iterable[History]
) -> Judgement:
    """How an expectation was met by what happened in the drill's cases.

    Args:
        expectation: What is expected.
        planned: By when.
        begins: When the inject happens after which it is expected.
        histories: What happened.
    """
    first = sorted(_first_of_each_case(expectation, begins, planned.expires_at.seconds, histories))
    needed = first[: expectation.count or 1]
    proof = tuple(event_id for _, event_id in needed)
    if len(needed) < (expectation.count or 1):
        return Judgement(DrillExpectation.VERDICT_MISSED, proof, None)
    met_at = needed[-1][0]
    late = met_at > planned.due_at.seconds
    return Judgement(DrillExpectation.VERDICT_LATE if late else DrillExpectation.VERDICT_MET, proof, met_at)


def points(expectation: Expectation, verdict: DrillExpectation.Verdict.ValueType) -> int:
    """What a verdict scores: late is half, in whole points."""
    if verdict == DrillExpectation.VERDICT_MET:
        return expectation.score
    return expectation.score // 2 if verdict == DrillExpectation.VERDICT_LATE else 0


def meets(expectation: Expectation, inject_id: str, event: Event) -> bool:
    """Whether an event is what is expected, whenever it happens.

    Args:
        expectation: What is expected.
        inject_id: The inject that brought the event's case.
        event: What happened.
    """
    if expectation.of and expectation.of != inject_id:
        return False
    if expectation.by and event.actor.role not in expectation.by:
        return False
    return _says(event, expectation.event, expectation.where)


def is_cue(answer: Answer, inject_id: str, event: Event) -> bool:
    """Whether an event is one that an answer is to."""
    return (not answer.of or answer.of == inject_id) and _says(event, answer.to, answer.where)


def _first_of_each_case(
    expectation: Expectation, begins: Instant, ends: Instant, histories: Iterable[History]
) -> Iterable[tuple[Instant, str]]:
    for history in histories:
        for event in history.events:
            if begins <= event.at.seconds <= ends and meets(expectation, history.inject_id, event):
                yield event.at.seconds, event.event_id
                break


def _says(event: Event, name: str, where: Mapping[str, str]) -> bool:
    if event.WhichOneof("body") != name:
        return False
    body = getattr(event, name)
    return all(word_at(body, path) == wanted for path, wanted in where.items())


def word_at(body: Message, path: str) -> str | None:
    """What a message says under a dotted path, in the words of a scenario; None where it has no such field."""
    value: Any = body
    field: Any = None
    for name in path.split("."):
        if not isinstance(value, Message) or name not in value.DESCRIPTOR.fields_by_name:
            return None
        field, value = value.DESCRIPTOR.fields_by_name[name], getattr(value, name)
    if field is None or field.is_repeated or isinstance(value, Message):
        return None
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name.removeprefix(prefix_of(field.enum_type)).lower() if known else str(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
