"""Why an event happened, found in stories that the real rules have told."""

from collections.abc import Sequence

import pytest

from casetrail.causes import Link, causes, chain, policy_at, ruling, scripted_by
from casetrail.v1.effect_pb2 import CueSeen
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Role
from tests.audit.recorded import Recorded
from tests.audit.test_what_if import target
from tests.domain.rehearsal import Rehearsal
from tests.domain.story import OPENED, type_of


@pytest.fixture
def story() -> Recorded:
    return Recorded()


def history(story: Recorded) -> Sequence[Event]:
    for event in story.events:
        event.event_id = f"{event.case_id}:{event.seq}"
    return story.events


def last(story: Recorded, name: str) -> Event:
    return [event for event in history(story) if type_of(event) == name][-1]


def links(story: Recorded, name: str) -> list[tuple[Link, str]]:
    return [(cause.link, type_of(cause.event)) for cause in causes(last(story, name), story.events)]


def test_what_somebody_did_follows_from_nothing(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Good morning")

    assert links(story, "CaseOpened") == links(story, "Replied") == []


def test_a_clock_is_kept_by_what_came_before_it_in_the_same_request(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Good morning")

    assert links(story, "ClockMet") == [(Link.SAME_REQUEST, "Replied"), (Link.CLOCK, "ClockStarted")]


def test_a_breach_follows_from_its_clock_and_from_what_last_set_it(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+1h").agent().reply("What size?")
    story.at("+2h").agent().wait("customer")
    story.at("+3h").customer().receive_message("XL")
    story.wait("7d")

    breached = [event for event in history(story) if event.clock_breached.clock.name == "resolution"][-1]
    found = [(cause.link, type_of(cause.event)) for cause in causes(breached, story.events)]

    assert found == [(Link.LAST_MARK, "ClockResumed"), (Link.CLOCK, "ClockStarted")]


def test_a_step_of_the_ladder_follows_from_the_breach_and_the_next_from_the_step(story: Recorded) -> None:
    story.open("inquiry")
    story.wait("11m")

    first, second = [event for event in history(story) if type_of(event) == "EscalationStepped"][:2]

    assert [type_of(cause.event) for cause in causes(first, story.events)] == ["ClockBreached", "ClockStarted"]
    assert next(cause.event.seq for cause in causes(second, story.events)) == first.seq


def test_an_alert_follows_from_its_step_at_the_same_moment(story: Recorded) -> None:
    story.open("inquiry")
    story.wait("40s")

    assert links(story, "StaffAlerted") == [(Link.SAME_MOMENT, "EscalationStepped")]


def test_an_outcome_follows_from_its_demand(story: Recorded) -> None:
    story.open("inquiry")
    story.deliver("acknowledgement")

    assert links(story, "NotificationDelivered") == [(Link.DEMAND, "NotificationRequested")]


def test_what_lapses_follows_from_what_had_set_it_going(story: Recorded) -> None:
    story.open("inquiry")
    story.agent().resolve("Here it is")
    story.deliver("result")
    story.wait("30d")

    assert links(story, "ConfirmationLapsed") == [(Link.SET_GOING, "CustomerTold")]
    assert links(story, "SurveyLapsed") == [(Link.SET_GOING, "SurveySent")]
    assert links(story, "CaseClosed")[0] == (Link.SAME_MOMENT, "SurveyLapsed")


def test_the_chain_goes_back_to_what_somebody_did_and_tells_nothing_twice(story: Recorded) -> None:
    story.open("inquiry")
    story.wait("11m")

    steps = [cause.event.seq for cause in chain(last(story, "StaffAlerted"), history(story))]

    assert steps == sorted(set(steps), reverse=True)
    assert steps[-1] == 1


def test_every_event_of_a_case_leads_back_to_a_request(story: Recorded) -> None:
    story.open("return")
    story.outcome(
        "order_lookup", order_found={"order_id": "O-1", "state": "delivered", "paid_minor": 5000, "delivered_at": "-1d"}
    )
    story.agent().accept("We are looking into it.")
    story.at("+1d").customer().ship_back({"carrier": "sf", "tracking_no": "SF1"})
    story.wait("4d")
    story.at("+5d").agent().withdraw()

    for event in history(story):
        roots = [
            found for found in (event, *(c.event for c in chain(event, story.events))) if not found.HasField("due")
        ]
        assert roots, event


def test_a_clocks_event_rests_on_the_rule_that_its_clock_began_with(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Good morning")
    kept = last(story, "ClockMet")

    found = ruling(kept, story.events)

    assert found is not None
    assert (type_of(found), found.reason.rule) == ("ClockStarted", "clock.first_response")
    assert ruling(last(story, "Replied"), story.events) is None


def test_the_policy_is_the_one_that_held_then(story: Recorded) -> None:
    other = target("first_response", 20)
    story.open("inquiry")
    story.change_policy(other)
    story.agent().reply("Good morning")

    assert policy_at(story.events[0], history(story)).policy_id == "default-2026.2"
    assert policy_at(story.events[-1], story.events) == other.ref


# --- drills ---


@pytest.fixture
def rehearsal() -> Rehearsal:
    """A drill whose outage has happened, whose shop is down, and whose lead has something to answer."""
    drill = Rehearsal()
    drill.until(0)
    drill.made("outage", "INC-7")
    drill.made("shop-down")
    cue = CueSeen(move_id="duty-lead/0/INC-7:1", case_id="INC-7", event_id="INC-7:1")
    cue.happened_at.seconds = OPENED
    drill.report("observation", cue_seen=cue)
    return drill


def drill_links(rehearsal: Rehearsal, name: str) -> list[tuple[Link, str]]:
    for event in rehearsal.events:
        event.event_id = f"DRL-1:{event.seq}"
        event.key = event.key or f"r-{event.at.seconds}"
    asked = [event for event in rehearsal.events if type_of(event) == name][-1]
    return [(cause.link, type_of(cause.event)) for cause in causes(asked, rehearsal.events)]


@pytest.mark.parametrize(
    ("name", "minutes", "because"),
    [
        ("InjectRequested", 10, (Link.SCRIPT, "DrillStarted")),
        ("InjectMade", 0, (Link.DEMAND, "InjectRequested")),
        ("CueSeen", 0, (Link.SEEN, "ObservationRequested")),
        ("MoveRequested", 10, (Link.CUE, "CueSeen")),
        ("RestorationRequested", 60, (Link.FAULT, "InjectMade")),
        ("JudgementRequested", 61, (Link.SCRIPT, "DrillStarted")),
    ],
)
def test_what_the_script_of_a_drill_brings_follows_from_the_script(
    rehearsal: Rehearsal, name: str, minutes: int, because: tuple[Link, str]
) -> None:
    rehearsal.until(minutes)
    assert drill_links(rehearsal, name) == [because]


def test_an_inject_by_hand_is_somebodys_own_deed(rehearsal: Rehearsal) -> None:
    rehearsal.until(5)
    rehearsal.do(inject_by_hand={"inject": {"id": "extra", "title": "More", "wave": {"kind": "KIND_INQUIRY"}}})
    assert drill_links(rehearsal, "InjectRequested") == []


@pytest.mark.parametrize(
    ("key", "actor", "demand"),
    [
        ("DRL-1:9/move", Actor(name="omar", role=Role.ROLE_AGENT, via="DRL-1"), "DRL-1:9"),
        ("DRL-1:9/end", Actor(name="casetrail", role=Role.ROLE_SYSTEM), "DRL-1:9"),
        ("DRL-1:9/move", Actor(name="omar", role=Role.ROLE_AGENT, via="desk"), ""),
        ("r-1", Actor(name="omar", role=Role.ROLE_AGENT, via="DRL-1"), ""),
    ],
)
def test_what_a_drill_does_in_its_cases_is_told_from_what_people_do(key: str, actor: Actor, demand: str) -> None:
    assert scripted_by(Event(drill_id="DRL-1", key=key, actor=actor)) == demand
