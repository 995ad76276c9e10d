"""Inquiries: answered, waited for, told, confirmed, asked, closed."""

from collections.abc import Callable

import pytest

from tests.domain.story import CUSTOMER, Story, refused

MAILLESS = {"customer_id": "c-1"}


def test_an_inquiry_from_question_to_satisfied_customer(story: Story) -> None:
    assert story.open("inquiry") == ["CaseOpened", "ClockStarted", "ClockStarted", "NotificationRequested"]
    assert story.clocks() == {"first_response": "30s", "resolution": "1d"}
    assert story.at("+10s").agent("amy").assign("amy") == ["Assigned"]
    assert story.stage == "accepted"
    assert story.at("+20s").agent("amy").reply("Good morning") == ["Replied", "ClockMet"]
    assert story.stage == "in_progress"
    assert story.at("+1h").agent("amy").resolve("Here is how") == [
        "Resolved", "ClockMet", "ClockStarted", "NotificationRequested",
    ]  # fmt: skip
    assert story.stage == "resolved"
    assert story.deliver("result") == ["NotificationDelivered", "CustomerTold", "ClockMet"]
    assert story.stage == "told"
    assert story.at("+2h").customer().confirm() == ["Confirmed", "SurveySent", "NotificationRequested"]
    assert story.at("+3h").customer().rate(satisfied=True, score=5) == ["Rated", "CaseClosed"]
    assert story.stage == "closed"
    assert story.case.closure.how == story.case.closure.HOW_SATISFIED
    assert story.wake is None


def test_an_answer_from_the_faq_is_no_reply_by_a_person(story: Story) -> None:
    story.open("inquiry")
    assert story.at("+5s").acting("service").offer_answer("faq-7", words="Have you tried this?") == ["AnswerOffered"]
    assert story.clock("first_response") == "running"
    story.wait("25s")
    assert story.times("ClockBreached", "first_response") == ["30s"]


def test_a_letter_that_the_engine_writes_by_itself_is_no_reply_by_a_person(story: Story) -> None:
    story.open("inquiry", channel="email")
    story.deliver("acknowledgement")
    assert story.clock("first_response") == "running"


@pytest.mark.parametrize(
    ("after", "state", "late"),
    [("+29s", "met", None), ("+30s", "late", 0), ("+31s", "late", 1), ("+90s", "late", 60)],
)
def test_a_reply_in_the_second_in_which_it_was_due_is_late(
    story: Story, after: str, state: str, late: int | None
) -> None:
    story.open("inquiry")
    story.at(after).agent().reply("Good morning")
    assert story.clock("first_response") == state
    assert [body.late_seconds for body in story.bodies("ClockMetLate")] == ([] if late is None else [late])


@pytest.mark.parametrize(
    ("channel", "due"),
    [("chat", "30s"), ("app", "30s"), ("phone", "30s"), ("email", "10m"), ("social", "10m"), ("web", "10m")],
)
def test_the_channel_says_how_soon_the_first_reply_is_due(story: Story, channel: str, due: str) -> None:
    story.open("inquiry", channel=channel)
    assert story.due("first_response") == due


@pytest.mark.parametrize(("channel", "due"), [("chat", "1h1m"), ("email", "1h15m")])
def test_every_message_is_answered_in_time_of_its_channel(story: Story, channel: str, due: str) -> None:
    story.open("inquiry", channel=channel)
    story.at("+5s").agent().reply("Good morning")
    assert story.at("+1h").customer().receive_message("And this?") == ["MessageReceived", "ClockStarted"]
    assert story.due("next_response") == due


def test_a_second_message_does_not_move_the_answer_that_is_owed_to_the_first(story: Story) -> None:
    story.open("inquiry")
    assert story.at("+5s").customer().receive_message("Hello?") == ["MessageReceived"]
    story.at("+9s").agent().reply("Good morning")
    story.at("+1h").customer().receive_message("And this?")
    assert story.at("+1h20s").customer().receive_message("Hello?") == ["MessageReceived"]
    assert story.due("next_response") == "1h1m"


