"""Nothing of a drill reaches a real customer: every demand that the contract has is tried."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
from temporalio.testing import ActivityEnvironment

from activities.directory import Directory
from activities.mail import Message
from activities.outside import DRILL_HEADER, MARK, Rehearsal
from activities.registry import all_activities
from activities.shop import Reservation
from audit.log import CasePage
from casetrail.scenario_file import load
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.command_pb2 import Command
from casetrail.v1.drill_pb2 import Drill
from casetrail.v1.effect_pb2 import Effect, Purpose
from casetrail.v1.event_pb2 import DrillEnded, Event
from casetrail.v1.inject_pb2 import FaultInject
from casetrail.v1.types_pb2 import Kind, Role
from casetrail.v1.workflow_pb2 import EffectRun
from domain import Rulebook
from domain.drills import script
from engine.engine import Outcome
from tests.domain.story import OPENED, RULES
from tests.fakes import CornerShop, Mailbox, Switches
from tests.workflows.world import STAFF
from workflows.drill import PROCESSES as OF_DRILLS
from workflows.processes import PROCESSES

ROOT = Path(__file__).parents[2]
SCENARIO = load(ROOT / "scenarios" / "system-failure.en.yaml")
REAL_ADDRESS = "li.lei@customer.example"
SINK = "sink+{drill}@drill.example"
RESERVATION = Reservation("RS-1", "O-1", "SKU-2", 1)
DEMANDS = [demand.name for demand in Effect.DESCRIPTOR.oneofs_by_name["demand"].fields]


class Untouchable:
    """Whatever is real: a drill that touches it has failed."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a drill has touched the real world: {name}")


