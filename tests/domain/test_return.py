"""Returns and exchanges: eligible by rule or by a person, sent back, looked at, and the remedy carried out once."""

from typing import Any

import pytest

from casetrail.v1.case_pb2 import Case, Parcel, Settlement
from casetrail.v1.types_pb2 import RemedyKind, Stage
from casetrail.words import value_of, word_of
from domain import expire
from tests.domain.story import CUSTOMER, DELIVERED, POLICY, RETURN, Story, refused, seconds

MAILLESS = {"customer_id": "c-1"}
SF1 = {"carrier": "sf", "tracking_no": "SF1"}


def accepted(story: Story, delivered: str = "-3d", order: dict[str, Any] | None = None, **request: object) -> list[str]:
    """An accepted return whose order the shop knows. Gives the events that the shop's answer led to."""
    story.open("return", return_request=RETURN | request)
    story.at("+20s").agent("amy").accept("We look at it")
    return story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": delivered} | (order or {}))


@pytest.fixture
def sent_back(story: Story) -> Story:
    """An approved return of 50 yuan whose goods are on their way."""
    accepted(story)
    story.at("+1h").customer().ship_back(SF1)
    return story


@pytest.fixture
def received(sent_back: Story) -> Story:
    sent_back.at("+5h").outcome("tracking", parcel_delivered={})
    return sent_back


@pytest.fixture
def exchanging(story: Story) -> Story:
    """A wrong item that is to be exchanged; the goods are back and in order."""
    accepted(story, reason="wrong_item", wanted={"kind": "exchange", "sku": "MUG-02"})
    story.at("+1h").agent().receive_goods()
    story.agent().inspect(passed=True)
    return story


def test_a_return_from_request_to_refund(story: Story) -> None:
    assert story.open("return") == [
        "CaseOpened", "ClockStarted", "ClockStarted", "OrderLookupRequested", "NotificationRequested",
    ]  # fmt: skip
    story.at("+20s").agent("amy").accept("We look at it")
    assert story.due("review") == "4h20s"
    assert story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": "-3d"}) == [
        "OrderFound", "EligibilityDecided", "ClockMet", "NotificationRequested",
    ]  # fmt: skip
    assert (story.stage, story.case.return_details.goods_come_back) == ("awaiting_goods", True)
    assert story.at("+1d").customer().ship_back(SF1)[0] == "ParcelTrackingStarted"
    types = story.at("+1d12h").outcome("tracking", parcel_delivered={})
    assert types == ["ParcelDelivered", "ClockMet", "ClockMet", "GoodsReceived"]
    assert story.stage == "received"
    assert story.at("+1d13h").agent().inspect(passed=True) == ["GoodsInspected", "ClockStarted", "RefundRequested"]
    assert story.due("processing") == "2d13h"
    assert story.last("RefundRequested").amount_minor == 5000
    assert story.outcome("refund", refunded={"amount_minor": 5000, "currency": "CNY"}) == [
        "Refunded", "RemedyCarriedOut", "ClockMet", "Resolved", "ClockStarted", "NotificationRequested",
    ]  # fmt: skip
    assert story.last("RemedyCarriedOut").remedy.amount_minor == 5000
    assert story.stage == "resolved"


# --- eligibility ---


