"""Cases of every kind, from the first message to the proof, in about a minute.

Everything is real and runs through the front door: the stack of `make up` on a folder of its own, commands over gRPC,
mails by SMTP, a refund from the demo shop. Only time is compressed: an hour of a case is a second here.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console

from casetrail import CasetrailError, Client, scenario_file
from casetrail.counting import counted
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.command_pb2 import (
    Acknowledge,
    Classify,
    Decide,
    Inspect,
    Investigate,
    ParcelReference,
    RecordCallback,
    RecordFinding,
    ReturnRequest,
    ReviewDissatisfaction,
    ShipBack,
)
from casetrail.v1.event_pb2 import CallbackMade, Event
from casetrail.v1.types_pb2 import (
    Actor,
    ItemState,
    Remedy,
    RemedyKind,
    ReturnItem,
    ReturnReason,
    Role,
    Stage,
    Words,
)
from casetrail.words import spoken
from embedded.folder import FolderError
from embedded.processes import ROOT, ProcessError, inherited
from embedded.stack import Stack

_SCALE: Final = 3600.0
_PATIENCE_SECONDS: Final = 120.0
_DRILL_SCALE: Final = 240.0
_SCENARIO: Final = ROOT / "scenarios" / "system-failure.en.yaml"
_SAMPLE: Final = ROOT / "examples" / "servicenow_sample.csv"
_MAPPING: Final = ROOT / "examples" / "servicenow.yaml"

_AMY: Final = Actor(name="amy", role=Role.ROLE_AGENT)
_CHLOE: Final = Actor(name="chloe", role=Role.ROLE_TEAM_LEAD)
_DANIEL: Final = Actor(name="daniel", role=Role.ROLE_SUPERVISOR)
_CUSTOMER: Final = Actor(name="customer", role=Role.ROLE_CUSTOMER)


class DemoError(Exception):
    """Something did not go as the demo shows it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the stories play on.

    Attributes:
        stack: The running stack.
        client: A client of it.
        console: Where it is told.
        folder: The stack's data.
    """

    stack: Stack
    client: Client
    console: Console
    folder: Path

    def say(self, text: str) -> None:
        """Tell a person what happens."""
        self.console.print(f"[dim]·[/dim] {text}")

    def title(self, text: str) -> None:
        """Begin a part."""
        self.console.print()
        self.console.rule(f"[bold]{text}[/bold]", align="left")

    async def casetrail(self, *words: str) -> None:
        """Run a command of the CLI as its user would, and show it.

        Raises:
            DemoError: It did not end with 0.
        """
        self.console.print(f"[bold]$ casetrail {' '.join(words)}[/bold]", soft_wrap=True)
        program = Path(sys.executable).with_name("casetrail")
        environment = {
            **inherited(),
            "CASETRAIL_ADDRESS": self.stack.address,
            "CASETRAIL_DATA": str(self.folder),
            "COLUMNS": str(self.console.width),
        }
        if self.console.is_terminal:
            environment["FORCE_COLOR"] = "1"
        process = await asyncio.create_subprocess_exec(
            str(program), *words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await process.communicate()
        self.console.file.write(output.decode())
        self.console.file.flush()
        if process.returncode:
            raise DemoError(f"casetrail {words[0]} ended with {process.returncode}")

    async def until(self, case_id: str, what: str, reached: Callable[[Case], bool]) -> Case:
        """Wait until a case is as expected.

        Raises:
            DemoError: It was not, in the time that this takes at most.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                async for seen in self.client.watch(case_id):
                    # The history comes first: only the newest state counts.
                    if reached(seen.case):
                        return seen.case
        except TimeoutError:
            raise DemoError(f"{case_id}: {what} did not happen within {_PATIENCE_SECONDS:.0f} s") from None
        raise DemoError(f"{case_id}: the watch ended")

    @asynccontextmanager
    async def shop(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The demo shop's own side, where a warehouse or a carrier would act."""
        async with aiohttp.ClientSession(self.stack.shop_url, raise_for_status=True) as session:
            yield session


async def escalation(scene: Scene) -> str:
    """A chat that nobody answers climbs its ladder, until a team lead takes it on."""
    client = scene.client
    opened = await client.open(
        kind="inquiry", customer="C-1001", channel="chat", subject="Where is my parcel?", scale=_SCALE
    )
    case_id = opened.case.case_id
    scene.say(f"{case_id}: a chat that nobody answers …")
    await scene.until(case_id, "a third step of the ladder", lambda case: case.counters.escalations >= 3)  # noqa: PLR2004 - third
    scene.say(f"{case_id}: three steps up the ladder; the team lead takes it on")
    await client.execute(case_id, Acknowledge(why="I am on it"), actor=_CHLOE)
    await client.assign(case_id, "amy", actor=_CHLOE)
    await client.reply(case_id, "We are sorry. We are asking the carrier.", actor=_AMY)
    await client.resolve(case_id, "It arrives tomorrow.", actor=_AMY)
    await client.confirm(case_id, satisfied=True, actor=_CUSTOMER)
    scene.say(f"{case_id}: answered, solved, confirmed")
    return case_id


async def refund(scene: Scene) -> str:
    """A return: eligible by rule, sent back and followed, inspected, refunded by the shop, once."""
    client = scene.client
    opened = await client.open(
        kind="return",
        customer=Customer(customer_id="C-1002", email="customer-1002@example.test", locale="en"),
        channel="app",
        subject="The jacket does not fit",
        order_id="D1001",
        return_request=ReturnRequest(
            items=[ReturnItem(sku=await _sku_of(scene, "D1001"), quantity=1)],
            reason=ReturnReason.RETURN_REASON_CHANGED_MIND,
            item_state=ItemState.ITEM_STATE_UNOPENED,
            wanted=Remedy(kind=RemedyKind.REMEDY_KIND_REFUND),
        ),
        scale=_SCALE,
    )
    case_id = opened.case.case_id
    await client.accept(case_id, "Thank you, we look into it.", actor=_AMY)
    await scene.until(case_id, "approval by rule", lambda case: case.stage == Stage.STAGE_AWAITING_GOODS)
    scene.say(f"{case_id}: the shop knows the order, a rule approves the return")
    parcel = ParcelReference(carrier="sf-express", tracking_no=f"SF-{case_id}")
    async with scene.shop() as shop:
        await shop.post(f"/admin/parcels/{parcel.carrier}/{parcel.tracking_no}")
        await client.execute(case_id, ShipBack(parcel=parcel), actor=_CUSTOMER)
        await shop.post(f"/admin/parcels/{parcel.carrier}/{parcel.tracking_no}/deliver")
    await scene.until(case_id, "the parcel's arrival", lambda case: case.stage == Stage.STAGE_RECEIVED)
    scene.say(f"{case_id}: the carrier says that the parcel has arrived")
    await client.execute(case_id, Inspect(passed=True, words=Words(text="as new")), actor=_AMY)
    await scene.until(case_id, "the refund and its notice", lambda case: case.stage == Stage.STAGE_TOLD)
    scene.say(f"{case_id}: refunded by the shop, and the customer knows")
    await client.confirm(case_id, satisfied=True, actor=_CUSTOMER)
    await _call_back(scene, case_id)
    return case_id


async def complaint(scene: Scene) -> str:
    """A complaint that is treated twice: the customer is not satisfied before."""
    client = scene.client
    opened = await client.open(
        kind="complaint",
        customer=Customer(customer_id="C-1003", email="customer-1003@example.test", locale="zh-CN"),
        channel="phone",
        subject="买了三天就坏了",
        text="The blender broke after three days.",
        order_id="D1002",
        scale=_SCALE,
    )
    case_id = opened.case.case_id
    await client.accept(case_id, "We are very sorry.", actor=_AMY)
    await client.execute(case_id, Classify(category="product"), actor=_AMY)
    await client.execute(case_id, Investigate(specialist="amy"), actor=_AMY)
    await client.execute(case_id, RecordFinding(words=Words(text="A known fault of this series.")), actor=_AMY)
    await _settle(scene, case_id, amount_minor=5_000)
    scene.say(f"{case_id}: settled with 50.00, and the customer is not satisfied")
    await client.confirm(case_id, satisfied=False, text="Half of it is still broken.", actor=_CUSTOMER)
    await client.execute(case_id, ReviewDissatisfaction(words=Words(text="We offered too little.")), actor=_DANIEL)
    scene.say(f"{case_id}: reviewed by the supervisor, treated again")
    await _settle(scene, case_id, amount_minor=60_000)
    await client.confirm(case_id, actor=_CUSTOMER)
    await _call_back(scene, case_id)
    return case_id


async def waiting(scene: Scene) -> str:
    """An inquiry that is left open, for the cross-check with Temporal."""
    opened = await scene.client.open(
        kind="inquiry", customer="C-1004", channel="web", subject="Can I change my order?", category="order"
    )
    await scene.client.assign(opened.case.case_id, "ben", actor=_CHLOE)
    return opened.case.case_id


async def drill(scene: Scene) -> None:
    """A system failure rehearsed unattended, and its report; nothing of it leaves the drill's own mailbox."""
    scenario = scenario_file.load(_SCENARIO, scale=_DRILL_SCALE)
    drill_id = (await scene.client.drills.start(scenario, scale=_DRILL_SCALE)).drill.case_id
    scene.say(f"{drill_id}: {scenario.title}")
    titles = {expectation.id: expectation.title for expectation in scenario.expectations}
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            async for seen in scene.client.drills.watch(drill_id):
                _tell(scene, seen.event, titles)
    except TimeoutError:
        raise DemoError(f"{drill_id}: it was not over within {_PATIENCE_SECONDS:.0f} s") from None
    await scene.client.drills.remark(drill_id, improvement="Print the emergency numbers.")
    await scene.casetrail("drill", "report", drill_id)


def _tell(scene: Scene, event: Event, titles: Mapping[str, str]) -> None:
    """Say what happens in a drill: injects, and which expectations were met."""
    if event.HasField("inject_requested"):
        scene.say(f"inject: {event.inject_requested.inject.title}")
    elif event.HasField("expectation_met"):
        scene.say(f"[green]in time[/green]: {titles[event.expectation_met.expectation_id]}")
    elif event.HasField("expectation_met_late"):
        scene.say(f"[yellow]late[/yellow]: {titles[event.expectation_met_late.expectation_id]}")
    elif event.HasField("expectation_missed"):
        scene.say(f"[red]missed[/red]: {titles[event.expectation_missed.expectation_id]}")


async def _settle(scene: Scene, case_id: str, *, amount_minor: int) -> None:
    """Propose, agree, have it approved where needed, and wait until the shop has paid and the customer knows."""
    client = scene.client
    await client.propose(case_id, "compensation", amount_minor=amount_minor, text="For the trouble.", actor=_AMY)
    await client.agree(case_id, actor=_CUSTOMER)
    asked = await client.get(case_id)
    if asked.stage == Stage.STAGE_AWAITING_APPROVAL:
        scene.say(f"{case_id}: {amount_minor / 100:.2f} is above the agent's authority; the supervisor decides")
        await client.execute(case_id, Decide(granted=True, words=Words(text="Granted.")), actor=_DANIEL)
    round_ = asked.round
    await scene.until(
        case_id,
        "the payment and its notice",
        lambda case: case.stage == Stage.STAGE_TOLD and case.round == round_,
    )


async def _call_back(scene: Scene, case_id: str) -> None:
    """Make the follow-up call that is owed, not before it may be made."""
    case = await scene.client.get(case_id)
    if not case.HasField("callback"):
        return
    scene.say(f"{case_id}: a follow-up call is owed, not before a day has passed")
    opens = case.callback.not_before.seconds
    await scene.until(case_id, "the call", lambda seen: seen.updated_at.seconds >= opens)
    done = RecordCallback(result=CallbackMade.RESULT_SATISFIED, words=Words(text="All is well now."))
    await scene.client.execute(case_id, done, actor=_AMY)
    scene.say(f"{case_id}: called back, satisfied, closed")


async def _sku_of(scene: Scene, order_id: str) -> str:
    async with scene.shop() as shop, shop.get(f"/orders/{order_id}") as answer:
        order = await answer.json()
    sku: str = order["items"][0]["sku"]
    return sku


async def _agree_with_temporal(scene: Scene, case_id: str) -> None:
    """Compare what the log says of an open case with what its workflow says.

    Raises:
        DemoError: They differ.
    """
    by_log = await scene.client.get(case_id)
    by_workflow = await scene.client.get(case_id, from_workflow=True)
    for name in ("seq", "stage", "kind"):
        if getattr(by_log, name) != getattr(by_workflow, name):
            raise DemoError(f"{case_id}: log and workflow differ in {name}")
    scene.say(
        f"{case_id}: log and workflow agree: {spoken(Stage.DESCRIPTOR, by_log.stage)}, {counted(by_log.seq, 'event')}"
    )


async def _show_mails(scene: Scene) -> None:
    async with (
        aiohttp.ClientSession(scene.stack.mailbox_url, raise_for_status=True) as mailbox,
        mailbox.get("/messages") as answer,
    ):
        messages = (await answer.json())["messages"]
    scene.say(f"mails were sent, {len(messages)} in all; the last ones:")
    for message in messages[-4:]:
        scene.console.print(f"    to {message['to']}: {message['subject']}", highlight=False)


async def run(console: Console, folder: Path) -> None:
    """Play the demo on a folder.

    Raises:
        DemoError, CasetrailError, FolderError, ProcessError: It did not go as it should.
    """
    console.print("Starting Temporal, worker, server, demo shop and mailbox …", style="dim")
    async with Stack.start(data=folder, say=console.print) as stack, Client(stack.address, stack.token) as client:
        scene = Scene(stack, client, console, folder)
        scene.title("History: a service desk's log, imported with its own times")
        await scene.casetrail("play", str(_SAMPLE.relative_to(ROOT)), "--mapping", _short(_MAPPING), "--backfill")

        scene.title(f"Live: one second is {_SCALE / 3600:g} hour")
        stories: Sequence[Callable[[Scene], Awaitable[str]]] = (escalation, refund, complaint, waiting)
        escalated, refunded, complained, open_one = await asyncio.gather(*(story(scene) for story in stories))

        scene.title("An escalation, step by step")
        await scene.casetrail("events", escalated)
        scene.title("A return with its refund")
        await scene.casetrail("events", refunded)
        scene.title("A complaint, treated until the customer was satisfied")
        await scene.casetrail("events", complained)

        scene.title("The same complaint as it was halfway")
        halfway = (await client.get(complained)).seq // 2
        await scene.casetrail("replay", complained, "--seq", str(halfway))

        scene.title(f"A drill: an emergency rehearsed, {_DRILL_SCALE:g} times as fast, by its script")
        await drill(scene)

        scene.title("Proof")
        await scene.casetrail("verify")
        await _agree_with_temporal(scene, open_one)
        await _show_mails(scene)
        console.print("\n[bold]That was it.[/bold] `make up` keeps it running; README.md shows how to call it.")


def main(arguments: Sequence[str]) -> int:
    """Run the demo under a temporary folder; the exit status says whether all went as it should."""
    argparse.ArgumentParser(prog="python -m embedded demo", description=__doc__).parse_args(arguments)
    console = Console(highlight=False, soft_wrap=False)
    with tempfile.TemporaryDirectory(prefix="casetrail-demo-") as folder:
        try:
            asyncio.run(run(console, Path(folder)))
        except (DemoError, CasetrailError, FolderError, ProcessError) as error:
            print(f"The demo failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))
