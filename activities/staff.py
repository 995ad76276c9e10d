"""Tells the people who work here: what escalated, what is due soon, whom to call back."""

from collections.abc import Sequence

from temporalio import activity

from activities.directory import Directory, Person
from activities.effects import Errand, Errands
from activities.letters import write_to_each
from activities.mail import Message
from casetrail.v1.case_pb2 import Case
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.effect_pb2 import CallbackReminded, Outcome, StaffReached, StaffUnreachable
from casetrail.v1.types_pb2 import Kind, Priority, Role, Stage
from casetrail.v1.workflow_pb2 import EffectRun
from domain.instants import instant, to_datetime
from domain.parts import find_clock
from domain.words import words

REMINDED = "reminded"


class Staff:
    """Letters to the people of the staff directory."""

    def __init__(self, errands: Errands, directory: Directory) -> None:
        """Write to whom the directory names."""
        self._errands = errands
        self._directory = directory

    @activity.defn
    async def alert_staff(self, run: EffectRun) -> None:
        """Tell everybody whom an alert is for, and log whom it reached, or that it reached nobody."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        alert = errand.effect.staff_alert
        people = self._addressed(errand)
        reached = await self._tell(errand, people, alert.text) if not errand.case.silent else []
        if reached:
            outcome = Outcome(staff_reached=StaffReached(role=alert.role, people=reached))
        else:
            why = "no letter was taken" if people else "nobody is there"
            outcome = Outcome(staff_unreachable=StaffUnreachable(role=alert.role, why=why))
        await self._errands.report(run, outcome)

    @activity.defn
    async def remind_of_callback(self, run: EffectRun) -> None:
        """Tell whoever has the case that the customer may be called now. Once: the call itself is still owed then."""
        errand = await self._errands.find(run)
        if errand is None or await self._errands.was_reported(run, REMINDED):
            return
        case = errand.case
        people = self._directory.named(case.owner) or self._directory.of_role(Role.ROLE_AGENT, case.team)
        due = to_datetime(instant(errand.effect.callback.due_at))
        reached = await self._tell(errand, people, f"call the customer back by {due:%Y-%m-%d %H:%M:%S} UTC")
        reminded = Outcome(callback_reminded=CallbackReminded(people=reached))
        await self._errands.report(run, reminded, name=REMINDED)

    def _addressed(self, errand: Errand) -> list[Person]:
        alert = errand.effect.staff_alert
        if alert.department:
            return self._directory.named(alert.owner) or self._directory.of_department(alert.department)
        if alert.owner:
            return self._directory.named(alert.owner)
        return self._directory.of_role(alert.role, errand.case.team)

    async def _tell(self, errand: Errand, people: Sequence[Person], what: str) -> list[str]:
        return await write_to_each(errand.outside.mailer, people, lambda person: _letter(errand, person, what))


def _letter(errand: Errand, person: Person, what: str) -> Message:
    """A letter with no word of a customer's in it: it leaves the system."""
    case = errand.case
    lines = [f"{case.case_id}: {what}.", "", *_facts(case)]
    clock = find_clock(case, errand.effect.staff_alert.clock_id)
    if clock is not None:
        lines += ["", *_about(case, clock, errand.effect.staff_alert.step)]
    return Message.for_effect(
        f"{errand.effect.effect_id}/{person.name}",
        case=case.case_id,
        to=person.email,
        subject=f"{case.case_id}: {what}",
        text="\n".join(lines) + "\n",
    )


def _facts(case: Case) -> list[str]:
    if case.kind == Kind.KIND_INCIDENT:
        return _of_an_incident(case)
    return [
        f"Kind      {words(Kind, case.kind)}",
        f"Stage     {words(Stage, case.stage)}",
        f"Priority  {words(Priority, case.priority)}",
        f"Owner     {case.owner or 'nobody'}",
    ]


def _of_an_incident(case: Case) -> list[str]:
    """What whoever is woken at night wants to know first. No customer has written any of it."""
    incident = case.incident
    level = f"{incident.level}{'' if incident.graded else ', as suspected'}" if incident.level else "not known yet"
    return [
        f"Incident  {case.subject}",
        f"Level     {level}",
        f"Stage     {words(Stage, case.stage)}",
        f"Led by    {incident.commander or 'nobody yet'}",
        *(f"Waits for {awaited}" for awaited in incident.waits_for),
    ]


def _about(case: Case, clock: Clock, step: int) -> list[str]:
    due = to_datetime(instant(clock.due_at)) if clock.HasField("due_at") else None
    lines = [f"Promise   {clock.name}, within {clock.target_seconds} s of its calendar"]
    if due:
        lines.append(f"Due       {due:%Y-%m-%d %H:%M:%S} UTC")
    if step:
        lines.append(f"Step      {step} of the ladder. The next one follows, unless you take it on:")
        lines.append(f"          casetrail do {case.case_id} acknowledge")
    return lines
