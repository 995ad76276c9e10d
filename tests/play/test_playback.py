"""Playing is repeatable: whatever is cut off, the history becomes that of an undisturbed playing."""

import hashlib
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casetrail.play.log_file import LogCase, Row
from casetrail.play.mapping_file import load_mapping
from casetrail.play.plan import CasePlan, Planner, Style, columns_of
from casetrail.play.playback import Playback, Stopped
from casetrail.v1.case_service_pb2 import BatchResult, Refusal
from tests.play.logs import SAMPLE, SERVICENOW, plans
from tests.play.toy_engine import ToyEngine

MAPPING = load_mapping(SERVICENOW)
STATES = ("New", "Active", "Awaiting User Info", "Awaiting Problem", "Resolved", "Closed", "Cancelled")


def rows_of(said: Sequence[tuple[str, str, int]]) -> tuple[Row, ...]:
    """Rows of one incident: state, owner and minutes since it began."""
    rows = []
    for number, (state, owner, minutes) in enumerate(said):
        cells = dict.fromkeys(columns_of(MAPPING), "x") | {
            "incident_state": state,
            "assigned_to": owner,
            "assignment_group": f"group of {owner}" if owner else "",
        }
        raw = json.dumps({"state": state, "owner": owner, "number": number})
        rows.append(
            Row(number + 2, "INC1", state, minutes * 60, None, cells, raw, hashlib.sha256(raw.encode()).hexdigest())
        )
    return tuple(sorted(rows, key=lambda row: row.at))


def plan_of(rows: tuple[Row, ...]) -> CasePlan:
    return Planner(MAPPING, Style()).plan(LogCase("INC1", rows))


def play(engine: ToyEngine, plan: CasePlan, *, cut_after: int | None = None, live: bool = False) -> Playback:
    """Play a case to its end, or until so many commands were sent; the last answer is then lost."""
    playback = Playback(plan, live=live)
    while not playback.over:
        answer = engine.send(playback.command())
        if cut_after is not None and (cut_after := cut_after - 1) < 0:
            return playback
        playback.answer(answer)
        if playback.known:
            playback.resume(engine.cases[plan.case_id])
    return playback


logs = st.lists(
    st.tuples(st.sampled_from(STATES), st.sampled_from(["", "amy", "bob"]), st.integers(0, 50)),
    min_size=1,
    max_size=12,
).map(rows_of)


@given(logs)
def test_playing_again_changes_nothing_and_tells_the_same_figures(rows: tuple[Row, ...]) -> None:
    engine, plan = ToyEngine(), plan_of(rows)
    first = play(engine, plan)
    before = engine.shape()

    second = play(engine, plan)

    assert engine.shape() == before
    assert (second.refused, second.notes, second.rows_done) == (first.refused, first.notes, len(rows))
    assert second.written == 0


@given(logs, st.lists(st.integers(0, 30), max_size=6))
def test_cut_off_anywhere_and_played_again_the_history_is_the_undisturbed_one(
    rows: tuple[Row, ...], cuts: list[int]
) -> None:
    undisturbed, disturbed, plan = ToyEngine(), ToyEngine(), plan_of(rows)
    play(undisturbed, plan)

    for cut in cuts:
        play(disturbed, plan, cut_after=cut)
    play(disturbed, plan)

    assert disturbed.shape() == undisturbed.shape()


