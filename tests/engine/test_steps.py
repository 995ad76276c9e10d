"""What a case needs from Temporal, and what its workflow is told of it."""

from datetime import UTC, datetime, timedelta

import pytest

from audit.log import Need
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.workflow_pb2 import PendingEffect, Step
from domain.instants import to_datetime
from engine.steps import NOTHING, need_of, step_of
from tests.domain.story import OPENED, RULES, Story

CLOCK = f"{to_datetime(OPENED).astimezone(UTC):%Y-%m-%d}"


@pytest.fixture
def story() -> Story:
    return Story()


def told(story: Story) -> Step:
    return step_of(story.case, RULES)


def lines(story: Story) -> list[str]:
    return told(story).summary.split("\n")


def effect(story: Story, demand: str) -> PendingEffect:
    return next(each for each in told(story).effects if each.demand == demand)


def compressed(case: Case, scale: float) -> Case:
    case.time_base.CopyFrom(TimeBase(mode=TimeBase.MODE_SCALED, scale=scale))
    case.time_base.origin.seconds = OPENED
    return case


def test_a_case_needs_to_be_woken_when_time_brings_something_and_for_what_is_pending(story: Story) -> None:
    story.open("inquiry", customer={"customer_id": "c-1"})
    assert need_of(story.case) == Need(wake=to_datetime(OPENED + 30), effects=False)
    story.agent().track_parcel({"carrier": "sf", "tracking_no": "SF1"})
    assert need_of(story.case).effects
    story.customer().withdraw()
    assert need_of(story.case) == NOTHING


def test_a_case_on_an_importers_clock_needs_nothing(story: Story) -> None:
    story.open("inquiry", by="importer", source="INC1")
    assert story.pending()
    assert need_of(story.case) == NOTHING
    assert (told(story).HasField("next_wake"), list(told(story).effects), told(story).waits_for) == (False, [], "")


@pytest.mark.parametrize(
    ("since", "happens"),
    [
        ("0s", "first_response is due"),
        ("30s", "first_response is flagged"),
        ("60s", "first_response escalates"),
    ],
)
def test_a_workflow_is_told_what_it_waits_for(story: Story, since: str, happens: str) -> None:
    story.open("inquiry", customer={"customer_id": "c-1"})
    story.wait(since)
    assert told(story).waits_for == happens
    assert told(story).next_wake.ToDatetime(UTC) == need_of(story.case).wake


def test_what_happens_at_one_instant_is_told_together(story: Story) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    assert told(story).waits_for == "resolution warns"
    story.agent().wait("department", at_most="19h59m50s")
    assert told(story).waits_for == "resolution warns and wait ends"


def test_a_summary_says_how_the_case_stands(story: Story) -> None:
    story.open("inquiry")
    assert lines(story) == [
        "**Inquiry: opened**, round 1",
        f"- first_response is due {CLOCK} 02:00:30 UTC",
        f"- resolution is due {CLOCK.replace('13', '14')} 02:00:00 UTC",
        "- notification pending",
    ]
    story.agent().wait("customer")
    story.wait("40s")
    assert lines(story)[1:4] == [
        f"- waits for the customer since {CLOCK} 02:00:00 UTC",
        f"- first_response was breached {CLOCK} 02:00:30 UTC; step 1, team lead: not acknowledged",
        "- resolution stands still",
    ]
    story.team_lead().acknowledge()
    assert lines(story)[2].endswith("; step 1, team lead: acknowledged")


def test_a_summary_of_an_incident_names_its_level_and_what_it_waits_for(story: Story) -> None:
    story.declare()
    assert lines(story)[0] == "**Incident: declared**, round 1"
    assert "- waits for its level" in lines(story)
    story.lead().grade_incident(2)
    assert lines(story)[0] == "**Incident of level 2: graded**, round 1"
    assert told(story).incident_level == 2


def test_what_asks_again_says_how_often_in_real_time(story: Story) -> None:
    story.open("inquiry")
    story.agent().track_parcel({"carrier": "sf", "tracking_no": "SF1"})
    every = RULES.policy.track_every.ToTimedelta()
    assert effect(story, "tracking").every.ToTimedelta() == every
    assert not effect(story, "notification").HasField("every")
    for scale, real in ((60.0, every / 60), (1e9, timedelta(seconds=1))):
        [tracking] = [
            each for each in step_of(compressed(story.case, scale), RULES).effects if each.demand == "tracking"
        ]
        assert tracking.every.ToTimedelta() == real


def test_a_department_is_reminded_of_its_task(story: Story) -> None:
    story.declare(4)
    story.lead().grade_incident(4)
    assert effect(story, "task").every == RULES.policy.incidents.remind_every


def test_a_follow_up_call_is_not_asked_for_before_its_time(story: Story) -> None:
    story.open("complaint")
    story.agent().accept("Sorry")
    story.agent().investigate()
    story.agent().resolve("It was like this")
    story.deliver("result")
    opens = effect(story, "callback").not_before.ToDatetime(UTC)
    assert opens == datetime.fromtimestamp(story.case.callback.not_before.seconds, UTC)
    assert opens > to_datetime(story.now)
