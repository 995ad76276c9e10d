"""What an incident waits for: shown in the case, in its report, and in the refusal of what comes too early."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from casetrail.v1.case_pb2 import Case
from casetrail.v1.incident_pb2 import CrisisClass, Incident, IncidentNotice, IncidentTask, LinkedCase
from casetrail.v1.types_pb2 import Role, Stage
from domain import clocks
from domain.words import word

BEFORE_THE_END = (Stage.STAGE_DECLARED, Stage.STAGE_GRADED, Stage.STAGE_CONTAINED)
"""The stages of an incident that is not over."""

# An incident can touch many cases: that many are named, the others counted.
_NAMED = 5

_UNSENT = (
    IncidentNotice.STATE_DRAFT,
    IncidentNotice.STATE_APPROVED,
    IncidentNotice.STATE_SENDING,
    IncidentNotice.STATE_FAILED,
)
SETTLED_TASKS = (IncidentTask.STATE_DONE, IncidentTask.STATE_CANCELLED)
_SETTLED_CASES = (LinkedCase.STATE_REFUSED, LinkedCase.STATE_FOLLOWED_UP)


class What(StrEnum):
    """A kind of thing that an incident waits for: as it is said in English, with places for the fields of `Awaited`."""

    NATURE = "its nature to be confirmed"
    LEVEL = "its level"
    LEADER = "somebody to lead it ({roles})"
    FIRST_NOTICE = "the first notice to users"
    TASK = "task {name} of {department} ({state})"
    NOTICE = "notice {name} ({state})"
    LAST_NOTICE = "a last notice to users: it is over"
    FOLLOW_UP = "the follow-up of {name}"
    MORE_FOLLOW_UPS = "the follow-up of {name} more"
    REPORT = "its report"


@dataclass(frozen=True, slots=True)
class Awaited:
    """Something that an incident waits for. States and roles are the contract's names, for example `incident_lead`.

    Attributes:
        what: What it is.
        name: The number of the task, the notice or the customer's case; or how many there are.
        department: That has the task.
        state: Of the task or the notice.
        roles: Those who may lead.
    """

    what: What
    name: str = ""
    department: str = ""
    state: str = ""
    roles: tuple[str, ...] = ()

    def words(self) -> str:
        """It in English."""
        roles = " or ".join(map(_spaced, self.roles))
        return self.what.format(name=self.name, department=self.department, state=_spaced(self.state), roles=roles)


def awaited_by(case: Case) -> list[Awaited]:
    """What must happen before an incident can go on to its next stage; empty when it can."""
    gate = _GATES.get(case.stage)
    return list(gate(case)) if gate else []


def waits_for(case: Case) -> list[str]:
    """The same in words."""
    return [awaited.words() for awaited in awaited_by(case)]


def may_lead(role: Role.ValueType, incident: Incident) -> bool:
    """Whether a role may lead an incident of this level: one of those named, or above one of them on the ladder."""
    on_the_ladder = [named for named in incident.commander_roles if named >= Role.ROLE_AGENT]
    return role in incident.commander_roles or (bool(on_the_ladder) and role >= min(on_the_ladder))


def is_led(incident: Incident) -> bool:
    """Whether somebody leads who may, at the level that it has now."""
    return bool(incident.commander) and may_lead(incident.commander_role, incident)


def was_announced(incident: Incident) -> bool:
    """Whether users were told about it."""
    return any(notice.HasField("sent_at") for notice in incident.notices)


def leaders(incident: Incident) -> str:
    """Who may lead, in words, for example `supervisor or incident lead`."""
    return " or ".join(map(_spaced, _leaders(incident)))


def task_words(task: IncidentTask) -> str:
    """A task in a few words, for example `task T1 of operations (asked)`."""
    return _task(task).words()


def notice_words(notice: IncidentNotice) -> str:
    """A notice in a few words, for example `notice N1 (draft)`."""
    return _notice(notice).words()


def crisis_word(crisis: CrisisClass.ValueType) -> str:
    """A class of crisis in a word; empty for none."""
    return word(CrisisClass, crisis) if crisis else ""


def _to_be_graded(case: Case) -> Iterator[Awaited]:
    yield from _initial_response(case)
    yield Awaited(What.LEVEL)


def _to_be_resolved(case: Case) -> Iterator[Awaited]:
    yield from _initial_response(case)
    if not is_led(case.incident):
        yield Awaited(What.LEADER, roles=_leaders(case.incident))
    if clocks.open_clocks(case, "public_notice"):
        yield Awaited(What.FIRST_NOTICE)
    yield from (_task(task) for task in case.incident.tasks if task.state not in SETTLED_TASKS)
    yield from _unsent(case)


def _to_be_followed_up(case: Case) -> Iterator[Awaited]:
    yield from _unsent(case)
    if was_announced(case.incident) and not any(notice.last_word for notice in case.incident.notices):
        yield Awaited(What.LAST_NOTICE)
    yield from _unfollowed(case)


def _to_be_closed(case: Case) -> Iterator[Awaited]:
    if case.incident.report_required and not case.incident.HasField("report"):
        yield Awaited(What.REPORT)


def _initial_response(case: Case) -> Iterator[Awaited]:
    if not case.incident.HasField("confirmed_at"):
        yield Awaited(What.NATURE)


def _unsent(case: Case) -> Iterator[Awaited]:
    yield from (_notice(notice) for notice in case.incident.notices if notice.state in _UNSENT)


def _unfollowed(case: Case) -> Iterator[Awaited]:
    waiting = [linked.case_id for linked in case.incident.cases if linked.state not in _SETTLED_CASES]
    yield from (Awaited(What.FOLLOW_UP, case_id) for case_id in waiting[:_NAMED])
    if more := len(waiting[_NAMED:]):
        yield Awaited(What.MORE_FOLLOW_UPS, str(more))


_GATES: dict[int, Callable[[Case], Iterator[Awaited]]] = {
    Stage.STAGE_DECLARED: _to_be_graded,
    Stage.STAGE_GRADED: _to_be_resolved,
    Stage.STAGE_CONTAINED: _to_be_resolved,
    Stage.STAGE_RESOLVED: _to_be_followed_up,
    Stage.STAGE_FOLLOWED_UP: _to_be_closed,
    Stage.STAGE_RETROSPECTIVE: _to_be_closed,
}


def _task(task: IncidentTask) -> Awaited:
    state = word(IncidentTask.State, task.state)
    return Awaited(What.TASK, task.task_id, department=task.department, state=state)


def _notice(notice: IncidentNotice) -> Awaited:
    return Awaited(What.NOTICE, notice.notice_id, state=word(IncidentNotice.State, notice.state))


def _leaders(incident: Incident) -> tuple[str, ...]:
    return tuple(word(Role, role) for role in incident.commander_roles)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
