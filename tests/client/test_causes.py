"""Why an event happened, found in stories that the real rules have told."""

from collections.abc import Sequence

import pytest

from casetrail.causes import Link, causes, chain, policy_at, ruling
from casetrail.v1.event_pb2 import Event
from tests.audit.recorded import Recorded
from tests.audit.test_what_if import target
from tests.domain.story import type_of


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
