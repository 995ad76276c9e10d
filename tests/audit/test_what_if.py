"""Recorded cases, run again: under the same policy nothing differs; under another, what its figures change does."""

from collections.abc import Callable

import pytest
from hypothesis import settings

from audit.reconstruction import deeds
from audit.what_if import what_if
from casetrail.v1.audit_service_pb2 import CaseRerun, ClockEnd
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Priority, Role
from domain import Rulebook
from tests.audit.recorded import Recorded, action_of, known
from tests.audit.test_reconstruction import STORIES, history, recorded
from tests.domain.story import RULES, Story, rules_with
from tests.domain.test_machine import Machine

Verdict = ClockEnd.Verdict


@pytest.fixture
def story() -> Recorded:
    return Recorded()


def again(story: Story, rules: Rulebook = RULES) -> CaseRerun:
    until = story.case.updated_at.seconds if story.is_imported else story.now
    return what_if(story.events, rules, known(), until)


def differing(rerun: CaseRerun) -> dict[str, tuple[str, str]]:
    def word(end: ClockEnd) -> str:
        return Verdict.Name(end.verdict).removeprefix("VERDICT_").lower()

    return {
        clock.name: (word(clock.recorded), word(clock.what_if))
        for clock in rerun.clocks
        if clock.recorded != clock.what_if
    }


def remarks(rerun: CaseRerun) -> list[tuple[str, int]]:
    return [(remark.reason, remark.seq) for remark in rerun.remarks]


def target(clock: str, seconds: int) -> Rulebook:
    def change(policy: Policy) -> None:
        for each in policy.clocks[clock].targets:
            each.within.seconds = seconds
            each.ClearField("warn_before")
            each.ClearField("flag_after")

    return rules_with(change)


# --- the same policy --------------------------------------------------------------------------------------------------


class Rerun(Machine):
    """Any case that can be made, except that its policy is not changed: then there is no `same policy`."""

    story: Recorded

    def __init__(self) -> None:
        super().__init__()
        self.story = Recorded()

    def _change_policy(self, rules: Rulebook) -> None:
        assert rules is not None

    def teardown(self) -> None:
        if self.story.told is None:
            return
        found = [deed.command for deed in deeds(self.story.events, known())]
        assert list(map(action_of, found)) == self.story.actions()
        rerun = again(self.story)
        assert not rerun.remarks, rerun.remarks
        assert not differing(rerun)


Rerun.TestCase.settings = settings(max_examples=30, stateful_step_count=30)
TestUnderTheSamePolicyNothingDiffers = Rerun.TestCase


@pytest.mark.parametrize("tell", [tell for tell in STORIES if tell is not history])
def test_under_the_same_policy_nothing_differs_in_a_story(tell: Callable[[Recorded], None]) -> None:
    rerun = again(recorded(tell))

    assert not rerun.remarks
    assert not differing(rerun)


def a_return_to_its_end(story: Recorded) -> None:
    story.open("return")
    story.at("+10m").outcome("order_lookup", order_found=DELIVERED)
    story.agent().accept("We are looking into it.")
    story.at("+1d").customer().ship_back({"carrier": "sf", "tracking_no": "SF1"})
    story.at("+2d").outcome("tracking", parcel_delivered={"parcel_id": "P1"})
    story.at("+2d1h").agent().inspect(True)
    story.at("+2d2h").outcome("refund", refunded={"amount_minor": 5000})
    story.deliver("result")


DELIVERED = {
    "order_id": "O-1",
    "state": "delivered",
    "category": "home",
    "paid_minor": 5000,
    "currency": "CNY",
    "delivered_at": "-1d",
}


def test_what_was_done_is_found_again_in_the_events(story: Recorded) -> None:
    a_return_to_its_end(story)

    found = [deed.command.WhichOneof("action") for deed in deeds(story.events, known()) if deed.command]

    assert found == [
        "open",
        "report_outcome",
        "accept",
        "ship_back",
        "report_outcome",
        "inspect",
        "report_outcome",
        "report_outcome",
    ]


