"""An emergency incident's way: declared, graded, led, contained, resolved, followed up, looked back at [S0 7.1-7.2].

The level decides who leads, who approves notices, which departments get tasks, and how fast everything must be.
"""

from casetrail.v1.case_pb2 import Closure
from casetrail.v1.command_pb2 import (
    AssumeCommand,
    CloseIncident,
    Command,
    ConfirmNature,
    ContainIncident,
    Declaration,
    DismissIncident,
    FileReport,
    FinishFollowUp,
    GradeIncident,
    HandOverCommand,
    ReopenIncident,
    ResolveIncident,
)
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import (
    CommandAssumed,
    IncidentContained,
    IncidentFollowedUp,
    IncidentGraded,
    IncidentReopened,
    IncidentResolved,
    NatureConfirmed,
    ReportFiled,
    Withdrawn,
)
from casetrail.v1.incident_pb2 import CrisisClass, Incident, IncidentNotice, IncidentReport, IncidentSource
from casetrail.v1.types_pb2 import Actor, Role, Stage
from domain import authority, awaited, promises
from domain.draft import Draft
from domain.instants import timestamp
from domain.lifecycles import closing, command_post, linked, tasks
from domain.refusal import Rejected
from domain.rulebook import Rulebook

_AFTER_THE_END = (Stage.STAGE_RESOLVED, Stage.STAGE_FOLLOWED_UP, Stage.STAGE_RETROSPECTIVE)
_ANNOUNCED = (IncidentNotice.STATE_SENDING, IncidentNotice.STATE_SENT)


def as_declared(command: Command, rules: Rulebook) -> Incident:
    """What the opening event says of the incident.

    Raises:
        Rejected: Somebody declares it who may not, or history is to be declared: an incident is of now.
    """
    authority.require_role("confirm_nature", command.actor, doing="declaring an incident")
    if command.open.source or command.open.silent:
        field = "source" if command.open.source else "silent"
        raise Rejected(
            RefusalReason.REFUSAL_REASON_INVALID,
            "an incident is of now: it is not imported, and not kept silent",
            field=f"open.{field}",
        )
    asked = command.open.incident
    linked.require_finder(command.actor, asked.rule, field="open.incident.rule")
    incident = Incident(
        level=asked.suspected_level,
        crisis=asked.crisis,
        source=IncidentSource(by=_declared_by(asked, command.actor), rule=asked.rule, inputs=asked.inputs),
    )
    # Without a level it is only known that the policy has incidents at all.
    rule = rules.incident_level(asked.suspected_level or 1)
    if asked.suspected_level:
        incident.commander_roles.extend(rule.commander_roles)
        incident.notice_role = rules.notice_role(asked.suspected_level, asked.crisis)
    return incident


def declared(draft: Draft, asked: Declaration) -> None:
    """Tell whoever is to lead, and link the cases that it is known to touch."""
    command_post.tell(draft, "an incident is declared")
    linked.ask(draft, asked.case_ids, asked.rule)


def confirm_nature(draft: Draft, command: ConfirmNature) -> None:
    """The initial response: somebody has looked, knows what it is, and has answered."""
    draft.require_stage(*awaited.BEFORE_THE_END)
    if draft.case.incident.HasField("confirmed_at"):
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"what {draft.case.case_id} is has been confirmed")
    draft.add(NatureConfirmed(nature=command.nature))


def grade(draft: Draft, command: GradeIncident) -> None:
    """Give it its level, or another one, up or down: promises are measured by it, with what has elapsed."""
    draft.require_stage(*awaited.BEFORE_THE_END)
    incident = draft.case.incident
    crisis = CrisisClass.CRISIS_CLASS_UNSPECIFIED if command.no_crisis else command.crisis or incident.crisis
    rule = draft.rules.incident_level(command.level)
    body = IncidentGraded(
        level=command.level,
        old_level=incident.level,
        crisis=crisis,
        why=command.why,
        inputs=command.inputs,
        commander_roles=rule.commander_roles,
        notice_role=draft.rules.notice_role(command.level, crisis),
        report_required=rule.report_required,
    )
    if incident.graded and _changes_nothing(body, incident):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{draft.case.case_id} is of level {command.level} already"
        )
    draft.add(body, rule="incident.level", inputs=dict(command.inputs))
    promises.rebase(draft)
    tasks.ask_departments(draft, rule.tasks)
    if not awaited.is_led(draft.case.incident):
        command_post.call(draft, f"an incident of level {command.level} needs somebody to lead it")


