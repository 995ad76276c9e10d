"""Who is woken, and who is left in peace."""

from datetime import timedelta

from audit.sqlite import SqliteLog
from casetrail.v1.command_pb2 import ReportOutcome
from casetrail.v1.effect_pb2 import NotificationDelivered, Outcome, Purpose
from casetrail.v1.types_pb2 import Channel, Words
from domain.draft import SYSTEM
from engine.engine import Engine
from tests.asked import command, opening
from tests.engine.conftest import MakeEngine, SetClock
from tests.fakes import NotedNudges


async def _advanced(engine: Engine) -> str:
    case_id = (await engine.execute(opening())).case.case_id
    await engine.advance(case_id)
    return case_id


async def test_a_new_case_is_woken_once_whatever_follows_before_its_time(engine: Engine, nudges: NotedNudges) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    await engine.execute(command(case_id, assign={"to": "amy"}))
    await engine.execute(command(case_id, note={"words": Words(text="x")}))
    assert nudges.nudged == [case_id]


async def test_a_deadline_that_moves_later_wakes_nobody(engine: Engine, nudges: NotedNudges) -> None:
    case_id = await _advanced(engine)
    nudges.nudged.clear()
    await engine.execute(command(case_id, reply={"words": Words(text="x")}))
    assert nudges.nudged == []


async def test_a_deadline_that_comes_earlier_than_armed_wakes(engine: Engine, nudges: NotedNudges) -> None:
    case_id = await _advanced(engine)
    await engine.execute(command(case_id, reply={"words": Words(text="x")}))
    await engine.advance(case_id)
    nudges.nudged.clear()
    await engine.execute(command(case_id, receive_message={"words": Words(text="and?")}))
    assert nudges.nudged == [case_id]


async def test_a_new_effect_wakes_but_one_that_is_known_does_not(engine: Engine, nudges: NotedNudges) -> None:
    case_id = await _advanced(engine)
    nudges.nudged.clear()
    await engine.execute(command(case_id, note={"words": Words(text="x")}))
    assert nudges.nudged == []
    await engine.execute(command(case_id, resolve={}))
    assert nudges.nudged == [case_id]


async def test_a_process_that_knows_nothing_of_the_workflow_wakes_it(
    make_engine: MakeEngine, nudges: NotedNudges
) -> None:
    case_id = await _advanced(make_engine())
    nudges.nudged.clear()
    await make_engine().execute(command(case_id, note={"words": Words(text="x")}))
    assert nudges.nudged == [case_id]


async def test_a_time_that_has_passed_is_no_reason_to_believe_that_somebody_wakes(
    engine: Engine, nudges: NotedNudges, clock: SetClock
) -> None:
    case_id = await _advanced(engine)
    nudges.nudged.clear()
    clock.pass_(timedelta(hours=2))
    await engine.execute(command(case_id, note={"words": Words(text="x")}))
    assert nudges.nudged == [case_id]


async def test_an_outcome_wakes_nobody_since_the_workflow_itself_reports_it(
    engine: Engine, nudges: NotedNudges
) -> None:
    case_id = await _advanced(engine)
    nudges.nudged.clear()
    delivered = NotificationDelivered(purpose=Purpose.PURPOSE_ACKNOWLEDGEMENT, message_id="m")
    effect = (await engine.case(case_id)).pending_effects[0]
    report = ReportOutcome(effect_id=effect.effect_id, outcome=Outcome(notification_delivered=delivered))
    await engine.execute(command(case_id, actor=SYSTEM, report_outcome=report))
    assert nudges.nudged == []


async def test_a_case_that_has_closed_meanwhile_needs_no_nudge_that_still_waits(
    engine: Engine, nudges: NotedNudges
) -> None:
    case_id = (await engine.execute(opening(customer={"customer_id": "without an address"}))).case.case_id
    assert nudges.still_needed[0]()
    await engine.execute(command(case_id, withdraw={}))
    assert not nudges.still_needed[0]()


async def test_a_command_that_closes_a_case_lets_its_workflow_end(engine: Engine, nudges: NotedNudges) -> None:
    case_id = (await engine.execute(opening(customer={"customer_id": "without an address"}))).case.case_id
    await engine.advance(case_id)
    assert nudges.let_go == []
    await engine.execute(command(case_id, withdraw={}))
    assert nudges.let_go == [case_id]
    await engine.execute(command(case_id, note={"words": Words(text="x")}))
    assert nudges.let_go == [case_id]


async def test_only_what_is_needed_soon_is_urgent(engine: Engine, nudges: NotedNudges) -> None:
    await engine.execute(opening(channel=Channel.CHANNEL_WEB, customer={"customer_id": "answered within minutes"}))
    await engine.execute(opening(channel=Channel.CHANNEL_CHAT, customer={"customer_id": "answered within seconds"}))
    assert nudges.urgent == [False, True]


async def test_what_is_not_armed_is_found_by_the_sweep_and_what_is_armed_is_not(
    engine: Engine, log: SqliteLog, clock: SetClock
) -> None:
    case_id = (await engine.execute(opening())).case.case_id
    found = await log.unserved(now=clock.now(), wake_grace=5, effect_grace=900, limit=10)
    assert [case.case_id for case in found] == [case_id]
    await engine.advance(case_id)
    assert await log.unserved(now=clock.now(), wake_grace=5, effect_grace=900, limit=10) == []


async def test_looking_again_changes_nothing(engine: Engine, log: SqliteLog, clock: SetClock) -> None:
    case_id = await _advanced(engine)
    clock.pass_(timedelta(hours=2))
    first = await engine.advance(case_id)
    size = await log.size()
    assert await engine.advance(case_id) == first
    assert await log.size() == size


async def test_a_parcel_is_never_asked_for_more_often_than_once_a_second(engine: Engine) -> None:
    parcel = {"carrier": "swift", "tracking_no": "T-1"}
    for scale, seconds in ((1, 3600), (60, 60), (100_000, 1)):
        case_id = (await engine.execute(opening(scale=scale, parcel=parcel))).case.case_id
        step = await engine.advance(case_id)
        every = next(effect.every for effect in step.effects if effect.demand == "tracking")
        assert every.ToTimedelta() == timedelta(seconds=seconds)
