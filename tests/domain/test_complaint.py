"""Complaints: taken on, looked into, settled at the right authority, followed up, and reopened until satisfied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casetrail.v1.policy_pb2 import AuthorityLimit, ClockTarget, CurrencyLimits, Policy
from casetrail.v1.types_pb2 import Priority, Role
from domain.money import Money
from domain.rulebook import LADDER_ROLES
from tests.domain.story import RETURN, RULES, Story, refused, rules_with

MAILLESS = {"customer_id": "c-1"}
GOODWILL = {"kind": "compensation", "amount_minor": 10_000, "currency": "CNY"}
BIG = {"kind": "compensation", "amount_minor": 60_000, "currency": "CNY"}


@pytest.fixture
def investigated(story: Story) -> Story:
    """A complaint that amy is looking into."""
    story.open("complaint")
    story.at("+20s").agent("amy").accept("We are very sorry")
    story.at("+5m").agent("amy").investigate()
    return story


@pytest.fixture
def told(investigated: Story) -> Story:
    """A complaint that was settled with a small compensation, one hour after it was opened; the customer knows."""
    investigated.agent("amy").propose(GOODWILL, words="100 yuan for the trouble")
    investigated.at("+1h").customer().agree()
    investigated.outcome("compensation", compensated={"amount_minor": 10_000, "currency": "CNY"})
    investigated.deliver("result")
    return investigated


def test_a_complaint_promises_reply_acceptance_handling_and_findings(story: Story) -> None:
    story.open("complaint")
    assert story.clocks() == {"first_response": "30s", "acceptance": "10m", "handling": "1d", "investigation": "3d"}


def test_accepting_appeases_first(story: Story) -> None:
    story.open("complaint")
    types = story.at("+20s").agent("amy").accept("We are very sorry")
    assert types == ["Assigned", "Accepted", "ClockMet", "Replied", "ClockMet", "NotificationRequested"]
    assert (story.stage, story.case.owner) == ("accepted", "amy")


def test_accepting_takes_the_complaint_from_nobody(story: Story) -> None:
    story.open("complaint")
    story.agent("bob").assign("bob")
    assert story.agent("amy").accept() == ["Accepted", "ClockMet"]
    assert story.case.owner == "bob"


def test_accepting_without_a_word_leaves_the_reply_owed(story: Story) -> None:
    story.open("complaint")
    story.at("+20s").agent("amy").accept()
    assert (story.clock("acceptance"), story.clock("first_response")) == ("met", "running")


def test_classifying_sets_category_and_priority(story: Story) -> None:
    story.open("complaint")
    story.agent().accept("Sorry")
    assert story.agent().classify("product", priority="urgent") == ["Classified"]
    assert (story.stage, story.case.category, story.case.priority) == ("classified", "product", 4)
    story.agent().classify("service")
    assert (story.case.category, story.case.priority) == ("service", 4)


def test_the_specialist_who_investigates_has_handled_it(investigated: Story) -> None:
    assert (investigated.stage, investigated.case.owner, investigated.clock("handling")) == (
        "investigating",
        "amy",
        "met",
    )


def test_departments_are_asked_and_answer_once_each(investigated: Story) -> None:
    investigated.agent().ask_department("warehouse", words="Was it packed?")
    investigated.agent().ask_department("finance")
    assert list(investigated.case.asked_departments) == ["warehouse", "finance"]
    investigated.agent().record_finding("warehouse", words="Yes")
    assert list(investigated.case.asked_departments) == ["finance"]
    with refused("NOTHING_TO_DO", match="still asked: finance"):
        investigated.agent().record_finding("warehouse", words="Yes")
    investigated.agent().record_finding(words="I have seen the photos")
    assert investigated.case.counters.departments_asked == 2


def test_waiting_for_a_department_never_stops_a_complaint(investigated: Story) -> None:
    investigated.agent().wait("department", party="warehouse")
    assert investigated.clock("investigation") == "running"


def test_the_investigation_is_over_when_the_proposal_has_reached_the_customer(investigated: Story) -> None:
    types = investigated.at("+1h").agent().propose(GOODWILL, words="100 yuan")
    assert types == ["SettlementProposed", "NotificationRequested"]
    assert investigated.clock("investigation") == "running"
    assert investigated.deliver("proposal") == ["NotificationDelivered", "CustomerTold", "ClockMet"]


def test_without_an_address_whoever_proposes_has_said_it(story: Story) -> None:
    story.open("complaint", customer=MAILLESS, channel="phone")
    story.agent().accept("Sorry")
    story.agent().investigate()
    assert story.agent().propose(GOODWILL) == ["SettlementProposed", "CustomerTold", "ClockMet"]


def test_the_customer_negotiates_as_often_as_needed(investigated: Story) -> None:
    for number in (1, 2, 3):
        investigated.agent().propose(GOODWILL)
        assert investigated.stage == "proposed"
        types = investigated.at(f"+{number}h").customer().negotiate("More", wanted_minor=20_000)
        assert types == ["SettlementNegotiated", "ClockStarted"]
        assert (investigated.stage, investigated.case.settlement.negotiations) == ("negotiating", number)
    investigated.agent().propose(GOODWILL)
    investigated.customer().agree()
    assert investigated.stage == "carrying_out"


def test_money_without_a_sum_is_no_proposal(investigated: Story) -> None:
    with refused("INVALID", match="amount_minor"):
        investigated.agent().propose({"kind": "refund"})


# --- authority ---


@pytest.mark.parametrize(
    ("role", "amount", "asks"),
    [
        ("agent", 20_000, None),
        ("agent", 20_001, 20),
        ("team_lead", 50_000, None),
        ("team_lead", 50_001, 30),
        ("supervisor", 200_001, 40),
        ("director", 2_000_001, 50),
        ("executive", 99_999_999, None),
        ("service", 20_000, None),
        ("service", 20_001, 20),
    ],
)
def test_a_settlement_beyond_the_proposers_authority_needs_a_decision(
    investigated: Story, role: str, amount: int, asks: int | None
) -> None:
    investigated.acting(role).propose({"kind": "compensation", "amount_minor": amount})
    investigated.customer().agree()
    if asks is None:
        assert investigated.stage == "carrying_out"
        assert investigated.last("CompensationRequested").amount_minor == amount
    else:
        assert investigated.stage == "awaiting_approval"
        assert investigated.case.decision.needed_role == asks
        assert not investigated.pending("compensation")


def test_a_decision_is_promised_within_half_an_hour(investigated: Story) -> None:
    investigated.agent("amy").propose(BIG)
    types = investigated.at("+1h").customer().agree()
    assert types == ["SettlementAgreed", "DecisionRequested", "ClockStarted", "StaffAlerted"]
    assert investigated.due("decision") == "1h30m"
    reason = next(event.reason for event in investigated.events if event.HasField("decision_requested"))
    assert (reason.rule, dict(reason.inputs)) == (
        "authority",
        {"amount_minor": "60000", "currency": "CNY", "needed": "supervisor", "asked_by": "customer"},
    )


def test_only_the_role_that_is_needed_may_decide(investigated: Story) -> None:
    investigated.agent().propose(BIG)
    investigated.customer().agree()
    with refused("BEYOND_AUTHORITY", match="supervisor"):
        investigated.team_lead().decide(granted=True)


def test_a_granted_settlement_is_carried_out_and_its_clock_kept_when_the_customer_knows(investigated: Story) -> None:
    investigated.agent().propose(BIG)
    investigated.at("+1h").customer().agree()
    types = investigated.at("+1h10m").supervisor().decide(granted=True, words="Of course")
    assert types == ["DecisionTaken", "NotificationRequested", "SettlementApproved", "CompensationRequested"]
    assert investigated.clock("decision") == "running"
    investigated.at("+1h20m").deliver("decision")
    assert investigated.clock("decision") == "met"
    assert not investigated.case.HasField("decision")


def _with_yen_and_dinars(policy: Policy) -> None:
    yen = CurrencyLimits(limits=[AuthorityLimit(role=Role.ROLE_AGENT, max_minor=4_000)])
    yen.limits.add(role=Role.ROLE_SUPERVISOR, max_minor=40_000)
    policy.authority.other_currencies["JPY"].CopyFrom(yen)
    dinars = CurrencyLimits(limits=[AuthorityLimit(role=Role.ROLE_AGENT, max_minor=10_000)])
    policy.authority.other_currencies["KWD"].CopyFrom(dinars)


@pytest.mark.parametrize(
    ("currency", "amount", "rule", "asks"),
    [
        ("CNY", 20_000, "authority", None),
        ("CNY", 20_001, "authority", 20),
        ("JPY", 4_000, "authority", None),
        ("JPY", 4_001, "authority", 30),
        ("JPY", 40_001, "authority", 50),
        ("KWD", 10_000, "authority", None),
        ("KWD", 10_001, "authority", 50),
        ("EUR", 1, "authority.currency", 50),
    ],
)
def test_an_amount_is_held_against_limits_of_its_own_currency_and_without_any_only_the_top_decides(
    currency: str, amount: int, rule: str, asks: int | None
) -> None:
    story = Story(rules_with(_with_yen_and_dinars))
    story.open("complaint")
    story.agent().accept("Sorry")
    story.agent().investigate()
    story.agent().propose({"kind": "compensation", "amount_minor": amount, "currency": currency})
    story.customer().agree()
    if asks is None:
        assert story.stage == "carrying_out"
        return
    request = story.case.decision
    assert (request.needed_role, request.amount_minor, request.currency) == (asks, amount, currency)
    reason = next(event.reason for event in story.events if event.HasField("decision_requested"))
    assert (reason.rule, reason.inputs["currency"]) == (rule, currency)


def test_whoever_may_not_decide_in_a_currency_hears_which_one(investigated: Story) -> None:
    investigated.agent().propose({"kind": "compensation", "amount_minor": 1, "currency": "KWD"})
    investigated.customer().agree()
    with refused("BEYOND_AUTHORITY", match="nothing about sums in KWD: this takes an executive"):
        investigated.director().decide(granted=True)
    investigated.executive().decide(granted=True)
    assert investigated.last("CompensationRequested").currency == "KWD"


@given(
    role=st.sampled_from(LADDER_ROLES[:-1]),
    amount=st.integers(min_value=1, max_value=10**11),
    currency=st.from_regex(r"[A-Z]{3}", fullmatch=True).filter(lambda code: code != "CNY"),
)
def test_nobody_with_a_limit_may_promise_a_sum_in_a_currency_without_limits(
    role: Role.ValueType, amount: int, currency: str
) -> None:
    assert not RULES.may_decide(role, Money(amount, currency))
    assert RULES.deciding_role(Money(amount, currency)) == Role.ROLE_EXECUTIVE


def test_a_refused_settlement_is_negotiated_on(investigated: Story) -> None:
    investigated.agent().propose(BIG)
    investigated.customer().agree()
    investigated.supervisor().decide(granted=False, words="Too much")
    investigated.deliver("decision")
    assert investigated.stage == "negotiating"
    investigated.agent().propose(GOODWILL)
    investigated.customer().agree()
    assert investigated.stage == "carrying_out"


def test_a_question_goes_to_the_next_role_and_one_question_comes_after_another(investigated: Story) -> None:
    investigated.agent().escalate("May we apologise in public?")
    assert investigated.case.decision.needed_role == 20
    with refused("NOT_YET"):
        investigated.agent().escalate("And in print?")
    investigated.team_lead().decide(granted=True)
    with refused("NOTHING_TO_DO"):
        investigated.team_lead().decide(granted=True)
    investigated.deliver("decision")
    investigated.team_lead().escalate("And in print?", to_role="director")
    assert investigated.case.decision.needed_role == 40


def test_a_decision_that_is_not_taken_cannot_be_told(investigated: Story) -> None:
    investigated.agent().propose(BIG)
    investigated.customer().agree()
    with refused("NOTHING_TO_DO", match="decision"):
        investigated.agent().inform("decision")
    assert investigated.clock("decision") == "running"


def test_a_letter_about_an_earlier_decision_does_not_tell_a_later_one(investigated: Story) -> None:
    investigated.agent().escalate("First?")
    investigated.team_lead().decide(granted=True)
    investigated.agent().inform("decision")
    investigated.agent().escalate("Second?")
    investigated.deliver("decision")
    assert investigated.clock("decision") == "running"
    assert investigated.case.decision.question == "Second?"


def test_a_proposal_that_was_never_made_cannot_be_told(investigated: Story) -> None:
    with refused("NOTHING_TO_DO", match="proposed"):
        investigated.agent().inform("proposal")


def test_a_proposal_that_was_made_can_be_told_by_a_person_as_well(investigated: Story) -> None:
    investigated.agent().propose(GOODWILL)
    assert investigated.agent().inform("proposal") == ["CustomerTold", "ClockMet"]


def test_a_complaint_is_measured_by_what_it_was_classified_as(story: Story) -> None:
    def urgent_ones_faster(policy: Policy) -> None:
        target = policy.clocks["handling"].targets[0]
        usual = ClockTarget()
        usual.CopyFrom(target)
        target.priorities.append(Priority.PRIORITY_URGENT)
        target.within.seconds = 5 * 3600
        policy.clocks["handling"].targets.append(usual)

    story.rules = rules_with(urgent_ones_faster)
    story.open("complaint")
    story.agent().accept("Sorry")
    assert story.due("handling") == "1d"
    story.agent().classify("product", priority="urgent")
    assert story.due("handling") == "5h"


# --- carrying out ---


def test_a_paid_compensation_solves_the_case(investigated: Story) -> None:
    investigated.agent().propose(GOODWILL)
    investigated.customer().agree()
    assert investigated.outcome("compensation", compensated={"amount_minor": 10_000}) == [
        "Compensated", "RemedyCarriedOut", "Resolved", "ClockMet", "ClockStarted", "NotificationRequested",
    ]  # fmt: skip
    assert investigated.stage == "resolved"


def test_a_failed_remedy_is_carried_out_by_hand(investigated: Story) -> None:
    investigated.agent().propose(GOODWILL)
    investigated.customer().agree()
    with refused("NOT_YET"):
        investigated.agent().carry_out("Paid by hand")
    assert investigated.outcome("compensation", compensation_failed={"why": "ACCOUNT_CLOSED"}) == [
        "CompensationFailed", "StaffAlerted",
    ]  # fmt: skip
    assert investigated.last("StaffAlerted").role == 20
    investigated.agent().carry_out("Paid by hand")
    assert investigated.stage == "resolved"


def test_a_failed_remedy_is_proposed_anew(investigated: Story) -> None:
    investigated.agent().propose({"kind": "refund", "amount_minor": 10_000})
    investigated.customer().agree()
    investigated.outcome("refund", refund_failed={"why": "EXCEEDS_PAID"})
    investigated.agent().propose(GOODWILL)
    assert investigated.stage == "proposed"
    investigated.customer().agree()
    investigated.outcome("compensation", compensated={})
    assert investigated.stage == "resolved"


@pytest.mark.parametrize("kind", ["repair", "other"])
def test_what_the_shop_cannot_do_a_person_does(investigated: Story, kind: str) -> None:
    investigated.agent().propose({"kind": kind, "text": "A letter of apology"})
    investigated.customer().agree()
    assert not investigated.types("CompensationRequested")
    assert investigated.agent().carry_out("Written and sent")[:2] == ["RemedyCarriedOut", "Resolved"]


def test_another_parcels_arrival_does_not_solve_a_complaint_that_is_being_paid(investigated: Story) -> None:
    investigated.agent().track_parcel({"carrier": "sf", "tracking_no": "SF1"})
    investigated.agent().propose(GOODWILL)
    investigated.customer().agree()
    assert investigated.outcome("tracking", parcel_delivered={}) == ["ParcelDelivered", "ClockMet", "ClockMet"]
    assert investigated.stage == "carrying_out"


def test_an_unfounded_complaint_ends_with_an_explanation(investigated: Story) -> None:
    investigated.agent().resolve("It was delivered to your neighbour")
    assert (investigated.stage, investigated.clock("investigation")) == ("resolved", "met")


# --- follow-up ---


def test_the_follow_up_call_is_made_between_a_day_and_two_after_the_customer_was_told(told: Story) -> None:
    assert told.due("follow_up") == "2d1h"
    with refused("TOO_EARLY"):
        told.at("+24h59m59s").agent().record_callback("satisfied")
    assert told.wait("1s") == ["CallbackOpened"]
    assert told.agent().record_callback("satisfied") == ["CallbackMade", "ClockMet", "CaseClosed"]
    assert told.case.closure.how == told.case.closure.HOW_SATISFIED


def test_a_complaint_that_is_reopened_owes_no_call_of_the_last_round(told: Story) -> None:
    assert told.pending("callback")
    told.customer().reopen()
    assert not told.case.HasField("callback")
    assert not told.pending("callback")
    assert "follow_up" not in told.clocks()


def test_a_call_that_may_be_made_at_once_is_announced_once_at_an_instant() -> None:
    story = Story(rules_with(lambda policy: policy.closing.callback_not_before.Clear()))
    story.open("complaint", customer={"customer_id": "c-1"})
    story.agent().accept("We look at it")
    story.agent().investigate()
    for _ in range(2):
        story.agent().resolve("Unfounded")
        story.agent().inform("result")
        story.customer().reopen("No")
    story.agent().resolve("Unfounded")
    story.agent().inform("result")
    story.wait("1s")
    keys = [event.key for event in story.events if event.HasField("callback_opened")]
    assert keys == list(dict.fromkeys(keys)), "the log takes a key once"
    assert keys


def test_only_a_result_that_is_told_owes_a_call(investigated: Story) -> None:
    investigated.agent().resolve("It was like this")
    investigated.agent().inform("offer")
    assert not investigated.case.HasField("callback")
    investigated.agent().inform("result")
    assert investigated.case.HasField("callback")


def test_a_department_that_is_asked_twice_owes_one_answer(investigated: Story) -> None:
    for _ in range(2):
        investigated.agent().ask_department("finance")
    assert list(investigated.case.asked_departments) == ["finance"]
    investigated.agent().record_finding("finance", words="It was paid twice")
    with refused("NOTHING_TO_DO", match="still asked: none"):
        investigated.agent().record_finding("finance", words="Again")


def test_a_promise_that_the_new_kind_does_not_make_ends_because_of_it(story: Story) -> None:
    story.open("inquiry")
    story.agent().reclassify("complaint")
    assert [body.why for body in story.bodies("ClockCancelled")] == ["the case became another kind"]


def test_a_forgotten_call_comes_to_the_supervisor(told: Story) -> None:
    told.at("+49h").agent().note("no time")
    assert told.times("ClockBreached", "follow_up") == ["2d1h"]
    assert [body.role for body in told.bodies("EscalationStepped") if body.clock_name == "follow_up"] == [30]


def test_a_call_says_by_when_it_is_owed(told: Story) -> None:
    scheduled = told.last("CallbackScheduled")
    assert (scheduled.not_before.seconds, scheduled.due_at.seconds) == (told.now + 24 * 3600, told.now + 48 * 3600)
    assert told.due("follow_up") == "2d1h"


def test_who_is_not_reached_is_called_as_often_as_the_policy_asks(told: Story) -> None:
    told.at("+25h").agent().record_callback("not_reached")
    told.at("+27h").agent().record_callback("not_reached")
    assert told.case.callback.attempts == 2
    assert told.clock("follow_up") == "running"
    types = told.at("+30h").agent().record_callback("not_reached")
    assert types == ["CallbackMade", "CallbackAbandoned", "ClockCancelled"]
    assert not told.case.HasField("callback")
    with refused("NOTHING_TO_DO"):
        told.agent().record_callback("satisfied")


def test_a_silent_complaint_needs_no_sum_and_owes_no_call(story: Story) -> None:
    story.open("complaint", silent=True)
    story.agent().accept()
    story.agent().investigate()
    story.agent().propose({"kind": "compensation"})
    story.customer().agree()
    story.agent().carry_out()
    assert story.agent().inform("result") == ["CustomerTold", "ClockMet"]
    assert not story.case.HasField("callback")


def test_a_rating_does_not_close_a_case_whose_call_is_owed(told: Story) -> None:
    told.customer().confirm()
    assert told.customer().rate(satisfied=True) == ["Rated"]
    assert told.stage == "confirmed"
    told.at("+25h").agent().record_callback("satisfied")
    assert told.stage == "closed"


def test_an_abandoned_call_closes_what_was_only_waiting_for_it(told: Story) -> None:
    told.customer().confirm()
    told.customer().rate(satisfied=True)
    told.at("+25h")
    for _ in range(3):
        told.agent().record_callback("not_reached")
    assert told.stage == "closed"


# --- dissatisfaction ---


@pytest.mark.parametrize("how", ["confirm", "rate", "callback"])
def test_a_dissatisfied_customer_is_answered_in_a_day_and_treated_again_in_three(told: Story, how: str) -> None:
    told.at("+25h")
    if how == "confirm":
        told.customer().confirm(satisfied=False)
    elif how == "rate":
        told.customer().rate(satisfied=False)
    else:
        told.agent().record_callback("dissatisfied")
    assert told.stage == "dissatisfied"
    assert told.clocks() == {"dissatisfaction_answer": "2d1h", "dissatisfaction_treatment": "4d1h"}
    assert told.case.review_owed
    assert "dissatisfied customer" in told.case.quality_flags
    assert told.last("StaffAlerted").role == 30


def test_only_a_supervisor_reviews_and_only_the_review_reopens(told: Story) -> None:
    told.customer().rate(satisfied=False)
    with refused("NOT_YET", match="supervisor"):
        told.customer().reopen("I am not satisfied")
    for speaker in (told.agent(), told.team_lead(), told.customer()):
        with refused("ROLE_NOT_ALLOWED"):
            speaker.review_dissatisfaction("Looked at it")
    told.supervisor().review_dissatisfaction("Looked at it")
    assert (told.stage, told.case.round, told.case.review_owed) == ("investigating", 2, False)


def test_answering_a_dissatisfied_customer_keeps_that_promise_only(told: Story) -> None:
    told.at("+2h").customer().rate(satisfied=False)
    types = told.at("+3h").supervisor().answer_dissatisfaction("We hear you")
    assert types == ["DissatisfactionAnswered", "ClockMet", "NotificationRequested"]
    assert told.due("dissatisfaction_treatment") == "3d2h"
    with refused("NOTHING_TO_DO"):
        told.supervisor().answer_dissatisfaction("We hear you")


def test_a_review_asks_for_no_other_reply_than_the_answer_that_is_owed(told: Story) -> None:
    told.customer().rate(satisfied=False)
    told.supervisor().review_dissatisfaction("Looked at it")
    assert set(told.clocks()) == {"dissatisfaction_answer", "dissatisfaction_treatment", "investigation"}


def test_a_complaint_is_reopened_until_the_customer_is_satisfied(told: Story) -> None:
    for number in (2, 3, 4):
        told.customer().confirm(satisfied=False)
        told.supervisor().review_dissatisfaction("Looked at it")
        assert (told.case.round, told.stage) == (number, "investigating")
        assert told.case.settlement.state == 0
        assert told.clock("investigation") == "running"
        told.agent().propose(GOODWILL, words="Something more")
        told.deliver("proposal")
        told.customer().agree()
        told.outcome("compensation", compensated={})
        told.deliver("result")
        assert told.clock("dissatisfaction_treatment") == "met"
    told.customer().confirm()
    told.customer().rate(satisfied=True)
    told.at("+30h").agent().record_callback("satisfied")
    assert told.stage == "closed"
    assert (told.case.counters.reopenings, told.case.counters.surveys) == (3, 1)
    assert len(told.types("CallbackScheduled")) == 4


def test_every_round_is_asked_how_it_was(told: Story) -> None:
    told.customer().confirm()
    told.customer().rate(satisfied=False)
    told.supervisor().review_dissatisfaction("Looked at it")
    told.agent().resolve("Explained again")
    told.deliver("result")
    told.customer().confirm()
    assert told.case.counters.surveys == 2


def test_a_wait_that_a_new_round_ends_leaves_no_clock_standing(told: Story) -> None:
    told.customer().rate(satisfied=False)
    told.agent().wait("customer")
    assert told.clock("dissatisfaction_treatment") == "paused"
    told.supervisor().review_dissatisfaction("Looked at it")
    assert told.clock("dissatisfaction_treatment") == "running"
    assert not told.case.HasField("waiting")


# --- withdrawal, merging ---


def test_a_complaint_is_not_withdrawn_while_money_is_on_its_way(investigated: Story) -> None:
    investigated.agent().propose(GOODWILL)
    investigated.customer().agree()
    with refused("NOT_YET"):
        investigated.customer().withdraw()
    with refused("NOT_YET"):
        investigated.agent().merge("CASE-2")
    investigated.outcome("compensation", compensated={})
    investigated.customer().withdraw()
    assert investigated.stage == "closed"


def test_a_duplicate_is_closed_when_the_other_case_has_taken_it_in(investigated: Story) -> None:
    assert investigated.agent().merge("CASE-2") == ["MergeRequested"]
    with refused("ALREADY_SO"):
        investigated.agent().merge("CASE-3")
    types = investigated.outcome("merge", merge_accepted={"into_case_id": "CASE-2"})
    assert types[0] == "MergeAccepted"
    assert investigated.stage == "closed"
    with refused("CASE_CLOSED", match="CASE-2"):
        investigated.customer().reopen("But")


def test_a_refused_merger_leaves_the_case_as_it_was(investigated: Story) -> None:
    investigated.agent().merge("CASE-2")
    investigated.outcome("merge", merge_refused={"into_case_id": "CASE-2", "why": "another customer"})
    assert investigated.stage == "investigating"
    assert investigated.agent().merge("CASE-3") == ["MergeRequested"]


def test_what_the_shop_reports_after_the_merger_does_not_bring_the_case_back(investigated: Story) -> None:
    investigated.agent().propose(GOODWILL)
    investigated.agent().merge("CASE-2")
    investigated.customer().agree()
    investigated.outcome("merge", merge_accepted={"into_case_id": "CASE-2"})
    assert investigated.outcome("compensation", compensated={}) == ["Compensated"]
    assert investigated.stage == "closed"


def test_a_case_that_was_withdrawn_while_it_was_to_be_merged_can_be_merged_after_it_is_reopened(
    investigated: Story,
) -> None:
    investigated.agent().merge("CASE-2")
    investigated.customer().withdraw()
    assert investigated.outcome("merge", merge_accepted={}) == ["MergeAccepted"]
    assert investigated.case.closure.how == investigated.case.closure.HOW_WITHDRAWN
    investigated.customer().reopen("After all")
    assert investigated.agent().merge("CASE-2") == ["MergeRequested"]


@pytest.mark.parametrize("how", ["reopened", "reviewed"])
def test_a_case_that_is_being_merged_begins_no_new_round_before_that_is_decided(told: Story, how: str) -> None:
    if how == "reviewed":
        told.customer().confirm(satisfied=False)
    told.agent().merge("CASE-2")
    again = told.customer().reopen if how == "reopened" else told.supervisor().review_dissatisfaction
    with refused("NOT_YET", match="being merged into CASE-2"):
        again("But")
    told.outcome("merge", merge_refused={"why": "another customer"})
    assert "Reopened" in again("But")


def test_a_satisfied_customer_is_counted_once(told: Story) -> None:
    told.customer().rate(satisfied=True)
    for verdict in (True, False):
        with refused("ALREADY_SO", match="has said so"):
            told.customer().confirm(satisfied=verdict)
    assert told.customer().confirm() == ["Confirmed"]


def test_a_silent_case_can_be_merged_too(story: Story) -> None:
    story.open("complaint", silent=True)
    story.agent().merge("CASE-2")
    story.outcome("merge", merge_accepted={})
    assert story.stage == "closed"


@pytest.mark.parametrize(
    ("customer", "code"), [("c-1", None), ("c-2", "CANNOT_JOIN")], ids=["the same customer", "another"]
)
def test_a_case_takes_in_duplicates_of_the_same_customer(investigated: Story, customer: str, code: str | None) -> None:
    if code:
        with refused(code):
            investigated.engine().absorb("CASE-2", customer_id=customer)
        return
    assert investigated.engine().absorb("CASE-2", customer_id=customer) == ["DuplicateAbsorbed"]
    assert [(link.case_id, link.relation) for link in investigated.case.links] == [("CASE-2", 2)]


def test_a_case_that_is_closed_or_being_merged_takes_nothing_in(investigated: Story) -> None:
    investigated.agent().merge("CASE-3")
    with refused("CANNOT_JOIN", match="CASE-3"):
        investigated.engine().absorb("CASE-2", customer_id="c-1")
    investigated.customer().withdraw()
    with refused("CANNOT_JOIN", match="closed"):
        investigated.engine().absorb("CASE-2", customer_id="c-1")
    assert investigated.engine().absorb("CASE-2", only_link=True) == ["Linked"]


def test_links_are_noted_in_both_cases(investigated: Story) -> None:
    assert investigated.agent().link("CASE-2", relation="follows") == ["Linked", "LinkRequested"]
    with refused("ALREADY_SO"):
        investigated.agent().link("CASE-2", relation="related")
    with refused("CANNOT_JOIN"):
        investigated.agent().link("CASE-1", relation="related")
    assert investigated.outcome("link", link_accepted={"case_id": "CASE-2"}) == ["LinkAccepted"]
    assert len(investigated.case.links) == 1


@pytest.mark.parametrize("closed", [False, True])
def test_what_the_other_case_does_not_note_is_no_link(investigated: Story, closed: bool) -> None:
    investigated.agent().link("CASE-2", relation="related")
    if closed:
        investigated.customer().withdraw()
    types = investigated.outcome("link", link_failed={"case_id": "CASE-2", "why": "there is no such case"})
    assert types == ["LinkFailed", "Unlinked"]
    assert not investigated.case.links
    assert investigated.agent().link("CASE-2", relation="related") == ["Linked", "LinkRequested"]


# --- another kind ---


def test_a_case_is_reclassified_with_the_promises_of_its_new_kind(story: Story) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+1h").agent().reclassify("complaint")
    assert story.stage == "opened"
    assert story.clocks() == {"acceptance": "1h10m", "handling": "1d1h", "investigation": "3d1h"}
    assert story.clock("first_response") == "met", "it was given, and is not owed again"


def test_a_complaint_becomes_a_return_with_its_order(story: Story) -> None:
    story.open("complaint")
    story.agent().accept("Sorry")
    with refused("INVALID", match="order_id"):
        story.agent().reclassify("return", return_request=RETURN)
    types = story.agent().reclassify("return", return_request=RETURN, order_id="O-1")
    assert types[0] == "Reclassified"
    assert types[-1] == "OrderLookupRequested"
    assert set(story.clocks()) == {"acceptance"}, "a person has to take the return on"
    story.agent().accept("We look")
    assert set(story.clocks()) == {"review"}


def test_a_case_that_comes_back_to_its_kind_has_its_promises_again(story: Story) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.agent().reclassify("complaint")
    story.agent().reclassify("inquiry")
    assert story.clocks() == {"resolution": "1d10s"}


def test_a_solved_case_keeps_its_kind(story: Story) -> None:
    story.open("inquiry")
    story.agent().resolve("Like this")
    with refused("WRONG_STAGE"):
        story.agent().reclassify("complaint")
    assert story.agent().reclassify(category="product") == ["Reclassified"]
    with refused("ALREADY_SO"):
        story.agent().reclassify(category="product")
