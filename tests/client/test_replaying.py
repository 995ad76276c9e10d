"""`casetrail replay` step by step, and `casetrail why`."""

import asyncio
import json
import os
import pty
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from casetrail.stepping import Key, Player, Step, keys_in
from casetrail.v1.audit_service_pb2 import ListEventsResponse
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import GetCaseResponse, WatchCaseResponse
from casetrail.v1.event_pb2 import Event, LogSealed
from domain import fold
from tests.audit.recorded import Recorded
from tests.client.scripted import Service
from tests.domain.rehearsal import LEAD, Rehearsal
from tests.programs import CASETRAIL, Ran

Casetrail = Callable[..., Awaitable[Ran]]


@pytest.fixture
def story() -> Recorded:
    told = Recorded()
    told.open("inquiry")
    told.at("+40s").agent().reply("Good morning")
    for event in told.events:
        event.event_id = f"{event.case_id}:{event.seq}"
    return told


def steps_of(events: list[Event]) -> list[Step]:
    cases = [Case(), *(fold(events[: n + 1]) for n in range(len(events)))]
    return [Step(event, cases[n], cases[n + 1]) for n, event in enumerate(events)]


def script_steps(service: Service, events: list[Event]) -> None:
    service.script("GetCase", GetCaseResponse(case=fold(events)))
    service.script("WatchCase", [WatchCaseResponse(event=step.event, case=step.after) for step in steps_of(events)])


# --- the player -------------------------------------------------------------------------------------------------------


def test_a_player_goes_forward_and_back_and_no_further_than_the_ends(story: Recorded) -> None:
    player = Player(steps_of(story.events))

    assert not player.press(Key.BACK)
    assert player.press(Key.FORWARD)
    assert player.step.event.seq == 2
    assert player.press(Key.BACK)
    assert player.press(Key.LAST)
    assert not player.press(Key.FORWARD)
    assert player.step.event.seq == len(story.events)
    assert player.press(Key.FIRST)
    assert player.step.event.seq == 1


def test_a_player_goes_to_an_event_and_to_a_time(story: Recorded) -> None:
    player = Player(steps_of(story.events))

    player.go_to_event(3)
    assert player.step.event.seq == 3
    player.go_to_time(story.opened + 39)
    assert player.step.event.HasField("due")
    with pytest.raises(ValueError, match=f"1 to {len(story.events)}"):
        player.go_to_event(99)
    with pytest.raises(ValueError, match="not open yet"):
        player.go_to_time(story.opened - 1)


def test_a_step_tells_what_its_event_changed_besides_count_and_time(story: Recorded) -> None:
    replied = next(step for step in steps_of(story.events) if step.event.HasField("replied"))

    assert [str(found) for found in replied.differences(None)] == [
        "stage: opened → in progress",
        "counters.replies: nothing → 1",
    ]


def test_several_keys_at_once_are_several_keys() -> None:
    assert list(keys_in("n\x1b[D?q")) == [Key.FORWARD, Key.BACK, None, Key.QUIT]


# --- the command ------------------------------------------------------------------------------------------------------


async def test_steps_are_printed_with_differences_and_reasons(
    service: Service, casetrail: Casetrail, story: Recorded
) -> None:
    script_steps(service, story.events)
    ran = await casetrail("replay", "CASE-1", "--steps")
    assert ran.code == 0, ran.err
    assert "stage: opened → in progress" in ran.out
    assert "because of rule clock.first_response of policy default-2026.2" in ran.out
    assert "clocks[first_response#2].breached: nothing → yes" in ran.out


async def test_steps_are_json_lines_for_programs(service: Service, casetrail: Casetrail, story: Recorded) -> None:
    script_steps(service, story.events)
    ran = await casetrail("replay", "CASE-1", "--steps", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["event"]["seq"] for line in lines] == [str(event.seq) for event in story.events]
    assert {"path": "stage", "old": "", "new": "opened"} in lines[0]["differences"]


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        with suppress(OSError):
            os.close(theirs)


