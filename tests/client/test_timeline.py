"""What a person reads of a case."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.sentences import SENTENCES, Sentence, Weight
from casetrail.timeline import event_type, heading, standing, tell
from casetrail.v1.case_pb2 import Case, Customer, TimeBase, Waiting
from casetrail.v1.clock_pb2 import Climb, Clock, PausedTime, Reckoning
from casetrail.v1.effect_pb2 import Effect, Purpose, RefundRequested, StaffReached, StaffUnreachable
from casetrail.v1.event_pb2 import (
    CaseClosed,
    CaseOpened,
    ClockBreached,
    ClockMet,
    ClockMetLate,
    ClockPaused,
    ClockRebased,
    ClockStarted,
    CustomerTold,
    EscalationStepped,
    Event,
    IncidentGraded,
    Rated,
    Replied,
    SettlementProposed,
)
from casetrail.v1.types_pb2 import (
    Actor,
    Cause,
    Channel,
    Kind,
    Priority,
    Remedy,
    RemedyKind,
    Role,
    Stage,
    Words,
)

NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
DAY = 86400
AMY = Actor(name="amy", role=Role.ROLE_AGENT)
ENGINE = Actor(name="casetrail", role=Role.ROLE_SYSTEM)
FIELDS = {
    field.message_type.name: field.name
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type
}


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=NOON + seconds)


def event(seconds: int, body: Message, actor: Actor = AMY, *, timed: bool = False) -> Event:
    made = Event(case_id="INQ-1", at=at(seconds), actor=actor, due=at(seconds) if timed else None)
    getattr(made, FIELDS[body.DESCRIPTOR.name]).CopyFrom(body)
    getattr(made, FIELDS[body.DESCRIPTOR.name]).SetInParent()
    return made


def told(*events: Event) -> list[str]:
    return [str(line).strip() for line in tell(events, UTC, at(0))]


def what(body: Message) -> str:
    return next(tell([event(0, body)], UTC)).what


def test_a_case_reads_as_its_story() -> None:
    first_response = Reckoning(name="first_response", clock_id="first_response#1", target_seconds=600)
    met = Reckoning(name="first_response", elapsed_seconds=30, target_seconds=600)
    late = Reckoning(
        name="resolution",
        elapsed_seconds=90_000,
        target_seconds=DAY,
        paused=[PausedTime(cause=Cause.CAUSE_CUSTOMER, seconds=7200)],
    )
    opened = CaseOpened(
        kind=Kind.KIND_INQUIRY, channel=Channel.CHANNEL_EMAIL, subject="Where is my parcel?", order_id="O-7"
    )
    started = Clock(name="first_response", target_seconds=600, due_at=at(600))
    stepped = EscalationStepped(
        clock_name="first_response",
        step=1,
        role=Role.ROLE_TEAM_LEAD,
        why=Climb.WHY_BREACHED,
        next_at=at(DAY + 900),
    )
    story = told(
        event(0, opened, Actor(name="customer", role=Role.ROLE_CUSTOMER)),
        event(0, ClockStarted(clock=started), ENGINE),
        event(30, ClockMet(clock=met), ENGINE),
        event(30, Replied(words=Words(text="We are asking\nthe carrier."))),
        event(600, ClockBreached(clock=first_response, ladder="service"), ENGINE, timed=True),
        event(600, stepped, ENGINE, timed=True),
        event(605, StaffReached(role=Role.ROLE_TEAM_LEAD, people=["lee", "kim"]), ENGINE),
        event(DAY + 3720, ClockMetLate(clock=late, late_seconds=3600), ENGINE),
        event(DAY + 3720, ClockPaused(clock=late, cause=Cause.CAUSE_CARRIER), ENGINE),
        event(400 * DAY, CustomerTold(purpose=Purpose.PURPOSE_RESULT, channel=Channel.CHANNEL_EMAIL), ENGINE),
    )
    assert story == [
        "+00:00:00  22 Nov 12:00:00  customer              inquiry opened by email: “Where is my parcel?”, order O-7",
        "+00:00:00  22 Nov 12:00:00  engine                clock first response starts: 10m, due 12:10:00",
        "+00:00:30  22 Nov 12:00:30  engine                clock first response met in 30s, 9m30s to spare",
        "+00:00:30  22 Nov 12:00:30  amy (agent)           replied: “We are asking the carrier.”",
        "+00:10:00  22 Nov 12:10:00  time                  clock first response BREACHED: 10m are over",
        (
            "+00:10:00  22 Nov 12:10:00  time                  escalation of first response, step 1, to the team lead: "
            "the promise was not kept; next step 23 Nov 12:15:00"
        ),
        "+00:10:05  22 Nov 12:10:05  engine                reached lee, kim (team lead)",
        (
            "+1d 01:02  23 Nov 13:02:00  engine                clock resolution met 1h late, after 1d1h of 1d; "
            "stood 2h for the customer"
        ),
        (
            "+1d 01:02  23 Nov 13:02:00  engine                clock resolution stands: waiting for the carrier; "
            "1d1h counted"
        ),
        "+400d 00:00  27 Dec 12:00:00  engine                the customer was told the result by email",
    ]


@pytest.mark.parametrize(
    ("body", "weight"),
    [
        (Rated(satisfied=True, score=5), Weight.GOOD),
        (Rated(satisfied=False), Weight.BAD),
        (ClockStarted(), Weight.QUIET),
        (ClockBreached(), Weight.BAD),
        (Replied(), Weight.SPOKEN),
    ],
)
def test_lines_weigh_as_much_as_what_they_tell(body: Message, weight: Weight) -> None:
    assert next(tell([event(0, body)], UTC)).weight is weight


def test_what_is_not_there_is_left_out() -> None:
    assert what(CaseClosed()) == "closed"
    assert what(Replied()) == "replied"
    assert what(StaffUnreachable(role=Role.ROLE_DIRECTOR)) == "nobody reached as director"


def test_a_score_of_zero_is_none_but_a_recommendation_of_zero_is_one() -> None:
    assert what(Rated(recommend=0)) == "the customer is DISSATISFIED, recommends 0 of 10"


def test_what_has_not_changed_is_not_told_as_a_change() -> None:
    assert what(IncidentGraded(level=1, old_level=2)) == "graded 1, it was 2"
    assert what(IncidentGraded(level=2, old_level=2)) == "graded 2"
    task = Reckoning(name="task", subject="T1", target_seconds=3600)
    assert what(ClockRebased(clock=task, old_target_seconds=7200)) == "clock task T1 changes from 2h to 1h"
    still = ClockRebased(clock=task, old_target_seconds=3600, ladder="incident_major")
    assert what(still) == "clock task T1 is still 1h, on the ladder incident major"


def test_a_remedy_is_told_with_its_amount() -> None:
    refund = Remedy(kind=RemedyKind.REMEDY_KIND_REFUND, amount_minor=1_234_500, currency="CNY")
    assert what(SettlementProposed(remedy=refund)) == "proposed refund of 12,345.00 CNY"
    exchange = Remedy(kind=RemedyKind.REMEDY_KIND_EXCHANGE, sku="MUG-01")
    assert what(SettlementProposed(remedy=exchange)) == "proposed exchange with 1 × MUG-01"


def test_a_customers_text_cannot_command_the_terminal_or_break_the_line() -> None:
    line = what(Replied(words=Words(text="red \x1b[31m bell\a \u202e over\r\n" + "x" * 500)))
    assert line.isprintable()
    assert len(line) < 200


def test_an_event_of_a_newer_contract_is_told_as_unknown() -> None:
    strange = Event.FromString(event(5, Replied()).SerializeToString().replace(b"\x82\x02\x00", b"\xfa\x3e\x00"))
    strange.ClearField("body")
    (line,) = tell([strange], UTC, at(0))
    assert "does not know" in line.what
    assert event_type(strange) == "Unknown"


def test_a_type_is_the_name_of_the_body() -> None:
    assert event_type(event(0, ClockBreached())) == "ClockBreached"


def test_without_an_opening_lines_do_not_say_how_long_ago_it_was() -> None:
    (line,) = tell([event(5, Replied())], UTC)
    assert line.since == ""


def test_without_an_opening_lines_say_of_which_year_they_are() -> None:
    (alone,) = tell([event(5, Replied())], UTC)
    (of_a_case,) = tell([event(5, Replied())], UTC, at(0))
    assert (alone.when, of_a_case.when) == ("22 Nov 2026 12:00:05", "22 Nov 12:00:05")


def test_times_are_those_of_the_readers_zone() -> None:
    (line,) = tell([event(0, Replied())], timezone(timedelta(hours=8)), at(0))
    assert line.when == "22 Nov 20:00:00"


CASE = Case(
    case_id="INQ-1",
    kind=Kind.KIND_INQUIRY,
    stage=Stage.STAGE_IN_PROGRESS,
    round=2,
    subject="Where is my parcel?",
    customer=Customer(customer_id="C-1001"),
    priority=Priority.PRIORITY_HIGH,
    order_id="O-7",
    owner="amy",
    opened_at=at(0),
    time_base=TimeBase(mode=TimeBase.MODE_SCALED, scale=3600),
    waiting=Waiting(cause=Cause.CAUSE_CUSTOMER),
    clocks=[
        Clock(
            name="first_response",
            state=Clock.STATE_RUNNING,
            breached=True,
            elapsed_seconds=60,
            target_seconds=30,
            due_at=at(30),
        )
    ],
    pending_effects=[Effect(effect_id="INQ-1:9", refund=RefundRequested())],
)


def test_the_heading_says_what_the_case_is() -> None:
    assert list(heading(CASE, UTC)) == [
        "INQ-1  inquiry, in progress, round 2",
        "  “Where is my parcel?”",
        "  customer C-1001 · priority high · order O-7 · with amy · waiting for the customer",
        "  opened Sun 22 Nov 2026 12:00:00 UTC · times are case time, which runs 3600 times as fast as real time",
    ]


def test_the_standing_says_what_is_promised_and_what_is_still_to_be_done() -> None:
    assert list(standing(CASE, UTC)) == [
        "  clock first response: running, BREACHED, 1m of 30s counted, due 22 Nov 12:00:30",
        "  to be done: refund (INQ-1:9)",
    ]


# The table


def sentences() -> Iterator[tuple[str, Sentence]]:
    for name, alternatives in SENTENCES.items():
        for sentence in alternatives:
            yield name, sentence


def test_every_event_of_the_contract_has_a_sentence() -> None:
    assert set(SENTENCES) == set(FIELDS)


def test_the_last_sentence_of_every_event_always_fits() -> None:
    assert [name for name, alternatives in SENTENCES.items() if alternatives[-1].when] == []


@pytest.mark.parametrize(("name", "sentence"), list(sentences()))
def test_a_sentence_speaks_only_of_fields_that_its_event_has(name: str, sentence: Sentence) -> None:
    body = getattr(Event(), FIELDS[name])
    path, differs, other = sentence.when.partition("!=")
    asked = [path, other] if differs else [path.partition("=")[0]]
    for path in [*re.findall(r"\{([\w.]+)", sentence.text), *filter(None, asked)]:
        message = body
        for step in path.split("."):
            assert step in message.DESCRIPTOR.fields_by_name, path
            message = getattr(message, step)


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_an_event_without_anything_in_it_can_be_told(name: str) -> None:
    line = what(getattr(Event(), FIELDS[name]))
    assert line
    assert not set("[]{}") & set(line)


def test_what_was_erased_is_told_as_erased() -> None:
    erased = Event(erased=True, replied=Replied())
    (line,) = tell([erased], UTC)
    assert line.what.endswith("(personal data erased)")
    assert any("personal data erased" in line for line in heading(Case(case_id="INQ-1", erased=True), UTC))
