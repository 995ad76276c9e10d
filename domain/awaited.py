"""What an incident waits for: shown in the case, and in the refusal of what comes too early."""

from collections.abc import Callable, Iterator

from casetrail.v1.case_pb2 import Case
from casetrail.v1.incident_pb2 import CrisisClass, Incident, IncidentNotice, IncidentTask, LinkedCase
from casetrail.v1.types_pb2 import Role, Stage
from domain import clocks

# An incident can touch many cases: that many are named, the others counted.
_NAMED = 5

_UNSENT = (
    IncidentNotice.STATE_DRAFT,
    IncidentNotice.STATE_APPROVED,
    IncidentNotice.STATE_SENDING,
    IncidentNotice.STATE_FAILED,
)
_SETTLED_CASES = (LinkedCase.STATE_REFUSED, LinkedCase.STATE_FOLLOWED_UP)


def waits_for(case: Case) -> list[str]:
    """What must happen before an incident can go on to its next stage, in words; empty when it can."""
    gate = _GATES.get(case.stage)
    return list(gate(case)) if gate else []


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
    return " or ".join(_word(Role.Name(role), "ROLE_") for role in incident.commander_roles)


def task_words(task: IncidentTask) -> str:
    """A task in a few words, for example `task T1 of operations (asked)`."""
    return f"task {task.task_id} of {task.department} ({_word(IncidentTask.State.Name(task.state), 'STATE_')})"


def notice_words(notice: IncidentNotice) -> str:
    """A notice in a few words, for example `notice N1 (draft)`."""
    return f"notice {notice.notice_id} ({_word(IncidentNotice.State.Name(notice.state), 'STATE_')})"


def crisis_word(crisis: CrisisClass.ValueType) -> str:
    """A class of crisis in a word; empty for none."""
    return _word(CrisisClass.Name(crisis), "CRISIS_CLASS_") if crisis else ""


def _to_be_graded(case: Case) -> Iterator[str]:
    yield from _initial_response(case)
    yield "its level"


def _to_be_resolved(case: Case) -> Iterator[str]:
    yield from _initial_response(case)
    if not is_led(case.incident):
        yield f"somebody to lead it ({leaders(case.incident)})"
    if clocks.open_clocks(case, "public_notice"):
        yield "the first notice to users"
    yield from (task_words(task) for task in case.incident.tasks if task.state != IncidentTask.STATE_DONE)
    yield from _unsent(case)


def _to_be_followed_up(case: Case) -> Iterator[str]:
    yield from _unsent(case)
    if was_announced(case.incident) and not any(notice.last_word for notice in case.incident.notices):
        yield "a last notice to users: it is over"
    yield from _unfollowed(case)


def _to_be_closed(case: Case) -> Iterator[str]:
    if case.incident.report_required and not case.incident.HasField("report"):
        yield "its report"


def _initial_response(case: Case) -> Iterator[str]:
    if not case.incident.HasField("confirmed_at"):
        yield "its nature to be confirmed"


def _unsent(case: Case) -> Iterator[str]:
    yield from (notice_words(notice) for notice in case.incident.notices if notice.state in _UNSENT)


def _unfollowed(case: Case) -> Iterator[str]:
    waiting = [linked.case_id for linked in case.incident.cases if linked.state not in _SETTLED_CASES]
    yield from (f"the follow-up of {case_id}" for case_id in waiting[:_NAMED])
    if more := len(waiting[_NAMED:]):
        yield f"the follow-up of {more} more"


_GATES: dict[int, Callable[[Case], Iterator[str]]] = {
    Stage.STAGE_DECLARED: _to_be_graded,
    Stage.STAGE_GRADED: _to_be_resolved,
    Stage.STAGE_CONTAINED: _to_be_resolved,
    Stage.STAGE_RESOLVED: _to_be_followed_up,
    Stage.STAGE_FOLLOWED_UP: _to_be_closed,
    Stage.STAGE_RETROSPECTIVE: _to_be_closed,
}


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")