def test_a_slow_first_reply_is_marked_for_quality_review(story: Story) -> None:
    story.open("inquiry")
    story.at("+59s").agent().note("looking it up")
    assert not story.case.quality_flags
    story.wait("1s")
    assert story.times("ClockFlagged") == ["1m"]
    assert list(story.case.quality_flags) == ["slow first_response"]


@pytest.mark.parametrize(
    ("words", "state"), [("Reset it like this", "met"), (None, "running")], ids=["with words", "without"]
)
def test_a_solution_answers_the_customer_when_it_has_words(story: Story, words: str | None, state: str) -> None:
    story.open("inquiry")
    said = {"words": words} if words else {}
    story.at("+5s").agent().resolve(**said)
    assert story.clock("first_response") == state


@pytest.mark.parametrize(
    ("cause", "state"),
    [("customer", "paused"), ("vendor", "paused"), ("carrier", "paused"), ("department", "running")],
)
def test_a_wait_for_our_own_department_never_stops_a_promise_to_the_customer(
    story: Story, cause: str, state: str
) -> None:
    story.open("inquiry")
    story.at("+5s").agent().reply("Good morning")
    story.at("+1h").agent().wait(cause, party="somebody")
    assert story.clock("resolution") == state
    story.at("+3h").agent().resume()
    assert story.clock("resolution") == "running"
    assert story.due("resolution") == ("1d2h" if state == "paused" else "1d")


def test_no_wait_stops_an_answer_that_is_owed(story: Story) -> None:
    story.open("inquiry")
    story.agent().wait("customer")
    assert story.clock("first_response") == "running"


def test_the_customers_answer_ends_the_wait_for_it(story: Story) -> None:
    story.open("inquiry")
    story.at("+5s").agent().reply("Which order?")
    story.at("+1h").agent().wait("customer")
    types = story.at("+5h").customer().receive_message("O-1")
    assert types == ["MessageReceived", "ClockStarted", "WaitEnded", "ClockResumed"]
    assert [(entry.cause, entry.seconds) for entry in story.find("resolution").paused] == [(1, 4 * 3600)]


def test_a_wait_for_somebody_else_is_not_ended_by_a_message(story: Story) -> None:
    story.open("inquiry")
    story.at("+5s").agent().reply("We ask the vendor")
    story.at("+1h").agent().wait("vendor")
    story.at("+2h").customer().receive_message("Any news?")
    assert story.case.HasField("waiting")


def test_a_wait_ends_by_itself_when_it_has_lasted_long_enough(story: Story) -> None:
    story.open("inquiry")
    story.at("+5s").agent().reply("Which order?")
    story.at("+1h").agent().wait("customer", at_most="6h")
    story.wait("8h")
    assert story.times("WaitEnded") == ["7h"]
    assert story.due("resolution") == "1d6h"


def test_pauses_are_booked_on_whom_the_case_waited_for(story: Story) -> None:
    story.open("inquiry")
    story.at("+5s").agent().reply("Which order?")
    story.at("+1h").agent().wait("customer")
    story.at("+2h").agent().wait("carrier", party="sf")
    story.at("+5h").agent().resume()
    story.at("+6h").agent().wait("customer")
    story.at("+10h").agent().resolve("It has arrived")
    clock = story.find("resolution")
    assert {entry.cause: entry.seconds for entry in clock.paused} == {1: 5 * 3600, 3: 3 * 3600}
    assert clock.elapsed_seconds == 2 * 3600


def test_every_wait_stops_the_clocks_anew_and_what_is_stopped_has_no_due_time(story: Story) -> None:
    story.open("inquiry")
    for hour in (1, 3):
        story.at(f"+{hour}h").agent().wait("customer")
        assert story.clock("resolution") == "paused"
        assert not story.find("resolution").HasField("due_at")
        story.at(f"+{hour + 1}h").agent().resume()
        assert story.clock("resolution") == "running"
    assert story.due("resolution") == "1d2h"


def test_what_is_solved_waits_for_nobody(story: Story) -> None:
    story.open("inquiry")
    story.agent().wait("vendor")
    assert "WaitEnded" in story.agent().resolve("Done")
    assert not story.case.HasField("waiting")


