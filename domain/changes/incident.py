"""What becomes of an incident, and of the customers' cases that it touches."""

from casetrail.v1.case_pb2 import Case
from casetrail.v1.effect_pb2 import (
    CaseFollowedUp,
    FollowUpFailed,
    FollowUpRequested,
    LinkFailed,
    NoticeFailed,
    NoticePublished,
    NoticeRequested,
    RelayAccepted,
    TaskRequested,
)
from casetrail.v1.event_pb2 import (
    CaseFollowedUpByHand,
    CaseLinked,
    CommandAssumed,
    Event,
    IncidentContained,
    IncidentEnded,
    IncidentFollowedUp,
    IncidentGraded,
    IncidentReopened,
    IncidentResolved,
    NatureConfirmed,
    NoticeApproved,
    NoticeDiscarded,
    NoticeDrafted,
    NoticeRelayed,
    ReportFiled,
    TaskAccepted,
    TaskAdded,
    TaskCancelled,
    TaskCompleted,
    TaskReassigned,
    TaskRefused,
    TaskReopened,
)
from casetrail.v1.incident_pb2 import IncidentNotice, IncidentTask, IncidentTie, LinkedCase
from casetrail.v1.types_pb2 import Role, Stage
from domain.changes.table import Changes
from domain.effects import drop_effects
from domain.parts import find_linked, notice_of, task_of

CHANGES = Changes()

_FOLLOWED = (
    LinkedCase.STATE_FOLLOWING_UP,
    LinkedCase.STATE_FOLLOWED_UP,
    LinkedCase.STATE_NOT_FOLLOWED_UP,
)


# --- the incident itself ---


@CHANGES.on("nature_confirmed")
def _nature_confirmed(case: Case, event: Event, body: NatureConfirmed) -> None:
    case.incident.nature = body.nature
    case.incident.confirmed_at.seconds = event.at.seconds


@CHANGES.on("incident_graded")
def _incident_graded(case: Case, event: Event, body: IncidentGraded) -> None:
    incident = case.incident
    incident.level = body.level
    incident.graded = True
    incident.level_why = body.why
    incident.crisis = body.crisis
    del incident.commander_roles[:]
    incident.commander_roles.extend(body.commander_roles)
    incident.notice_role = body.notice_role
    # A level that once asked for a report still does: grading down is no way around it.
    incident.report_required |= body.report_required
    if case.stage == Stage.STAGE_DECLARED:
        case.stage = Stage.STAGE_GRADED


@CHANGES.on("command_assumed")
def _command_assumed(case: Case, event: Event, body: CommandAssumed) -> None:
    case.owner = body.commander
    case.incident.commander = body.commander
    case.incident.commander_role = body.role


@CHANGES.on("incident_contained")
def _incident_contained(case: Case, event: Event, body: IncidentContained) -> None:
    case.stage = Stage.STAGE_CONTAINED
    case.incident.contained_at.seconds = event.at.seconds


@CHANGES.on("incident_resolved")
def _incident_resolved(case: Case, event: Event, body: IncidentResolved) -> None:
    case.stage = Stage.STAGE_RESOLVED
    case.resolved_at.seconds = event.at.seconds


@CHANGES.on("incident_followed_up")
def _incident_followed_up(case: Case, event: Event, body: IncidentFollowedUp) -> None:
    filed = case.incident.HasField("report")
    case.stage = Stage.STAGE_RETROSPECTIVE if filed else Stage.STAGE_FOLLOWED_UP
    case.incident.followed_up_at.seconds = event.at.seconds


@CHANGES.on("report_filed")
def _report_filed(case: Case, event: Event, body: ReportFiled) -> None:
    case.incident.report.CopyFrom(body.report)
    if case.stage == Stage.STAGE_FOLLOWED_UP:
        case.stage = Stage.STAGE_RETROSPECTIVE


