"""Drills as their users have them: real processes, real sockets, compressed time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from activities.mail import MailUnavailableError, Message, SmtpMailer
from activities.outside import DRILL_HEADER
from casetrail import CasetrailError, Client
from casetrail.scenario_file import load
from casetrail.v1.case_pb2 import Case, CaseLink
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.command_pb2 import Link
from casetrail.v1.drill_pb2 import DrillExpectation, DrillInject
from casetrail.v1.inject_pb2 import FaultInject, Inject, MessageInject
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Kind, Stage
from embedded.stack import Stack
from tests.programs import CASETRAIL, CASETRAIL_VERIFY

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[1]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
SCALE = 300.0  # the fastest at which nobody in a shipped scenario waits less than a second
PATIENCE = 240.0
MADE = DrillInject.STATE_MADE
JUDGED = (DrillExpectation.VERDICT_MET, DrillExpectation.VERDICT_LATE, DrillExpectation.VERDICT_MISSED)

SHORT = """\
id: short
title: Short
locale: en
injects:
  - {id: outage, at: 0s, title: Down, declare: {subject: down, channel: app, suspected_level: 1}}
  - {id: shop-down, at: 0s, title: The shop fails, fault: {system: shop, lasts: 2h}}
expectations:
  - {id: confirmed, title: Confirmed, after: outage, event: nature_confirmed, within: 1h, score: 10, phase: detection}
  - {id: graded, title: Graded, after: outage, event: incident_graded, within: 1h, score: 10, phase: detection}
