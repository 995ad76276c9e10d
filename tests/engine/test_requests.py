"""A request is carried out once, whoever repeats it, whenever, and whatever became of the case."""

import asyncio
from datetime import timedelta

import protovalidate
import pytest

from audit.sqlite import SqliteLog
from casetrail.v1.case_pb2 import Closure
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Actor, Kind, Role, Stage, Words
from domain import Rejected
from engine.engine import Engine
from tests.asked import AMY, command, names, opening
from tests.engine.conftest import MakeEngine, SetClock
from tests.engine.logs import AnswersThatGetLost, CountingReads, as_log


async def _refusal(engine: Engine, asked: object) -> str:
    with pytest.raises(Rejected) as refused:
        await engine.execute(asked)  # type: ignore[arg-type]  # a Command
    return refused.value.code


async def test_an_opening_that_is_repeated_finds_the_same_case(engine: Engine) -> None:
    asked = opening(request_id="r")
    first = await engine.execute(asked)
    again = await engine.execute(asked)
    assert again.repeated
    assert not first.repeated
    assert again.events == first.events
    assert again.case == first.case


async def test_the_same_request_id_of_another_principal_opens_another_case(engine: Engine) -> None:
    asked = opening(request_id="r")
    first = await engine.execute(asked)
    asked.actor.via = "another backend"
    assert (await engine.execute(asked)).case.case_id != first.case.case_id


async def test_a_request_is_answered_as_the_first_time_through_whichever_principal_it_comes_back(
    engine: Engine,
) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    asked = command(case_id, assign={"to": "amy"})
    first = await engine.execute(asked)
    asked.actor.via = "backup backend"
    assert (await engine.execute(asked)).events == first.events


async def test_what_a_source_calls_a_step_is_kept_once_and_makes_no_other_request_of_it(engine: Engine) -> None:
    asked = opening(request_id="r")
    asked.source_activity = "New"
    first = await engine.execute(asked)
    asked.source_activity = "Neu"
    again = await engine.execute(asked)
    assert again.repeated
    assert [event.source_activity for event in again.events] == ["New"] + [""] * (len(first.events) - 1)


async def test_a_request_id_that_is_used_for_something_else_is_refused(engine: Engine) -> None:
    case_id = (await engine.execute(opening(request_id="r"))).case.case_id
    assert await _refusal(engine, opening(request_id="r", subject="Another matter")) == "REQUEST_ID_REUSED"
    await engine.execute(command(case_id, request_id="q", assign={"to": "amy"}))
    assert await _refusal(engine, command(case_id, request_id="q", assign={"to": "ben"})) == "REQUEST_ID_REUSED"
    assert await _refusal(engine, command(case_id, request_id="r", assign={"to": "ben"})) == "REQUEST_ID_REUSED"


async def test_a_number_that_another_request_has_is_passed_over(engine: Engine) -> None:
    wanted = (await engine.execute(opening(request_id="mine"))).case.case_id
    theirs = opening(request_id="theirs")
    theirs.case_id = wanted
    assert await _refusal(engine, theirs) == "CASE_EXISTS"


async def test_a_derived_number_that_is_taken_leads_to_the_next_one_every_time(
    log: SqliteLog, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.engine.numbers", lambda _kind, _who, request: iter(["INQ-TAKEN", f"INQ-{request}", "INQ-third"])
    )
    engine = make_engine()
    assert (await engine.execute(opening(request_id="one"))).case.case_id == "INQ-TAKEN"
    assert (await engine.execute(opening(request_id="two"))).case.case_id == "INQ-two"
    again = await make_engine().execute(opening(request_id="two"))
    assert again.case.case_id == "INQ-two"
    assert again.repeated
    assert await log.size() == 8


async def test_a_request_whose_answer_was_lost_is_answered_when_it_comes_again(
    log: SqliteLog, make_engine: MakeEngine
) -> None:
    case_id = (await make_engine().execute(opening())).case.case_id
    losing = AnswersThatGetLost(log)
    asked = command(case_id, assign={"to": "amy"})
    call = asyncio.create_task(make_engine(as_log(losing)).execute(asked))
    await losing.committed.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    again = await make_engine().execute(asked)

    assert again.repeated
    assert names(again.events) == ["assigned"]
    assert names(await log.events(case_id)).count("assigned") == 1


async def test_a_caller_who_hangs_up_leaves_the_case_usable_in_the_same_process(
    log: SqliteLog, make_engine: MakeEngine
) -> None:
    case_id = (await make_engine().execute(opening())).case.case_id
    losing = AnswersThatGetLost(log)
    engine = make_engine(as_log(losing))
    call = asyncio.create_task(engine.execute(command(case_id, assign={"to": "amy"})))
    await losing.committed.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await engine.case(case_id)).owner == "amy"


