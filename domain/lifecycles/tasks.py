"""Departments' tasks in an incident: they run side by side, each with its own owner, clock and ladder [S0 7.1].

A refused task is still owed: its clock counts on until somebody else has done it, or whoever leads calls it off.
"""

from collections.abc import Iterable

from casetrail.v1.command_pb2 import (
    AcceptTask,
    AddTask,
    CancelTask,
    CompleteTask,
    ReassignTask,
    RefuseTask,
    ReopenTask,
)
from casetrail.v1.effect_pb2 import TaskRequested
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import (
    TaskAccepted,
    TaskAdded,
    TaskCancelled,
    TaskCompleted,
    TaskReassigned,
    TaskRefused,
    TaskReopened,
)
from casetrail.v1.incident_pb2 import IncidentTask
from casetrail.v1.policy_pb2 import DepartmentTask
from casetrail.v1.types_pb2 import Role
from domain import awaited, promises
from domain.draft import Draft
from domain.instants import timestamp
from domain.ladder import alert
from domain.lifecycles import command_post
from domain.parts import find_task, task_of
from domain.refusal import Rejected

_TAKEN_UP = (IncidentTask.STATE_ASKED, IncidentTask.STATE_ACCEPTED)


def add(draft: Draft, command: AddTask) -> None:
    """Ask a department to do something."""
    draft.require_stage(*awaited.BEFORE_THE_END)
    _ask(draft, command.department, command.what, command.owner)


def ask_departments(draft: Draft, wanted: Iterable[DepartmentTask]) -> None:
    """Ask every department for what the level demands of it and nobody has been asked for yet."""
    known = {(task.department, task.what) for task in draft.case.incident.tasks}
    for task in wanted:
        if (task.department, task.what) not in known:
            _ask(draft, task.department, task.what, rule="incident.level")


def accept(draft: Draft, command: AcceptTask) -> None:
    """Somebody of the department takes it on."""
    _find(draft, command.task_id, IncidentTask.STATE_ASKED)
    draft.add(TaskAccepted(task_id=command.task_id, owner=command.owner or draft.actor.name))


def refuse(draft: Draft, command: RefuseTask) -> None:
    """The department cannot do it: whoever leads must give it to another."""
    task = _find(draft, command.task_id, *_TAKEN_UP)
    department = task.department
    draft.add(TaskRefused(task_id=command.task_id, why=command.why))
    command_post.tell(draft, f"{department} refuses task {command.task_id}: give it to another")


def reassign(draft: Draft, command: ReassignTask) -> None:
    """Another department, or another person, is to do it; its clock counts on."""
    task = _find(draft, command.task_id, *_TAKEN_UP, IncidentTask.STATE_REFUSED)
    department = command.department or task.department
    same = (department, command.owner) == (task.department, task.owner)
    if same and task.state != IncidentTask.STATE_REFUSED:
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{awaited.task_words(task)} is with them already")
    draft.add(
        TaskReassigned(
            task_id=command.task_id,
            from_department=task.department,
            to_department=department,
            to_owner=command.owner,
            why=command.why,
        )
    )
    _request(draft, command.task_id)


def complete(draft: Draft, command: CompleteTask) -> None:
    """It is done."""
    _find(draft, command.task_id, *_TAKEN_UP)
    draft.add(TaskCompleted(task_id=command.task_id, result=command.result))


def cancel(draft: Draft, command: CancelTask) -> None:
    """Whoever leads calls it off: its clock stops, and whoever was asked is told to stop too."""
    command_post.require_lead(draft)
    task = _find(draft, command.task_id, *_TAKEN_UP, IncidentTask.STATE_REFUSED)
    at_it = task.state in _TAKEN_UP
    draft.add(TaskCancelled(task_id=command.task_id, why=command.why))
    promises.cancel(draft, "the task was called off", name="task", subject=command.task_id)
    if at_it:
        task = _find(draft, command.task_id)
        off = f"task {task.task_id} is called off"
        alert(draft, Role.ROLE_AGENT, off, owner=task.owner, department=task.department)


def reopen(draft: Draft, command: ReopenTask) -> None:
    """It was not done after all, or is needed after all: a new clock begins, with the department that had it."""
    draft.require_stage(*awaited.BEFORE_THE_END)
    _find(draft, command.task_id, *awaited.SETTLED_TASKS)
    draft.add(TaskReopened(task_id=command.task_id, why=command.why))
    _request(draft, command.task_id)


def unreachable(draft: Draft, task_id: str) -> None:
    """Nobody of the department can be told: whoever leads must know."""
    task = task_of(draft.case, task_id)
    command_post.tell(draft, f"{task.department} cannot be reached about task {task_id}")


def _ask(draft: Draft, department: str, what: str, owner: str = "", *, rule: str = "") -> None:
    task = IncidentTask(
        task_id=f"T{len(draft.case.incident.tasks) + 1}",
        department=department,
        what=what,
        owner=owner,
        state=IncidentTask.STATE_ASKED,
        added_at=timestamp(draft.at),
    )
    inputs = {"level": str(draft.case.incident.level)} if rule else None
    draft.add(TaskAdded(task=task), rule=rule, inputs=inputs)
    _request(draft, task.task_id)


def _request(draft: Draft, task_id: str) -> None:
    task = _find(draft, task_id)
    draft.add(TaskRequested(task_id=task_id, department=task.department, owner=task.owner, what=task.what))


def _find(draft: Draft, task_id: str, *states: IncidentTask.State.ValueType) -> IncidentTask:
    """The task, in one of these states.

    Raises:
        Rejected: NOTHING_TO_DO.
    """
    task = find_task(draft.case, task_id)
    if task is None:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"{draft.case.case_id} has no task {task_id}", field="task_id"
        )
    if states and task.state not in states:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"this is not possible with {awaited.task_words(task)}",
            field="task_id",
        )
    return task
