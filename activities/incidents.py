"""What an incident has done outside: departments told of their tasks, notices published, linked cases asked."""

from collections.abc import Sequence
from typing import Final

from temporalio import activity

from activities.directory import Directory, Person
from activities.effects import Errand, Errands, refusals_as_failures
from activities.letters import mail_unavailable, on_one_line, without_address, write_to_each
from activities.mail import MailRefusedError, MailUnavailableError, Message
from activities.other_case import ask
from casetrail.v1.command_pb2 import Command, EndIncident, RelayNotice
from casetrail.v1.effect_pb2 import (
    CaseFollowedUp,
    DepartmentReached,
    DepartmentUnreachable,
    FollowUpFailed,
    NoticeFailed,
    NoticePublished,
    Outcome,
    RelayAccepted,
    RelayRefused,
)
from casetrail.v1.workflow_pb2 import EffectRun
from domain.draft import SYSTEM
from domain.instants import instant, to_datetime
from domain.lifecycles.linked import follow_up_over
from domain.parts import find_task

_SUBJECT_LENGTH: Final = 80


class Incidents:
    """The errands of incidents."""

    def __init__(self, errands: Errands, directory: Directory) -> None:
        """Write to the departments and audiences of a directory."""
        self._errands = errands
        self._directory = directory

    @activity.defn
    async def tell_department(self, run: EffectRun, telling: str, number: int) -> bool:
        """Tell a department of its task, or remind it, and log whom that reached.

        Args:
            run: The task's demand.
            telling: Names this telling: whatever has been told under it is not told again.
            number: 1 when the department is told, more when it is reminded.

        Returns:
            Whether the task is still owed.
        """
        errand = await self._errands.find(run)
        if errand is None:
            return False
        if await self._errands.was_reported(run, telling):
            return True
        task = errand.effect.task
        people = self._asked(errand)
        reached = await write_to_each(
            errand.outside.mailer, people, lambda person: _letter(errand, person, telling, number)
        )
        if reached:
            outcome = Outcome(department_reached=DepartmentReached(task_id=task.task_id, people=reached))
        else:
            why = "no letter was taken" if people else f"nobody is there for {task.department!r}"
            outcome = Outcome(department_unreachable=DepartmentUnreachable(task_id=task.task_id, why=why))
        await self._errands.report(run, outcome, name=telling)
        return True

    @activity.defn
    async def publish_notice(self, run: EffectRun) -> None:
        """Send a notice to where its audience reads it, and log whether it was taken."""
        errand = await self._errands.find(run)
        if errand is not None:
            await self._errands.report(run, await self._publish(errand))

    @activity.defn
    async def relay_notice(self, run: EffectRun) -> None:
        """Have a linked case tell its customer, and log whether it does."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        asked = errand.effect.relay
        relay = RelayNotice(
            incident_id=run.case_id, notice_id=asked.notice_id, text=asked.text, drill_id=errand.case.drill_id
        )
        why = await ask(
            self._errands.engine,
            Command(case_id=asked.case_id, request_id=f"{run.effect_id}/relay", actor=SYSTEM, relay_notice=relay),
        )
        outcome = Outcome(relay_refused=RelayRefused(why=why)) if why else Outcome(relay_accepted=RelayAccepted())
        await self._errands.report(run, outcome)

    @activity.defn
    async def follow_up(self, run: EffectRun) -> None:
        """Have a linked case follow up, once, and log it when that case says that it has."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        asked = errand.effect.follow_up
        end = EndIncident(incident_id=run.case_id, text=asked.text, drill_id=errand.case.drill_id)
        why = await ask(
            self._errands.engine,
            Command(case_id=asked.case_id, request_id=f"{run.effect_id}/end", actor=SYSTEM, end_incident=end),
        )
        if why:
            await self._errands.report(run, Outcome(follow_up_failed=FollowUpFailed(why=why)))
            return
        with refusals_as_failures():
            linked = await self._errands.engine.case(asked.case_id)
        if follow_up_over(linked, run.case_id):
            await self._errands.report(run, Outcome(case_followed_up=CaseFollowedUp()))

    def _asked(self, errand: Errand) -> Sequence[Person]:
        """The task's owner where somebody is, and can be reached; else whoever is there of the department."""
        task = errand.effect.task
        known = find_task(errand.case, task.task_id) or task
        return self._directory.named(known.owner) or self._directory.of_department(task.department)

    async def _publish(self, errand: Errand) -> Outcome:
        notice = errand.effect.public_notice
        audience = self._directory.audience(notice.audience)
        if audience is None:
            return _not_published(f"the directory has no audience {notice.audience!r}, and none for all others")
        message = Message.for_effect(
            errand.effect.effect_id,
            case=errand.case.case_id,
            to=audience.email,
            subject=f"[{on_one_line(notice.audience)}] {on_one_line(notice.text)[:_SUBJECT_LENGTH]}",
            text=notice.text,
        )
        try:
            await errand.outside.mailer.send(message)
        except MailRefusedError as error:
            return _not_published(without_address(error, audience.email))
        except MailUnavailableError as error:
            raise mail_unavailable(error, audience.email) from None
        return Outcome(notice_published=NoticePublished(reference=message.message_id))


def _not_published(why: str) -> Outcome:
    return Outcome(notice_failed=NoticeFailed(why=why))


def _letter(errand: Errand, person: Person, telling: str, number: int) -> Message:
    case, task = errand.case, errand.effect.task
    incident = case.incident
    level = f"level {incident.level}" if incident.graded else "not graded yet"
    what = f"task {task.task_id} of {task.department}"
    lines = [
        f"{case.case_id}: {task.what}",
        "",
        f"Incident  {case.subject} ({level})",
        f"Led by    {incident.commander or 'nobody yet'}",
        f"Task      {task.task_id}, for {task.department}",
        *_due(errand),
        "",
        f"Say that you take it:   casetrail incident task accept {case.case_id} {task.task_id}",
        f"Say that it is done:    casetrail incident task done {case.case_id} {task.task_id} --result …",
        f"Say that you cannot:    casetrail incident task refuse {case.case_id} {task.task_id} --why …",
    ]
    return Message.for_effect(
        f"{errand.effect.effect_id}/{telling}/{person.name}",
        case=case.case_id,
        to=person.email,
        subject=f"{case.case_id}: {what}" if number == 1 else f"{case.case_id}: reminder {number - 1}, {what}",
        text="\n".join(lines) + "\n",
    )


def _due(errand: Errand) -> list[str]:
    for clock in errand.case.clocks:
        if clock.subject == errand.effect.task.task_id and clock.HasField("due_at"):
            return [f"Due       {to_datetime(instant(clock.due_at)):%Y-%m-%d %H:%M:%S} UTC"]
    return []
