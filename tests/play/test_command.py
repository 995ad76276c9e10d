"""`casetrail play` as its user sees it."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.play.logs import SAMPLE, SERVICENOW, workshop
from tests.play.toy_engine import ToyEngine, served
from tests.programs import CASETRAIL, Ran


async def casetrail(*words: object, address: str = "127.0.0.1:9") -> Ran:
    ran = await asyncio.to_thread(
        CASETRAIL.run, "play", *map(str, words), CASETRAIL_ADDRESS=address, COLUMNS="200", NO_COLOR="1"
    )
    assert "Traceback" not in ran.out + ran.err
    return ran


async def test_figures_are_one_json_object_and_nothing_else() -> None:
    engine = ToyEngine()
    async with served(engine) as address:
        ran = await casetrail(SAMPLE, "--mapping", SERVICENOW, "--backfill", "--json", address=address)

    figures = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert (figures["mode"], figures["cases"], figures["rows"]) == ("backfill", 16, 109)
    assert figures["events"] == sum(map(len, engine.cases.values())) >= 109


async def test_a_person_gets_a_table_and_the_progress_on_stderr() -> None:
    async with served(ToyEngine()) as address:
        ran = await casetrail(SAMPLE, "--mapping", SERVICENOW, "--backfill", address=address)

    assert ran.code == 0
    assert ran.out.startswith("16 cases, 109 rows in ")
    assert "109/109 rows" in ran.err


async def test_limit_and_prefix_choose_cases_and_numbers() -> None:
    engine = ToyEngine()
    async with served(engine) as address:
        await casetrail(SAMPLE, "--mapping", SERVICENOW, "--backfill", "--limit", 2, "--prefix", "x-", address=address)

    assert set(engine.cases) == {"x-INC0000045", "x-INC0000060"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--backfill or --scale"),
        (("--backfill", "--scale", 10), "--backfill or --scale"),
        (("--scale", 0), "--scale"),
        (("--scale", "fast"), "--scale"),
        (("--backfill", "--prefix", "-x"), "--prefix"),
        (("--backfill", "--limit", 0), "--limit"),
        (("--backfill", "--concurrency", 0), "--concurrency"),
        (("--backfill", "--nope"), "--nope"),
    ],
)
async def test_wrong_usage_ends_with_2(words: tuple[object, ...], said: str) -> None:
    ran = await casetrail(SAMPLE, "--mapping", SERVICENOW, *words)

    assert ran.code == 2
    assert said in ran.err


async def test_a_missing_file_is_told_in_words() -> None:
    ran = await casetrail("nope.csv", "--mapping", SERVICENOW, "--backfill")

    assert ran.code == 1
    assert ran.err == "nope.csv cannot be read: No such file or directory\nNothing was sent.\n"


async def test_a_wrong_mapping_is_told_with_line_and_field(tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    mapping.write_text(SERVICENOW.read_text().replace("kind: inquiry", "kind: picnic"))

    ran = await casetrail(SAMPLE, "--mapping", mapping, "--backfill")

    line = mapping.read_text().splitlines().index("  kind: picnic") + 1
    assert ran.code == 1
    assert ran.err.startswith(f"{mapping}:{line}:9 open.kind: ")


async def test_bad_rows_are_listed_and_nothing_is_sent_until_they_may_be_left_out(tmp_path: Path) -> None:
    good = ("A", "Annahme", "2026-06-18T08:00", "", "J", "K")
    bad = [("A", "Fertig", f"{day}. Juni", "", "J", "K") for day in range(1, 13)]
    file, mapping = workshop(tmp_path, [good, *bad])
    engine = ToyEngine()
    async with served(engine) as address:
        refused = await casetrail(file, "--mapping", mapping, "--backfill", address=address)
        sent = len(engine.commands)
        ran = await casetrail(file, "--mapping", mapping, "--backfill", "--skip-bad-rows", "--json", address=address)

    lines = refused.err.splitlines()
    assert (refused.code, sent) == (1, 0)
    assert lines[0] == f"{file}:3:1 Zeitpunkt: `1. Juni` is no time of the form `iso`"
    assert lines[-2] == "… and 2 more"
    assert "--skip-bad-rows" in lines[-1]
    figures = json.loads(ran.out)
    assert (ran.code, figures["rows"], figures["skipped"]) == (0, 1, 12)


async def test_activities_that_no_rule_enters_are_named(tmp_path: Path) -> None:
    rows = [
        ("A", name, f"2026-06-18T0{hour}:00", "", "J", "K") for hour, name in enumerate(("Annahme", "Lack", "Lack"))
    ]
    file, mapping = workshop(tmp_path, rows)
    async with served(ToyEngine()) as address:
        ran = await casetrail(file, "--mapping", mapping, "--backfill", "--json", address=address)

    assert "no rule enters `Lack`: 2 rows kept without a meaning" in ran.err
    assert json.loads(ran.out)["notes"] == 2


async def test_an_engine_that_is_not_there_is_told_in_words() -> None:
    ran = await casetrail(SAMPLE, "--mapping", SERVICENOW, "--backfill")

    assert ran.code == 1
    assert "nothing answers at 127.0.0.1:9" in ran.err


async def test_a_case_that_cannot_go_on_is_an_answer_and_no_fault_of_the_program() -> None:
    engine = ToyEngine()
    async with served(engine) as address:
        await casetrail(SAMPLE, "--mapping", SERVICENOW, "--backfill", address=address)
        for event in engine.cases["INC0000130"]:
            event.key = "somebody else"
        ran = await casetrail(SAMPLE, "--mapping", SERVICENOW, "--backfill", address=address)

    assert ran.code == 1
    assert "Failed: case INC0000130 cannot be opened: CASE_EXISTS" in ran.err
    assert "should not have happened" not in ran.err
    assert "What was played is kept" in ran.err


async def test_ctrl_c_says_how_to_go_on() -> None:
    engine, first_command = ToyEngine(now=int(time.time())), asyncio.Event()
    engine.seen = lambda _: first_command.set()
    async with served(engine) as address:
        process = await asyncio.create_subprocess_exec(
            *(CASETRAIL.installed, "play", SAMPLE, "--mapping", SERVICENOW),
            *("--scale", "1"),  # so the sample takes months
            env={**os.environ, "CASETRAIL_ADDRESS": address},
            stderr=asyncio.subprocess.PIPE,
        )
        await first_command.wait()
        process.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 130
    assert "Traceback" not in said.decode()
    assert "What was played is kept: the same command goes on from there.\nInterrupted." in said.decode()