@pytest.mark.parametrize(
    ("request_", "order", "ago", "stage", "rule"),
    [
        ({}, {}, "-7d", "awaiting_goods", "return.no_reason"),
        ({}, {}, "-604801s", "rejected", "return.window"),
        ({"item_state": "used"}, {}, "-1d", "accepted", None),
        ({"item_state": "used"}, {}, "-8d", "rejected", "return.window"),
        ({"reason": "quality"}, {"paid_minor": 10_001}, "-15d", "awaiting_goods", "return.quality"),
        ({"reason": "quality"}, {}, "-1296001s", "rejected", "return.quality_window"),
        ({"reason": "damaged"}, {"paid_minor": 10_001}, "-15d", "awaiting_goods", "return.wrong_or_damaged"),
        ({"reason": "damaged"}, {}, "-1296001s", "rejected", "return.quality_window"),
        ({}, {"category": "fresh"}, "-1d", "rejected", "return.excluded_category"),
        ({"item_state": "opened"}, {"category": "digital"}, "-1d", "rejected", "return.digital_opened"),
        ({}, {"category": "digital"}, "-1d", "awaiting_goods", "return.no_reason"),
        ({}, {"state": "dispatched"}, "-1d", "accepted", None),
        ({"reason": "not_received"}, {}, "-1d", "accepted", None),
    ],
)
def test_the_first_rule_that_fits_decides_and_is_named(
    story: Story, request_: dict[str, Any], order: dict[str, Any], ago: str, stage: str, rule: str | None
) -> None:
    accepted(story, ago, order, **request_)
    assert story.stage == stage
    reasons = [event.reason for event in story.events if event.HasField("eligibility_decided")]
    assert [reason.rule for reason in reasons] == ([rule] if rule else [])
    if rule:
        assert reasons[0].policy_id == POLICY.policy_id
        assert reasons[0].inputs["order_state"] == "delivered"


def test_whoever_asks_within_the_window_has_asked_in_time_however_long_we_take(story: Story) -> None:
    story.open("return")
    story.at("+2d").agent().accept("Sorry for the delay")
    story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": "-7d"})
    assert story.stage == "awaiting_goods"


def test_it_does_not_matter_whether_acceptance_or_the_shops_answer_comes_first(story: Story) -> None:
    story.open("return")
    assert story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": "-3d"}) == ["OrderFound"]
    assert "EligibilityDecided" in story.agent().accept("We look at it")


def test_a_rules_letter_is_no_reply_by_a_person(story: Story) -> None:
    story.open("return")
    story.agent().accept()
    story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": "-3d"})
    story.deliver("eligibility")
    assert story.clock("first_response") == "running"
    story.agent().inform("eligibility")
    assert story.clock("first_response") == "met"


def test_an_order_that_the_shop_does_not_know_is_for_a_person(story: Story) -> None:
    story.open("return")
    story.agent().accept("We look at it")
    assert story.outcome("order_lookup", order_not_found={"order_id": "O-1"}) == ["OrderNotFound"]
    assert (story.stage, story.clock("review")) == ("accepted", "running")


@pytest.mark.parametrize(("paid", "comes_back"), [(10_000, False), (10_001, True)], ids=["worth little", "worth more"])
def test_goods_worth_little_stay_with_the_customer_when_the_fault_is_ours(
    story: Story, paid: int, comes_back: bool
) -> None:
    types = accepted(story, order={"paid_minor": paid}, reason="quality")
    assert story.case.return_details.goods_come_back == comes_back
    assert ("RefundRequested" in types) != comes_back
    assert (story.clock("processing") == "running") != comes_back


@pytest.mark.parametrize(
    "wanted",
    [{"kind": "compensation", "amount_minor": 100_000_000}, {"kind": "refund", "amount_minor": 5001}],
    ids=["a compensation", "more than was paid"],
)
def test_no_rule_grants_more_than_was_paid(story: Story, wanted: dict[str, Any]) -> None:
    accepted(story, reason="quality", wanted=wanted)
    assert story.stage == "accepted"
    with_authority = story.agent().decide_eligibility(eligible=True)
    assert ("DecisionRequested" in with_authority) == (wanted["amount_minor"] > 20_000)


_MUGS_AND_A_PLATE = [{"sku": "MUG-01", "quantity": 3}, {"sku": "PLATE-01", "quantity": 1}]


@pytest.mark.parametrize(("pieces", "stage"), [(0, "awaiting_goods"), (4, "awaiting_goods"), (5, "accepted")])
def test_no_rule_grants_more_pieces_than_come_back(story: Story, pieces: int, stage: str) -> None:
    wanted = {"kind": "exchange", "sku": "MUG-02", "quantity": pieces}
    accepted(story, items=_MUGS_AND_A_PLATE, wanted=wanted)
    assert story.stage == stage


