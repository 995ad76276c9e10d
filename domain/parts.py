"""Parts of a case by what names them: `find_…` gives None where the case has no such part, `…_of` takes it as known."""

from typing import TypeVar

from casetrail.v1.case_pb2 import Case, Parcel
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.effect_pb2 import Effect, StaffAlerted
from casetrail.v1.incident_pb2 import IncidentNotice, IncidentTask, LinkedCase

_Part = TypeVar("_Part")


def find_clock(case: Case, clock_id: str) -> Clock | None:
    """The clock with an id, if the case still shows it."""
    return next((clock for clock in case.clocks if clock.clock_id == clock_id), None)


def clock_of(case: Case, clock_id: str) -> Clock:
    """The clock that an event names."""
    return _known(find_clock(case, clock_id), case, "clock", clock_id)


def climbing_after(case: Case, alert: StaffAlerted) -> Clock | None:
    """The clock whose last step an alert was; None when the step was overtaken or acknowledged, or it was no step."""
    clock = find_clock(case, alert.clock_id) if alert.step else None
    if clock is None or not clock.climb.HasField("next_at") or clock.climb.steps != alert.step:
        return None
    return clock


def find_effect(case: Case, effect_id: str) -> Effect | None:
    """The effect with an id, if it is pending."""
    return next((effect for effect in case.pending_effects if effect.effect_id == effect_id), None)


def parcel_of(case: Case, parcel_id: str) -> Parcel:
    """The parcel that an event names."""
    found = next((parcel for parcel in case.parcels if parcel.parcel_id == parcel_id), None)
    return _known(found, case, "parcel", parcel_id)


def find_task(case: Case, task_id: str) -> IncidentTask | None:
    """The task with an id, if the incident has it."""
    return next((task for task in case.incident.tasks if task.task_id == task_id), None)


def task_of(case: Case, task_id: str) -> IncidentTask:
    """The task that an event names."""
    return _known(find_task(case, task_id), case, "task", task_id)


def find_notice(case: Case, notice_id: str) -> IncidentNotice | None:
    """The notice with an id, if the incident has it."""
    return next((notice for notice in case.incident.notices if notice.notice_id == notice_id), None)


def notice_of(case: Case, notice_id: str) -> IncidentNotice:
    """The notice that an event names."""
    return _known(find_notice(case, notice_id), case, "notice", notice_id)


def find_linked(case: Case, case_id: str) -> LinkedCase | None:
    """What the incident knows of a customer's case, if it touches that one."""
    return next((linked for linked in case.incident.cases if linked.case_id == case_id), None)


def _known(found: _Part | None, case: Case, what: str, name: str) -> _Part:
    if found is None:
        raise LookupError(f"{case.case_id} has no {what} {name}")
    return found