@CHANGES.on("incident_reopened")
def _incident_reopened(case: Case, event: Event, body: IncidentReopened) -> None:
    case.stage = Stage.STAGE_GRADED
    case.ClearField("resolved_at")
    for name in ("contained_at", "followed_up_at", "report"):
        case.incident.ClearField(name)
    for linked in case.incident.cases:
        if linked.state in _FOLLOWED:
            linked.state = LinkedCase.STATE_LINKED
    for notice in case.incident.notices:
        notice.last_word = False
    drop_effects(case, lambda effect: effect.HasField("follow_up"))


# --- tasks ---


@CHANGES.on("task_added")
def _task_added(case: Case, event: Event, body: TaskAdded) -> None:
    case.incident.tasks.append(body.task)


@CHANGES.on("task_requested")
def _task_requested(case: Case, event: Event, body: TaskRequested) -> None:
    _settle_task_demand(case, body.task_id)


@CHANGES.on("task_accepted")
def _task_accepted(case: Case, event: Event, body: TaskAccepted) -> None:
    task = task_of(case, body.task_id)
    task.state = IncidentTask.STATE_ACCEPTED
    task.owner = body.owner


@CHANGES.on("task_refused")
def _task_refused(case: Case, event: Event, body: TaskRefused) -> None:
    task = task_of(case, body.task_id)
    task.state = IncidentTask.STATE_REFUSED
    task.remark = body.why
    _settle_task_demand(case, body.task_id)


@CHANGES.on("task_reassigned")
def _task_reassigned(case: Case, event: Event, body: TaskReassigned) -> None:
    task = task_of(case, body.task_id)
    task.state = IncidentTask.STATE_ASKED
    task.department = body.to_department
    task.owner = body.to_owner
    task.remark = body.why


@CHANGES.on("task_completed")
def _task_completed(case: Case, event: Event, body: TaskCompleted) -> None:
    _settle_task(case, event, body.task_id, IncidentTask.STATE_DONE, body.result)


@CHANGES.on("task_cancelled")
def _task_cancelled(case: Case, event: Event, body: TaskCancelled) -> None:
    _settle_task(case, event, body.task_id, IncidentTask.STATE_CANCELLED, body.why)


@CHANGES.on("task_reopened")
def _task_reopened(case: Case, event: Event, body: TaskReopened) -> None:
    task = task_of(case, body.task_id)
    task.state = IncidentTask.STATE_ASKED
    task.remark = body.why
    task.reopenings += 1
    task.ClearField("settled_at")


# --- notices ---


@CHANGES.on("notice_drafted")
def _notice_drafted(case: Case, event: Event, body: NoticeDrafted) -> None:
    case.incident.notices.append(body.notice)


@CHANGES.on("notice_approved")
def _notice_approved(case: Case, event: Event, body: NoticeApproved) -> None:
    notice = notice_of(case, body.notice_id)
    notice.state = IncidentNotice.STATE_APPROVED
    notice.approved_by = event.actor.name
    notice.approved_role = body.role


@CHANGES.on("notice_discarded")
def _notice_discarded(case: Case, event: Event, body: NoticeDiscarded) -> None:
    notice_of(case, body.notice_id).state = IncidentNotice.STATE_DISCARDED


@CHANGES.on("notice_requested")
def _notice_requested(case: Case, event: Event, body: NoticeRequested) -> None:
    notice_of(case, body.notice_id).state = IncidentNotice.STATE_SENDING


@CHANGES.on("notice_published")
def _notice_published(case: Case, event: Event, body: NoticePublished) -> None:
    notice = notice_of(case, body.notice_id)
    notice.state = IncidentNotice.STATE_SENT
    notice.sent_at.seconds = event.at.seconds
    notice.last_word = case.stage == Stage.STAGE_RESOLVED


@CHANGES.on("notice_failed")
def _notice_failed(case: Case, event: Event, body: NoticeFailed) -> None:
    notice_of(case, body.notice_id).state = IncidentNotice.STATE_FAILED


