"""What goes over the wire, against a small engine on a real socket."""

import asyncio
import time
from pathlib import Path

import pytest

from casetrail.client import Client
from casetrail.play.plan import CasePlan, Style
from casetrail.play.playback import Playback, Stopped
from casetrail.play.sending import send_history, send_live
from casetrail.play.summary import summarize
from tests.play.logs import SAMPLE, SERVICENOW, plans, workshop
from tests.play.toy_engine import ToyEngine, served


def ignore(_: Playback) -> None:
    """Nobody watches."""


async def import_all(engine: ToyEngine, found: list[CasePlan], side_by_side: int = 256) -> list[Playback]:
    playbacks = [Playback(plan, live=False) for plan in found]
    async with served(engine) as address, Client(address) as client:
        await send_history(client, playbacks, side_by_side, ignore)
    return playbacks


@pytest.mark.parametrize("side_by_side", [1, 2, 5, 256])
async def test_the_history_does_not_depend_on_how_many_cases_are_played_side_by_side(side_by_side: int) -> None:
    alone, together = ToyEngine(), ToyEngine()
    for plan in plans(SAMPLE, SERVICENOW):
        await import_all(alone, [plan])

    playbacks = await import_all(together, plans(SAMPLE, SERVICENOW), side_by_side)

    assert together.shape() == alone.shape()
    assert all(playback.over for playback in playbacks)


async def test_a_batch_holds_one_command_of_each_of_many_cases() -> None:
    engine = ToyEngine()
    await import_all(engine, plans(SAMPLE, SERVICENOW), side_by_side=32)

    assert engine.batches[0] == 16
    assert len(engine.batches) < len(engine.commands) / 5


async def test_a_second_playing_sends_nothing_but_the_openings() -> None:
    engine = ToyEngine()
    await import_all(engine, plans(SAMPLE, SERVICENOW))
    engine.commands.clear()

    await import_all(engine, plans(SAMPLE, SERVICENOW))

    assert {command.WhichOneof("action") for command in engine.commands} == {"open"}


async def test_rows_that_would_make_a_message_too_large_are_sent_in_several(tmp_path: Path) -> None:
    rows = [(f"A{n}", "Annahme", f"2026-06-18T08:{m:02}", "", "J", "K" * 45_000) for n in range(100) for m in (0, 1)]
    short = [(*row[:5], "K") if row[2].endswith("00") else row for row in rows]
    engine = ToyEngine()

    await import_all(engine, plans(*workshop(tmp_path, short)), side_by_side=200)

    assert len(engine.cases) == 100
    assert max(engine.bytes) < 4 * 1024 * 1024


async def test_live_each_row_comes_when_its_time_comes(tmp_path: Path) -> None:
    # At 3,600 seconds of the log a second, half an hour is half a second.
    rows = [
        ("A", "Annahme", "2026-06-18T08:00", "", "J", "K"),
        ("A", "Fertig", "2026-06-18T09:00", "", "J", "K"),
        ("B", "Annahme", "2026-06-18T08:30", "", "J", "K"),
    ]
    engine = ToyEngine(now=int(time.time()) + 1)  # the next whole second
    playbacks = [Playback(plan, live=True) for plan in plans(*workshop(tmp_path, rows), Style(scale=3600))]
    sent: dict[str, float] = {}
    began = time.monotonic()
    engine.seen = lambda command: sent.setdefault(
        f"{command.case_id} {command.WhichOneof('action')}", time.monotonic() - began
    )

    async with asyncio.timeout(30), served(engine) as address, Client(address) as client:
        await send_live(client, playbacks, 3600, 8, ignore)

    assert list(sent) == ["A open", "B open", "A resolve", "A confirm"]
    assert sent["B open"] - sent["A open"] <= sent["A resolve"] - sent["A open"]
    assert sent["B open"] >= 0.5
    assert sent["A resolve"] >= 1


async def test_a_live_playing_that_was_interrupted_goes_on_without_waiting_for_what_was_missed() -> None:
    engine = ToyEngine(now=int(time.time()) - 3600)
    found = plans(SAMPLE, SERVICENOW, Style(scale=100_000))
    first = Playback(found[0], live=True)
    while not first.over:
        first.answer(engine.send(first.command()))

    async with served(engine) as address, Client(address) as client:
        playbacks = [Playback(plan, live=True) for plan in found]
        # The whole log takes 40 seconds at this scale, all of which lie an hour back.
        await asyncio.wait_for(send_live(client, playbacks, 100_000, 8, ignore), timeout=10)

    assert all(playback.over for playback in playbacks)


async def test_a_case_that_cannot_go_on_ends_the_playing_with_its_own_error() -> None:
    engine = ToyEngine()
    await import_all(engine, plans(SAMPLE, SERVICENOW, Style()))
    for event in engine.cases["INC0000130"]:
        event.key = "somebody else"

    with pytest.raises(Stopped, match=r"INC0000130 cannot be opened: CASE_EXISTS.*--prefix"):
        await import_all(engine, plans(SAMPLE, SERVICENOW))


async def test_the_figures_are_those_of_the_log() -> None:
    engine = ToyEngine()
    found = plans(SAMPLE, SERVICENOW)
    summaries = []
    for _ in range(2):
        playbacks = [Playback(plan, live=False) for plan in found]
        async with served(engine) as address, Client(address) as client:
            await send_history(client, playbacks, 64, ignore)
            summaries.append(await summarize(client, playbacks, mode="backfill", skipped=0, seconds=2.0))

    first, second = (summary.as_json() for summary in summaries)
    assert (first["cases"], first["rows"], first["escalations"], first["rate"]) == (16, 109, 16, 54.5)
    assert first["sla"] == {"met": 48, "breached": 16, "attainment": 0.75}
    assert first["events"] == first["written"] == sum(map(len, engine.cases.values()))
    assert second == {**first, "written": 0}
    assert "16 cases, 109 rows in 2.0 s" in summaries[0].as_text()
