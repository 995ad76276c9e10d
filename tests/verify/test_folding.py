"""The verifier knows only the written formats, and folds whatever can happen to a case as the service does."""

import random
from collections.abc import Sequence

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message as Proto
from hypothesis import settings

from casetrail.v1.case_pb2 import Case, DecisionRequest, PolicyRef
from casetrail.v1.event_pb2 import Event
from casetrail.v1.incident_pb2 import Incident
from casetrail.v1.scenario_pb2 import Answer, Participant, Scenario
from casetrail_verify import folding
from casetrail_verify.folding import Folded
from casetrail_verify.wire import Message, WireError
from domain import evolve
from domain.drills import script
from tests.domain.test_machine import Machine

BODIES = {
    field.message_type.name: field
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type is not None
}
OF_CLOCKS = {"ClockBreached", "ClockMet", "EscalationStepped"}
STORIES = 2000
PARTS: dict[str, Sequence[Proto]] = {
    "policy": [PolicyRef(policy_id="p-1", digest="ab")],
    "request": [
        DecisionRequest(subject=DecisionRequest.SUBJECT_SETTLEMENT),
        DecisionRequest(subject=DecisionRequest.SUBJECT_REMEDY),
    ],
    "incident": [Incident(level=1)],
}


def type_of(event: Event) -> str:
    number = Event.DESCRIPTOR.fields_by_name[event.WhichOneof("body") or ""].number
    return next(name for name, field in BODIES.items() if field.number == number)


def of_body(type_: str) -> Descriptor:
    described = BODIES[type_].message_type
    assert described is not None
    return described


def payload(event: Event) -> bytes:
    """What the log keeps of it."""
    kept = Event(source_activity=event.source_activity, reason=event.reason)
    name = event.WhichOneof("body") or ""
    getattr(kept, name).CopyFrom(getattr(event, name))
    return kept.SerializeToString()


def differences(case: Case, events: Sequence[Event]) -> list[str]:
    folded = Folded()
    for event in events:
        if type_of(event) in folding.TYPES:
            folded.apply(folding.step(type_of(event), event.at.seconds, payload(event)))
    return folded.differences(folding.listed(Message(case.SerializeToString())), events[-1].at.seconds)


class Folding(Machine):
    """A case that anything may happen to, folded by the verifier in the end."""

    def teardown(self) -> None:
        super().teardown()
        if self.story.told:
            assert differences(self.story.case, self.story.events) == []


Folding.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestFolding = Folding.TestCase


def numbers_of(type_: str) -> list[int]:
    """Of the fields that the fold reads in a body."""
    return sorted({each if isinstance(each, int) else each[0] for each in folding._CHANGES[type_].reads})


def any_event(type_: str, seq: int, chance: random.Random) -> Event:
    """An event that says anything in the fields that the fold reads, whether the rules would bring it or not."""
    event = Event(case_id="INQ-1", seq=seq)
    event.at.seconds = 1_790_000_000 + seq
    field = BODIES[type_]
    body = getattr(event, field.name)
    body.SetInParent()
    for number in numbers_of(type_):
        read = of_body(type_).fields_by_number[number]
        if read.message_type is not None:
            if chance.random() < 0.5:
                getattr(body, read.name).MergeFrom(chance.choice(PARTS[read.name]))
                getattr(body, read.name).SetInParent()
        elif read.type == read.TYPE_STRING:
            setattr(body, read.name, chance.choice(["", "a", "b"]))
        elif read.type == read.TYPE_BOOL:
            setattr(body, read.name, chance.random() < 0.5)
        else:
            setattr(body, read.name, chance.randrange(6))
    return event


def any_story(chance: random.Random) -> tuple[Case, list[Event]]:
    case, events = Case(), list[Event]()
    # The last two change a stage only in a certain one before: they are to meet more often than by chance.
    types = [*sorted(folding.TYPES - {"CaseOpened"}), *(("Resolved", "CustomerTold") * 5)]
    for type_ in ["CaseOpened", *chance.choices(types, k=chance.randint(1, 8))]:
        event = any_event(type_, len(events) + 1, chance)
        try:
            case = evolve(case, event)
        except (LookupError, StopIteration):
            continue  # it needs a clock or a parcel that the case does not have
        events.append(event)
    return case, events


def test_any_order_of_events_is_folded_as_the_service_folds_it() -> None:
    chance = random.Random(1)
    for _ in range(STORIES):
        case, events = any_story(chance)
        assert differences(case, events) == []


@pytest.mark.parametrize("type_", sorted(BODIES.keys() - folding.TYPES))
def test_what_the_fold_leaves_out_changes_none_of_its_facts(type_: str) -> None:
    chance = random.Random(1)
    for _ in range(20):
        case, events = any_story(chance)
        give_parts_without_a_name(case)
        event = Event(case_id="INQ-1", seq=len(events) + 1)
        event.at.seconds = 1_790_000_000 + event.seq
        getattr(event, BODIES[type_].name).SetInParent()
        if type_ == "CueSeen":
            event.cue_seen.move_id = script.move_id("/0", "INQ-1:1")
        assert differences(evolve(case, event), [*events, event]) == []


def give_parts_without_a_name(case: Case) -> None:
    """An event that says nothing is about these."""
    case.clocks.add()
    case.parcels.add()
    case.incident.tasks.add()
    case.incident.notices.add()
    case.drill.injects.add().inject.SetInParent()
    case.drill.expectations.add()
    case.drill.scenario = Scenario(participants=[Participant(answers=[Answer()])]).SerializeToString()


@pytest.mark.parametrize("type_", sorted(folding.TYPES - {"CaseOpened"} - OF_CLOCKS))
def test_no_change_of_the_fold_can_be_left_out(type_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `CaseOpened` there is no case; what needs a clock is for the machine above."""
    monkeypatch.setitem(folding._CHANGES, type_, folding._CHANGES[type_]._replace(change=lambda *_: None))
    chance = random.Random(1)

    assert any(differences(*any_story(chance)) for _ in range(STORIES))


@pytest.mark.parametrize("type_", sorted(folding.TYPES))
def test_the_fold_reads_fields_that_the_contract_has(type_: str) -> None:
    change = folding._CHANGES[type_]

    assert type_ in BODIES
    if change.reads:
        assert BODIES[type_].number == change.body
        assert set(numbers_of(type_)) <= {field.number for field in of_body(type_).fields}


def test_the_fold_names_its_facts_as_the_contract_does() -> None:
    names = {field.number: field.name for field in Case.DESCRIPTOR.fields}
    differing = {number: name for number, name in folding.NAMES.items() if names[number] != name}

    assert differing == {folding.ORDER: "order", folding.DRILL: "drill"}
    assert names[folding.COUNTERS] == "counters"


def test_what_is_no_event_of_its_type_is_refused() -> None:
    with pytest.raises(WireError, match="another body than 20"):
        folding.step("CaseOpened", 1_795_334_400, b"\x82\x01\x02hi")
