"""What the log says about an incident, put together for its report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from casetrail.v1.case_pb2 import Case
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role, Stage
from domain.effects import effect_id_of
from domain.evolve import apply
from domain.instants import Instant, instant


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage of the incident: from when to when; the last one has no end."""

    stage: Stage.ValueType
    begins: Instant
    ends: Instant | None


@dataclass(frozen=True, slots=True)
class Promise:
    """A clock, from its start to its end.

    Attributes:
        clock_id: Inside the case.
        name: The policy's.
        subject: The task that it is about; empty for the incident itself.
        begins: When it started.
        target: How long it may take, in seconds of its calendar.
        due: When it was due, as last reckoned; None where it had stopped.
        state: How it stands, or ended.
        elapsed: Seconds counted, as of its last event.
        late: Seconds that it was kept after its target.
        breached_at: When its target was over; None when that did not happen.
        ends: When it ended; None while it runs.
    """

    clock_id: str
    name: str
    subject: str
    begins: Instant
    target: int
    due: Instant | None
    state: Clock.State.ValueType = Clock.STATE_RUNNING
    elapsed: int = 0
    late: int = 0
    breached_at: Instant | None = None
    ends: Instant | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """That somebody was to be told something, and whether that reached anybody.

    Attributes:
        at: When.
        role: The role that it was for; unspecified for a department.
        department: The department that it was for; empty for a role.
        people: Whom it reached.
        about: The event that they were told of; for a department, the demand of its task.
        why_not: Why it reached nobody; empty when it did.
    """

    at: Instant
    role: Role.ValueType
    department: str
    people: Sequence[str]
    about: Event
    why_not: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a report tells of."""

    case: Case
    events: Sequence[Event]
    phases: Sequence[Phase]
    promises: Sequence[Promise]
    tellings: Sequence[Telling]

    @property
    def begins(self) -> Instant:
        """When the incident was declared."""
        return instant(self.case.opened_at)

    @property
    def ends(self) -> Instant:
        """The last thing that happened so far."""
        return instant(self.events[-1].at)

    def of(self, *names: str) -> list[Event]:
        """The events of these names, in their order."""
        return [event for event in self.events if event.WhichOneof("body") in names]


def facts_of(events: Sequence[Event]) -> Facts:
    """Put together what the events of one incident say, from the first to the last one known.

    Raises:
        ValueError: They do not begin with the first event of a case.
    """
    if not events or events[0].seq != 1:
        raise ValueError("a report needs the events of a case from the first one on")
    case, phases = _lived(events)
    return Facts(case, events, phases, _promises(events), list(_tellings(case, events)))


def _lived(events: Sequence[Event]) -> tuple[Case, Sequence[Phase]]:
    case, phases = Case(), list[Phase]()
    for event in events:
        apply(case, event)
        if not phases or phases[-1].stage != case.stage:
            if phases:
                phases[-1] = replace(phases[-1], ends=instant(event.at))
            phases.append(Phase(case.stage, instant(event.at), None))
    return case, phases


_ENDS: Final = {
    "clock_met": Clock.STATE_MET,
    "clock_met_late": Clock.STATE_LATE,
    "clock_cancelled": Clock.STATE_CANCELLED,
}
_COUNTS: Final = frozenset({"clock_paused", "clock_resumed", "clock_warned", "clock_breached", "clock_rebased", *_ENDS})


def _promises(events: Sequence[Event]) -> Sequence[Promise]:
    promises: dict[str, Promise] = {}
    for event in events:
        name = event.WhichOneof("body") or ""
        if name == "clock_started":
            clock = event.clock_started.clock
            promises[clock.clock_id] = Promise(
                clock.clock_id,
                clock.name,
                clock.subject,
                begins=instant(clock.started_at),
                target=clock.target_seconds,
                due=instant(clock.due_at) if clock.HasField("due_at") else None,
            )
        elif name in _COUNTS:
            clock_id = getattr(event, name).clock.clock_id
            promises[clock_id] = _counted(promises[clock_id], event, name)
    return list(promises.values())


def _counted(promise: Promise, event: Event, name: str) -> Promise:
    """A promise after one more event of its clock."""
    at, reckoning = instant(event.at), getattr(event, name).clock
    promise = replace(promise, target=reckoning.target_seconds, elapsed=reckoning.elapsed_seconds)
    if reckoning.HasField("due_at"):
        promise = replace(promise, due=instant(reckoning.due_at))
    if name == "clock_breached":
        return replace(promise, breached_at=at)
    if name == "clock_met_late":
        promise = replace(promise, late=event.clock_met_late.late_seconds)
    if name in _ENDS:
        return replace(promise, state=_ENDS[name], ends=at)
    return promise


def _tellings(case: Case, events: Sequence[Event]) -> Iterator[Telling]:
    """Whom every alert and every task reached, with what each was about."""
    demands = {effect_id_of(case.case_id, event.seq): event for event in events}
    for event in events:
        name = event.WhichOneof("body") or ""
        if name in ("staff_reached", "staff_unreachable"):
            body = getattr(event, name)
            people, why = (list(body.people), "") if name == "staff_reached" else ([], body.why)
            alert = demands[body.effect_id]
            department = alert.staff_alerted.department
            yield Telling(instant(event.at), body.role, department, people, _news(events, alert), why)
        elif name in ("department_reached", "department_unreachable"):
            body = getattr(event, name)
            demand = demands[body.effect_id]
            people, why = (list(body.people), "") if name == "department_reached" else ([], body.why)
            department = demand.task_requested.department
            yield Telling(instant(event.at), Role.ROLE_UNSPECIFIED, department, people, demand, why)


def _news(events: Sequence[Event], alert: Event) -> Event:
    """What an alert is about: the event of its clock just before it, or the one that a request began with."""
    if alert.staff_alerted.clock_id:
        return events[alert.seq - 2]
    return next(event for event in events if event.key == alert.key)
