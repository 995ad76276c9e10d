"""A drill's scenario: read from its file, and checked for what only its meaning shows to be wrong."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from casetrail import short_forms, yaml_messages
from casetrail.broken_rules import broken_rules
from casetrail.file_problems import FieldPath, FileError, Finding, unknown_name
from casetrail.single_values import scalar
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event
from casetrail.v1.inject_pb2 import Inject
from casetrail.v1.scenario_pb2 import Answer, Delay, Expectation, Move, Participant, Scenario
from casetrail.words import words_of

EVENTS: Mapping[str, FieldDescriptor] = {field.name: field for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields}
"""The events that a scenario can name."""

_HINTS = {
    "casetrail.v1.Scenario.id": "small letters, digits, dots and dashes, for example system-failure",
    "casetrail.v1.Inject.id": "small letters, digits and dashes, for example outage",
    "casetrail.v1.Expectation.id": "small letters, digits and dashes, for example graded",
    "casetrail.v1.Participant.name": "a name without colons and @, for example duty-director",
}
# What a move's command takes from the event that it answers, and what is put there to check the rest.
_FILLED = {"task_id": "T1", "notice_id": "N1"}
_SHORTEST_SECONDS = 1


class ScenarioError(FileError):
    """A scenario that cannot be rehearsed."""


def load(path: Path, *, scale: float = 0) -> Scenario:
    """Read a scenario.

    Args:
        path: The file.
        scale: The scale that it is to run at, where that is not its own.

    Raises:
        ScenarioError: It is wrong somewhere; all problems, with their places.
    """
    reading = yaml_messages.read(path, Scenario, hints=_HINTS)
    problems = [*reading.problems, *reading.further(findings(reading.message, scale=scale))]
    if problems:
        raise ScenarioError(problems)
    return reading.message


def findings(scenario: Scenario, *, scale: float = 0) -> Iterator[Finding]:
    """What is wrong in a scenario that breaks no rule of the contract.

    Args:
        scenario: What is checked.
        scale: The scale that it is to run at, where that is not its own.
    """
    injects = {inject.id: inject for inject in scenario.injects}
    yield from _ids(scenario)
    for number, inject in enumerate(scenario.injects):
        yield from _inject(inject, injects, ("injects", number))
    yield from _faults(scenario.injects)
    for number, expectation in enumerate(scenario.expectations):
        yield from _expectation(expectation, injects, ("expectations", number))
    for number, participant in enumerate(scenario.participants):
        yield from _participant(participant, injects, ("participants", number))
    yield from _waits(scenario, scale or scenario.scale or 1)


def _ids(scenario: Scenario) -> Iterator[Finding]:
    """An id stands for one thing: what is expected is told apart from what happens."""
    seen: dict[str, str] = {}
    ids: dict[str, list[str]] = {
        "injects": [inject.id for inject in scenario.injects],
        "expectations": [expectation.id for expectation in scenario.expectations],
    }
    for field, named in ids.items():
        for number, name in enumerate(named):
            here = f"{field}[{number}]"
            if name and seen.setdefault(name, here) != here:
                yield Finding((field, number, "id"), f'"{name}" is the id of {seen[name]} already')
    names: set[str] = set()
    for number, participant in enumerate(scenario.participants):
        if participant.name in names:
            yield Finding(("participants", number, "name"), f'"{participant.name}" stands here twice')
        names.add(participant.name)


def _inject(inject: Inject, injects: Mapping[str, Inject], here: FieldPath) -> Iterator[Finding]:
    if not inject.HasField("at"):
        yield Finding((*here, "at"), "is missing; write when it happens, counted from the start, for example 10m")
    if not inject.HasField("message"):
        return
    path = (*here, "message", "to")
    yield from _brings_cases(inject.message.to, injects, path)
    to = injects.get(inject.message.to)
    if to is not None and inject.at.seconds < to.at.seconds:
        at, begins = (short_forms.duration_text(one.at.seconds) for one in (inject, to))
        yield Finding(path, f"comes at {at}, before {to.id} at {begins}")


def _faults(injects: Sequence[Inject]) -> Iterator[Finding]:
    """A system that is failing already: the end of that would end the second fault as well."""
    failing: dict[int, Inject] = {}
    faults = [(number, inject) for number, inject in enumerate(injects) if inject.HasField("fault")]
    for number, inject in sorted(faults, key=lambda fault: fault[1].at.seconds):
        before = failing.get(inject.fault.system)
        failing[inject.fault.system] = inject
        if before is None:
            continue
        begin, end = before.at.seconds, before.at.seconds + before.fault.lasts.seconds
        if inject.at.seconds <= end:
            span = f"from {short_forms.duration_text(begin)} to {short_forms.duration_text(end)}"
            yield Finding(("injects", number, "fault", "system"), f"is failing {span} already, by {before.id}")


def _expectation(expectation: Expectation, injects: Mapping[str, Inject], here: FieldPath) -> Iterator[Finding]:
    yield from unknown_name(expectation.after, injects, (*here, "after"))
    yield from _event(expectation.event, expectation.where, here, "event")
    if expectation.late_until.seconds and expectation.late_until.seconds < expectation.within.seconds:
        yield Finding((*here, "late_until"), "is shorter than within")
    if not expectation.of:
        return
    path = (*here, "of")
    yield from _brings_cases(expectation.of, injects, path)
    after, of = injects.get(expectation.after), injects.get(expectation.of)
    if after is None or of is None:
        return
    due = after.at.seconds + expectation.within.seconds
    if due <= of.at.seconds:
        ends, begins = short_forms.duration_text(due), short_forms.duration_text(of.at.seconds)
        yield Finding(path, f"is expected by {ends}, before its inject {of.id} happens at {begins}")
    most = of.wave.count if of.HasField("wave") else 1
    if expectation.count > most:
        yield Finding((*here, "count"), f"{expectation.count} is more than the cases that {of.id} brings, {most}")


def _participant(participant: Participant, injects: Mapping[str, Inject], here: FieldPath) -> Iterator[Finding]:
    yield from _delay(participant.delay, (*here, "delay"))
    for number, answer in enumerate(participant.answers):
        path = (*here, "answers", number)
        yield from _event(answer.to, answer.where, path, "to")
        if answer.of:
            yield from _brings_cases(answer.of, injects, (*path, "of"))
        yield from _delay(answer.delay, (*path, "delay"))
        yield from _move(answer.do, (*path, "do"))


def _delay(delay: Delay, here: FieldPath) -> Iterator[Finding]:
    if delay.HasField("p90") and delay.p90.seconds < delay.median.seconds:
        yield Finding((*here, "p90"), "is shorter than median; nine of ten cannot be faster than half")


def _event(name: str, where: Mapping[str, str], here: FieldPath, field: str) -> Iterator[Finding]:
    if name not in EVENTS:
        if name:
            yield Finding((*here, field), short_forms.unknown(name, EVENTS))
        return
    for path, word in sorted(where.items()):
        message = _wrong_word(EVENTS[name].message_type, path, word)
        if message:
            yield Finding((*here, "where", path), message, rests_on=((*here, field),))


def _wrong_word(body: Descriptor | None, path: str, word: str) -> str:
    """Why an event can never say this; nothing where it can."""
    field: FieldDescriptor | None = None
    for name in path.split("."):
        fields = body.fields_by_name if body is not None else {}
        if name not in fields:
            return short_forms.unknown(name, fields)
        field = fields[name]
        body = field.message_type
    if field is None or field.is_repeated or body is not None:
        return "is no single value of the event"
    known = words_of(field.enum_type) if field.enum_type is not None else []
    if known:
        return "" if word in known else short_forms.unknown(word, known)
    try:
        scalar(field, word)
    except ValueError as error:
        return str(error)
    return ""


def _move(move: Move, here: FieldPath) -> Iterator[Finding]:
    """What the command that a move becomes would be refused for."""
    name = move.WhichOneof("action")
    if name is None:
        return
    command = Command(case_id="INC-000", request_id="check")
    action: Any = getattr(command, name)
    action.SetInParent()
    action.CopyFrom(getattr(move, name))
    for field, value in _FILLED.items():
        if field in action.DESCRIPTOR.fields_by_name and not getattr(action, field):
            setattr(action, field, value)
    for finding in broken_rules(command, hints={}, leave_out=()):
        yield Finding((*here, *finding.path), finding.message)


def _brings_cases(name: str, injects: Mapping[str, Inject], path: FieldPath) -> Iterator[Finding]:
    yield from unknown_name(name, injects, path)
    inject = injects.get(name)
    if inject is not None and inject.WhichOneof("what") not in ("declare", "wave"):
        yield Finding(path, f"{name} brings no cases; name a declare or a wave")


def _waits(scenario: Scenario, scale: float) -> Iterator[Finding]:
    """Whatever somebody waits for takes at least a second of real time: Temporal has no shorter timers."""
    for path, seconds in _all_waits(scenario):
        if 0 < seconds < _SHORTEST_SECONDS * scale:
            text, real = short_forms.duration_text(seconds), seconds / scale
            message = f"{text} is {real:.3g} s of real time at a scale of {scale:g}; a wait takes a second at least"
            yield Finding(path, message, rests_on=(("scale",),))


def _all_waits(scenario: Scenario) -> Iterator[tuple[FieldPath, int]]:
    for number, inject in enumerate(scenario.injects):
        yield ("injects", number, "at"), inject.at.seconds
        for what in ("silence", "fault"):
            if inject.HasField(what):
                yield ("injects", number, what, "lasts"), getattr(inject, what).lasts.seconds
    for number, expectation in enumerate(scenario.expectations):
        yield ("expectations", number, "within"), expectation.within.seconds
    for number, participant in enumerate(scenario.participants):
        yield ("participants", number, "delay", "median"), participant.delay.median.seconds
        for place, answer in enumerate(participant.answers):
            yield from _answer_waits(answer, ("participants", number, "answers", place))


def _answer_waits(answer: Answer, here: FieldPath) -> Iterator[tuple[FieldPath, int]]:
    if answer.HasField("delay"):
        yield (*here, "delay", "median"), answer.delay.median.seconds
