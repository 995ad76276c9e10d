"""Everything that Temporal is given to keep is decided: encrypted, or without a word of the customers'."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from temporalio import workflow

from activities import registry
from activities.drill_injects import Progress
from activities.outside import Rehearsal
from activities.sealing import Sealing
from activities.shop import Reservation
from casetrail.v1.case_service_pb2 import ExecuteResponse
from casetrail.v1.command_pb2 import Command
from casetrail.v1.drill_service_pb2 import StartDrillRequest
from casetrail.v1.workflow_pb2 import AdvanceRun, CaseRun, EffectRun, SealRun, SealStep, Step
from tests.workflows.world import new_payloads
from workflows.worker import WORKFLOWS

ROOT: Final = Path(__file__).parents[2]

ENCRYPTED: Final = {Command, ExecuteResponse, StartDrillRequest}
# Numbers, instants, names of demands, and lines that are made of these.
READABLE: Final = {AdvanceRun, CaseRun, Duration, EffectRun, SealRun, SealStep, Step}
NO_TEXT: Final = {bool, float, int, Progress}
# Texts, and what holds texts: nothing in Temporal's metadata says what they are, so they stay readable.
TEXTS: Final = {
    "ScheduledDrill.run → answer": "number of a drill",
    "start → answer": "number of a drill",
    "tell_department.telling": "id of a run",
    "reserve_exchange → answer": "ids of the shop's",
    "dispatch_exchange.reservation": "ids of the shop's",
    "release_exchange.reservation": "ids of the shop's",
    "fail_exchange.why": "the shop's reason, as the log has it in plain",
    "fail_exchange.message": "the shop's words, as the log has them in plain",
}
# Beside arguments and answers: by the function that is called, and what of it is kept as it is said.
SAID: Final = {
    "set_current_details": {"self._step.summary", "f'has seen the log up to position {position}'", "f'seals {day}'"},
    "summary": {"effect.effect_id", "task.effect_id", "day", "'watches the log'", "_summary(case)"},
    "static_summary": {
        "f'{effect.demand.capitalize()} {effect.effect_id}'",
        "f'{workflow_type(kind)} {case_id}'",
        "'looks for incidents in the log'",
    },
    "timeout_summary": {"why", "self._step.waits_for", "'until the department is reminded'"},
    "pause": {
        "'until it is tried again'",
        "'until more customers turn up'",
        "'until the carrier is asked again'",
        "'until the customer may be called back'",
        "'until the linked case is looked at again'",
    },
    "heartbeat": {"state.position"},
    "ApplicationError": {"*cause.details", "refusal.field"},  # the details; the message is encrypted
    "memo": {"memo"},  # id and title of a scenario
}
# How many of a function's arguments come before what Temporal keeps.
_BEFORE: Final = {"set_current_details": 0, "heartbeat": 0, "ApplicationError": 1, "pause": 2}


def activities() -> list[Callable[..., Any]]:
    asked = inspect.signature(registry.all_activities).parameters
    nothing: Any = object()
    given: dict[str, Any] = {name: nothing for name in asked if name != "rehearsal"}
    return [*registry.all_activities(**given, rehearsal=Rehearsal(nothing)), Sealing(nothing).seal_day]


def kept() -> Iterator[tuple[str, Any]]:
    """Arguments and answers of all activities, workflows, signals, queries and updates, with their types."""
    for work in activities():
        yield from _of(work.__name__, work)
    for each in WORKFLOWS:
        found = workflow._Definition.must_from_class(each)
        yield from _of(f"{found.name}.run", found.run_fn)
        for handlers in (found.signals, found.queries, found.updates):
            for name, handler in handlers.items():
                yield from _of(f"{found.name}.{name}", handler.fn)


def _of(name: str, work: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    for field, hint in get_type_hints(work).items():
        (type_,) = [each for each in get_args(hint) or (hint,) if each is not type(None)] or [None]
        if type_ is not None:
            yield f"{name} → answer" if field == "return" else f"{name}.{field}", type_


KEPT: Final = dict(kept())


def test_every_argument_and_answer_is_decided() -> None:
    decided = ENCRYPTED | READABLE | NO_TEXT
    undecided = {where: type_ for where, type_ in KEPT.items() if type_ not in decided and where not in TEXTS}
    assert not undecided


def test_nothing_is_decided_that_is_not_kept() -> None:
    assert TEXTS.keys() <= KEPT.keys()
    assert set(KEPT.values()) >= ENCRYPTED | READABLE | NO_TEXT
    assert {KEPT[where] for where in TEXTS} == {str, Reservation}


@pytest.mark.parametrize("type_", sorted(ENCRYPTED | READABLE, key=str))
async def test_the_codec_does_as_it_is_decided(tmp_path: Path, type_: type[Message]) -> None:
    (payload,) = await new_payloads(tmp_path / "payload-keys").encode([type_()])
    assert (payload.metadata["encoding"] == b"binary/encrypted") == (type_ in ENCRYPTED)


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_beside_them_is_decided(name: str) -> None:
    assert set(_said(name)) == SAID[name]


def _said(name: str) -> Iterator[str]:
    """What is given to Temporal under a name: of a function, or of a function's argument."""
    for folder in ("activities", "engine", "server", "workflows"):
        for file in (ROOT / folder).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                if name not in _BEFORE:
                    yield from (ast.unparse(word.value) for word in node.keywords if word.arg == name)
                elif name == getattr(node.func, "attr", getattr(node.func, "id", "")):
                    yield from map(ast.unparse, node.args[_BEFORE[name] :])
