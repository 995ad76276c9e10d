"""A case told as a story, so that a test reads like one.

    story.open("inquiry", channel="chat")
    story.at("+30s").agent("amy").reply("Good morning")
    assert story.clock("first_response") == "late"

Words stand for enum values (`agent`, `refund`), durations and instants are written `30s`, `+2h`, `-7d` (instants count
from the opening), texts stand for `Words`. Every command is checked against the contract before it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import protovalidate
import pytest
from google.protobuf.message import Message

from casetrail.short_forms import duration, duration_text
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.command_pb2 import Command, Open
from casetrail.v1.effect_pb2 import Effect, Purpose
from casetrail.v1.event_pb2 import Event
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Actor, Role, Stage
from casetrail.words import value_of, word_of
from domain import Rejected, Rulebook, act, expire, fold, next_wake, pending_effects
from domain.instants import Instant, from_datetime
from tests.policies import shipped_policy

POLICY = shipped_policy()
RULES = Rulebook(POLICY)
# A Monday morning without holidays or promotions around.
OPENED = from_datetime(datetime(2026, 4, 13, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai")))
CUSTOMER = {"customer_id": "c-1", "email": "customer@example.com"}
RETURN = {
    "items": [{"sku": "MUG-01", "quantity": 1}],
    "reason": "changed_mind",
    "item_state": "unopened",
    "wanted": {"kind": "refund"},
}
DELIVERED = {"order_id": "O-1", "state": "delivered", "category": "home", "paid_minor": 5000, "currency": "CNY"}


def rules_with(change: Callable[[Policy], object], policy_id: str = "another-1") -> Rulebook:
    """The default policy with something changed."""
    policy = Policy()
    policy.CopyFrom(POLICY)
    policy.policy_id = policy_id
    change(policy)
    return Rulebook(policy)


def seconds(written: str) -> int:
    """Seconds of `30s`, `+1h30m`, `-7d`."""
    sign = -1 if written.startswith("-") else 1
    return sign * duration(written.lstrip("+-")).seconds


def type_of(event: Event) -> str:
    """`ClockMet`, as people know it."""
    return event.WhichOneof("body").title().replace("_", "")  # type: ignore[union-attr] # every event has a body


@contextmanager
def refused(code: str, match: str | None = None) -> Iterator[None]:
    """Expect a refusal with a stable reason."""
    with pytest.raises(Rejected, match=match) as caught:
        yield
    assert caught.value.code == code, caught.value.message


@contextmanager
def left_as_it_is(case: Case | None) -> Iterator[None]:
    """Decisions are pure: whatever comes of one, even a refusal, the case that it was about is not changed."""
    before = case and case.SerializeToString(deterministic=True)
    try:
        yield
    finally:
        assert (case and case.SerializeToString(deterministic=True)) == before


class Speaker:
    """Somebody who acts: `story.agent("amy").reply("Good morning")`.

    Every action of the contract is a method. Its first argument is the action's first field. It returns the types of
    the events that were written.
    """

    def __init__(self, story: Story, actor: Actor) -> None:
        self._story = story
        self._actor = actor

    def __getattr__(self, action: str) -> Callable[..., list[str]]:
        def carry_out(*first: object, **fields: object) -> list[str]:
            return self._story.carry_out(self._actor, action, *first, **fields)

        return carry_out


class Story:
    """A case, its events and its clock."""

    def __init__(self, rules: Rulebook = RULES) -> None:
        self.rules = rules
        self.opened: Instant = OPENED
        self.now: Instant = OPENED
        self.events: list[Event] = []
        self.told: Case | None = None

    # --- who acts, and when ---

    def at(self, since_opening: str) -> Story:
        """Go on so long after the opening. What time owes comes with the next command, or with `wait`."""
        self.now = self.opened + seconds(since_opening)
        return self

    def wait(self, how_long: str) -> list[str]:
        """Let time pass, and look at the case at its end."""
        self.now += seconds(how_long)
        with left_as_it_is(self.told):
            events = expire(self.case, self.now, self.rules)
        return self._write(events)

    def agent(self, name: str = "amy") -> Speaker:
        return self.acting("agent", name)

    def team_lead(self, name: str = "tom") -> Speaker:
        return self.acting("team_lead", name)

    def lead(self, name: str = "ivy") -> Speaker:
        return self.acting("incident_lead", name)

    def executive(self, name: str = "eve") -> Speaker:
        return self.acting("executive", name)

    def supervisor(self, name: str = "sue") -> Speaker:
        return self.acting("supervisor", name)

    def director(self, name: str = "dan") -> Speaker:
        return self.acting("director", name)

    def customer(self, name: str = "customer") -> Speaker:
        return self.acting("customer", name)

    def importer(self, name: str = "importer") -> Speaker:
        return self.acting("importer", name)

    def engine(self) -> Speaker:
        return self.acting("system", "casetrail")

    def acting(self, role: str, name: str = "somebody") -> Speaker:
        return Speaker(self, Actor(name=name, role=value_of(Role, role)))

    # --- what happens ---

    def open(self, kind: str, by: str = "customer", **fields: object) -> list[str]:
        """Open the case now."""
        self.opened = self.now
        asked: dict[str, object] = {"channel": "chat", "customer": CUSTOMER, "subject": "Something is wrong"} | fields
        if kind == "return":
            asked = {"order_id": "O-1", "return_request": RETURN} | asked
        return self.acting(by).open(kind, **asked)

    def declare(self, level: int = 0, by: str = "incident_lead", **fields: Any) -> list[str]:  # noqa: ANN401 - of Open and Declaration
        """Declare an incident now; what is no field of `open` is one of the declaration."""
        self.opened = self.now
        asked: dict[str, Any] = {"channel": "web", "subject": "Nobody can pay"}
        asked |= {name: fields.pop(name) for name in list(fields) if name in Open.DESCRIPTOR.fields_by_name}
        return self.acting(by).open("incident", incident={"suspected_level": level} | fields, **asked)

    def carry_out(self, actor: Actor, action: str, *first: object, **fields: object) -> list[str]:
        """Carry a command out as the engine does: what time owes first, then the command."""
        command = self.command(actor, action, *first, **fields)
        with left_as_it_is(self.told):
            events = act(self.told, command, self.now, self.rules)
        return self._write(events)

    def change_policy(self, rules: Rulebook) -> list[str]:
        """Put the case under another policy."""
        actor = Actor(name="sue", role=Role.ROLE_SUPERVISOR)
        command = self.command(actor, "change_policy", rules.ref.policy_id)
        with left_as_it_is(self.told):
            events = act(self.told, command, self.now, self.rules, rules_after=rules)
        types = self._write(events)
        self.rules = rules
        return types

    def outcome(self, demand: str, _of: Callable[[Effect], bool] | None = None, /, **result: object) -> list[str]:
        """Report what came of the oldest pending effect of a kind: `story.outcome("refund", refunded={})`."""
        pending = self.pending(demand, _of)
        assert pending, f"no {demand} is pending: {[effect.WhichOneof('demand') for effect in self.pending()]}"
        return self.report(pending[0].effect_id, **result)

    def report(self, effect_id: str, **result: object) -> list[str]:
        return self.engine().report_outcome(effect_id, outcome=result)

    def deliver(self, purpose: str) -> list[str]:
        """The letter about something has left."""
        wanted = value_of(Purpose, purpose)
        return self.outcome(
            "notification", lambda effect: effect.notification.purpose == wanted, notification_delivered={}
        )

    def command(self, actor: Actor, action: str, *first: object, **fields: object) -> Command:
        """A valid command."""
        command = Command(case_id="CASE-1", request_id=f"r-{len(self.events)}", actor=actor)
        body = getattr(command, action)
        body.SetInParent()
        if first:
            fields = {body.DESCRIPTOR.fields[0].name: first[0]} | fields
        if "why" in body.DESCRIPTOR.fields_by_name:
            fields = {"why": "because"} | fields
        self._fill(body, fields)
        protovalidate.validate(command)
        return command

    def _fill(self, message: Message, fields: Mapping[str, object]) -> None:
        for name, value in fields.items():
            field = message.DESCRIPTOR.fields_by_name[name]
            if not field.is_repeated:
                self._set(message, name, value)
                continue
            if isinstance(value, Mapping):
                getattr(message, name).update(value)
                continue
            for item in value:  # type: ignore[attr-defined] # a list
                if field.message_type:
                    self._fill(getattr(message, name).add(), item)
                else:
                    getattr(message, name).append(_scalar(field.enum_type, item))

    def _set(self, message: Message, name: str, value: object) -> None:
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type is None:
            setattr(message, name, _scalar(field.enum_type, value))
            return
        child = getattr(message, name)
        child.SetInParent()
        if isinstance(value, Message):
            child.CopyFrom(value)
        elif isinstance(value, Mapping):
            self._fill(child, value)
        elif field.message_type.name == "Words":
            child.text = value
        elif field.message_type.name == "Duration":
            child.seconds = seconds(str(value))
        else:
            child.seconds = self.opened + seconds(str(value))

    def _write(self, events: list[Event]) -> list[str]:
        self.events += events
        self.told = fold(events, self.told)
        return [type_of(event) for event in events]

    # --- how it stands ---

    @property
    def case(self) -> Case:
        assert self.told is not None, "the case is not open yet"
        return self.told

    @property
    def stage(self) -> str:
        return word_of(Stage.DESCRIPTOR, self.case.stage)

    @property
    def wake(self) -> str | None:
        """When time brings something, counted from the opening."""
        at = next_wake(self.case)
        return None if at is None else duration_text(at - self.opened)

    def pending(self, demand: str = "", of: Callable[[Effect], bool] | None = None) -> list[Effect]:
        return [
            effect
            for effect in pending_effects(self.case)
            if demand in ("", effect.WhichOneof("demand")) and (of is None or of(effect))
        ]

    def letters(self) -> list[str]:
        """What letters to the customer are about, of those that have not left."""
        return [word_of(Purpose.DESCRIPTOR, effect.notification.purpose) for effect in self.pending("notification")]

    def types(self, name: str = "") -> list[str]:
        """Every event so far, or those whose type begins so."""
        return [kind for kind in map(type_of, self.events) if kind.startswith(name)]

    def bodies(self, name: str) -> list[Any]:
        """What every event of a type says."""
        return [getattr(event, event.WhichOneof("body") or "") for event in self.events if type_of(event) == name]

    def last(self, name: str) -> Any:  # noqa: ANN401 - the type's name says what it is
        """What the last event of a type says."""
        return self.bodies(name)[-1]

    def times(self, name: str, clock: str = "") -> list[str]:
        """When events of a type happened, counted from the opening; those of one clock when it is named."""
        return [
            duration_text(event.at.seconds - self.opened)
            for event in self.events
            if type_of(event) == name and clock in ("", _clock_of(event))
        ]

    def find(self, clock: str) -> Clock:
        """The newest clock of a name."""
        return [found for found in self.case.clocks if found.name == clock][-1]

    def clock(self, name: str) -> str:
        """How the newest clock of a name stands: running, paused, met, late, cancelled; or none."""
        found = [clock for clock in self.case.clocks if clock.name == name]
        return word_of(Clock.State.DESCRIPTOR, found[-1].state) if found else "none"

    def clocks(self) -> dict[str, str]:
        """All open clocks, and when each is due, counted from the opening; `paused` where it stands."""
        return {
            clock.name: duration_text(clock.due_at.seconds - self.opened)
            if clock.state == Clock.STATE_RUNNING
            else "paused"
            for clock in self.case.clocks
            if clock.state in (Clock.STATE_RUNNING, Clock.STATE_PAUSED)
        }

    def due(self, name: str) -> str:
        return self.clocks()[name]

    def end(self) -> None:
        """What holds for every story: its events are gapless, and are the case."""
        assert [event.seq for event in self.events] == list(range(1, len(self.events) + 1))
        assert fold(self.events) == self.told

    @property
    def is_imported(self) -> bool:
        return self.case.time_base.mode == TimeBase.MODE_IMPORTED


def _scalar(enum: Any, value: object) -> object:  # noqa: ANN401 - protobuf has two classes of its descriptors
    if enum is None or not isinstance(value, str):
        return value
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return enum.values_by_name[prefix + value.upper()].number


def _clock_of(event: Event) -> str:
    body = getattr(event, event.WhichOneof("body") or "")
    return str(getattr(body, "clock_name", "") or getattr(getattr(body, "clock", None), "name", ""))
