"""What was asked of a case is found again in its events: every action of the contract, word for word."""

from collections.abc import Callable
from typing import Any

import protovalidate
import pytest
from google.protobuf.json_format import MessageToDict

from audit.reconstruction import deeds
from casetrail.v1.command_pb2 import Command
from domain.drills import script
from tests.audit.recorded import Recorded, known
from tests.domain.rehearsal import SCENARIO
from tests.domain.story import DELIVERED, rules_with

SF1 = {"carrier": "sf", "tracking_no": "SF1"}
STRICTER = rules_with(lambda policy: policy.clocks["first_response"].targets[0].within.FromSeconds(20))
SAID = "Good morning"


def an_inquiry(story: Recorded) -> None:
    story.open("inquiry", words="Where is it?", parcel=SF1, order_id="O-1", scale=60)
    story.at("+1s").agent().assign("amy", team="desk")
    story.agent().offer_answer("faq-1", words="See there")
    story.at("+40s").team_lead().acknowledge()
    story.agent().wait("customer", at_most="1h", party="them")
    story.at("+50s").agent().resume()
    story.customer().receive_message("Hello?")
    story.agent().reply(SAID)
    story.agent().inform("reply")
    story.agent().note("a note")
    story.agent().prioritize("urgent")
    story.agent().link("CASE-2", relation="related")
    story.engine().absorb("CASE-3", only_link=True, why="")
    story.engine().absorb("CASE-4", customer_id="c-1", why="twice")
    story.agent().transfer(team="logistics")
    story.agent().escalate("May I?", to_role="supervisor")
    story.supervisor().decide(True, words="You may")
    story.agent().track_parcel(SF1 | {"tracking_no": "SF2"})
    story.agent().resolve("It is here", solution="found")
    story.agent().inform("result")
    story.customer().confirm(satisfied=False, words="Late")
    story.agent().answer_dissatisfaction("Sorry")
    story.supervisor().review_dissatisfaction("Too slow")
    story.at("+2d").customer().withdraw()
    story.customer().reopen()


def a_duplicate(story: Recorded) -> None:
    story.open("inquiry")
    story.agent().reclassify("complaint", category="order")
    story.agent().merge("CASE-2")
    story.outcome("merge", merge_accepted={})


def a_complaint(story: Recorded) -> None:
    story.open("complaint", priority="urgent", order_id="O-1")
    story.agent().accept("We are looking into it")
    story.agent().classify("order", priority="high")
    story.agent().investigate("sam")
    story.agent().ask_department("warehouse", words="Was it there?")
    story.agent().record_finding("warehouse", words="It was")
    story.agent().propose({"kind": "repair"}, words="We repair it")
    story.customer().negotiate("Rather not", wanted_minor=100, currency="JPY")
    story.agent().propose({"kind": "repair"})
    story.customer().agree()
    story.agent().carry_out("Repaired")
    story.agent().inform("result")
    story.customer().confirm()
    story.customer().rate(True, score=4, recommend=8)
    story.at("+3d").agent().record_callback("satisfied", words="All is well")


def a_return(story: Recorded) -> None:
    story.open("return", silent=False)
    story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": "-20d"})
    story.agent().accept()
    story.agent().decide_eligibility(False, alternatives=["exchange", "compensation"])
    story.customer().choose_alternative({"kind": "compensation", "amount_minor": 100, "currency": "CNY"})
    story.director().decide(True)
    story.outcome("compensation", compensated={"amount_minor": 100})


def a_return_of_goods(story: Recorded) -> None:
    story.open("return")
    story.outcome("order_lookup", order_found=DELIVERED | {"delivered_at": "-20d"})
    story.agent().accept()
    story.agent().decide_eligibility(True)
    story.customer().ship_back(SF1)
    story.at("+1d").agent().receive_goods()
    story.agent().inspect(True, words="As new")
    story.outcome("refund", refunded={"amount_minor": 5000})


def history(story: Recorded) -> None:
    story.open("complaint", by="importer", source="INC1", silent=True)
    story.importer().import_row("a,b,c", refused="no such thing")
    story.at("+1d").importer().hand_over(speak=True)
    story.change_policy(STRICTER)


def history_that_ended(story: Recorded) -> None:
    story.open("inquiry", by="importer", source="INC1")
    story.at("+1d").importer().close()