def test_only_the_result_that_is_told_is_waited_on_for_a_confirmation(story: Story) -> None:
    story.open("inquiry", customer={"customer_id": "c-1"})
    story.agent().resolve("Done")
    story.agent().inform("offer")
    assert (story.stage, list(story.case.alarms)) == ("resolved", [])
    story.agent().inform("result")
    assert (story.stage, len(story.case.alarms)) == ("told", 1)


def test_whoever_gives_a_case_to_somebody_may_name_a_team_and_leaves_it_otherwise(story: Story) -> None:
    story.open("inquiry")
    story.agent().assign("amy", team="logistics")
    story.agent().assign("bob")
    assert (story.case.owner, story.case.team) == ("bob", "logistics")
    with refused("ALREADY_SO"):
        story.agent().assign("bob", team="logistics")
    assert story.agent().assign("bob", team="returns") == ["Assigned"]


def test_a_wait_and_a_result_that_is_told_each_have_their_own_end(story: Story) -> None:
    story.open("inquiry", customer={"customer_id": "c-1"})
    story.agent().resolve("Done")
    story.agent().inform("result")
    story.agent().wait("vendor", at_most="1h")
    story.wait("1h")
    assert (story.case.HasField("waiting"), story.stage) == (False, "told")
    story.wait("72h")
    assert story.stage == "confirmed"


def test_whoever_confirms_has_been_told(story: Story) -> None:
    story.open("inquiry")
    story.at("+5s").agent().resolve("Like this")
    types = story.at("+1m").customer().confirm()
    assert types == ["CustomerTold", "ClockMet", "Confirmed", "SurveySent", "NotificationRequested"]
    assert story.deliver("result") == ["NotificationDelivered", "CustomerTold"]
    assert story.stage == "confirmed"


def test_confirming_with_a_verdict_answers_the_survey_too(story: Story) -> None:
    story.open("inquiry")
    story.at("+5s").agent().resolve("Like this")
    story.at("+1m").customer().confirm(satisfied=True)
    assert story.stage == "closed"
    assert not story.types("SurveySent")


def test_silence_confirms_and_an_unanswered_survey_closes_unrated(story: Story) -> None:
    story.open("inquiry")
    story.at("+5s").agent().resolve("Like this")
    story.at("+1h").deliver("result")
    assert story.wait("72h") == ["ConfirmationLapsed", "Confirmed", "SurveySent", "NotificationRequested"]
    assert story.wait("72h") == ["SurveyLapsed", "CaseClosed"]
    assert story.case.closure.how == story.case.closure.HOW_UNRATED
    assert story.times("CaseClosed") == ["6d1h"]


def test_without_an_address_a_person_tells_the_result_and_says_so(story: Story) -> None:
    story.open("inquiry", customer=MAILLESS)
    story.at("+5s").agent().resolve("Like this")
    assert not story.pending("notification")
    assert story.due("result_feedback") == "1d5s"
    assert story.at("+1h").agent().inform("result") == ["CustomerTold", "ClockMet"]
    assert story.stage == "told"
    with refused("NOTHING_TO_DO"):
        story.agent().inform("result")


def test_a_letter_that_cannot_be_delivered_comes_to_the_owner(story: Story) -> None:
    story.open("inquiry")
    story.agent("amy").assign("amy")
    story.at("+5s").agent("amy").resolve("Like this")
    types = story.outcome("notification", lambda effect: effect.notification.purpose == 5, notification_failed={})
    assert types == ["NotificationFailed", "StaffAlerted"]
    assert story.last("StaffAlerted").owner == "amy"
    assert story.stage == "resolved"


@pytest.mark.parametrize(
    ("after", "counts"), [("+24h", True), ("+86401s", False)], ids=["in the 24 hours", "a second later"]
)
def test_a_message_within_a_day_after_the_result_is_a_repeat_contact(story: Story, after: str, counts: bool) -> None:
    story.open("inquiry")
    story.agent().resolve("Like this")
    story.deliver("result")
    story.at(after).customer().receive_message("It is broken again")
    assert story.last("MessageReceived").repeat_contact == counts
    assert story.case.counters.repeat_contacts == counts