@given(logs, st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_two_players_at_once_come_to_the_history_of_one(rows: tuple[Row, ...], turns: list[tuple[bool, bool]]) -> None:
    alone, shared, plan = ToyEngine(), ToyEngine(), plan_of(rows)
    play(alone, plan)
    players = (Playback(plan, live=False), Playback(plan, live=False))

    for which, answer_is_lost in (*turns, *[(False, False), (True, False)] * 100):
        player = players[which]
        if player.over:
            continue
        answer = shared.send(player.command())
        if not answer_is_lost:
            player.answer(answer)
        if player.known:
            player.resume(shared.cases["INC1"])

    assert all(player.over for player in players)
    assert shared.shape() == alone.shape()


@given(logs)
def test_nothing_is_dropped_every_row_has_an_event(rows: tuple[Row, ...]) -> None:
    engine, plan = ToyEngine(), plan_of(rows)
    play(engine, plan)

    keys = {event.key.split(":")[1] for event in engine.cases["INC1"]}
    assert keys == {row.digest[:32] for row in rows}


@given(logs)
def test_a_refused_row_is_kept_as_it_was_with_the_reason(rows: tuple[Row, ...]) -> None:
    engine, plan = ToyEngine(), plan_of(rows)
    playback = play(engine, plan)

    kept = [event for event in engine.cases["INC1"] if event.WhichOneof("body") == "row_imported"]
    refused = {event.row_imported.raw for event in kept if event.row_imported.refused}
    notes = {event.row_imported.raw for event in kept if not event.row_imported.refused}
    assert len(refused) == playback.refused
    assert len(notes - refused) == playback.notes
    assert refused | notes <= {row.raw for row in rows}


@given(logs, st.data())
def test_a_longer_log_played_later_adds_what_is_new_and_never_turns_time_back(
    rows: tuple[Row, ...], data: st.DataObject
) -> None:
    there = data.draw(st.sets(st.integers(1, 12)))
    shorter = tuple(row for number, row in enumerate(rows) if number in there or number == 0)
    engine = ToyEngine()
    play(engine, plan_of(shorter))
    before = engine.shape()["INC1"]

    play(engine, plan_of(rows))
    play(engine, plan_of(rows))

    after = engine.shape()["INC1"]
    assert after[: len(before)] == before
    assert len({key for _, _, _, key in after}) == len(after)
    times = [at for _, at, _, _ in after]
    assert times == sorted(times)


def test_a_row_that_comes_too_late_is_taken_at_the_time_reached_and_kept_with_a_remark() -> None:
    rows = rows_of([("New", "", 0), ("Active", "amy", 60)])
    late = rows_of([("New", "", 0), ("Active", "amy", 60), ("New", "bob", 30)])
    engine = ToyEngine()
    play(engine, plan_of(rows))

    playback = play(engine, plan_of(late))

    events = engine.cases["INC1"]
    assert [event.WhichOneof("body") for event in events][-2:] == ["assigned", "row_imported"]
    assert {event.at.seconds for event in events[-2:]} == {3600}
    raw = json.loads(events[-1].row_imported.raw)
    assert raw["owner"] == "bob"
    assert raw["(remark)"] == "dated 1970-01-01T00:30:00Z, which the case had passed; counted at 1970-01-01T01:00:00Z"
    assert (playback.refused, playback.notes) == (0, 1)


def test_live_commands_name_no_time() -> None:
    engine = ToyEngine()
    for plan in plans(SAMPLE, SERVICENOW, Style(scale=1000)):
        play(engine, plan, live=True)

    assert not any(command.HasField("at") for command in engine.commands)


def test_a_step_that_breaks_the_contract_is_never_sent_but_kept() -> None:
    rows = rows_of([("New", "", 0), ("New", "x" * 200, 10)])
    engine = ToyEngine()

    playback = play(engine, plan_of(rows))

    assert [command.WhichOneof("action") for command in engine.commands] == ["open", "import_row"]
    assert engine.cases["INC1"][-1].row_imported.refused.startswith("assign: INVALID: assign.to")
    assert playback.refused == 1


@pytest.mark.parametrize("reason", ["CASE_EXISTS", "REQUEST_ID_REUSED"])
def test_a_number_that_something_else_has_taken_stops_the_playing_with_advice(reason: str) -> None:
    playback = Playback(plan_of(rows_of([("New", "", 0)])), live=False)

    with pytest.raises(Stopped, match="--prefix"):
        playback.answer(BatchResult(refused=Refusal(reason=reason, message="taken")))


@pytest.mark.parametrize("reason", ["LOG_UNAVAILABLE", "INTERNAL", "MAY_NOT_ACT_FOR"])
def test_a_fault_of_the_service_is_no_refusal_of_the_row(reason: str) -> None:
    engine, plan = ToyEngine(), plan_of(rows_of([("New", "", 0), ("Active", "amy", 1)]))
    playback = Playback(plan, live=False)
    playback.answer(engine.send(playback.command()))

    with pytest.raises(Stopped, match=reason):
        playback.answer(BatchResult(refused=Refusal(reason=reason, message="no")))


def test_a_row_that_cannot_even_be_kept_stops_the_playing() -> None:
    engine, plan = ToyEngine(), plan_of(rows_of([("New", "", 0), ("New", "", 1)]))
    playback = Playback(plan, live=False)
    playback.answer(engine.send(playback.command()))

    with pytest.raises(Stopped, match="line 3"):
        playback.answer(BatchResult(refused=Refusal(reason="WRONG_TIME", message="it lives")))


@pytest.mark.parametrize("answered", [0, 1])
def test_a_case_that_only_an_archive_has_is_left_out(answered: int) -> None:
    engine, plan = ToyEngine(), plan_of(rows_of([("New", "", 0), ("Active", "amy", 1)]))
    playback = Playback(plan, live=False)
    for _ in range(answered):
        playback.answer(engine.send(playback.command()))

    playback.answer(BatchResult(refused=Refusal(reason="CASE_ARCHIVED", message="gone")))

    assert (playback.over, playback.archived) == (True, True)
