"""The ladder: who hears of a broken promise, and then who, until somebody acknowledges."""

from casetrail.v1.clock_pb2 import Climb, Clock
from casetrail.v1.effect_pb2 import StaffAlerted
from casetrail.v1.event_pb2 import EscalationStepped
from casetrail.v1.types_pb2 import Role
from domain.draft import Draft
from domain.parts import climbing_after
from domain.words import word

# A top that stays silent is knocked at again after ever longer: doubled each time, up to this many times.
_DOUBLINGS = 10


def step(draft: Draft, clock: Clock) -> None:
    """Take the next step of a breached clock's ladder, and say when the one after it comes."""
    ladder = draft.rules.ladder(clock.ladder)
    number = clock.climb.steps + 1
    taken = ladder.steps[min(number, len(ladder.steps)) - 1]
    body = EscalationStepped(
        clock_id=clock.clock_id,
        clock_name=clock.name,
        step=number,
        role=taken.role,
        why=clock.climb.why,
        takes_over=taken.takes_over and number <= len(ladder.steps),
        clock_subject=clock.subject,
    )
    if number < len(ladder.steps):
        interval = ladder.steps[number].after.seconds
    else:
        interval = ladder.repeat_every.seconds << min(number - len(ladder.steps), _DOUBLINGS)
    body.next_at.seconds = draft.rules.calendar(clock.calendar).add(draft.at, interval)
    draft.add(
        body,
        rule=f"ladder.{clock.ladder}",
        inputs={"clock": clock.clock_id, "why": word(Climb.Why, body.why)},
    )
    alert(draft, taken.role, f"{_said(clock)} breached", clock_id=clock.clock_id, number=number)


def nobody_there(draft: Draft, told: StaffAlerted) -> None:
    """The step that an alert stood for has found nobody: the next one comes at once, unless this was the top."""
    clock = climbing_after(draft.case, told)
    if clock is not None and told.step < len(draft.rules.ladder(clock.ladder).steps):
        step(draft, clock)


def warn_owner(draft: Draft, clock: Clock) -> None:
    """Tell whoever has the case, or the task, that a promise is in danger."""
    owner = _owner_of(draft, clock)
    if owner:
        leads = owner == draft.case.incident.commander
        role = draft.case.incident.commander_role if leads else Role.ROLE_AGENT
        alert(draft, role, f"{_said(clock)} is due soon", clock_id=clock.clock_id, owner=owner)


def alert(
    draft: Draft,
    role: Role.ValueType,
    text: str,
    *,
    clock_id: str = "",
    number: int = 0,
    owner: str = "",
    department: str = "",
) -> None:
    """Demand that the people of a role be told; nobody is written to about a silent case."""
    if draft.case.silent:
        return
    told = StaffAlerted(role=role, owner=owner, clock_id=clock_id, step=number, text=text, department=department)
    draft.add(told)


def _said(clock: Clock) -> str:
    """A clock in words, for example `task T1`."""
    return f"{clock.name.replace('_', ' ')} {clock.subject}".strip()


def _owner_of(draft: Draft, clock: Clock) -> str:
    owners = (task.owner for task in draft.case.incident.tasks if task.task_id == clock.subject)
    return next(owners, "") or draft.case.owner