def test_a_customer_who_comes_back_to_a_closed_case_within_a_day_counts_as_a_repeat_contact(story: Story) -> None:
    story.open("inquiry")
    story.agent().resolve("Like this")
    story.at("+1h").customer().confirm(satisfied=True)
    with refused("CASE_CLOSED", match="reopen"):
        story.at("+5h").customer().receive_message("It is broken again")
    story.at("+5h").customer().reopen("It is broken again")
    assert story.case.counters.repeat_contacts == 1


def test_a_late_satisfied_answer_is_the_last_word_about_a_case_closed_unrated(story: Story) -> None:
    story.open("inquiry")
    story.agent().resolve("Like this")
    story.customer().confirm()
    story.wait("72h")
    assert story.at("+20d").customer().rate(satisfied=True) == ["Rated"]
    assert story.case.closure.how == story.case.closure.HOW_SATISFIED
    with refused("WRONG_STAGE"):
        story.customer().rate(satisfied=False)


def test_a_late_dissatisfied_answer_opens_a_closed_case_again(story: Story) -> None:
    story.open("inquiry")
    story.agent().resolve("Like this")
    story.customer().confirm()
    story.wait("72h")
    story.at("+20d").customer().rate(satisfied=False)
    assert story.stage == "dissatisfied"
    assert story.clocks() == {"dissatisfaction_answer": "21d", "dissatisfaction_treatment": "23d"}


def test_a_survey_is_not_sent_to_whom_has_rated_already(story: Story) -> None:
    story.open("complaint", customer=CUSTOMER)
    story.agent().accept("We are sorry")
    story.agent().investigate()
    story.agent().resolve("It was like this")
    story.deliver("result")
    story.customer().rate(satisfied=True)
    assert story.stage == "told", "the follow-up call is still owed"
    assert story.customer().confirm() == ["Confirmed"]
    with refused("ALREADY_SO"):
        story.customer().rate(satisfied=True)


def test_reopening_starts_clocks_and_survey_of_its_own(story: Story) -> None:
    story.open("inquiry")
    story.agent().resolve("Like this")
    story.customer().confirm(satisfied=True)
    types = story.at("+48h").customer().reopen("It is broken again")
    assert types == ["Reopened", "ClockStarted", "ClockStarted"]
    assert (story.case.round, story.stage) == (2, "in_progress")
    assert story.clocks() == {"next_response": "2d1m", "resolution": "3d"}
    story.at("+49h").agent().resolve("Now like this")
    story.customer().confirm()
    assert story.case.counters.surveys == 1
    story.customer().rate(satisfied=True)
    assert story.stage == "closed"


def test_letters_of_the_last_round_are_not_sent_in_the_next(story: Story) -> None:
    story.open("inquiry")
    story.agent().resolve("Like this")
    story.at("+1m").customer().reopen("No")
    assert story.letters() == ["acknowledgement"]


@pytest.mark.parametrize("stage", ["opened", "in_progress", "resolved", "told", "confirmed", "dissatisfied"])
def test_a_customer_can_withdraw_at_any_time(story: Story, stage: str) -> None:
    steps: dict[str, Callable[[], object]] = {
        "opened": list,
        "in_progress": lambda: story.agent().reply("Hello"),
        "resolved": lambda: story.agent().resolve("Like this"),
        "told": lambda: story.deliver("result"),
        "confirmed": lambda: story.customer().confirm(),
        "dissatisfied": lambda: story.customer().rate(satisfied=False),
    }
    story.open("inquiry")
    for name, step in steps.items():
        step()
        if name == stage:
            break
    assert story.stage == stage
    assert story.customer().withdraw()[0] == "Withdrawn"
    assert story.stage == "closed"
    assert story.case.closure.how == story.case.closure.HOW_WITHDRAWN


def test_a_wait_ends_with_the_case(story: Story) -> None:
    story.open("inquiry")
    story.agent().wait("customer", at_most="30h")
    types = story.at("+5s").customer().withdraw()
    assert "WaitEnded" in types
    assert not story.case.HasField("waiting")