def test_a_person_decides_where_no_rule_does(story: Story) -> None:
    accepted(story, item_state="used")
    types = story.agent().decide_eligibility(eligible=True, why="barely used", keep_goods=True)
    assert types == ["EligibilityDecided", "ClockMet", "ClockStarted", "NotificationRequested", "RefundRequested"]
    assert story.stage == "carrying_out"


def test_a_rejection_gives_its_reason_and_offers_something_else(story: Story) -> None:
    accepted(story, item_state="used")
    types = story.agent().decide_eligibility(eligible=False, why="worn out", alternatives=["repair", "compensation"])
    assert types == ["EligibilityDecided", "ClockMet", "AlternativeOffered", "NotificationRequested"]
    assert story.last("EligibilityDecided").why == "worn out"
    assert list(story.case.settlement.alternatives) == [3, 4]


def test_a_rejection_may_be_reconsidered(story: Story) -> None:
    accepted(story, item_state="used")
    story.agent().decide_eligibility(eligible=False, why="worn out", alternatives=["repair"])
    story.agent().decide_eligibility(eligible=True, why="the photos were old")
    assert story.stage == "awaiting_goods"
    assert not story.case.settlement.alternatives, "what was offered instead is off the table"


def test_a_customer_may_accept_the_rejection(story: Story) -> None:
    accepted(story, "-8d")
    story.customer().agree()
    assert (story.stage, story.last("Resolved").solution) == ("resolved", "rejection accepted")


# --- authority ---


@pytest.mark.parametrize("answer", [None, {"order_not_found": {"order_id": "O-1"}}], ids=["no answer", "not found"])
def test_a_refund_whose_sum_nobody_knows_is_decided_by_whoever_has_no_limit(
    story: Story, answer: dict[str, Any] | None
) -> None:
    story.open("return")
    story.agent().accept("We look at it")
    if answer:
        story.outcome("order_lookup", **answer)
    story.agent().decide_eligibility(eligible=True, keep_goods=True)
    assert (story.case.decision.needed_role, story.pending("refund")) == (50, [])
    story.executive().decide(granted=True)
    assert story.pending("refund")


def test_a_return_whose_remedy_is_to_be_granted_becomes_no_other_case_before(story: Story) -> None:
    accepted(story, item_state="used", order={"paid_minor": 60_000})
    story.agent().decide_eligibility(eligible=True)
    with refused("NOT_YET", match="it comes first"):
        story.agent().reclassify("complaint")
    story.supervisor().decide(granted=False)
    assert "Reclassified" in story.agent().reclassify("complaint")


def test_a_named_sum_needs_no_price(story: Story) -> None:
    story.open("return", return_request=RETURN | {"wanted": {"kind": "refund", "amount_minor": 20_000}})
    story.agent().accept("We look at it")
    story.agent().decide_eligibility(eligible=True, keep_goods=True)
    assert story.pending("refund")


def test_a_return_of_another_order_waits_for_what_the_shop_says_of_that_one(story: Story) -> None:
    accepted(story)
    story.agent().reclassify("complaint")
    story.agent().reclassify("return", order_id="O-2", return_request=RETURN)
    story.agent().accept("We look at it")
    assert (story.stage, story.case.return_details.eligibility) == ("accepted", 1)
    story.outcome("order_lookup", order_found=DELIVERED | {"order_id": "O-2", "delivered_at": "-3d"})
    assert story.stage == "awaiting_goods"


def test_what_did_not_pass_inspection_is_owed_by_no_rule(story: Story) -> None:
    accepted(story, order={"paid_minor": 60_000})
    story.agent().receive_goods()
    story.agent().inspect(passed=False, words="It is broken")
    story.agent().propose({"kind": "refund"}, words="We take it back all the same")
    story.customer().agree()
    assert (story.stage, story.case.decision.needed_role) == ("awaiting_approval", 30)