@dataclass
class OneEffect:
    """An engine and a log in which one effect of one case is pending."""

    case_: Case
    effect: Effect
    commands: list[Command] = field(default_factory=list)

    async def pending_effect(self, case_id: str, effect_id: str) -> tuple[Case, Effect]:
        return self.case_, self.effect

    async def case(self, case_id: str) -> Case:
        return self.case_

    async def knows(self, case_id: str, request_id: str) -> bool:
        return False

    async def rules_of(self, case: Case) -> Rulebook:
        return RULES

    async def execute(self, command: Command) -> Outcome:
        self.commands.append(command)
        return Outcome(self.case_, [Event(case_id=command.case_id, event_id=f"{command.case_id}:1")])

    async def read_case(self, case_id: str) -> Case:
        return self.case_

    async def events(self, case_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        first = Event(case_id=case_id, seq=1, position=1, event_id=f"{case_id}:1")
        first.escalation_stepped.step = 1
        return [] if after_seq else [first]

    async def list_cases(self, case_filter: CaseFilter, *, page_size: int, token: str) -> CasePage:
        return CasePage([self.case_] if self.case_.kind != Kind.KIND_DRILL else [], "")

    async def size(self) -> int:
        return 2

    async def follow(self, *, after_position: int) -> AsyncIterator[Event]:
        yield Event(case_id="DRL-1", drill_id="DRL-1", position=2, drill_ended=DrillEnded())


# What a demand must say for its work to get as far as the outside.
DETAILS: dict[str, dict[str, Any]] = {
    "notification": {"notification": {"purpose": Purpose.PURPOSE_RESULT}},
    "staff_alert": {"staff_alert": {"role": Role.ROLE_AGENT}},
    "task": {"task": {"task_id": "T1", "department": "operations"}},
    "public_notice": {"public_notice": {"audience": "all users", "text": "calm"}},
    "tracking": {"tracking": {"parcel_id": "P1"}},
    "carrier_question": {"carrier_question": {"parcel_id": "P1"}},
    "exchange": {"exchange": {"sku": "SKU-2", "order_id": "O-1"}},
    "inject": {"inject": {"inject": SCENARIO.injects[1]}},
    "judgement": {"judgement": {"expectation_id": SCENARIO.expectations[0].id}},
    "move": {"move": {"move_id": "duty-lead/0/INC-1:1", "case_id": "INC-1", "event_id": "INC-1:1"}},
    "restoration": {"restoration": {"system": FaultInject.SYSTEM_SHOP}},
}


def rehearsed(demand: str) -> OneEffect:
    """A case of a drill, with a real customer's address, that demands this."""
    case = Case(
        case_id="CMP-1",
        kind=Kind.KIND_COMPLAINT,
        drill_id="DRL-1",
        is_drill=True,
        customer=Customer(customer_id="c-1", email=REAL_ADDRESS, locale="en"),
        owner="amy",
    )
    case.parcels.add(parcel_id="P1", carrier="swift", tracking_no="T-1")
    case.incident.tasks.add(task_id="T1", department="operations")
    if demand in OF_DRILLS:
        case = drill()
    effect = Effect(effect_id=f"{case.case_id}:1", **DETAILS.get(demand, {}))
    getattr(effect, demand).SetInParent()
    return OneEffect(case, effect)


def drill() -> Case:
    data = script.canonical_bytes(SCENARIO)
    injects, expectations = script.plan(SCENARIO, OPENED)
    case = Case(case_id="DRL-1", kind=Kind.KIND_DRILL, drill_id="DRL-1", is_drill=True)
    case.drill.CopyFrom(Drill(scenario=data, injects=injects, expectations=expectations))
    return case


@dataclass
class Stage:
    """What the activities are built on, and what came of them."""

    only: OneEffect
    letters: Mailbox
    shop: CornerShop
    switches: Switches
    activities: dict[str, Callable[..., Awaitable[Any]]]

    async def run(self, name: str, *more: object) -> None:
        run = EffectRun(case_id=self.only.case_.case_id, effect_id=self.only.effect.effect_id)
        await ActivityEnvironment().run(self.activities[name], run, *more)


def stage(demand: str, folder: Path) -> Stage:
    (folder / "staff.yaml").write_text(STAFF)
    only, letters, shop, switches = rehearsed(demand), Mailbox(), CornerShop(), Switches()
    real: Any = Untouchable()
    engine: Any = only
    built = all_activities(
        engine,
        real,
        real,
        Directory(folder / "staff.yaml"),
        log=engine,
        rehearsal=Rehearsal(letters, SINK, lambda _: shop, switches),
    )
    return Stage(only, letters, shop, switches, {activity.__name__: activity for activity in built})


# Every activity that an effect's process runs, with its further arguments.
WORK: dict[str, Sequence[tuple[object, ...]]] = {
    "notification": [("notify",)],
    "staff_alert": [("alert_staff",)],
    "order_lookup": [("look_up_order",)],
    "refund": [("refund",)],
    "compensation": [("compensate",)],
    "exchange": [
        ("reserve_exchange",),
        ("dispatch_exchange", RESERVATION),
        ("release_exchange", RESERVATION),
        ("fail_exchange", "WHY", "why"),
    ],
    "tracking": [("poll_parcel",)],
    "carrier_question": [("ask_carrier",)],
    "callback": [("remind_of_callback",)],
    "merge": [("merge",)],
    "link": [("link",)],
    "task": [("tell_department", "told", 1)],
    "public_notice": [("publish_notice",)],
    "relay": [("relay_notice",)],
    "follow_up": [("follow_up",)],
    "inject": [("make_inject", 0)],
    "observation": [("observe", 0)],
    "judgement": [("judge",)],
    "move": [("move",)],
    "restoration": [("restore",)],
    "clearance": [("clear",)],
}


def test_every_demand_of_the_contract_is_tried() -> None:
    """A new demand fails here until it is shown that it spares real customers."""
    assert sorted(WORK) == sorted(DEMANDS) == sorted({**PROCESSES, **OF_DRILLS})


@pytest.mark.parametrize("demand", DEMANDS)
async def test_a_demand_of_a_drill_touches_nothing_real(demand: str, tmp_path: Path) -> None:
    on = stage(demand, tmp_path)
    for name, *more in WORK[demand]:
        await on.run(str(name), *more)
    for letter in on.letters.letters:
        assert_says_that_it_is_a_drill(letter)


@pytest.mark.parametrize("demand", ["notification", "staff_alert", "callback", "task", "public_notice"])
async def test_what_would_be_a_letter_goes_to_the_sink(demand: str, tmp_path: Path) -> None:
    on = stage(demand, tmp_path)
    for name, *more in WORK[demand]:
        await on.run(str(name), *more)
    assert on.letters.letters


@pytest.mark.parametrize(
    "demand", ["order_lookup", "refund", "compensation", "exchange", "tracking", "carrier_question"]
)
async def test_what_the_shop_would_do_the_drills_shop_does(demand: str, tmp_path: Path) -> None:
    on = stage(demand, tmp_path)
    for name, *more in WORK[demand]:
        await on.run(str(name), *more)
    assert on.shop.calls


async def test_a_fault_is_of_the_drills_own_systems_and_is_undone(tmp_path: Path) -> None:
    on = stage("inject", tmp_path)
    await on.run("make_inject", 0)
    assert on.switches.down == {("DRL-1", "shop")}
    over = stage("restoration", tmp_path)
    over.switches.down = {("DRL-1", "shop"), ("DRL-2", "shop")}
    await over.run("restore")
    assert over.switches.down == {("DRL-2", "shop")}, "another drill's fault goes on"


@pytest.mark.parametrize("demand", ["merge", "link", "relay", "follow_up"])
async def test_another_case_is_asked_as_one_of_the_same_drill(demand: str, tmp_path: Path) -> None:
    """Whether it is one, that case decides: CANNOT_JOIN."""
    on = stage(demand, tmp_path)
    for name, *more in WORK[demand]:
        await on.run(str(name), *more)
    asked = on.only.commands[0]
    assert getattr(asked, asked.WhichOneof("action") or "").drill_id == "DRL-1"


async def test_without_a_shop_of_their_own_drills_reach_none(tmp_path: Path) -> None:
    only, real = rehearsed("refund"), Untouchable()
    (tmp_path / "staff.yaml").write_text(STAFF)
    fake: Any = only
    anything: Any = real
    built = all_activities(fake, anything, anything, Directory(tmp_path / "staff.yaml"), log=fake)
    refund = next(activity for activity in built if activity.__name__ == "refund")
    await ActivityEnvironment().run(refund, EffectRun(case_id="CMP-1", effect_id="CMP-1:1"))
    assert only.commands[-1].report_outcome.outcome.refund_failed.why == "DRILL"


def assert_says_that_it_is_a_drill(letter: Message) -> None:
    assert letter.to == "sink+DRL-1@drill.example"
    assert letter.subject.startswith(MARK)
    assert letter.headers[DRILL_HEADER] == "DRL-1"
    assert "This is a drill" in letter.text
    assert REAL_ADDRESS not in letter.text