# --- the cases that it touches ---


@CHANGES.on("case_linked")
def _case_linked(case: Case, event: Event, body: CaseLinked) -> None:
    linked = find_linked(case, body.case_id) or case.incident.cases.add(case_id=body.case_id)
    linked.state = LinkedCase.STATE_LINKED if body.accepted else LinkedCase.STATE_ASKED


@CHANGES.on("link_failed")
def _link_failed(case: Case, event: Event, body: LinkFailed) -> None:
    _set_state(case, body.case_id, LinkedCase.STATE_REFUSED)


@CHANGES.on("relay_accepted")
def _relay_accepted(case: Case, event: Event, body: RelayAccepted) -> None:
    if linked := find_linked(case, body.case_id):
        linked.notice_id = body.notice_id


@CHANGES.on("follow_up_requested")
def _follow_up_requested(case: Case, event: Event, body: FollowUpRequested) -> None:
    _set_state(case, body.case_id, LinkedCase.STATE_FOLLOWING_UP)


@CHANGES.on("case_followed_up")
def _case_followed_up(case: Case, event: Event, body: CaseFollowedUp) -> None:
    _set_state(case, body.case_id, LinkedCase.STATE_FOLLOWED_UP)


@CHANGES.on("follow_up_failed")
def _follow_up_failed(case: Case, event: Event, body: FollowUpFailed) -> None:
    _set_state(case, body.case_id, LinkedCase.STATE_NOT_FOLLOWED_UP)


@CHANGES.on("case_followed_up_by_hand")
def _case_followed_up_by_hand(case: Case, event: Event, body: CaseFollowedUpByHand) -> None:
    _set_state(case, body.case_id, LinkedCase.STATE_FOLLOWED_UP)
    drop_effects(case, lambda effect: effect.follow_up.case_id == body.case_id)


# --- in the cases that it touches ---


@CHANGES.on("notice_relayed")
def _notice_relayed(case: Case, event: Event, body: NoticeRelayed) -> None:
    tie(case, body.incident_id).notice_id = body.notice_id


@CHANGES.on("incident_ended")
def _incident_ended(case: Case, event: Event, body: IncidentEnded) -> None:
    tie(case, body.incident_id).follow_up = body.follow_up


# --- parts ---


def linked_by_demand(case: Case, case_id: str) -> None:
    """A linked case has accepted; one that has been followed up meanwhile stays so."""
    linked = find_linked(case, case_id)
    if linked is not None and linked.state == LinkedCase.STATE_ASKED:
        linked.state = LinkedCase.STATE_LINKED


def tie(case: Case, incident_id: str) -> IncidentTie:
    """What a customer's case knows of an incident that touches it."""
    known = next((entry for entry in case.incidents if entry.incident_id == incident_id), None)
    return known or case.incidents.add(incident_id=incident_id)


def follow_ups_done(case: Case) -> None:
    """The customer of this case has been called back, or the case is closed."""
    for entry in case.incidents:
        if entry.follow_up == IncidentTie.FOLLOW_UP_OWED:
            entry.follow_up = IncidentTie.FOLLOW_UP_DONE


def drop_command(case: Case) -> None:
    """Nobody leads any more: the ladder has taken the case over."""
    case.incident.commander = ""
    case.incident.commander_role = Role.ROLE_UNSPECIFIED


def _set_state(case: Case, case_id: str, state: LinkedCase.State.ValueType) -> None:
    if linked := find_linked(case, case_id):
        linked.state = state


def _settle_task(case: Case, event: Event, task_id: str, state: IncidentTask.State.ValueType, remark: str) -> None:
    task = task_of(case, task_id)
    task.state = state
    task.remark = remark
    task.settled_at.seconds = event.at.seconds
    _settle_task_demand(case, task_id)


def _settle_task_demand(case: Case, task_id: str) -> None:
    drop_effects(case, lambda effect: effect.task.task_id == task_id)