def test_a_person_beyond_their_authority_asks_for_a_decision(story: Story) -> None:
    accepted(story, item_state="used", order={"paid_minor": 60_000})
    types = story.at("+1h").agent().decide_eligibility(eligible=True, why="barely used", keep_goods=True)
    assert types == ["DecisionRequested", "ClockStarted", "StaffAlerted"]
    assert (story.case.decision.needed_role, story.stage) == (30, "accepted")
    types = story.supervisor().decide(granted=True)
    assert "EligibilityDecided" in types
    assert not story.case.return_details.goods_come_back, "the goods may be kept, as was asked"
    assert story.stage == "carrying_out"


def test_a_refused_decision_leaves_the_return_to_the_person(story: Story) -> None:
    accepted(story, item_state="used", order={"paid_minor": 60_000})
    story.agent().decide_eligibility(eligible=True)
    assert story.supervisor().decide(granted=False) == ["DecisionTaken", "NotificationRequested"]
    assert story.stage == "accepted"


def test_a_decision_that_comes_after_the_case_was_settled_otherwise_sets_nothing_going(story: Story) -> None:
    accepted(story, item_state="used", order={"paid_minor": 60_000})
    story.agent().decide_eligibility(eligible=True)
    story.agent().decide_eligibility(eligible=False, alternatives=["repair"])
    story.customer().agree()
    assert story.stage == "resolved"
    assert story.supervisor().decide(granted=True) == ["DecisionTaken", "NotificationRequested"]
    assert story.stage == "resolved"


def test_a_refund_without_a_sum_is_one_of_what_was_paid_and_needs_the_authority_for_that(story: Story) -> None:
    accepted(story, "-8d", order={"paid_minor": 60_000})
    story.agent().propose({"kind": "refund"})
    story.customer().agree()
    assert (story.stage, story.case.decision.amount_minor) == ("awaiting_approval", 60_000)


def test_a_refund_without_a_sum_is_in_the_currency_that_was_paid(story: Story) -> None:
    accepted(story, "-8d", order={"currency": "JPY", "paid_minor": 900})
    with refused("INVALID", match="was paid in JPY, not CNY; give amount_minor"):
        story.agent().propose({"kind": "refund", "currency": "CNY"})
    story.agent().propose({"kind": "refund"})
    story.customer().agree()
    assert (story.case.decision.amount_minor, story.case.decision.currency) == (900, "JPY")
    assert story.case.decision.needed_role == 50


def test_a_rule_grants_no_refund_in_another_currency_than_was_paid(story: Story) -> None:
    accepted(story, wanted={"kind": "refund", "amount_minor": 1000, "currency": "KWD"})
    assert story.stage == "accepted"
    assert story.agent().decide_eligibility(eligible=True) == ["DecisionRequested", "ClockStarted", "StaffAlerted"]
    assert story.case.decision.needed_role == 50


def test_goods_worth_little_in_another_currency_come_back(story: Story) -> None:
    accepted(story, reason="quality", order={"currency": "KWD", "paid_minor": 9_000})
    assert story.stage == "awaiting_goods"


@pytest.mark.parametrize("amount", [1, 19_999])
def test_a_customer_cannot_grant_a_sum_to_oneself(story: Story, amount: int) -> None:
    accepted(story, "-8d")
    story.customer().choose_alternative({"kind": "compensation", "amount_minor": amount})
    assert (story.stage, story.case.decision.needed_role) == ("awaiting_approval", 20)


def test_an_agent_grants_an_alternative_within_their_authority(story: Story) -> None:
    accepted(story, "-8d")
    story.agent().choose_alternative({"kind": "compensation", "amount_minor": 20_000})
    assert story.last("CompensationRequested").amount_minor == 20_000


def test_only_what_was_offered_can_be_chosen(story: Story) -> None:
    accepted(story, "-8d")
    with refused("NOTHING_TO_DO", match="offered: exchange, compensation"):
        story.customer().choose_alternative({"kind": "refund"})


@pytest.mark.parametrize("who", ["customer", "agent"])
def test_as_many_pieces_can_be_chosen_as_come_back(story: Story, who: str) -> None:
    accepted(story, "-8d")
    with refused("INVALID", match="an exchange is for as many pieces as come back: 1"):
        story.acting(who).choose_alternative({"kind": "exchange", "sku": "MUG-02", "quantity": 2})
    story.acting(who).choose_alternative({"kind": "exchange", "sku": "MUG-02", "quantity": 1})
    assert story.last("ExchangeRequested").quantity == 1