def test_a_deed_that_the_rules_of_today_do_not_explain_is_said(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+10s").agent().reply("Good morning")
    story.events[-1].clock_met.clock.elapsed_seconds += 1

    assert remarks(again(story)) == [("NOT_REPRODUCED", story.events[-2].seq)]


# --- another policy ---------------------------------------------------------------------------------------------------


def test_a_shorter_promise_would_have_been_broken_and_by_how_much(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+25s").agent().reply("Good morning")

    rerun = again(story, target("first_response", 20))

    assert differing(rerun) == {"first_response": ("met", "breached")}
    [clock] = [clock for clock in rerun.clocks if clock.name == "first_response"]
    assert (clock.recorded.elapsed_seconds, clock.recorded.target_seconds) == (25, 30)
    assert (clock.what_if.elapsed_seconds, clock.what_if.target_seconds) == (25, 20)


def test_a_longer_promise_would_have_been_kept_and_nobody_could_acknowledge_its_breach(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+40s").team_lead().acknowledge()
    acknowledged = story.events[-1].seq
    story.at("+50s").agent().reply("Good morning")

    rerun = again(story, target("first_response", 60))

    assert differing(rerun) == {"first_response": ("breached", "met")}
    assert remarks(rerun) == [("REFUSED", acknowledged)]


def test_a_clock_that_the_other_policy_lacks_is_absent_there(story: Recorded) -> None:
    story.open("inquiry")
    story.at("+25s").agent().reply("Good morning")

    def drop(policy: Policy) -> None:
        del policy.clocks["resolution"]

    assert differing(again(story, rules_with(drop))) == {"resolution": ("open", "absent")}


def test_a_priority_that_the_policy_gave_is_the_other_policys_to_give(story: Recorded) -> None:
    story.open("inquiry", category="system")
    left_open = story.case.priority

    def urgent(policy: Policy) -> None:
        policy.category_priorities["system"] = Priority.PRIORITY_URGENT

    rules = rules_with(urgent)
    [opening] = [deed.command for deed in deeds(story.events, known()) if deed.command]

    assert left_open != Priority.PRIORITY_URGENT
    assert not opening.open.priority
    assert not remarks(again(story, rules))


def test_what_a_rule_decides_sooner_is_done_outside_sooner_by_as_much(story: Recorded) -> None:
    """A refund without the goods: the other policy asks for it at the acceptance, and the shop takes its two hours."""

    def keep(policy: Policy) -> None:
        policy.returns.keep_goods_up_to_minor = 40_000

    story.open("return", return_request=FAULTY)
    story.at("+10m").outcome("order_lookup", order_found=DELIVERED | {"paid_minor": 30_000})
    story.agent().accept()
    story.at("+1d").customer().ship_back({"carrier": "sf", "tracking_no": "SF1"})
    story.at("+2d").agent().receive_goods()
    story.at("+3d").agent().inspect(True)
    story.at("+3d2h").outcome("refund", refunded={"amount_minor": 30_000})

    rerun = again(story, rules_with(keep))

    [clock] = [clock for clock in rerun.clocks if clock.name == "processing"]
    assert clock.what_if.verdict == Verdict.VERDICT_MET
    refused = [remark.message.partition(":")[0] for remark in rerun.remarks if remark.reason == "REFUSED"]
    assert refused == ["ship_back", "receive_goods", "inspect"]


FAULTY = {
    "items": [{"sku": "MUG-01", "quantity": 1}],
    "reason": "quality",
    "item_state": "faulty",
    "wanted": {"kind": "refund"},
}


def test_a_letter_that_only_the_other_policy_writes_is_taken_as_delivered(story: Recorded) -> None:
    story.open("inquiry", parcel={"carrier": "sf", "tracking_no": "SF1"})
    story.at("+3h").agent().reply("We are asking")
    story.at("+20h").agent().note("nothing new")

    rerun = again(story, target("logistics_stall", 3600))

    assert differing(rerun)["stall_notice"] == ("absent", "met")
    assert {reason for reason, _ in remarks(rerun)} == {"ASSUMED"}


def test_a_change_of_policy_is_left_out(story: Recorded) -> None:
    other = target("first_response", 20)
    story.open("inquiry")
    story.change_policy(other)
    changed = next(event.seq for event in story.events if event.HasField("policy_changed"))

    rerun = what_if(story.events, RULES, known(other), story.now)

    assert remarks(rerun) == [("POLICY_CHANGE_LEFT_OUT", changed)]


# --- incidents --------------------------------------------------------------------------------------------------------


def an_incident_of_two_tasks(story: Recorded) -> None:
    story.declare(4)
    story.at("+5m").lead().confirm_nature("A bad batch")
    story.lead().grade_incident(4)
    story.lead("ivy").assume_command()
    story.lead("ivy").add_task("legal", what="Read the contract")
    story.at("+10m").agent().complete_task("T1")
    story.at("+20m").agent().complete_task("T2")


def test_an_incident_has_other_promises_under_another_policy(story: Recorded) -> None:
    an_incident_of_two_tasks(story)

    assert differing(again(story, target("initial_response", 240))) == {"initial_response": ("met", "breached")}


def test_a_task_is_done_when_it_was_done_though_it_has_another_number(story: Recorded) -> None:
    """The other policy asks operations first: what was T1 and T2 is T2 and T3 there."""

    def ask_operations_first(policy: Policy) -> None:
        tasks = policy.incidents.levels[3].tasks
        [given] = tasks
        added = tasks.add()
        added.CopyFrom(given)
        given.department, given.what = "operations", "Stop the sale"

    an_incident_of_two_tasks(story)
    rerun = again(story, rules_with(ask_operations_first))

    ends = {
        clock.subject.partition(":")[0]: (clock.recorded.verdict, clock.what_if.verdict, clock.what_if.elapsed_seconds)
        for clock in rerun.clocks
        if clock.name == "task"
    }
    assert ends == {
        "customer-care": (Verdict.VERDICT_MET, Verdict.VERDICT_MET, 300),
        "legal": (Verdict.VERDICT_MET, Verdict.VERDICT_MET, 900),
        "operations": (Verdict.VERDICT_ABSENT, Verdict.VERDICT_OPEN, 900),
    }
    assert [remark.message for remark in rerun.remarks] == ["task that the record does not have is left open"]


def test_a_task_that_the_other_policy_does_not_give_cannot_be_done_there(story: Recorded) -> None:
    def no_tasks(policy: Policy) -> None:
        del policy.incidents.levels[3].tasks[:]

    an_incident_of_two_tasks(story)
    done = next(event.seq for event in story.events if event.HasField("task_completed"))

    rerun = again(story, rules_with(no_tasks))

    [clock] = [clock for clock in rerun.clocks if clock.subject == "legal: Read the contract"]
    assert (clock.recorded.verdict, clock.what_if.verdict) == (Verdict.VERDICT_MET, Verdict.VERDICT_MET)
    assert remarks(rerun) == [("REFUSED", done)]


def test_where_a_notice_takes_a_higher_role_it_stays_unsent(story: Recorded) -> None:
    def by_the_executive(policy: Policy) -> None:
        policy.incidents.levels[1].notice_role = Role.ROLE_EXECUTIVE

    story.declare(2)
    story.lead().confirm_nature("Paying fails")
    story.lead().grade_incident(2)
    story.agent().draft_notice("We are on it", audience="all users")
    story.director().approve_notice("N1")
    story.director().send_notice("N1")
    story.at("+5m").outcome("public_notice", notice_published={})

    rerun = again(story, rules_with(by_the_executive))

    assert differing(rerun) == {"public_notice": ("met", "open"), "notice_update": ("open", "absent")}
    refused = [remark.message.partition(":")[0] for remark in rerun.remarks]
    assert refused == ["approve_notice", "send_notice"]


def test_a_policy_without_incidents_takes_none(story: Recorded) -> None:
    an_incident_of_two_tasks(story)

    rerun = again(story, rules_with(lambda policy: policy.ClearField("incidents")))

    assert {clock.what_if.verdict for clock in rerun.clocks} == {Verdict.VERDICT_ABSENT}
    assert {reason for reason, _ in remarks(rerun)} == {"REFUSED"}


def test_time_goes_on_until_the_given_instant_in_both(story: Recorded) -> None:
    story.open("inquiry")

    rerun = what_if(story.events, target("first_response", 60), known(), story.now + 45)

    assert differing(rerun) == {"first_response": ("breached", "open")}
    [clock] = [clock for clock in rerun.clocks if clock.name == "first_response"]
    assert clock.recorded.elapsed_seconds == clock.what_if.elapsed_seconds == 45