async def test_a_repeated_request_is_answered_even_where_it_would_be_refused_now(engine: Engine) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    await engine.execute(command(case_id, assign={"to": "amy"}))
    resolve = command(case_id, resolve={"words": Words(text="Done.")})
    first = await engine.execute(resolve)
    closed = await engine.execute(command(case_id, confirm={"satisfied": True}))
    assert closed.case.closure.how == Closure.HOW_SATISFIED

    again = await engine.execute(resolve)

    assert again.repeated
    assert again.events == first.events
    assert again.case == first.case
    assert again.case.stage == Stage.STAGE_RESOLVED


async def test_a_refused_request_wrote_nothing_and_may_be_carried_out_later(engine: Engine, log: SqliteLog) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    confirm = command(case_id, confirm={"satisfied": True})
    before = await log.size()
    assert await _refusal(engine, confirm) == "WRONG_STAGE"
    assert await log.size() == before
    await engine.execute(command(case_id, resolve={}))
    assert (await engine.execute(confirm)).case.stage == Stage.STAGE_CLOSED


async def test_no_request_id_can_be_the_key_of_what_time_brings(
    engine: Engine, clock: SetClock, log: SqliteLog
) -> None:
    """A caller who took such a key first would keep an escalation from ever being written."""
    case_id = (await engine.execute(opening())).case.case_id
    clock.pass_(timedelta(hours=30))
    await engine.advance(case_id)
    keys = [event.key for event in await log.events(case_id) if event.HasField("due")]
    assert keys
    for key in keys:
        with pytest.raises(protovalidate.ValidationError, match="request_id"):
            protovalidate.validate(command(case_id, request_id=key, assign={"to": "amy"}))


async def test_expected_seq_refuses_what_was_decided_on_an_older_case(engine: Engine) -> None:
    case = (await engine.execute(opening())).case
    asked = command(case.case_id, expected_seq=case.seq, assign={"to": "amy"})
    first = await engine.execute(asked)
    assert await _refusal(engine, command(case.case_id, expected_seq=case.seq, assign={"to": "ben"})) == "STALE_SEQ"
    assert (await engine.execute(asked)).events == first.events


async def test_an_unknown_case_is_refused_with_the_field_that_names_it(engine: Engine) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    for asked, field in (
        (command("INQ-none", assign={"to": "amy"}), "case_id"),
        (command(case_id, link={"case_id": "INQ-none", "relation": 1}), "link.case_id"),
        (command(case_id, merge={"into_case_id": "INQ-none"}), "merge.into_case_id"),
    ):
        with pytest.raises(Rejected) as refused:
            await engine.execute(asked)
        assert refused.value.reason == RefusalReason.REFUSAL_REASON_UNKNOWN_CASE
        assert refused.value.field == field


async def test_the_usual_command_reads_nothing_from_the_log(log: SqliteLog, make_engine: MakeEngine) -> None:
    counting = CountingReads(log)
    engine = make_engine(as_log(counting))
    case_id = (await engine.execute(opening())).case.case_id
    for _ in range(3):
        await engine.execute(command(case_id, note={"words": Words(text="hm")}))
    assert counting.reads == []


async def test_a_case_that_left_the_cache_is_read_from_the_projection_not_folded_anew(
    log: SqliteLog, make_engine: MakeEngine
) -> None:
    counting = CountingReads(log)
    engine = make_engine(as_log(counting), cached_cases=1)
    first = (await engine.execute(opening())).case.case_id
    await engine.execute(opening())
    await engine.execute(command(first, assign={"to": "amy"}))
    assert counting.reads == ["read_case"]


async def test_what_time_owes_comes_before_the_command_and_is_dated_by_when_it_was_due(
    engine: Engine, clock: SetClock
) -> None:
    opened = await engine.execute(opening())
    due = next(each for each in opened.case.clocks if each.name == "first_response").due_at
    clock.pass_(timedelta(minutes=3))

    outcome = await engine.execute(command(opened.case.case_id, reply={"words": Words(text="Sorry!")}))

    happened = names(outcome.events)
    assert happened.index("clock_breached") < happened.index("replied")
    breach = next(event for event in outcome.events if event.HasField("clock_breached"))
    assert breach.at == due
    assert outcome.events[-1].at.seconds == int(clock.now().timestamp())


async def test_a_return_and_a_complaint_get_numbers_of_their_own(engine: Engine) -> None:
    for kind, prefix in ((Kind.KIND_COMPLAINT, "CMP-"), (Kind.KIND_RETURN, "RET-")):
        assert (await engine.execute(opening(kind))).case.case_id.startswith(prefix)


async def test_a_role_that_may_not_do_something_is_refused(engine: Engine) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    customer = Actor(name="customer", role=Role.ROLE_CUSTOMER)
    assert await _refusal(engine, command(case_id, actor=customer, assign={"to": "amy"})) == "ROLE_NOT_ALLOWED"
    assert AMY.role == Role.ROLE_AGENT