def test_a_chosen_repair_is_promised_in_time(story: Story) -> None:
    accepted(story, "-20d", reason="quality")
    story.at("+1h").customer().choose_alternative({"kind": "repair"})
    assert (story.stage, story.due("processing")) == ("carrying_out", "1d1h")
    story.agent().carry_out("Mended")
    assert (story.stage, story.clock("processing")) == ("resolved", "met")


def test_what_is_owed_is_owed_once(story: Story) -> None:
    accepted(story, order={"paid_minor": 30_000})
    story.agent().receive_goods()
    story.agent().inspect(passed=True)
    story.outcome("refund", refunded={})
    story.customer().confirm(satisfied=False)
    story.supervisor().review_dissatisfaction("Looked at it")
    story.agent().propose({"kind": "refund", "amount_minor": 30_000})
    story.customer().agree()
    assert story.stage == "awaiting_approval"


# --- goods ---


def test_goods_that_come_by_hand_end_the_watch_over_their_parcel(sent_back: Story) -> None:
    assert sent_back.at("+2h").agent().receive_goods() == ["GoodsReceived", "ClockMet", "ClockMet"]
    assert not sent_back.pending("tracking")
    sent_back.agent().inspect(passed=True)
    sent_back.wait("72h")
    assert not sent_back.types("ParcelGivenUp")


def test_goods_that_come_back_are_not_mistaken_for_those_that_were_sent_out(story: Story) -> None:
    story.open("return", parcel={"carrier": "sf", "tracking_no": "SF0"})
    story.agent().accept("We look")
    story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": "-3d"})
    story.agent().receive_goods()
    assert story.last("GoodsReceived").parcel_id == ""
    assert story.clock("logistics_stall") == "running"


def test_goods_that_do_not_pass_leave_a_compensation_to_choose(received: Story) -> None:
    types = received.agent().inspect(passed=False, words="The mug is broken")
    assert types == ["GoodsInspected", "AlternativeOffered", "NotificationRequested"]
    assert received.stage == "rejected"
    received.agent().choose_alternative({"kind": "compensation", "amount_minor": 1000})
    received.outcome("compensation", compensated={})
    assert received.stage == "resolved"


def test_goods_that_are_here_do_not_come_back_again_when_their_rejection_is_reconsidered(received: Story) -> None:
    received.agent().inspect(passed=False, words="The mug is broken")
    received.agent().decide_eligibility(eligible=True, why="it was broken when it left us")
    assert (received.stage, received.clock("processing")) == ("carrying_out", "running")
    assert received.pending("refund")


def test_a_stalled_return_parcel_is_asked_after(sent_back: Story) -> None:
    sent_back.wait("24h")
    assert sent_back.types("ParcelStalled")
    assert sent_back.types("CarrierAsked")


def test_a_lost_return_parcel_is_refunded(sent_back: Story) -> None:
    sent_back.wait("48h")
    assert list(sent_back.case.settlement.alternatives) == [1]
    types = sent_back.customer().choose_alternative({"kind": "refund"})
    assert types == ["AlternativeChosen", "SettlementApproved", "ClockStarted", "RefundRequested"]
    approval = next(event for event in sent_back.events if event.HasField("settlement_approved"))
    assert (approval.reason.rule, approval.settlement_approved.by_role) == ("return.eligible", 2)
    assert sent_back.last("RefundRequested").amount_minor == 5000


def test_goods_that_are_here_have_come_with_the_parcel(sent_back: Story) -> None:
    assert word_of(Parcel.State.DESCRIPTOR, sent_back.case.parcels[0].state) == "underway"
    sent_back.agent().receive_goods()
    assert word_of(Parcel.State.DESCRIPTOR, sent_back.case.parcels[0].state) == "delivered"
    assert not sent_back.pending("tracking")