def assume_command(draft: Draft, command: AssumeCommand) -> None:
    """Lead it, while nobody does who may at its level."""
    incident = draft.case.incident
    command_post.require_level(draft)
    if awaited.is_led(incident):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO,
            f"{incident.commander} leads {draft.case.case_id}, and can hand it over",
        )
    command_post.require_qualified(draft, draft.actor.role)
    draft.add(CommandAssumed(commander=draft.actor.name, role=draft.actor.role, why=command.why))


def hand_over_command(draft: Draft, command: HandOverCommand) -> None:
    """Somebody else leads from now on."""
    incident = draft.case.incident
    command_post.require_level(draft)
    command_post.require_lead(draft)
    if (command.to, command.role) == (incident.commander, incident.commander_role):
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{command.to} leads {draft.case.case_id} already")
    command_post.require_qualified(draft, command.role, field="hand_over_command.role")
    draft.add(
        CommandAssumed(commander=command.to, role=command.role, handed_over_by=incident.commander, why=command.why)
    )
    command_post.tell(draft, "you lead this incident now")


def contain(draft: Draft, command: ContainIncident) -> None:
    """It does not spread any more."""
    draft.require_stage(Stage.STAGE_GRADED)
    command_post.require_lead(draft)
    draft.add(IncidentContained(how=command.how))


def resolve(draft: Draft, command: ResolveIncident) -> None:
    """It is over: users get no more updates but a last word, and customers whom it touched are followed up."""
    draft.require_stage(Stage.STAGE_CONTAINED)
    command_post.require_lead(draft)
    _require_nothing_awaited(draft)
    linked.require_may_speak(draft)
    draft.add(IncidentResolved(how=command.how))
    promises.cancel(draft, "the incident is over", name="notice_update")
    linked.follow_up(draft, command.how)


def finish_follow_up(draft: Draft, command: FinishFollowUp) -> None:
    """Every customer whom it touched was followed up."""
    draft.require_stage(Stage.STAGE_RESOLVED)
    command_post.require_lead(draft)
    _require_nothing_awaited(draft)
    draft.add(IncidentFollowedUp())


def file_report(draft: Draft, command: FileReport) -> None:
    """Put on record what the report needs from a person; again, when there is more to say."""
    draft.require_stage(*_AFTER_THE_END)
    command_post.require_lead(draft)
    report = IncidentReport(
        cause=command.cause,
        measures=command.measures,
        lessons=command.lessons,
        filed_by=draft.actor.name,
        filed_at=timestamp(draft.at),
    )
    draft.add(ReportFiled(report=report))


def close(draft: Draft, command: CloseIncident) -> None:
    """End it: with its report where its level asks, or asked, for one."""
    draft.require_stage(Stage.STAGE_FOLLOWED_UP, Stage.STAGE_RETROSPECTIVE)
    command_post.require_lead(draft)
    _require_nothing_awaited(draft)
    closing.close(draft, Closure.HOW_CONCLUDED)


def dismiss(draft: Draft, command: DismissIncident) -> None:
    """It was none. Once it is graded, or users were told, it can only be resolved."""
    draft.require_stage(Stage.STAGE_DECLARED)
    command_post.require_lead(draft)
    if any(notice.state in _ANNOUNCED for notice in draft.case.incident.notices):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"users were told about {draft.case.case_id}: grade it, and resolve it",
        )
    draft.add(Withdrawn(why=command.why))
    closing.close(draft, Closure.HOW_FALSE_ALARM)


def reopen(draft: Draft, command: ReopenIncident) -> None:
    """It was not over after all: it is responded to again, and customers are followed up after the next end."""
    draft.require_stage(Stage.STAGE_CONTAINED, *_AFTER_THE_END)
    for name in ("retrospective", "result_feedback"):
        promises.cancel(draft, "the incident was not over", name=name)
    draft.add(IncidentReopened(why=command.why))
    command_post.tell(draft, "the incident is not over")


def _changes_nothing(body: IncidentGraded, incident: Incident) -> bool:
    # Under another policy the same level can ask for something else.
    return (
        (body.level, body.crisis, body.notice_role) == (incident.level, incident.crisis, incident.notice_role)
        and list(body.commander_roles) == list(incident.commander_roles)
        and body.report_required <= incident.report_required
    )


def _require_nothing_awaited(draft: Draft) -> None:
    waits = awaited.waits_for(draft.case)
    if waits:
        raise Rejected(RefusalReason.REFUSAL_REASON_NOT_YET, f"{draft.case.case_id} waits for {', '.join(waits)}")


def _declared_by(asked: Declaration, actor: Actor) -> IncidentSource.By.ValueType:
    if asked.rule:
        return IncidentSource.BY_RULE
    return IncidentSource.BY_BACKEND if actor.role == Role.ROLE_SERVICE else IncidentSource.BY_PERSON