def an_incident(story: Recorded) -> None:
    story.declare(3, crisis="ordinary", inputs={"orders": "40"}, case_ids=["CASE-2", "CASE-3"], category="payment")
    story.outcome("link", link_accepted={"case_id": "CASE-2"})
    story.lead().confirm_nature("The payment provider is down")
    story.lead().grade_incident(2, inputs={"orders": "400"}, crisis="major")
    story.lead().grade_incident(2, no_crisis=True)
    story.lead("ivy").assume_command()
    story.lead("ivy").hand_over_command("sue", role="supervisor")
    story.supervisor("sue").add_task("legal", what="Read the contract", owner="lea")
    story.agent("lea").accept_task("T4", owner="lea")
    story.agent("lea").refuse_task("T4")
    story.supervisor().reassign_task("T4", department="finance", owner="fin")
    for task in ("T1", "T2", "T3", "T4"):
        story.agent().complete_task(task, result="done")
    story.supervisor().reopen_task("T4")
    story.agent().complete_task("T4")
    story.supervisor("sue").add_task("legal", what="Read it again")
    story.supervisor("sue").cancel_task("T5", why="it was read")
    story.agent().draft_notice("We are on it", audience="all users")
    story.agent().draft_notice("Nothing happened", audience="all users")
    story.director().discard_notice("N2")
    story.director().approve_notice("N1")
    story.director().send_notice("N1")
    story.outcome("public_notice", notice_published={"reference": "n-1"})
    story.lead().link_cases(["CASE-4"])
    story.supervisor().contain_incident("Cash on delivery")
    story.supervisor().reopen_incident()
    story.supervisor().contain_incident("Another provider")
    story.director().resolve_incident("Paying works")
    story.agent().draft_notice("It is over", audience="all users")
    story.director().approve_notice("N3")
    story.director().send_notice("N3")
    story.outcome("public_notice", notice_published={})
    story.agent().follow_up_case("CASE-2", how="Called")
    while story.pending("link"):
        story.outcome("link", link_failed={"case_id": story.pending("link")[0].link.case_id})
    story.supervisor().finish_follow_up()
    story.supervisor().file_report("A cable", measures="A new one", lessons="Two cables")
    story.supervisor().close_incident()


def a_false_alarm(story: Recorded) -> None:
    story.declare(by="system", rule="wave.category")
    story.engine().absorb("CASE-2", only_link=True, why="")
    story.lead().dismiss_incident()


def a_touched_case_of_a_drill(story: Recorded) -> None:
    clock = {"mode": "scaled", "scale": 60, "origin": "-1h"}
    story.open("inquiry", drill_id="DRL-1", inject_id="calls", time_base=clock)
    story.engine().absorb("INC-1", only_link=True, why="", incident=True, drill_id="DRL-1")
    story.engine().relay_notice("INC-1", notice_id="N1", text="We are on it", drill_id="DRL-1")
    story.engine().end_incident("INC-1", text="It is over", drill_id="DRL-1")
    story.engine().end_drill_case()


def a_drill(story: Recorded) -> None:
    opening = script.opening(SCENARIO, 0)
    story.acting("director").open(
        "drill", channel=opening.channel, subject=opening.subject, scenario=opening.scenario, scale=opening.scale
    )
    story.at("+1m").director().inject_by_hand(
        {"id": "quiet", "title": "Nobody answers", "silence": {"department": "legal", "lasts": "1h"}}
    )
    story.outcome(
        "inject",
        lambda effect: effect.inject.inject.id == "quiet",
        inject_made={"inject_id": "quiet", "began_at": "1m"},
    )
    story.director().abort_drill()
    story.director().remark_drill("Nobody knew the number", improvement="Print it")


STORIES: list[Callable[[Recorded], None]] = [
    an_inquiry,
    a_duplicate,
    a_complaint,
    a_return,
    a_return_of_goods,
    history,
    history_that_ended,
    an_incident,
    a_false_alarm,
    a_touched_case_of_a_drill,
    a_drill,
]


def recorded(tell: Callable[[Recorded], None]) -> Recorded:
    story = Recorded()
    tell(story)
    return story


def words_of(command: Command) -> Any:  # noqa: ANN401 - JSON
    """A command without what it leaves empty: an event cannot tell no words from empty ones."""

    def pruned(value: Any) -> Any:  # noqa: ANN401 - likewise
        if not isinstance(value, dict):
            return value
        said = {name: pruned(part) for name, part in value.items()}
        return {name: part for name, part in said.items() if part != {}}

    return command.WhichOneof("action"), pruned(MessageToDict(command))


@pytest.mark.parametrize("tell", STORIES)
def test_every_command_is_found_again_as_it_was_asked(tell: Callable[[Recorded], None]) -> None:
    story = recorded(tell)

    found = [deed.command for deed in deeds(story.events, known(STRICTER)) if deed.command]

    assert [words_of(command) for command in found] == [words_of(command) for command in story.asked]
    for command in found:
        protovalidate.validate(command)


def test_the_stories_tell_of_every_action_of_the_contract() -> None:
    told = {action for tell in STORIES for action in recorded(tell).actions()}

    assert told == {field.name for field in Command.DESCRIPTOR.oneofs_by_name["action"].fields}