def test_whoever_is_given_an_inquiry_has_accepted_it_unless_it_is_further_on(story: Story) -> None:
    story.open("inquiry")
    story.agent().assign("amy")
    assert story.stage == "accepted"
    story.agent().reply("Hello")
    story.agent().assign("bob")
    assert story.stage == "in_progress"
    story.agent().resolve("Done")
    story.agent().assign("amy")
    assert story.stage == "resolved"


def test_handing_a_case_on_keeps_its_record(story: Story) -> None:
    story.open("inquiry")
    story.agent("amy").assign("amy", team="chat")
    story.agent("amy").transfer("bob", team="logistics", why="knows the carrier")
    assert (story.case.owner, story.case.team, story.case.counters.transfers) == ("bob", "logistics", 1)
    assert story.last("Transferred").from_owner == "amy"


# --- parcels ---


def test_a_stalled_parcel_its_carrier_is_asked_and_the_customer_told_within_two_hours(story: Story) -> None:
    story.open("inquiry", category="logistics", parcel={"carrier": "sf", "tracking_no": "SF1"})
    story.agent().reply("We look")
    types = story.wait("24h")
    assert types[types.index("ParcelStalled") :][:5] == [
        "ParcelStalled", "ClockStarted", "CarrierAsked", "NotificationRequested", "ClockBreached",
    ]  # fmt: skip
    assert story.times("ParcelStalled") == ["1d"]
    assert story.last("ParcelStalled").without_scan.seconds == 86_400
    assert story.due("stall_notice") == "1d2h"
    assert story.at("+25h").deliver("parcel_stalled")[-3:] == ["NotificationDelivered", "CustomerTold", "ClockMet"]
    assert story.outcome("carrier_question", carrier_answered={"reference": "R"}) == ["CarrierAnswered"]


def test_a_scan_starts_the_stall_clocks_anew(story: Story) -> None:
    story.open("inquiry", parcel={"carrier": "sf", "tracking_no": "SF1"})
    story.agent().reply("We look")
    assert story.at("+19h").outcome("tracking", parcel_scanned={"scan": {"place": "Hangzhou"}}) == [
        "ParcelScanned", "ClockMet", "ClockStarted", "ClockMet", "ClockStarted",
    ]  # fmt: skip
    assert story.due("logistics_stall") == "1d19h"
    assert story.due("logistics_loss") == "2d19h"
    assert story.outcome("tracking", parcel_delivered={"scan": {"place": "here"}}) == [
        "ParcelDelivered", "ClockMet", "ClockMet",
    ]  # fmt: skip
    assert not story.pending("tracking")


def test_how_long_a_parcel_stood_is_counted_from_its_own_tracking(story: Story) -> None:
    story.open("inquiry")
    story.agent().reply("We look")
    story.at("+10h").agent().track_parcel({"carrier": "sf", "tracking_no": "SF1"})
    story.wait("24h")
    assert story.last("ParcelStalled").without_scan.seconds == 86_400


def test_a_parcel_without_a_scan_for_two_days_is_given_up(story: Story) -> None:
    story.open("inquiry", parcel={"carrier": "sf", "tracking_no": "SF1"})
    story.agent().reply("We look")
    story.wait("48h")
    assert story.times("ParcelGivenUp") == ["2d"]
    assert not story.pending("tracking")
    assert story.clock("stall_notice") == "cancelled"
    with refused("UNKNOWN_EFFECT"):
        story.report("CASE-1:4", parcel_delivered={})


def test_giving_one_parcel_up_leaves_the_notice_that_is_owed_about_another(story: Story) -> None:
    story.open("inquiry", parcel={"carrier": "sf", "tracking_no": "SF1"})
    story.agent().reply("We look")
    story.at("+23h").agent().track_parcel({"carrier": "sf", "tracking_no": "SF2"})
    story.at("+47h30m").agent().note("nothing yet")
    story.wait("30m")
    assert story.times("ParcelGivenUp") == ["2d"]
    assert story.clock("stall_notice") == "running"


def test_a_parcel_that_the_carrier_does_not_know_comes_to_the_owner(story: Story) -> None:
    story.open("inquiry", parcel={"carrier": "sf", "tracking_no": "SF1"})
    assert story.outcome("tracking", tracking_failed={"why": "unknown"}) == ["ParcelTrackingFailed", "StaffAlerted"]