participants:
  - name: duty-lead
    role: team_lead
    delay: {median: 10m}
    answers:
      - {to: case_opened, of: outage, do: {confirm_nature: {nature: down}}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack.start(data=tmp_path_factory.mktemp("stack")) as running:
        await running.ready()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with Client(stack.address, stack.token) as connected:
        yield connected


async def over(client: Client, case_id: str) -> Case:
    """Follow a drill until it is over and everything is put right."""
    async with asyncio.timeout(PATIENCE):
        async for answer in client.drills.watch(case_id):
            drill = answer.drill
    return drill


async def happened(client: Client, case_id: str, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        async for answer in client.drills.watch(case_id):
            if answer.event.HasField(name):  # type: ignore[arg-type] # any event
                return
    raise AssertionError(f"{name} did not happen")


async def shop_answers(stack: Stack, drill_id: str) -> bool:
    headers = {DRILL_HEADER: drill_id}
    async with aiohttp.ClientSession(stack.drill_shop_url, headers=headers) as http, http.get("/orders/D1") as answer:
        return answer.status != 503


async def mail_goes_out(stack: Stack, drill_id: str) -> bool:
    host, _, port = stack.drill_smtp_address.partition(":")
    mailer = SmtpMailer(host=host, port=int(port), sender="test@drill.example")
    try:
        await mailer.send(Message("<1@drill.example>", f"drill+{drill_id}@localhost", "?", "?"))
    except MailUnavailableError:
        return False
    return True


async def until(ask: Callable[[], Awaitable[bool]], *, says: bool = True) -> None:
    async with asyncio.timeout(PATIENCE):
        while await ask() != says:  # noqa: ASYNC110 - systems tell nobody
            await asyncio.sleep(0.1)


async def letters(url: str) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession(url) as http, http.get("/messages") as answer:
        found: list[dict[str, Any]] = (await answer.json())["messages"]
        return found


async def cli(stack: Stack, *words: str, fails: bool = False) -> str:
    ran = await asyncio.to_thread(
        CASETRAIL.run, *words, CASETRAIL_ADDRESS=stack.address, CASETRAIL_DATA=str(stack.data)
    )
    assert bool(ran.code) == fails, ran.err
    return ran.err if fails else ran.out


async def judged_offline(stack: Stack, export: Path) -> str:
    """What an auditor's verifier says of all that happened so far."""
    await cli(stack, "export", "--format", "jsonl", str(export))
    key = stack.data / "keys" / "log.vkey"
    return (await asyncio.to_thread(CASETRAIL_VERIFY.run, str(export), "--log-key", str(key))).out


async def test_every_shipped_scenario_runs_to_its_end_and_the_log_holds(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    scenarios = [load(path, scale=SCALE) for path in SCENARIOS]
    started = [(await client.drills.start(scenario, scale=SCALE)).drill for scenario in scenarios]
    drills = await asyncio.gather(*(over(client, drill.case_id) for drill in started))
    for scenario, drill in zip(scenarios, drills, strict=True):
        assert {planned.state for planned in drill.drill.injects} == {DrillInject.STATE_MADE}, scenario.title
        assert {judged.verdict for judged in drill.drill.expectations} <= set(JUDGED), scenario.title
        assert drill.drill.max_score == 100
        assert drill.drill.score > 0
        # Whatever is met is proven by events of the drill's own cases.
        own = {case.case_id for case in (await client.drills.get(drill.case_id)).cases}
        for judged in drill.drill.expectations:
            assert {event_id.rpartition(":")[0] for event_id in judged.event_ids} <= own
    assert await letters(stack.mailbox_url) == [], "nothing has left by the real mail server"
    sent = await letters(stack.drill_mailbox_url)
    assert sent
    assert {letter["to"] for letter in sent} <= {f"drill+{drill.case_id}@localhost" for drill in drills}
    assert all(letter["to"] == f"drill+{letter['headers'][DRILL_HEADER]}@localhost" for letter in sent)
    assert all(letter["subject"].startswith("[DRILL 演练] ") for letter in sent)
    for drill in drills:
        assert await shop_answers(stack, drill.case_id)
        assert await mail_goes_out(stack, drill.case_id)
    await cli(stack, "verify")  # which says by its exit status whether the log is whole
    assert "The log holds" in await judged_offline(stack, tmp_path / "log.jsonl")


async def test_a_drill_is_out_of_lists_unless_asked_for_and_leaves_nothing_open(client: Client) -> None:
    drill = (await client.drills.start(_short())).drill
    await client.drills.abort(drill.case_id, "seen enough")
    await over(client, drill.case_id)
    assert [case async for case in client.list() if case.is_drill] == []
    found = [case async for case in client.list(CaseFilter(drill_id=drill.case_id))]
    assert {case.stage for case in found} == {Stage.STAGE_CLOSED}


async def test_a_drill_survives_the_death_of_worker_temporal_and_server_in_its_middle(
    stack: Stack, client: Client
) -> None:
    drill = (await client.drills.start(_short(), scale=360)).drill
    await happened(client, drill.case_id, "inject_made")
    await asyncio.gather(*(stack.kill(name) for name in ("worker", "temporal", "server")))
    await stack.ready()
    ended = await over(client, drill.case_id)
    verdicts = {judged.id: judged.verdict for judged in ended.drill.expectations}
    assert verdicts["confirmed"] in JUDGED
    assert verdicts["graded"] == DrillExpectation.VERDICT_MISSED, "nobody plays whoever grades"
    assert await shop_answers(stack, drill.case_id)


async def test_a_system_really_fails_and_answers_again_when_the_drill_is_aborted(stack: Stack, client: Client) -> None:
    drill = (await client.drills.start(_short())).drill
    await happened(client, drill.case_id, "inject_made")
    await until(lambda: shop_answers(stack, drill.case_id), says=False)
    await client.drills.abort(drill.case_id, "a real emergency")
    ended = await over(client, drill.case_id)
    assert ended.drill.aborted
    await until(lambda: shop_answers(stack, drill.case_id))


async def test_what_fails_in_one_drill_answers_in_another(stack: Stack, client: Client) -> None:
    disturbed = (await client.drills.start(_short())).drill
    undisturbed = (await client.drills.start(_quiet())).drill
    mail = FaultInject(system=FaultInject.SYSTEM_MAIL)
    mail.lasts.seconds = 7200
    await client.drills.inject(disturbed.case_id, Inject(id="mail-down", title="Mail fails", fault=mail))
    await until(lambda: shop_answers(stack, disturbed.case_id), says=False)
    await until(lambda: mail_goes_out(stack, disturbed.case_id), says=False)
    assert await shop_answers(stack, undisturbed.case_id)
    assert await mail_goes_out(stack, undisturbed.case_id)
    # Nor does the end of the other one mend anything.
    await client.drills.abort(undisturbed.case_id, "seen enough")
    await over(client, undisturbed.case_id)
    assert not await shop_answers(stack, disturbed.case_id)
    assert not await mail_goes_out(stack, disturbed.case_id)
    await client.drills.abort(disturbed.case_id, "seen enough")
    await over(client, disturbed.case_id)
    await until(lambda: shop_answers(stack, disturbed.case_id))
    await until(lambda: mail_goes_out(stack, disturbed.case_id))


async def test_a_person_takes_part_and_what_is_injected_by_hand_arrives(client: Client) -> None:
    drill = (await client.drills.start(_short())).drill
    await happened(client, drill.case_id, "inject_made")
    found = await client.drills.get(drill.case_id)
    incident = next(case for case in found.cases if case.kind == Kind.KIND_INCIDENT)
    press = Inject(id="press", title="The press", message=MessageInject(to="outage", text="Well?", sender="press"))
    await client.drills.inject(drill.case_id, press)
    async with asyncio.timeout(PATIENCE):
        async for seen in client.watch(incident.case_id):
            if seen.event.HasField("note_added"):
                break
    assert seen.event.note_added.words.text == "press: Well?"
    assert seen.event.drill_id == drill.case_id
    await client.drills.abort(drill.case_id, "seen enough")
    await over(client, drill.case_id)


async def test_whatever_a_script_can_have_can_be_injected_by_hand(stack: Stack, client: Client) -> None:
    drill = (await client.drills.start(_quiet())).drill
    await happened(client, drill.case_id, "inject_made")
    for words in (
        "declare second --subject=Parcels-stand-still --level=2 --crisis=major",
        "wave calls --count=2 --subject=Where? --kind=complaint --channel=phone",
        "silence nobody --department=technology --lasts=1h",
        "fault mail-down --system=mail",
    ):
        kind, name, *more = words.split()
        await cli(stack, "drill", "inject", kind, drill.case_id, name, *more)
    async with asyncio.timeout(PATIENCE):
        async for answer in client.drills.watch(drill.case_id):
            made = {each.inject.id: len(each.case_ids) for each in answer.drill.drill.injects if each.state == MADE}
            if made.keys() >= {"second", "calls", "nobody", "mail-down"}:
                break
    assert made == {"outage": 1, "second": 1, "calls": 2, "nobody": 0, "mail-down": 0}
    said = ("message", drill.case_id, "again", "--to", "calls", "--text", "Hello?")
    assert "inject again, by hand" in await cli(stack, "drill", "inject", *said)
    assert "id of its own" in await cli(stack, "drill", "inject", *said, fails=True)
    nobody = ("message", drill.case_id, "into-the-air", "--to", "mail-down", "--text", "Hello?")
    assert "outage, second, calls" in await cli(stack, "drill", "inject", *nobody, fails=True)
    assert "--department" in await cli(stack, "drill", "inject", "silence", drill.case_id, "x", fails=True)
    await client.drills.abort(drill.case_id, "seen enough")
    await over(client, drill.case_id)
    assert "closed" in await cli(stack, "drill", "inject", "fault", drill.case_id, "y", "--system=shop", fails=True)


async def test_a_real_case_cannot_be_linked_to_a_drill(client: Client) -> None:
    drill = (await client.drills.start(_short())).drill
    await happened(client, drill.case_id, "inject_made")
    incident = (await client.drills.get(drill.case_id)).cases[0]
    real = (await client.open(kind="inquiry", customer="c-1", channel="chat", subject="?")).case
    await client.execute(real.case_id, Link(case_id=incident.case_id, relation=CaseLink.RELATION_RELATED))
    async with asyncio.timeout(PATIENCE):
        async for seen in client.watch(real.case_id):
            if seen.event.HasField("link_failed"):
                break
    assert seen.event.link_failed.why.startswith("CANNOT_JOIN")
    await client.drills.abort(drill.case_id, "seen enough")
    await over(client, drill.case_id)


async def test_the_report_says_that_it_is_a_drill_and_is_the_same_each_time(stack: Stack, client: Client) -> None:
    drill = (await client.drills.start(_short())).drill
    await client.drills.remark(drill.case_id, problem="Nobody graded.", improvement="Name a deputy.")
    await client.drills.abort(drill.case_id, "seen enough")
    await over(client, drill.case_id)
    report = await cli(stack, "drill", "report", drill.case_id)
    assert f"DRILL {drill.case_id}: nothing of this is real." in report
    assert "Nobody graded." in report
    assert "Name a deputy." in report
    assert report == await cli(stack, "drill", "report", drill.case_id)
    assert "演练报告" in await cli(stack, "drill", "report", drill.case_id, "--locale", "zh-CN", "--html")


async def test_a_report_compares_with_the_run_that_was_over_when_it_began(client: Client) -> None:
    async def begun() -> Case:
        return (await client.drills.start(_instant(), scale=60)).drill

    async def report(drill: Case) -> str:
        return (await client.drills.report(drill.case_id)).content.decode()

    first = await begun()
    await over(client, first.case_id)
    side_by_side = [await begun(), await begun()]
    for drill in side_by_side:
        await over(client, drill.case_id)
    last = await begun()
    await over(client, last.case_id)
    assert "first run" in await report(first)
    for drill in side_by_side:
        assert first.case_id in await report(drill)
    assert side_by_side[1].case_id in await report(last)


async def test_a_schedule_is_made_listed_paused_triggered_and_ended(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "short.yaml"
    file.write_text(SHORT)
    made = json.loads(
        await cli(
            stack,
            "drill",
            "schedule",
            "create",
            "yearly",
            str(file),
            "--yearly",
            "03-15",
            "--on",
            f"{datetime.now(UTC).year + 1}-11-01",
            "--json",
        )
    )["schedule"]
    assert made["next"][0].endswith("T02:00:00Z"), "at 10:00 in Shanghai"
    assert "paused" in await cli(stack, "drill", "schedule", "pause", "yearly", "--why", "holidays")
    assert "active" in await cli(stack, "drill", "schedule", "resume", "yearly")
    assert "already" in await cli(
        stack, "drill", "schedule", "create", "yearly", str(file), "--yearly", "03-15", fails=True
    )
    await client.drills.trigger("yearly")
    async with asyncio.timeout(PATIENCE):
        while not (ids := (await client.drills.schedules())[0].drill_ids):  # noqa: ASYNC110 - Temporal tells nobody
            await asyncio.sleep(0.2)
    await happened(client, ids[0], "inject_made")
    await client.drills.abort(ids[0], "seen enough")
    await over(client, ids[0])
    await client.drills.unschedule("yearly")
    assert list(await client.drills.schedules()) == []
    assert "UNKNOWN_SCHEDULE" in await cli(stack, "drill", "schedule", "pause", "yearly", fails=True)


async def test_a_simulation_says_how_likely_each_deadline_is_met(stack: Stack) -> None:
    file = str(ROOT / "scenarios" / "system-failure.en.yaml")
    first = json.loads(await cli(stack, "drill", "simulate", file, "--runs", "30", "--seed", "1", "--json"))
    again = json.loads(await cli(stack, "drill", "simulate", file, "--runs", "30", "--seed", "1", "--json"))
    assert first.pop("seconds")
    assert again.pop("seconds")
    assert first == again
    assert {one["id"] for one in first["expectations"]} == {one.id for one in load(Path(file)).expectations}
    shown = await cli(stack, "drill", "simulate", file, "--runs", "30")
    assert "initial response" in shown


async def test_a_scenario_that_is_wrong_starts_nothing(client: Client) -> None:
    scenario = _short()
    scenario.expectations[0].after = "nothing"
    with pytest.raises(CasetrailError, match=r"scenario.expectations\[0\].after") as refused:
        await client.drills.start(scenario)
    assert refused.value.reason == "INVALID"


def _instant() -> Scenario:
    """Over in a second, with nobody in it."""
    scenario = _quiet()
    scenario.id = "instant"
    del scenario.participants[:]
    for expectation in scenario.expectations:
        expectation.within.seconds = expectation.late_until.seconds = 60
    return scenario


def _quiet() -> Scenario:
    """As short, and nothing fails in it."""
    scenario = _short()
    del scenario.injects[1]
    return scenario


def _short() -> Scenario:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "short.yaml"
        file.write_text(SHORT)
        return load(file)