async def test_on_a_terminal_one_steps_by_keys(service: Service, story: Recorded) -> None:
    script_steps(service, story.events)
    with terminal() as (ours, theirs):
        process = await asyncio.create_subprocess_exec(
            *(CASETRAIL.installed, "replay", "CASE-1"),
            env={**os.environ, "CASETRAIL_ADDRESS": service.address, "CASETRAIL_TOKEN": "secret", "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        await _read_until(ours, "event 1 of")
        for typed, answer in (
            ("nn", "event 3 of"),
            ("\x1b[D", "event 2 of"),
            ("?", "q quit"),
            ("g", "Event"),
            ("1\r", "event 1 of"),
            ("g", "Event"),
            ("99\r", "Not possible"),
            ("t", "Time"),
            ("+39s\r", " of "),
        ):
            os.write(ours, typed.encode())
            await _read_until(ours, answer)
        os.write(ours, b"q")
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def _read_until(fd: int, words: str) -> None:
    loop, seen, there = asyncio.get_running_loop(), bytearray(), asyncio.Event()

    def read() -> None:
        seen.extend(os.read(fd, 65536))
        if words.encode() in seen:
            there.set()

    loop.add_reader(fd, read)
    try:
        async with asyncio.timeout(30):
            await there.wait()
    finally:
        loop.remove_reader(fd)


async def test_a_reason_is_told_with_the_events_that_prove_it(
    service: Service, casetrail: Casetrail, story: Recorded
) -> None:
    service.script("ListEvents", *[ListEventsResponse(events=story.events)] * 2)
    kept = story.events[-1].seq
    by_number = await casetrail("why", "CASE-1", str(kept))
    by_id = await casetrail("why", "CASE-1", f"CASE-1:{kept}")
    assert by_number.out == by_id.out
    assert "rule      clock.first_response, of policy default-2026.2 (given by CASE-1:2)" in by_number.out
    for words in ("CASE-1:1 ", "CASE-1:2 ", "looked at channel: chat", "BREACHED", "done by"):
        assert words in by_number.out


async def test_why_speaks_of_a_drill_as_a_person_would(service: Service, casetrail: Casetrail) -> None:
    drill = Rehearsal()
    drill.until(0)
    drill.do(actor=LEAD, inject_by_hand={"inject": {"id": "extra", "title": "More calls"}})
    for event in drill.events:
        event.event_id = f"DRL-1:{event.seq}"
        event.key = event.key or ("r-1" if event.seq < 4 else "r-2")
    service.script("ListEvents", *[ListEventsResponse(events=drill.events)] * 2)
    scripted = await casetrail("why", "DRL-1", "4")
    assert "inject outage, by the script: “Nobody can pay any more”" in scripted.out
    assert "the drill's scenario has it at this time; the drill began here" in scripted.out
    assert "time, request" not in scripted.out
    by_hand = await casetrail("why", "DRL-1", str(drill.events[-1].seq))
    assert "inject extra, by hand: “More calls”" in by_hand.out
    assert "erin (director) did it, by request r-2" in by_hand.out


async def test_what_a_participant_plays_is_told_with_the_event_of_the_drill_that_had_it(
    service: Service, casetrail: Casetrail, story: Recorded
) -> None:
    for event in story.events:
        event.drill_id, event.actor.via = "DRL-1", "DRL-1"
        event.key = f"DRL-1:9/{event.seq}" if event.seq == 1 else event.key
    service.script("ListEvents", ListEventsResponse(events=story.events))
    ran = await casetrail("why", "CASE-1", "1")
    assert "the scenario of the drill DRL-1 has it so: DRL-1:9 demanded it" in ran.out


async def test_a_reason_is_json_for_programs(service: Service, casetrail: Casetrail, story: Recorded) -> None:
    service.script("ListEvents", ListEventsResponse(events=story.events))
    ran = await casetrail("why", "CASE-1", str(story.events[-1].seq), "--json")
    told = json.loads(ran.out)
    assert told["event"]["type"] == "ClockMetLate"
    assert told["policy"]["policyId"] == "default-2026.2"
    assert [cause["link"] for cause in told["because"]][:2] == ["SAME_REQUEST", "LAST_MARK"]


async def test_an_event_that_the_case_does_not_have_is_refused(
    service: Service, casetrail: Casetrail, story: Recorded
) -> None:
    service.script("ListEvents", ListEventsResponse(events=story.events))
    ran = await casetrail("why", "CASE-1", "99")
    assert ran.code == 1
    assert ran.err == f"Refused: CASE-1 has {len(story.events)} events, and no event 99\n"


async def test_a_reason_says_of_which_year_it_is(service: Service, casetrail: Casetrail, story: Recorded) -> None:
    service.script("ListEvents", ListEventsResponse(events=story.events))
    ran = await casetrail("why", "CASE-1", "1")
    assert f"{story.events[0].at.ToDatetime():%d %b %Y %H:%M:%S}" in ran.out


async def test_a_reason_is_asked_of_a_case_that_is_named(casetrail: Casetrail) -> None:
    ran = await casetrail("why", "", "1")
    assert (ran.code, "name a case" in ran.err) == (2, True)


async def test_an_event_of_the_log_itself_is_under_no_policy(service: Service, casetrail: Casetrail) -> None:
    seal = Event(event_id="@log:1", seq=1, key="seal 2026-11-21", log_sealed=LogSealed(day="2026-11-21"))
    service.script("ListEvents", ListEventsResponse(events=[seal]), ListEventsResponse())
    ran = await casetrail("why", "@log", "1")
    assert "2026-11-21 sealed" in ran.out
    assert "policy  " not in ran.out
    none = await casetrail("why", "@log", "1")
    assert none.err == "Refused: @log has no events yet\n"