@pytest.mark.parametrize("outcome", [{"order_found": DELIVERED}, {"order_not_found": {"order_id": "O-1"}}])
def test_what_the_shop_said_of_the_order_is_on_record(story: Story, outcome: dict[str, Any]) -> None:
    story.open("return")
    story.outcome("order_lookup", **outcome)
    assert (story.case.order.order_id, story.case.order.found) == ("O-1", "order_found" in outcome)


def test_goods_that_turn_up_after_all_take_the_offer_back(sent_back: Story) -> None:
    sent_back.wait("48h")
    sent_back.agent().receive_goods()
    sent_back.agent().inspect(passed=True)
    with refused("NOTHING_TO_DO"):
        sent_back.customer().choose_alternative({"kind": "refund"})
    assert len(sent_back.pending("refund")) == 1


def test_a_parcel_lost_after_the_goods_are_here_offers_nothing(sent_back: Story) -> None:
    sent_back.customer().ship_back({"carrier": "sf", "tracking_no": "SF2"})
    sent_back.agent().receive_goods()
    sent_back.wait("48h")
    assert sent_back.types("ParcelGivenUp")
    assert not sent_back.types("AlternativeOffered")


@pytest.mark.parametrize(
    ("stage", "offered"),
    [
        ("opened", ["refund", "exchange"]),
        ("rejected", ["refund", "exchange"]),
        ("received", []),
        ("awaiting_goods", []),
    ],
)
def test_what_was_ordered_and_is_lost_is_made_good_unless_something_was_agreed_on(
    story: Story, stage: str, offered: list[str]
) -> None:
    accepted(story) if stage != "opened" else story.open("return")
    story.agent().track_parcel(SF1)
    case = Case()
    case.CopyFrom(story.case)
    case.stage = value_of(Stage, stage)
    events = expire(case, story.now + seconds("48h"), story.rules)
    found = [event.alternative_offered for event in events if event.HasField("alternative_offered")]
    assert [word_of(RemedyKind.DESCRIPTOR, kind) for body in found for kind in body.alternatives] == offered


def test_where_a_parcel_was_last_seen_is_on_record(sent_back: Story) -> None:
    sent_back.at("+2h").outcome("tracking", parcel_scanned={"scan": {"place": "Hangzhou", "scanned_at": "2h"}})
    assert sent_back.case.parcels[0].last_scan_at.seconds == sent_back.opened + 7200


# --- the remedy ---


def test_an_exchange_is_solved_when_it_arrives(exchanging: Story) -> None:
    assert exchanging.last("ExchangeRequested").sku == "MUG-02"
    types = exchanging.outcome("exchange", exchange_dispatched={"carrier": "sf", "tracking_no": "SF9"})
    assert types == [
        "ExchangeDispatched", "RemedyCarriedOut", "ClockMet", "ParcelTrackingStarted", "ClockStarted", "ClockStarted",
    ]  # fmt: skip
    assert exchanging.stage == "carrying_out"
    with refused("NOT_YET"):
        exchanging.agent().carry_out("Done")
    assert "Resolved" in exchanging.outcome("tracking", parcel_delivered={})
    assert exchanging.stage == "resolved"


def test_only_the_replacement_solves_an_exchange(exchanging: Story) -> None:
    exchanging.agent().track_parcel(SF1)
    exchanging.outcome("exchange", exchange_dispatched={"carrier": "sf", "tracking_no": "SF9"})
    exchanging.outcome("tracking", lambda effect: effect.tracking.tracking_no == "SF1", parcel_delivered={})
    assert exchanging.stage == "carrying_out"


def test_an_exchange_without_an_article_is_for_the_same_one(story: Story) -> None:
    accepted(story, reason="wrong_item", wanted={"kind": "exchange"})
    story.agent().receive_goods()
    story.agent().inspect(passed=True)
    assert (story.last("ExchangeRequested").sku, story.last("ExchangeRequested").quantity) == ("MUG-01", 1)


