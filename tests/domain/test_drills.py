"""Drills: what is due when, what meets an expectation, and what it scores."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casetrail.scenario_file import load
from casetrail.v1.case_pb2 import Case, Closure
from casetrail.v1.command_pb2 import AbortDrill, Command, EndDrillCase, InjectByHand, Open, RemarkDrill
from casetrail.v1.drill_pb2 import DrillExpectation, DrillInject
from casetrail.v1.effect_pb2 import (
    CueSeen,
    ExpectationMet,
    ExpectationMissed,
    InjectFailed,
    SystemRestored,
)
from casetrail.v1.event_pb2 import Event, IncidentGraded
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.inject_pb2 import FaultInject, Inject, MessageInject, SilenceInject, WaveInject
from casetrail.v1.scenario_pb2 import Delay, Expectation, Participant, Phase, Scenario
from casetrail.v1.types_pb2 import Actor, Channel, Kind, Role, Stage
from domain import Rejected, act, fold, next_wake, pending_effects
from domain.draft import SYSTEM
from domain.drills import script
from domain.drills.delays import draw_delay
from domain.drills.injects import customer_turns_up, message_to, wave_offset
from domain.drills.matching import History, judge, points, word_at
from domain.drills.score import Tally, by_phase, by_role
from domain.drills.simulation import Simulator
from tests.domain.rehearsal import LEAD, MINUTE, SCENARIO, Rehearsal
from tests.domain.story import OPENED, RULES, Story

ROOT = Path(__file__).parents[2]


def test_a_drill_says_of_every_event_that_it_is_one() -> None:
    drill = Rehearsal()
    assert {event.drill_id for event in drill.events} == {"DRL-1"}
    assert drill.case.is_drill
    assert drill.case.stage == Stage.STAGE_IN_PROGRESS


@pytest.mark.parametrize("role", [Role.ROLE_CUSTOMER, Role.ROLE_AGENT, Role.ROLE_IMPORTER])
def test_whoever_may_not_abort_a_drill_starts_none(role: Role.ValueType) -> None:
    asked = Command(case_id="DRL-1", request_id="r", actor=Actor(name="x", role=role), open=script.opening(SCENARIO, 0))
    with pytest.raises(Rejected, match="starting a drill may be done by admin, director") as refused:
        act(None, asked, OPENED, RULES)
    assert refused.value.code == "ROLE_NOT_ALLOWED"


def test_its_script_is_in_the_log_with_its_digest() -> None:
    drill = Rehearsal().case.drill
    assert script.digest(drill.scenario) == drill.scenario_digest
    assert script.scenario_of(drill.scenario) == SCENARIO


@pytest.mark.parametrize(
    ("minutes", "due"),
    [
        (0, ["outage", "shop-down"]),
        (9, []),
        (10, ["calls"]),
        (39, []),
        (40, ["authority"]),
    ],
)
def test_injects_are_due_when_the_script_says(minutes: int, due: list[str]) -> None:
    drill = Rehearsal()
    drill.until(minutes)
    found = [
        event.inject_requested.inject.id
        for event in drill.events
        if event.HasField("inject_requested") and event.at.seconds == OPENED + minutes * MINUTE
    ]
    assert found == due


@given(looks=st.lists(st.integers(0, 300)))
def test_the_passing_of_time_comes_out_the_same_however_often_it_is_looked_at(looks: list[int]) -> None:
    once, often = Rehearsal(), Rehearsal()
    once.until(300)
    for minutes in sorted(looks):
        often.until(minutes)
    often.until(300)
    assert [(event.at.seconds, event.key) for event in once.events] == [
        (event.at.seconds, event.key) for event in often.events
    ]


def test_an_inject_that_happens_late_gives_everybody_as_much_more_time() -> None:
    drill = Rehearsal()
    drill.until(0)
    drill.made("outage", "INC-1", began=12)
    assert drill.expectation("confirmed").due_at.seconds == OPENED + (30 + 12) * MINUTE
    assert drill.expectation("calls-answered").due_at.seconds == OPENED + (10 + 90) * MINUTE


def test_nobody_is_expected_to_answer_what_did_not_happen() -> None:
    drill = Rehearsal()
    drill.until(10)
    drill.report("inject", '"calls"', inject_failed=InjectFailed(inject_id="calls", why="no such thing"))
    assert drill.expectation("calls-answered").verdict == DrillExpectation.VERDICT_DROPPED
    assert drill.expectation("confirmed").verdict == DrillExpectation.VERDICT_OPEN


def test_an_expectation_is_judged_when_its_time_is_over_and_not_before() -> None:
    drill = Rehearsal()
    assert "judgement_requested" not in drill.until(60)
    assert "judgement_requested" in drill.until(61)
    drill.report("judgement", "confirmed", expectation_missed=ExpectationMissed(expectation_id="confirmed"))
    assert drill.expectation("confirmed").verdict == DrillExpectation.VERDICT_MISSED


def test_what_is_met_while_it_is_being_judged_is_met() -> None:
    drill = Rehearsal()
    drill.until(61)
    met = ExpectationMet(expectation_id="confirmed", event_ids=["INC-1:6"], score=10)
    drill.report("observation", expectation_met=met)
    assert drill.expectation("confirmed").verdict == DrillExpectation.VERDICT_MET
    assert not [one for one in pending_effects(drill.case) if one.judgement.expectation_id == "confirmed"]


def test_what_was_met_counts_at_once_and_why_a_drill_was_aborted_is_on_record() -> None:
    drill = Rehearsal()
    drill.until(10)
    met = ExpectationMet(expectation_id="confirmed", event_ids=["INC-1:6"], score=10)
    drill.report("observation", expectation_met=met)
    assert drill.case.drill.score == 10
    drill.do(abort_drill=AbortDrill(why="a real emergency"))
    assert drill.case.drill.why_aborted == "a real emergency"


def test_a_participant_moves_a_delay_after_the_cue() -> None:
    drill = Rehearsal()
    cue = CueSeen(move_id="duty-supervisor/0/INC-1:1", case_id="INC-1", event_id="INC-1:1")
    cue.happened_at.seconds = OPENED
    drill.report("observation", cue_seen=cue)
    assert "move_requested" not in drill.until(7)
    assert "move_requested" in drill.until(8)


def test_a_participant_who_is_silent_does_not_move() -> None:
    scenario = load(ROOT / "scenarios" / "several-lines.en.yaml")
    drill = Rehearsal(scenario)
    drill.until(40)
    drill.made("supervisor-away", began=40)
    cue = CueSeen(move_id="duty-supervisor/1/INC-1:9", case_id="INC-1", event_id="INC-1:9")
    cue.happened_at.seconds = drill.now
    drill.report("observation", cue_seen=cue)
    brought = drill.until(46)
    assert "move_failed" in brought
    assert "move_requested" not in brought


def test_a_participant_moves_again_when_the_silence_is_over() -> None:
    drill = Rehearsal(load(ROOT / "scenarios" / "several-lines.en.yaml"))
    drill.until(40)
    drill.made("supervisor-away", began=40)
    [away] = [planned for planned in drill.case.drill.injects if planned.inject.id == "supervisor-away"]
    [supervisor] = [one for one in SCENARIO.participants if one.name == "duty-supervisor"]
    assert [script.is_silent(drill.case.drill, supervisor, away.until.seconds + late) for late in (-1, 0)] == [
        True,
        False,
    ]


@pytest.mark.parametrize(("within", "late_until", "seconds"), [(60, 0, 120), (60, 90, 90)])
def test_an_expectation_can_be_met_late_for_as_long_again_where_the_script_says_nothing_else(
    within: int, late_until: int, seconds: int
) -> None:
    expectation = Expectation()
    expectation.within.seconds, expectation.late_until.seconds = within, late_until
    assert script.late_seconds(expectation) == seconds


@pytest.mark.parametrize(("asked", "scale"), [(0, 30), (60, 60)])
def test_a_drill_runs_as_fast_as_its_script_says_unless_it_is_asked_for_another_pace(
    asked: float, scale: float
) -> None:
    assert script.opening(Scenario(title="Fire", scale=30), asked).scale == scale


def test_customers_of_a_wave_are_counted_from_one_and_come_evenly() -> None:
    wave = WaveInject(kind=Kind.KIND_COMPLAINT, count=4)
    wave.over.seconds = 120
    assert [customer_turns_up(wave, number).customer.customer_id for number in (0, 3)] == ["drill-1", "drill-4"]
    assert customer_turns_up(wave, 3).customer.email == "customer-4@drill.invalid"
    assert [wave_offset(wave, number) for number in range(4)] == [0, 30, 60, 90]


@pytest.mark.parametrize(
    ("kind", "sender", "action", "text"),
    [
        (Kind.KIND_INCIDENT, "The press", "note", "The press: Well?"),
        (Kind.KIND_INCIDENT, "", "note", "Well?"),
        (Kind.KIND_COMPLAINT, "The press", "receive_message", "Well?"),
    ],
)
def test_a_message_is_noted_in_an_incident_and_said_by_the_customer_elsewhere(
    kind: Kind.ValueType, sender: str, action: str, text: str
) -> None:
    inject = Inject(message=MessageInject(to="outage", sender=sender, text="Well?"))
    command = message_to(Case(case_id="C-1", kind=kind), inject)
    assert (command.case_id, command.WhichOneof("action")) == ("C-1", action)
    assert getattr(command, action).words.text == text


@pytest.mark.parametrize(
    ("role", "department", "silent"),
    [
        (0, "", True),
        (Role.ROLE_SUPERVISOR, "", True),
        (Role.ROLE_AGENT, "", False),
        (0, "legal", True),
        (0, "operations", False),
        (Role.ROLE_AGENT, "legal", False),
    ],
)
def test_an_inject_silences_a_role_or_a_department_or_everybody(
    role: Role.ValueType, department: str, silent: bool
) -> None:
    participant = Participant(name="sue", role=Role.ROLE_SUPERVISOR, department="legal")
    assert script.is_for(SilenceInject(role=role, department=department), participant) is silent


def test_an_inject_by_hand_that_is_no_message_needs_nobody_to_hear_it() -> None:
    drill = Rehearsal()
    drill.until(0)
    silence = Inject(id="away", title="All are away", silence=SilenceInject())
    silence.silence.lasts.seconds = 60
    assert drill.do(inject_by_hand=InjectByHand(inject=silence)) == ["inject_requested"]


def test_a_system_that_fails_is_restored_when_its_time_is_over() -> None:
    drill = Rehearsal()
    drill.until(0)
    drill.made("shop-down")
    assert "restoration_requested" not in drill.until(59)
    assert "restoration_requested" in drill.until(60)
    drill.report("restoration", system_restored=SystemRestored())
    assert "restoration" not in drill.demands()


def test_an_abort_ends_the_drill_and_puts_everything_right() -> None:
    drill = Rehearsal()
    drill.until(10)
    drill.made("shop-down")
    drill.do(abort_drill=AbortDrill(why="a real emergency"))
    assert drill.case.stage == Stage.STAGE_CLOSED
    assert drill.case.closure.how == Closure.HOW_DRILL_OVER
    assert drill.demands() == ["clearance", "restoration"]
    assert {one.verdict for one in drill.case.drill.expectations} == {DrillExpectation.VERDICT_DROPPED}
    assert next_wake(drill.case) is None


def test_an_abort_leaves_what_was_judged_as_it_was_judged() -> None:
    drill = Rehearsal()
    drill.until(61)
    drill.report("judgement", "confirmed", expectation_missed=ExpectationMissed(expectation_id="confirmed"))
    drill.do(abort_drill=AbortDrill(why="a real emergency"))
    verdicts = {one.id: one.verdict for one in drill.case.drill.expectations}
    assert verdicts.pop("confirmed") == DrillExpectation.VERDICT_MISSED
    assert set(verdicts.values()) == {DrillExpectation.VERDICT_DROPPED}


def test_a_fault_that_is_being_made_when_the_drill_is_aborted_is_undone_as_well() -> None:
    drill = Rehearsal()
    drill.until(0)
    drill.do(abort_drill=AbortDrill(why="a real emergency"))
    assert drill.demands() == ["clearance", "restoration"]


def test_an_inject_by_hand_happens_at_once_and_has_an_id_of_its_own() -> None:
    drill = Rehearsal()
    drill.until(0)
    inject = Inject(id="press", title="The press calls", message=MessageInject(to="outage", text="Well?"))
    assert drill.do(inject_by_hand=InjectByHand(inject=inject)) == ["inject_requested"]
    assert drill.case.drill.injects[-1].by_hand
    with pytest.raises(Rejected, match="has an inject 'press' already"):
        drill.do(inject_by_hand=InjectByHand(inject=inject))


def test_a_message_by_hand_needs_somebody_who_hears_it() -> None:
    drill = Rehearsal()
    said = Inject(id="press", title="The press", message=MessageInject(to="shop-down", text="Well?"))
    with pytest.raises(Rejected, match="those that do are outage, calls") as refused:
        drill.do(inject_by_hand=InjectByHand(inject=said))
    assert refused.value.field == "inject_by_hand.inject.message.to"
    said.message.to = "calls"
    drill.do(inject_by_hand=InjectByHand(inject=said))


def test_a_system_that_is_failing_is_not_made_fail_by_hand_until_it_answers() -> None:
    drill = Rehearsal()
    drill.until(0)
    drill.made("shop-down")
    again = Inject(id="again", title="Once more", fault=FaultInject(system=FaultInject.SYSTEM_SHOP))
    again.fault.lasts.seconds = 60 * MINUTE
    with pytest.raises(Rejected, match="the shop of DRL-1 is failing already, by shop-down") as refused:
        drill.do(inject_by_hand=InjectByHand(inject=again))
    assert refused.value.code == "ALREADY_SO"
    drill.until(60)
    drill.report("restoration", system_restored=SystemRestored())
    assert drill.do(inject_by_hand=InjectByHand(inject=again)) == ["inject_requested"]


def test_it_ends_when_everything_is_judged_with_the_points_that_could_be_won() -> None:
    drill = Rehearsal()
    for minutes in (0, 10, 40):
        drill.until(minutes)
        for planned in list(drill.case.drill.injects):
            if planned.state == DrillInject.STATE_DUE:
                drill.made(planned.inject.id)
    drill.until(60)
    drill.report("restoration", system_restored=SystemRestored())
    drill.until(700)
    for number, expectation in enumerate(SCENARIO.expectations):
        name = expectation.id
        if number % 2:
            drill.report("judgement", f'"{name}"', expectation_missed=ExpectationMissed(expectation_id=name))
        else:
            met = ExpectationMet(expectation_id=name, score=expectation.score)
            drill.report("judgement", f'"{name}"', expectation_met=met)
    assert drill.case.stage == Stage.STAGE_RETROSPECTIVE
    won = sum(expectation.score for expectation in SCENARIO.expectations[::2])
    assert (drill.case.drill.score, drill.case.drill.max_score) == (won, 100)


def ended() -> Rehearsal:
    """A drill that is over, after an hour: everything failed, and nobody was expected to answer."""
    drill = Rehearsal()
    for minutes in (0, 10, 40):
        drill.until(minutes)
        for planned in list(drill.case.drill.injects):
            if planned.state == DrillInject.STATE_DUE:
                failed = InjectFailed(inject_id=planned.inject.id, why="no such thing")
                drill.report("inject", f'"{planned.inject.id}"', inject_failed=failed)
    assert drill.case.drill.HasField("ended_at")
    return drill


def test_whoever_notes_what_was_learned_closes_a_drill_that_is_over() -> None:
    drill = ended()
    brought = drill.do(remark_drill=RemarkDrill(improvement="Print the number."))
    assert brought == ["drill_remarked", "clock_met", "case_closed"]
    assert drill.do(remark_drill=RemarkDrill(problem="And another one.")) == ["drill_remarked"]


def test_a_drill_at_which_nobody_looks_back_in_three_days_is_a_broken_promise_to_the_director() -> None:
    drill = ended()
    day = 24 * 60
    assert "clock_breached" not in drill.until(40 + 3 * day - 1)
    brought = drill.until(40 + 3 * day)
    assert brought == ["clock_breached", "escalation_stepped", "staff_alerted", "clock_cancelled", "case_closed"]
    stepped = next(event for event in drill.events if event.HasField("escalation_stepped"))
    assert stepped.escalation_stepped.role == Role.ROLE_DIRECTOR
    assert next_wake(drill.case) is None


def test_nothing_more_happens_in_a_drill_that_is_over() -> None:
    drill = ended()
    for action in (
        {"abort_drill": AbortDrill(why="?")},
        {"inject_by_hand": InjectByHand(inject=Inject(id="x", title="x"))},
    ):
        with pytest.raises(Rejected, match="only when it is in progress"):
            drill.do(**action)


def test_only_a_case_of_a_drill_is_ended_with_it() -> None:
    real = fold(act(None, _inquiry(), OPENED, RULES))
    end = Command(case_id="INQ-1", request_id="e", actor=SYSTEM, end_drill_case=EndDrillCase())
    with pytest.raises(Rejected, match="part of no drill"):
        act(real, end, OPENED, RULES)
    rehearsed = fold(act(None, _inquiry(drill_id="DRL-1"), OPENED, RULES))
    ended = fold(act(rehearsed, end, OPENED, RULES), rehearsed)
    assert ended.stage == Stage.STAGE_CLOSED
    assert not pending_effects(ended)


def test_a_case_that_ended_with_its_drill_owes_nothing_any_more(story: Story) -> None:
    story.open("complaint", drill_id="DRL-1")
    story.agent().wait("customer")
    story.engine().end_drill_case()
    assert (story.clocks(), story.wake) == ({}, None)
    assert not story.case.HasField("waiting")


def _inquiry(**more: Any) -> Command:  # noqa: ANN401 - fields of Open
    asked = Open(kind=Kind.KIND_INQUIRY, channel=Channel.CHANNEL_CHAT, subject="?", **more)
    asked.customer.customer_id = "c-1"
    return Command(case_id="INQ-1", request_id="o", actor=LEAD, open=asked)


# --- which events meet what ---


def graded(at: int, *, level: int = 1, role: Role.ValueType = Role.ROLE_DIRECTOR, case_id: str = "INC-1") -> Event:
    event = Event(
        case_id=case_id, event_id=f"{case_id}:{at}", actor=Actor(name="x", role=role), incident_graded=IncidentGraded()
    )
    event.incident_graded.level = level
    event.at.seconds = at
    return event


EXPECTED = Expectation(
    id="graded", event="incident_graded", where={"level": "1"}, by=[Role.ROLE_DIRECTOR], score=9, count=1
)
MET, LATE, MISSED = (
    DrillExpectation.VERDICT_MET,
    DrillExpectation.VERDICT_LATE,
    DrillExpectation.VERDICT_MISSED,
)


def verdict(
    *events: Event, inject_id: str = "outage", count: int = 1, of: str = ""
) -> DrillExpectation.Verdict.ValueType:
    planned = DrillExpectation()
    planned.due_at.seconds, planned.expires_at.seconds = 200, 300
    expected = Expectation()
    expected.CopyFrom(EXPECTED)
    expected.count, expected.of = count, of
    histories = [
        History(inject_id, [event for event in events if event.case_id == case])
        for case in sorted({event.case_id for event in events})
    ]
    return judge(expected, planned, 100, histories).verdict


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([graded(150)], MET),
        ([graded(200)], MET),
        ([graded(201)], LATE),
        ([graded(300)], LATE),
        ([graded(301)], MISSED),
        ([graded(99)], MISSED),
        ([graded(150, level=2)], MISSED),
        ([graded(150, role=Role.ROLE_AGENT)], MISSED),
        ([graded(150, level=2), graded(210)], LATE),
        ([], MISSED),
    ],
    ids=["in time", "just in time", "late", "just late", "too late", "before", "other", "wrong role", "second", "none"],
)
def test_an_expectation_is_met_by_the_right_event_of_the_right_role_in_its_time(
    events: list[Event], says: DrillExpectation.Verdict.ValueType
) -> None:
    assert verdict(*events) == says


def test_an_expectation_of_several_cases_is_met_when_the_last_of_them_is() -> None:
    first, second = graded(150), graded(250, case_id="INC-2")
    assert verdict(first, second, count=2) == LATE
    assert verdict(first, graded(160), count=2) == MISSED, "twice in one case is one case"


def test_an_expectation_of_an_injects_cases_is_met_only_there() -> None:
    assert verdict(graded(150), of="outage") == MET
    assert verdict(graded(150), inject_id="calls", of="outage") == MISSED


@given(st.lists(st.integers(0, 400), max_size=8), st.integers(1, 4))
def test_more_events_never_make_a_verdict_worse(times: list[int], count: int) -> None:
    events = [graded(at, case_id=f"INC-{number}") for number, at in enumerate(times)]
    scores = [points(EXPECTED, verdict(*events[:most], count=count)) for most in range(len(events) + 1)]
    assert scores == sorted(scores)


def test_late_scores_half_in_whole_points() -> None:
    assert [points(EXPECTED, one) for one in (MET, LATE, MISSED)] == [9, 4, 0]


@pytest.mark.parametrize(
    ("path", "word"),
    [("level", "1"), ("crisis", "major"), ("report_required", "false"), ("nothing", None), ("level.more", None)],
)
def test_a_field_of_an_event_is_compared_by_its_word(path: str, word: str | None) -> None:
    body = graded(1).incident_graded
    body.crisis = CrisisClass.CRISIS_CLASS_MAJOR
    assert word_at(body, path) == word


def test_the_score_is_told_by_phase_and_by_every_role_that_may() -> None:
    drill = Rehearsal()
    drill.until(61)
    drill.report("observation", expectation_met=ExpectationMet(expectation_id="led", score=10))
    drill.report("judgement", "confirmed", expectation_missed=ExpectationMissed(expectation_id="confirmed"))
    assert by_phase(drill.case.drill) == {
        Phase.PHASE_DETECTION: Tally(missed=1, max_score=10),
        Phase.PHASE_RESPONSE: Tally(met=1, score=10, max_score=10),
    }
    assert by_role(drill.case.drill)[Role.ROLE_EXECUTIVE] == Tally(met=1, missed=1, score=10, max_score=20)


# --- simulation ---


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_whoever_always_takes_the_median_meets_everything_that_is_shipped(path: Path) -> None:
    """With every draw in the middle nobody is slow and nobody is missing."""
    result = Simulator(load(path), RULES, OPENED).run(lambda: 0.5)
    assert {one: judged.verdict for one, judged in result.judgements.items() if judged.verdict == MISSED} == {}


def test_the_same_numbers_give_the_same_run() -> None:
    fresh, used = Simulator(SCENARIO, RULES, OPENED), Simulator(SCENARIO, RULES, OPENED)
    used.run(Random(6).random)
    assert used.run(Random(7).random) == fresh.run(Random(7).random), "runs leave nothing behind"


def test_a_letter_that_is_sent_while_mail_is_down_arrives_when_it_is_up_again() -> None:
    scenario = Scenario()
    scenario.CopyFrom(load(ROOT / "scenarios" / "several-lines.en.yaml"))
    fault = next(inject for inject in scenario.injects if inject.HasField("fault"))
    ends = fault.at.seconds + fault.fault.lasts.seconds
    assert Simulator(scenario, RULES, OPENED).run(lambda: 0.5).seconds["told"] == ends
    scenario.injects.remove(fault)
    assert Simulator(scenario, RULES, OPENED).run(lambda: 0.5).seconds["told"] < ends


def test_delays_have_the_median_and_the_ninth_tenth_that_were_asked_for() -> None:
    delay = Delay(never_percent=10)
    delay.median.seconds, delay.p90.seconds = 600, 1800
    numbers = Random(1)
    drawn = [draw_delay(delay, numbers.random) for _ in range(4000)]
    answers = sorted(each for each in drawn if each is not None)
    assert 0.87 < len(answers) / len(drawn) < 0.93
    assert 540 < answers[len(answers) // 2] < 660
    assert 1600 < answers[len(answers) * 9 // 10] < 2000
