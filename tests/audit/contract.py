"""What every store of the log keeps to. Subclassed once for each database, which gives the `log` fixture."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from audit.log import (
    Appended,
    Batch,
    Behind,
    Finding,
    Known,
    Log,
    LogDamagedError,
    LogUnavailableError,
    Need,
    Unserved,
)
from audit.portions import FIRST
from audit.replay import replay
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.event_pb2 import CaseClosed, Event, Reopened
from casetrail.v1.types_pb2 import Kind, Priority, Stage
from domain.refusal import Rejected
from tests.audit.given import NOON, Writer, digest, event, note, opening, reply

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WAKE_GRACE = 5.0
EFFECT_GRACE = 60.0


async def opened(log: Log, case_id: str, **facts: object) -> Writer:
    need = facts.pop("need", Need(wake=None, effects=False))
    at = facts.pop("at", None)
    writer = Writer(log, case_id)
    await writer.write(opening(**facts), key="open", need=need, at=at)  # type: ignore[arg-type] # its fields
    return writer


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    taken: list[Event] = []
    async with asyncio.timeout(30):
        while len(taken) < count:
            taken.append(await anext(events))
    return taken


async def two_cases(log: Log) -> None:
    """Two cases, their events interleaved: INQ-1 at 1, 3, 4, 6 and INQ-2 at 2, 5, 7."""
    first, second = await opened(log, "INQ-1"), await opened(log, "INQ-2")
    await first.write(reply(), note(), key="r1")
    await second.write(note(), key="r1")
    await first.write(reply(), key="r2")
    await second.write(reply(), key="r2")


def reasons(findings: Sequence[Finding]) -> list[tuple[str, int]]:
    return [(finding.reason, finding.position) for finding in findings]


async def everybody_hears_that_the_head_is_gone(log: Log) -> None:
    for asking in (
        log.size(),
        log.tree_head(),
        log.verify(),
        log.append(Writer(log, "INQ-3").batch(opening(), key="open")),
    ):
        with pytest.raises(LogDamagedError, match="0 heads instead of one: restore the newest backup"):
            await asking


async def everybody_hears_that_a_table_is_gone(log: Log, table: str) -> None:
    """Whatever is asked for is refused where it takes the table, and nothing is said to be whole without it."""
    writer = Writer(log, "INQ-3")
    asked = (log.append(writer.batch(opening(), key="open")), log.events("INQ-1"), log.read_case("INQ-1"))
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(outcome, Exception):
            assert isinstance(outcome, LogDamagedError)
            assert f"has lost its table {table}: " in str(outcome)
    for refused in (log.check(), log.verify(), log.verify("INQ-1")):
        with pytest.raises(LogDamagedError, match=f"has lost its table {table}: .*restore the newest backup"):
            await refused


class Clock:
    """A real clock that a test can set, in microseconds since 1970."""

    def __init__(self) -> None:
        self.now = 1_795_000_000_000_000

    def __call__(self) -> int:
        return self.now


class LogContract:
    """The rules of `Log`."""

    # Appending

    async def test_what_is_answered_is_what_the_log_holds(self, log: Log) -> None:
        written = await Writer(log, "INQ-1").write(opening(), note(), key="r1", time_owes=[reply(), reply()])
        assert written == await log.events("INQ-1") == await log.scan()
        assert [e.WhichOneof("body") for e in written] == ["replied", "replied", "case_opened", "note_added"]

    async def test_the_log_gives_place_identity_and_chain(self, log: Log) -> None:
        await opened(log, "INQ-0")
        written = await Writer(log, "INQ-1").write(opening(), note(), note(), key="r1")
        assert [(e.position, e.seq, e.event_id) for e in written] == [
            (2, 1, "INQ-1:1"),
            (3, 2, "INQ-1:2"),
            (4, 3, "INQ-1:3"),
        ]
        assert written[0].previous_hash == ""
        assert [e.previous_hash for e in written[1:]] == [e.hash for e in written[:-1]]
        assert len({e.hash for e in written}) == 3

    async def test_a_writer_that_changes_its_batch_later_changes_nothing(self, log: Log) -> None:
        batch = Writer(log, "INQ-1").batch(opening(), key="r1")
        appending = asyncio.create_task(log.append(batch))
        await asyncio.sleep(0)
        assert batch.case is not None
        batch.events[0].case_opened.subject = batch.case.subject = "something else"
        await appending
        assert (await log.events("INQ-1"))[0].case_opened.subject == "Where is my parcel?"
        case = await log.read_case("INQ-1")
        assert case is not None
        assert case.subject == "Where is my parcel?"

    async def test_a_known_key_gets_the_first_outcome_for_ever(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        before = writer.batch(note(), note(), key="r1", time_owes=[reply()])
        first = await log.append(before)
        assert isinstance(first, Appended)
        writer.case = before.case
        await writer.write(note(), key="r2", time_owes=[reply()])
        for again in (before, writer.batch(reply("another"), key="r1")):
            known = await log.append(again)
            assert known == Known(first.events, digest("r1"))
        assert await log.find_key("INQ-1", "r1") == Known(first.events, digest("r1"))
        assert len(await log.events("INQ-1")) == 6

    async def test_an_unknown_key_is_unknown(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        (timed,) = await writer.write(key="", time_owes=[reply()])
        assert await log.find_key("INQ-1", "r1") is None
        assert await log.find_key("INQ-2", "open") is None
        assert await log.find_key("INQ-1", timed.key) is None

    async def test_one_key_in_two_cases_is_two_requests(self, log: Log) -> None:
        await opened(log, "INQ-1")
        await opened(log, "INQ-2")
        assert await log.size() == 2

    async def test_what_time_owed_before_a_request_is_that_of_its_case(self, log: Log) -> None:
        written = {}
        for case_id in ("INQ-1", "INQ-2", "INQ-3"):
            writer = await opened(log, case_id)
            written[case_id] = await writer.write(note(), note(), key="r1", time_owes=[reply(), reply()])
        for case_id, events in written.items():
            assert await log.find_key(case_id, "r1") == Known(events, digest("r1"))

    async def test_a_request_sent_twice_at_once_is_written_once(self, log: Log) -> None:
        batch = Writer(log, "INQ-1").batch(opening(), note(), key="r1")
        outcomes = await asyncio.gather(*(log.append(batch) for _ in range(5)))
        (first,) = [o for o in outcomes if isinstance(o, Appended)]
        assert [o for o in outcomes if o is not first] == [Known(first.events, digest("r1"))] * 4

    async def test_who_is_behind_gets_what_was_missed(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        late = writer.batch(reply(), key="late")
        missed = [*await writer.write(note(), key="r1"), *await writer.write(note(), key="r2")]
        assert await log.append(late) == Behind(missed)
        assert await log.size() == 3

    async def test_who_missed_very_much_gets_all_of_it(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        late = writer.batch(reply(), key="late")
        missed = await writer.write(*[note() for _ in range(1100)], key="r1")
        assert await log.append(late) == Behind(missed)

    async def test_who_claims_more_than_there_is_gets_nothing(self, log: Log) -> None:
        writer = Writer(log, "INQ-1")
        writer.case = Case(case_id="INQ-1", seq=3)
        assert await log.append(writer.batch(reply(), key="r1")) == Behind([])
        assert await log.size() == 0

    async def test_of_two_who_decide_on_the_same_state_one_is_behind(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        outcomes = await asyncio.gather(*(log.append(writer.batch(note(), key=f"r{n}")) for n in range(4)))
        assert sorted(type(o).__name__ for o in outcomes) == ["Appended", "Behind", "Behind", "Behind"]
        assert await log.size() == 2

    async def test_positions_are_gapless_under_many_writers(self, log: Log) -> None:
        async def write(number: int) -> None:
            writer = await opened(log, f"INQ-{number}")
            for n in range(8):
                await writer.write(note(), reply(), key=f"r{n}")

        await asyncio.gather(*(write(n) for n in range(30)))
        events = await log.scan(limit=10_000)
        assert [e.position for e in events] == list(range(1, 30 * 17 + 1))
        assert (await log.verify()).findings == ()

    async def test_a_batch_is_written_whole_or_not_at_all(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        (timed,) = await writer.write(key="", time_owes=[reply()])
        twice = writer.batch(note(), key="r1", time_owes=[reply()])
        twice.events[0].key = timed.key
        others = [Writer(log, f"INQ-{n}").batch(opening(), key="open") for n in range(2, 6)]
        outcomes = await asyncio.gather(
            *(log.append(batch) for batch in [*others[:2], twice, *others[2:]]), return_exceptions=True
        )
        assert [type(o).__name__ for o in outcomes] == ["Appended", "Appended", "ValueError", "Appended", "Appended"]
        assert len(await log.events("INQ-1")) == 2
        assert (await log.verify()).findings == ()

    async def test_a_request_cannot_take_the_key_of_time(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        (timed,) = await writer.write(key="", time_owes=[reply()])
        with pytest.raises(ValueError, match="what time brought"):
            await log.append(writer.batch(note(), key=timed.key))

    @pytest.mark.parametrize("wrong", ["no events", "no body", "no key", "fraction", "seq", "case", "fold", "unkeyed"])
    async def test_a_batch_that_contradicts_itself_is_refused(self, log: Log, wrong: str) -> None:
        good = Writer(log, "INQ-1").batch(opening(), note(), key="r1")
        first, second = good.events
        events = [first, second]
        key, case = good.key, good.case
        if wrong == "no events":
            events = []
            case = Case(case_id="INQ-1")
        elif wrong == "no body":
            second.ClearField("note_added")
        elif wrong == "no key":
            second.key = ""
        elif wrong == "fraction":
            second.at.nanos = 1
        elif wrong == "seq":
            second.seq = 3
        elif wrong == "case":
            second.case_id = "INQ-2"
        elif wrong == "fold":
            case = Case(case_id="INQ-1", seq=1)
        else:
            key = "r2"
        batch = Batch("INQ-1", 0, key, good.digest, events, case, good.need)
        with pytest.raises(ValueError, match="INQ-"):
            await log.append(batch)
        assert await log.size() == 0

    async def test_a_caller_who_gives_up_disturbs_nobody(self, log: Log) -> None:
        batches = [Writer(log, f"INQ-{n}").batch(opening(), key="open") for n in range(20)]
        tasks = [asyncio.create_task(log.append(batch)) for batch in batches]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(o, asyncio.CancelledError) for o in outcomes[::2])
        assert all(isinstance(o, Appended) for o in outcomes[1::2])
        # Who gave up asks again with the same key, and learns what became of it.
        again = await asyncio.gather(*(log.append(batch) for batch in batches[::2]))
        assert all(isinstance(o, Appended | Known) for o in again)
        assert await log.size() == 20

    async def test_recorded_time_never_goes_backwards(self, log: Log, clock: Clock) -> None:
        writer = await opened(log, "INQ-1")
        clock.now -= 3_600_000_000
        await writer.write(note(), key="r1")
        clock.now += 7_200_000_001
        await writer.write(note(), key="r2")
        recorded = [e.recorded_at.ToMicroseconds() for e in await log.scan()]
        assert recorded == [1_795_000_000_000_000, 1_795_000_000_000_000, 1_795_003_600_000_001]

    # Reading

    async def test_the_projection_is_the_case_after_its_last_write(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        await writer.write(reply(), key="r1")
        assert await log.read_case("INQ-1") == writer.case
        assert await log.read_case("INQ-2") is None

    async def test_events_and_scan_go_page_by_page(self, log: Log) -> None:
        writers = [await opened(log, case_id) for case_id in ("INQ-1", "INQ-2")]
        for n in range(4):
            for writer in writers:
                await writer.write(note(), key=f"r{n}")
        assert [e.seq for e in await log.events("INQ-2", after_seq=2, limit=2)] == [3, 4]
        assert [e.position for e in await log.scan(after_position=7, limit=2)] == [8, 9]
        assert await log.events("INQ-2", after_seq=5) == []
        assert await log.scan(after_position=10) == []

    async def test_replay_gives_the_case_as_it_once_was(self, log: Log) -> None:
        writer = await opened(log, "INQ-1", at=NOON)
        then = writer.case
        await writer.write(reply(), key="r1", at=NOON + 60)
        await writer.write(note(), key="r2", at=NOON + 60)
        await writer.write(note(), key="r3", at=NOON + 90)
        assert await replay(log, "INQ-1", seq=1) == then
        assert await replay(log, "INQ-1", at=NOON + 59) == then
        assert (await replay(log, "INQ-1", at=NOON + 60)).seq == 3
        assert await replay(log, "INQ-1") == writer.case

    @pytest.mark.parametrize(
        ("point", "code"),
        [({"seq": 0}, "INVALID"), ({"seq": 2}, "INVALID"), ({"at": NOON - 1}, "INVALID")],
    )
    async def test_replay_refuses_a_point_that_there_is_not(self, log: Log, point: dict[str, int], code: str) -> None:
        await opened(log, "INQ-1", at=NOON)
        with pytest.raises(Rejected) as refused:
            await replay(log, "INQ-1", **point)
        assert (refused.value.code, refused.value.field) == (code, next(iter(point)))

    async def test_replay_refuses_an_unknown_case(self, log: Log) -> None:
        with pytest.raises(Rejected) as refused:
            await replay(log, "INQ-1")
        assert refused.value.code == "UNKNOWN_CASE"

    # Following

    async def test_a_follower_catches_up_and_then_follows(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        await writer.write(note(), key="r1")
        async with aclosing(log.follow(after_position=1)) as events:
            assert [e.position for e in await take(events, 1)] == [2]
            following = asyncio.create_task(take(events, 2))
            await asyncio.sleep(0.02)
            assert not following.done()
            await writer.write(reply(), note(), key="r2")
            assert [e.position for e in await following] == [3, 4]

    async def test_a_follower_of_one_case_has_its_events_and_no_others(self, log: Log) -> None:
        writer, other = await opened(log, "INQ-1"), await opened(log, "INQ-2")
        await writer.write(note(), key="r1")
        async with aclosing(log.follow_case("INQ-1", after_seq=1)) as events:
            assert [e.seq for e in await take(events, 1)] == [2]
            following = asyncio.create_task(take(events, 2))
            await other.write(note(), note(), key="r1")
            await asyncio.sleep(0.02)
            assert not following.done()
            await writer.write(reply(), note(), key="r2")
            assert [(e.case_id, e.seq) for e in await following] == [("INQ-1", 3), ("INQ-1", 4)]

    async def test_a_follower_that_reads_slowly_has_few_events_held(
        self, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await (await opened(log, "INQ-1")).write(*[note() for _ in range(250)], key="r1")
        held: list[int] = []
        for name in ("scan", "events"):
            monkeypatch.setattr(log, name, _counted(getattr(log, name), held))
        for following in (log.follow(after_position=0), log.follow_case("INQ-1", after_seq=0)):
            async with aclosing(following):
                await take(following, 1)
        assert held == [FIRST, FIRST]

    async def test_many_followers_miss_nothing_while_many_write(self, log: Log) -> None:
        async def write(number: int) -> None:
            writer = await opened(log, f"INQ-{number}")
            for n in range(10):
                await writer.write(note(), key=f"r{n}")

        async def follow(start: int) -> list[int]:
            async with aclosing(log.follow(after_position=start)) as events:
                return [e.position for e in await take(events, 110 - start)]

        followers = [asyncio.create_task(follow(start)) for start in (0, 0, 7)]
        await asyncio.gather(*(write(n) for n in range(10)))
        assert await asyncio.gather(*followers) == [[*range(1, 111)], [*range(1, 111)], [*range(8, 111)]]

    async def test_a_follower_that_leaves_does_not_take_the_others_along(self, log: Log) -> None:
        async def follow() -> list[Event]:
            async with aclosing(log.follow(after_position=0)) as events:
                return await take(events, 1)

        stays, leaves = asyncio.create_task(follow()), asyncio.create_task(follow())
        await asyncio.sleep(0.02)
        leaves.cancel()
        await opened(log, "INQ-1")
        assert [e.position for e in await stays] == [1]

    async def test_closing_the_log_ends_its_followers(self, log: Log) -> None:
        async def follow() -> list[Event]:
            return [event async for event in log.follow(after_position=0)]

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.02)
        await log.close()
        async with asyncio.timeout(30):
            assert await following == []

    async def test_nobody_is_watched_for_whoever_has_not_read_to_the_end_when_the_log_is_closed(self, log: Log) -> None:
        await opened(log, "INQ-1")
        following = log.follow(after_position=0)
        assert (await anext(following)).position == 1
        await log.close()
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "log-follower"]
        await following.aclose()

    async def test_a_closed_log_takes_nothing_and_tells_nothing(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        await log.close()
        for ask in (
            log.append(writer.batch(note(), key="r1")),
            log.archive(writer.batch(note(), key="r1"), "A-1", []),
            log.remember("name", "value"),
            log.read_case("INQ-1"),
            log.verify(),
        ):
            with pytest.raises(LogUnavailableError, match="is closed"):
                await asyncio.wait_for(ask, 30)

    # Listing

    async def test_cases_are_listed_the_newest_first_in_pages(self, log: Log) -> None:
        for n in range(1, 8):
            await opened(log, f"INQ-{n}")
        assert await pages(log, CaseFilter(), page_size=3) == [
            ["INQ-7", "INQ-6", "INQ-5"],
            ["INQ-4", "INQ-3", "INQ-2"],
            ["INQ-1"],
        ]
        assert await pages(log, CaseFilter(), page_size=7) == [[f"INQ-{n}" for n in range(7, 0, -1)]]

    async def test_pages_stay_the_same_while_cases_are_added_and_changed(self, log: Log) -> None:
        writers = [await opened(log, f"INQ-{n}") for n in range(1, 7)]
        first = await log.list_cases(CaseFilter(), page_size=3, token="")
        await opened(log, "INQ-7")
        await writers[0].write(note(), key="r1")
        second = await log.list_cases(CaseFilter(), page_size=3, token=first.next_token)
        assert [c.case_id for c in second.cases] == ["INQ-3", "INQ-2", "INQ-1"]
        assert second.next_token == ""

    @pytest.mark.parametrize(
        ("case_filter", "expected"),
        [
            (CaseFilter(), ["RET-3", "COM-2", "INQ-1"]),
            (CaseFilter(kinds=[Kind.KIND_COMPLAINT, Kind.KIND_RETURN]), ["RET-3", "COM-2"]),
            (CaseFilter(stages=[Stage.STAGE_CLOSED]), ["RET-3"]),
            (CaseFilter(stages=[Stage.STAGE_OPENED, Stage.STAGE_IN_PROGRESS]), ["COM-2", "INQ-1"]),
            (CaseFilter(priorities=[Priority.PRIORITY_URGENT]), ["COM-2"]),
            (CaseFilter(owner="mei"), []),
            (CaseFilter(team="gold"), []),
            (CaseFilter(customer_id="cu-2"), ["RET-3", "COM-2"]),
            (CaseFilter(customer_id="cu-2", order_id="o-3"), ["RET-3"]),
            (CaseFilter(category="logistics"), ["COM-2"]),
            (CaseFilter(opened_from=Timestamp(seconds=NOON + 60)), ["RET-3", "COM-2"]),
            (CaseFilter(opened_from=Timestamp(seconds=NOON + 59, nanos=1)), ["RET-3", "COM-2"]),
            (CaseFilter(opened_before=Timestamp(seconds=NOON + 60)), ["INQ-1"]),
            (CaseFilter(open=True), ["COM-2", "INQ-1"]),
            (CaseFilter(overdue=True), []),
        ],
    )
    async def test_a_filter_finds_the_cases_that_fit(
        self, log: Log, case_filter: CaseFilter, expected: Sequence[str]
    ) -> None:
        await opened(log, "INQ-1", at=NOON)
        await opened(
            log,
            "COM-2",
            at=NOON + 60,
            kind=Kind.KIND_COMPLAINT,
            customer="cu-2",
            category="logistics",
            priority=Priority.PRIORITY_URGENT,
        )
        closed = await opened(log, "RET-3", at=NOON + 120, kind=Kind.KIND_RETURN, customer="cu-2", order="o-3")
        await closed.write(CaseClosed(), key="close")
        found = await log.list_cases(case_filter, page_size=50, token="")
        assert [case.case_id for case in found.cases] == expected

    async def test_a_token_of_another_filter_is_refused(self, log: Log) -> None:
        await opened(log, "INQ-1")
        await opened(log, "INQ-2")
        token = (await log.list_cases(CaseFilter(open=True), page_size=1, token="")).next_token
        with pytest.raises(ValueError, match="another filter"):
            await log.list_cases(CaseFilter(), page_size=1, token=token)

    @pytest.mark.parametrize("token", ["x", "éé", "e30=", "bnVsbA==", "WzFd", "////", "eyJvcGVuZWQiOiAxfQ=="])
    async def test_what_is_no_token_is_refused(self, log: Log, token: str) -> None:
        with pytest.raises(ValueError, match="no page token"):
            await log.list_cases(CaseFilter(), page_size=1, token=token)

    # What Temporal must do

    async def test_a_new_case_is_unserved_until_it_is_armed(self, log: Log) -> None:
        wake = NOW + timedelta(minutes=5)
        await opened(log, "INQ-1", need=Need(wake, effects=False))
        (found,) = await unserved(log)
        assert (found.case_id, found.kind, found.wake, found.effects) == ("INQ-1", Kind.KIND_INQUIRY, wake, False)
        await opened(log, "INQ-2", need=Need(wake, effects=False))
        await log.arm("INQ-1", seq=1, wake=wake, now=NOW)
        assert [case.case_id for case in await unserved(log)] == ["INQ-2"]

    @pytest.mark.parametrize(
        ("need", "is_unserved"),
        [
            (Need(NOW + timedelta(minutes=4), effects=False), True),  # wakes earlier than it is armed for
            (Need(NOW + timedelta(minutes=5), effects=False), False),
            (Need(NOW + timedelta(minutes=6), effects=False), False),  # a lazy timer finds out by itself
            (Need(None, effects=False), False),
            (Need(None, effects=True), True),  # an effect that Temporal does not know
        ],
    )
    async def test_an_armed_case_is_unserved_when_it_needs_more(self, log: Log, need: Need, is_unserved: bool) -> None:
        writer = await opened(log, "INQ-1")
        await log.arm("INQ-1", seq=1, wake=NOW + timedelta(minutes=5), now=NOW)
        await writer.write(note(), key="r1", need=need)
        assert [case.case_id for case in await unserved(log)] == ["INQ-1"] * is_unserved

    async def test_an_effect_is_armed_only_by_who_has_seen_it(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        await writer.write(note(), key="r1", need=Need(None, effects=True))
        await log.arm("INQ-1", seq=1, wake=None, now=NOW)
        assert len(await unserved(log)) == 1
        await log.arm("INQ-1", seq=2, wake=None, now=NOW)
        assert await unserved(log) == []

    async def test_a_wake_that_passed_unserved_is_found_after_its_grace_and_again_after_another(self, log: Log) -> None:
        await opened(log, "INQ-1", need=Need(NOW, effects=False))
        await log.arm("INQ-1", seq=1, wake=NOW, now=NOW - timedelta(minutes=1))
        assert await unserved(log, after=4) == []
        assert len(await unserved(log, after=6)) == 1
        await log.arm("INQ-1", seq=1, wake=NOW, now=NOW + timedelta(seconds=6))
        assert await unserved(log, after=10) == []
        assert len(await unserved(log, after=12)) == 1

    async def test_an_effect_that_stays_pending_is_found_after_its_grace(self, log: Log, clock: Clock) -> None:
        clock.now = int(NOW.timestamp()) * 1_000_000
        writer = await opened(log, "INQ-1", need=Need(None, effects=True))
        await log.arm("INQ-1", seq=1, wake=None, now=NOW)
        clock.now += 59_000_000
        await writer.write(note(), key="r1", need=Need(None, effects=True))
        await log.arm("INQ-1", seq=2, wake=None, now=NOW)
        assert await unserved(log, after=59) == []
        assert len(await unserved(log, after=61)) == 1

    async def test_effects_after_a_break_are_pending_since_then(self, log: Log, clock: Clock) -> None:
        clock.now = int(NOW.timestamp()) * 1_000_000
        writer = await opened(log, "INQ-1", need=Need(None, effects=True))
        clock.now += 30_000_000
        await writer.write(note(), key="r1")
        await writer.write(note(), key="r2", need=Need(None, effects=True))
        await log.arm("INQ-1", seq=3, wake=None, now=NOW)
        assert await unserved(log, after=89) == []
        assert len(await unserved(log, after=91)) == 1

    async def test_a_late_answer_does_not_arm_for_what_came_after_it(self, log: Log) -> None:
        early = NOW + timedelta(minutes=1)
        writer = await opened(log, "INQ-1")
        await writer.write(note(), key="r1", need=Need(early, effects=False))
        await log.arm("INQ-1", seq=2, wake=early, now=NOW)
        await log.arm("INQ-1", seq=1, wake=NOW + timedelta(hours=1), now=NOW)
        assert await unserved(log) == []
        await writer.write(note(), key="r2", need=Need(early - timedelta(seconds=1), effects=False))
        assert len(await unserved(log)) == 1

    async def test_who_needs_nothing_any_more_is_never_found(self, log: Log) -> None:
        closed = await opened(log, "INQ-1", need=Need(NOW, effects=True))
        await closed.write(CaseClosed(), key="close")
        await opened(log, "INQ-2", imported=True)
        assert await unserved(log, after=1e6) == []

    async def test_a_case_that_is_reopened_is_unserved_until_temporal_knows_of_that(self, log: Log) -> None:
        wake = NOW + timedelta(minutes=5)
        writer = await opened(log, "INQ-1", need=Need(wake, effects=False))
        await log.arm("INQ-1", seq=1, wake=wake, now=NOW)
        await writer.write(CaseClosed(), key="close")
        assert await log.disarm_all() == 0, "of a case that needs nothing there is nothing to forget"
        await writer.write(Reopened(round=2), key="reopen", need=Need(wake, effects=False))
        for seq in (1, 2):
            await log.arm("INQ-1", seq=seq, wake=wake, now=NOW)
            assert len(await unserved(log)) == 1, "a late answer is of a time before"
        await log.arm("INQ-1", seq=3, wake=wake, now=NOW)
        assert await unserved(log) == []

    async def test_of_batches_at_once_the_last_says_what_the_case_needs(self, log: Log) -> None:
        twice, once = await opened(log, "INQ-1"), await opened(log, "INQ-2")
        batches = []
        for writer, body in ((twice, CaseClosed()), (once, note()), (twice, Reopened(round=2)), (once, CaseClosed())):
            batches.append(writer.batch(body, key=f"r{writer.seq}"))
            writer.case = batches[-1].case
        await asyncio.gather(*map(log.append, batches))
        assert [case.case_id for case in await unserved(log)] == ["INQ-1"]

    async def test_a_closed_case_with_an_effect_is_served_to_the_end(self, log: Log) -> None:
        writer = await opened(log, "INQ-1")
        await writer.write(CaseClosed(), key="close", need=Need(None, effects=True))
        assert [case.case_id for case in await unserved(log)] == ["INQ-1"]

    async def test_the_most_urgent_come_first_up_to_the_limit(self, log: Log) -> None:
        for n in (3, 1, 2):
            await opened(log, f"INQ-{n}", need=Need(NOW + timedelta(minutes=n), effects=False))
        found = await log.unserved(now=NOW, wake_grace=WAKE_GRACE, effect_grace=EFFECT_GRACE, limit=2)
        assert [case.case_id for case in found] == ["INQ-1", "INQ-2"]

    async def test_an_incident_comes_before_all_others(self, log: Log) -> None:
        await opened(log, "INQ-1", need=Need(NOW, effects=True))
        await Writer(log, "INC-1").write(opening(kind=Kind.KIND_INCIDENT), key="open")
        assert [case.case_id for case in await unserved(log)] == ["INC-1", "INQ-1"]

    async def test_a_wake_is_never_kept_as_earlier_than_it_is(self, log: Log) -> None:
        await opened(log, "INQ-1", need=Need(NOW + timedelta(microseconds=1), effects=False))
        (found,) = await unserved(log)
        assert found.wake == NOW + timedelta(milliseconds=1)

    async def test_a_lost_temporal_makes_every_open_case_unserved(self, log: Log) -> None:
        for n in range(3):
            await opened(log, f"INQ-{n}")
            await log.arm(f"INQ-{n}", seq=1, wake=None, now=NOW)
        closed = await opened(log, "INQ-9")
        await closed.write(CaseClosed(), key="close")
        assert await unserved(log) == []
        assert await log.disarm_all() == 3
        assert [case.case_id for case in await unserved(log)] == ["INQ-0", "INQ-1", "INQ-2"]

    # Besides cases

    async def test_a_fact_is_remembered_and_what_it_was_is_told(self, log: Log) -> None:
        assert await log.remember("temporal", "a") is None
        assert await log.remember("temporal", "b") == "a"
        assert await log.remember("other", "c") is None
        assert await log.remember("temporal", "b") == "b"

    async def test_a_fact_is_recalled_as_it_was_stored_last_and_stays(self, log: Log) -> None:
        assert await log.recall("temporal") is None
        await log.remember("temporal", "a")
        await log.remember("temporal", "b")
        await log.remember("other", "")
        assert [await log.recall("temporal") for _ in range(2)] == ["b", "b"]
        assert await log.recall("other") == ""

    async def test_of_those_who_store_a_fact_at_the_same_time_one_is_first_and_the_others_are_told(
        self, log: Log
    ) -> None:
        assert await log.agree("key", "a") == "a"
        assert await log.agree("another", "a") == "a"
        assert await log.agree("key", "b") == "a"
        assert await log.agree("key", "b", instead_of="a") == "b"
        assert await log.recall("another") == "a"
        assert await log.agree("key", "c", instead_of="a") == "b"

    async def test_policies_are_kept_in_order_and_once(self, log: Log) -> None:
        for name in ("spring", "autumn", "spring"):
            await log.keep_policy(digest(name), name, name.encode())
        assert await log.policies() == [
            (digest("spring"), "spring", b"spring"),
            (digest("autumn"), "autumn", b"autumn"),
        ]

    async def test_a_policy_under_a_wrong_digest_is_refused(self, log: Log) -> None:
        with pytest.raises(ValueError, match="not the digest of policy spring"):
            await log.keep_policy(digest("autumn"), "spring", b"spring")

    async def test_gauges_count_what_is_open_and_unserved(self, log: Log) -> None:
        await opened(log, "INQ-1")
        writer = await opened(log, "INQ-2")
        await writer.write(CaseClosed(), key="close")
        assert await log.gauges(now=NOW) == {
            "events": 3,
            "open_cases": 1,
            "running_clocks": 0,
            "overdue_clocks": 0,
            "unserved_cases": 1,
        }

    async def test_a_whole_log_verifies(self, log: Log) -> None:
        for n in range(3):
            writer = await opened(log, f"INQ-{n}")
            await writer.write(note(), reply(), key="r1", time_owes=[reply()])
        await log.keep_policy(digest("spring"), "spring", b"spring")
        whole, one, none = await log.verify(), await log.verify("INQ-1"), await log.verify("INQ-9")
        assert (whole.events, whole.cases, whole.findings) == (12, 3, ())
        assert (one.events, one.cases, one.findings) == (4, 1, ())
        assert (none.events, none.cases, none.findings) == (0, 0, ())

    async def test_a_projection_that_is_not_the_fold_is_found(self, log: Log) -> None:
        batch = Writer(log, "INQ-1").batch(opening(), key="open")
        assert batch.case is not None
        batch.case.category = "product"
        await log.append(batch)
        for verified in (await log.verify(), await log.verify("INQ-1")):
            assert [(f.reason, f.position, f.case_id, f.seq) for f in verified.findings] == [
                ("PROJECTION_DIFFERS", 1, "INQ-1", 1),
            ]

    async def test_an_event_without_due_reason_or_actor_comes_back_as_it_was(self, log: Log) -> None:
        bare = event("INQ-1", 1, opening(), key="r1", at=NOON)
        for name in ("due", "reason", "actor"):
            bare.ClearField(name)
        batch = Writer(log, "INQ-1").batch(opening(), key="r1")
        written = await log.append(Batch("INQ-1", 0, "r1", batch.digest, [bare], batch.case, batch.need))
        assert isinstance(written, Appended)
        (stored,) = await log.events("INQ-1")
        assert stored == written.events[0]
        assert [stored.HasField(name) for name in ("due", "reason", "actor")] == [False] * 3


def _counted(read: Callable[..., Awaitable[Sequence[Event]]], counts: list[int]) -> Callable[..., Awaitable[Any]]:
    """Reads, and notes how many events came of it."""

    async def reading(*args: object, **options: object) -> Sequence[Event]:
        events = await read(*args, **options)
        counts.append(len(events))
        return events

    return reading


async def pages(log: Log, case_filter: CaseFilter, *, page_size: int) -> list[list[str]]:
    found: list[list[str]] = []
    token = ""
    while not found or token:
        page = await log.list_cases(case_filter, page_size=page_size, token=token)
        found.append([case.case_id for case in page.cases])
        token = page.next_token
    return found


async def unserved(log: Log, *, after: float = 0) -> Sequence[Unserved]:
    now = NOW + timedelta(seconds=after)
    return await log.unserved(now=now, wake_grace=WAKE_GRACE, effect_grace=EFFECT_GRACE, limit=100)
