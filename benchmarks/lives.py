"""Cases led through their lives on a virtual clock: what the core and the log are measured with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Final
from uuid import UUID

from audit.log import Batch, Need
from benchmarks.closed_loop import TEXT
from casetrail.commands import command
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.command_pb2 import AddNote, Assign, Command, Confirm, Open, Reply, ReportOutcome, Resolve
from casetrail.v1.effect_pb2 import Effect, NotificationDelivered, Outcome, StaffReached
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Channel, Kind, Role, Words
from domain import Rulebook, act, expire, fold, pending_effects
from domain.draft import SYSTEM

_NOON: Final = 1_780_286_400  # 2026-06-01 12:00, a working day in Shanghai
_MINUTE: Final = 60
_WEEK: Final = 7 * 24 * 3600
_AGENT: Final = Actor(name="amy", role=Role.ROLE_AGENT)
_WORDS: Final = Words(text=TEXT)
_OPENING: Final = Open(
    kind=Kind.KIND_INQUIRY,
    channel=Channel.CHANNEL_WEB,
    customer=Customer(customer_id="C-1"),
    subject="Where is my parcel?",
    words=_WORDS,
)
_ACTIONS: Final = (
    Assign(to="amy", team="parcels"),
    Reply(words=_WORDS),
    AddNote(words=_WORDS),
    Resolve(words=_WORDS),
    Confirm(),
)
_MESSAGE_ID: Final = "<INQ-00000000001.7@casetrail.example>"
_NOTHING: Final = Need(wake=None, effects=False)


@dataclass(frozen=True, slots=True)
class Step:
    """What one command, or the passing of time, has brought to a case: its events, and the case after them."""

    request_id: str
    events: Sequence[Event]
    case: Case


def lives(rules: Rulebook, *, first: int = 1) -> Iterator[list[Step]]:
    """One case after the other: three that are attended to for one that nobody looks at.

    Args:
        rules: That they are led by.
        first: Number of the first one. Numbers and request ids are as long as real ones.
    """
    for number in count(first):
        life = _Life(number, rules)
        if number % 4:
            for action in _ACTIONS:
                life.take(command(life.case_id, action, request_id=life.next_request(), actor=_AGENT))
        life.wait(_WEEK)
        yield life.steps


class _Life:
    """A case on a virtual clock."""

    def __init__(self, number: int, rules: Rulebook) -> None:
        self.case_id = f"INQ-{number:011}"
        self._number = number
        self.at = _NOON
        self.steps: list[Step] = []
        self._rules = rules
        self._case: Case | None = None
        self.take(Command(case_id=self.case_id, request_id=self.next_request(), open=_OPENING, actor=_AGENT))

    def next_request(self) -> str:
        """Id of the request that comes now."""
        return str(UUID(int=self._number << 64 | self.at))

    def take(self, asked: Command) -> None:
        """Carry a command out, and what it asks for; a minute later comes the next one."""
        self._keep(asked.request_id, act(self._case, asked, self.at, self._rules))
        self._do_what_is_pending()
        self.at += _MINUTE

    def wait(self, seconds: int) -> None:
        """Let time pass, and do what it asks for."""
        self.at += seconds
        if self._case is not None:
            self._keep("", expire(self._case, self.at, self._rules))
            self._do_what_is_pending()

    def _do_what_is_pending(self) -> None:
        for effect in pending_effects(self._case) if self._case is not None else ():
            report = ReportOutcome(effect_id=effect.effect_id, outcome=_outcome(effect))
            asked = Command(
                case_id=self.case_id, request_id=f"{effect.effect_id}/outcome", report_outcome=report, actor=SYSTEM
            )
            self._keep(asked.request_id, act(self._case, asked, self.at, self._rules))

    def _keep(self, request_id: str, events: Sequence[Event]) -> None:
        self._case = fold(events, self._case)
        self.steps.append(Step(request_id, events, self._case))


def _outcome(effect: Effect) -> Outcome:
    """What comes of an effect where all goes well."""
    match effect.WhichOneof("demand"):
        case "notification":
            delivered = NotificationDelivered(purpose=effect.notification.purpose, message_id=_MESSAGE_ID)
            return Outcome(notification_delivered=delivered)
        case "staff_alert":
            return Outcome(staff_reached=StaffReached(role=effect.staff_alert.role, people=["tom"]))
        case demand:
            raise ValueError(f"no simulated case asks for {demand}")


def batches_of(steps: Sequence[Step]) -> list[Batch]:
    """A life as the engine would have it written."""
    batches = []
    seq = 0
    for step in steps:
        for event in step.events:
            event.key = event.key or step.request_id
        batches.append(
            Batch(
                case_id=step.case.case_id,
                expected_seq=seq,
                key=step.request_id,
                digest=sha256(step.request_id.encode()).hexdigest(),
                events=step.events,
                case=step.case,
                need=_NOTHING,
            )
        )
        seq = step.case.seq
    return batches