@pytest.mark.parametrize(("sku", "pieces"), [("", 3), ("MUG-01", 3), ("PLATE-01", 1), ("MUG-02", 3)])
def test_an_exchange_without_a_number_is_for_as_many_as_come_back(story: Story, sku: str, pieces: int) -> None:
    accepted(story, reason="wrong_item", items=_MUGS_AND_A_PLATE, wanted={"kind": "exchange", "sku": sku})
    story.agent().receive_goods()
    story.agent().inspect(passed=True)
    assert story.last("ExchangeRequested").quantity == pieces


def test_an_exchange_that_is_out_of_stock_becomes_a_refund_offer(exchanging: Story) -> None:
    types = exchanging.outcome("exchange", exchange_unavailable={"sku": "MUG-02"})
    assert types == ["ExchangeUnavailable", "AlternativeOffered", "NotificationRequested"]
    settlement = exchanging.case.settlement
    assert (exchanging.stage, word_of(Settlement.State.DESCRIPTOR, settlement.state)) == ("proposed", "proposed")
    exchanging.customer().agree()
    assert exchanging.last("RefundRequested").amount_minor == 5000
    exchanging.outcome("refund", refunded={})
    assert exchanging.stage == "resolved"


@pytest.mark.parametrize("instead", ["refund", "exchange"])
def test_a_lost_replacement_is_refunded_or_sent_again(exchanging: Story, instead: str) -> None:
    exchanging.outcome("exchange", exchange_dispatched={"carrier": "sf", "tracking_no": "SF9"})
    exchanging.wait("48h")
    assert list(exchanging.case.settlement.alternatives) == [1, 2]
    exchanging.customer().choose_alternative({"kind": instead})
    assert exchanging.pending(instead)
    with refused("NOTHING_TO_DO"):
        exchanging.customer().choose_alternative({"kind": instead})


def test_other_goods_that_the_carrier_does_not_know_have_arrived_when_a_person_says_so(exchanging: Story) -> None:
    exchanging.outcome("exchange", exchange_dispatched={"sku": "MUG-02", "carrier": "sf", "tracking_no": "SF9"})
    with refused("NOT_YET"):
        exchanging.agent().carry_out("It is there")
    exchanging.outcome("tracking", tracking_failed={"why": "UNKNOWN_PARCEL"})
    types = exchanging.agent().carry_out("It is there")
    assert "Resolved" in types
    assert "RemedyCarriedOut" not in types, "it was sent once"
    assert not {"logistics_stall", "logistics_loss"} & set(exchanging.clocks())


def test_a_refund_that_the_shop_refuses_is_proposed_anew_or_paid_by_hand(received: Story) -> None:
    received.agent().inspect(passed=True)
    received.outcome("refund", refund_failed={"why": "ALREADY_REFUNDED"})
    assert received.stage == "carrying_out"
    received.agent().propose({"kind": "compensation", "amount_minor": 5000})
    received.customer().agree()
    received.outcome("compensation", compensation_failed={"why": "CLOSED"})
    received.agent().carry_out("Paid by bank transfer")
    assert received.stage == "resolved"


@pytest.mark.parametrize(("reason", "calls"), [("quality", True), ("wrong_item", False)])
def test_quality_returns_are_called_back(story: Story, reason: str, calls: bool) -> None:
    accepted(story, reason=reason)
    story.outcome("refund", refunded={})
    story.deliver("result")
    assert story.case.HasField("callback") == calls


def test_a_returned_case_in_its_second_round_is_settled_by_proposal(received: Story) -> None:
    received.agent().inspect(passed=True)
    received.outcome("refund", refunded={})
    received.customer().confirm(satisfied=False)
    received.supervisor().review_dissatisfaction("Looked at it")
    assert (received.stage, received.clock("processing")) == ("in_progress", "running")
    received.agent().propose({"kind": "compensation", "amount_minor": 1000})
    received.customer().agree()
    received.outcome("compensation", compensated={})
    assert received.stage == "resolved"


def test_nothing_is_asked_of_the_shop_for_a_silent_return(story: Story) -> None:
    story.open("return", silent=True, customer=CUSTOMER)
    story.agent().accept("We look")
    story.agent().decide_eligibility(eligible=True, keep_goods=True)
    assert not story.pending()
    story.agent().carry_out("Refunded in the old system")
    assert story.stage == "resolved"
