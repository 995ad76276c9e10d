"""A recorded case, run again under another policy.

What a person or the world outside did is taken from the record, at its time (see `audit.reconstruction`). What follows
from rules and time is worked out again by the pure core: clocks, their breaches and ladders, the eligibility that a
rule decides, authority, what lapses. A change of policy is left out: the other policy holds from the opening on.

What was done outside answers a demand, so it comes as long after the demand as it did: where the other policy has a
refund asked for a day earlier, it is paid a day earlier. Three things the record cannot tell, and each is said in a
remark:

- a command that the case would not have taken then is left out;
- a letter that only the other policy has written is taken as delivered at once;
- whatever else only the other policy demands stays unanswered.

Nobody in the record knew of the other policy: people would have acted otherwise. This is a calculation, no forecast.
"""

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from audit.clock_ends import clock_ends, clock_keys
from audit.reconstruction import Deed, RulesOf, deeds
from casetrail.v1.audit_service_pb2 import CaseRerun, ClockEnd, ComparedClock, Remark
from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import Command, ReportOutcome
from casetrail.v1.effect_pb2 import NotificationDelivered, Outcome
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from domain import Rejected, Rulebook, act, expire, fold, next_wake
from domain.draft import SYSTEM
from domain.effects import DEMANDS, effect_id_of
from domain.instants import Instant, instant, timestamp

Names = dict[tuple[str, str], tuple[Any, ...]]
"""What each id inside a case stands for, by the field that holds such an id."""


def what_if(events: Sequence[Event], rules: Rulebook, rules_of: RulesOf, until: Instant) -> CaseRerun:
    """Run a case again.

    Args:
        events: All its events.
        rules: The other policy.
        rules_of: The policies of the record.
        until: Up to when both are let run, in case time.
    """
    opened = events[0].case_opened
    recorded = _Course(list(events), fold(events))
    recorded.pass_time(until, rules_of(recorded.case.policy))
    rerun = _Rerun(recorded.events, rules, rules_of)
    rerun.run(until)
    was = clock_ends(recorded.events, recorded.case, until, rules_of(recorded.case.policy))
    would_be = clock_ends(rerun.course.events, rerun.course.case, until, rules)
    return CaseRerun(
        case_id=events[0].case_id,
        kind=recorded.case.kind,
        seq=events[-1].seq,
        recorded_policy=opened.policy,
        until=timestamp(until),
        clocks=[
            ComparedClock(
                name=name,
                subject=subject,
                ordinal=ordinal,
                recorded=was.get((name, subject, ordinal), _ABSENT),
                what_if=would_be.get((name, subject, ordinal), _ABSENT),
            )
            for name, subject, ordinal in [*was, *(key for key in would_be if key not in was)]
        ],
        remarks=rerun.remarks,
    )


_ABSENT: Final = ClockEnd(verdict=ClockEnd.VERDICT_ABSENT)


@dataclass(slots=True)
class _Course:
    """What happens to a case."""

    events: list[Event] = field(default_factory=list)
    case: Case = field(default_factory=Case)

    def write(self, events: Sequence[Event]) -> None:
        self.events += events
        self.case = fold(events, self.case)

    def pass_time(self, until: Instant, rules: Rulebook) -> Sequence[Event]:
        owed = expire(self.case, until, rules)
        self.write(owed)
        return owed


def _names(events: Sequence[Event]) -> Names:
    """What the ids stand for that a command can name: tasks and notices are numbered as they come up in a course."""
    names: Names = {("clock_id", clock_id): key for clock_id, key in clock_keys(events).items()}
    seen: Counter[tuple[str, ...]] = Counter()
    for event in events:
        if event.HasField("task_added"):
            task = event.task_added.task
            field_, id_, about = "task_id", task.task_id, (task.department, task.what)
        elif event.HasField("notice_drafted"):
            notice = event.notice_drafted.notice
            field_, id_, about = "notice_id", notice.notice_id, (notice.text, notice.audience)
        else:
            continue
        seen[field_, *about] += 1
        names[field_, id_] = (*about, seen[field_, *about])
    return names


class _Rerun:
    """A case on its way under the other policy.

    Attributes:
        course: What has happened so far.
        remarks: Where the record did not fit.
    """

    def __init__(self, events: Sequence[Event], rules: Rulebook, rules_of: RulesOf) -> None:
        self.course = _Course()
        self.remarks: list[Remark] = []
        self._rules = rules
        self._recorded_names = _names(events)
        self._recorded_demands = _demands(events)
        self._asked_at = {event.seq: instant(event.at) for event in events}
        self._answers: dict[int, list[Deed]] = defaultdict(list)
        self._number = count()
        self._agenda: list[tuple[Instant, int, int, Command]] = []
        for deed in deeds(events, rules_of):
            self._take_up(deed)

    def run(self, until: Instant) -> None:
        """Do all that was done, each at its time, and let time pass between and up to the end."""
        while True:
            if self._time_is_first(until):
                continue
            if not self._agenda:
                return
            at, seq, _, command = heapq.heappop(self._agenda)
            self._do(command, at, seq)

    def _time_is_first(self, until: Instant) -> bool:
        """Let happen what is due before the next deed, if anything is: an outcome of it may come in between."""
        at, command = (self._agenda[0][0], self._agenda[0][3]) if self._agenda else (until, Command())
        wake = next_wake(self.course.case)
        # A case on its importer's clock has slept until it is handed over.
        if wake is None or wake > at or command.HasField("hand_over"):
            return False
        self._answer_all(self.course.pass_time(wake, self._rules), seq=0)
        return True

    def _take_up(self, deed: Deed) -> None:
        if deed.command is None:
            self._remark("NOT_REPRODUCED", deed.seq, "the rules of today do not make this event again; left out")
        elif deed.command.HasField("change_policy"):
            self._remark("POLICY_CHANGE_LEFT_OUT", deed.seq, f"to {deed.command.change_policy.policy_id}")
        elif deed.answers:
            self._answers[deed.answers].append(deed)
        else:
            self._plan(deed.at, deed.seq, deed.command)

    def _plan(self, at: Instant, seq: int, command: Command) -> None:
        heapq.heappush(self._agenda, (at, seq, next(self._number), command))

    def _do(self, command: Command, at: Instant, seq: int) -> None:
        case = self.course.case if self.course.events else None
        at = max(at, self.course.case.updated_at.seconds)
        try:
            made = act(case, self._renamed(command), at, self._rules)
        except Rejected as refusal:
            action = command.WhichOneof("action") or ""
            self._remark("REFUSED", seq, f"{action}: {refusal.code}: {refusal.message}")
            return
        self.course.write(made)
        self._answer_all(made, seq)

    def _renamed(self, command: Command) -> Command:
        """The command with the ids that what it is about has here.

        Raises:
            Rejected: NOTHING_TO_DO, when there is no such thing here.
        """
        renamed = Command()
        renamed.CopyFrom(command)
        action = getattr(renamed, renamed.WhichOneof("action") or "")
        for field_ in _IDS.intersection(action.DESCRIPTOR.fields_by_name):
            meant = self._recorded_names.get((field_, getattr(action, field_)))
            # An incident's notice, told in a customer's case, is named as the incident names it.
            if meant is None:
                continue
            here = (id_ for (of, id_), key in _names(self.course.events).items() if (of, key) == (field_, meant))
            found = next(here, "")
            if not found:
                raise Rejected(
                    RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"{getattr(action, field_)} of the record is not there"
                )
            setattr(action, field_, found)
        return renamed

    def _answer_all(self, made: Iterable[Event], seq: int) -> None:
        for event in made:
            if event.WhichOneof("body") in DEMANDS:
                self._answer(event, seq)

    def _answer(self, demand: Event, seq: int) -> None:
        """Plan what came of a demand."""
        effect_id = effect_id_of(demand.case_id, demand.seq)
        known = self._recorded_demands[_likeness(demand)]
        recorded = known.popleft() if known else 0
        if all(effect.effect_id != effect_id for effect in self.course.case.pending_effects):
            return  # of a silent case, or settled already
        if not recorded:
            self._assume(demand, effect_id, seq)
            return
        for deed in self._answers.pop(recorded, ()):
            command = Command()
            command.CopyFrom(deed.command or Command())
            command.report_outcome.effect_id = effect_id
            self._plan(instant(demand.at) + deed.at - self._asked_at[recorded], deed.seq, command)

    def _assume(self, demand: Event, effect_id: str, seq: int) -> None:
        """What came of a demand that the record does not have."""
        name = DEMANDS[demand.WhichOneof("body") or ""]
        if name in _LEADS_TO_NOTHING:
            return
        if name != "notification":
            self._remark("UNANSWERED", 0, f"{name.replace('_', ' ')} that the record does not have is left open")
            return
        self._remark("ASSUMED", 0, "a letter that the record does not have is taken as delivered at once")
        outcome = Outcome(notification_delivered=NotificationDelivered(purpose=demand.notification_requested.purpose))
        report = ReportOutcome(effect_id=effect_id, outcome=outcome)
        command = Command(case_id=demand.case_id, request_id=effect_id, actor=SYSTEM, report_outcome=report)
        self._plan(instant(demand.at), seq, command)

    def _remark(self, reason: str, seq: int, message: str) -> None:
        self.remarks.append(Remark(reason=reason, seq=seq, message=message))


def _demands(events: Iterable[Event]) -> dict[tuple[Any, ...], deque[int]]:
    """The recorded demands, by what they are about: the seqs of their events."""
    found: dict[tuple[Any, ...], deque[int]] = defaultdict(deque)
    for event in events:
        if event.WhichOneof("body") in DEMANDS:
            found[_likeness(event)].append(event.seq)
    return found


def _likeness(demand: Event) -> tuple[Any, ...]:
    """What makes a demand of one course the same as one of another."""
    name = demand.WhichOneof("body") or ""
    return name, *_LIKENESS.get(name, lambda _: ())(getattr(demand, name))


# What comes of these changes nothing by itself.
_LEADS_TO_NOTHING: Final = frozenset({"staff_alert", "carrier_question", "callback", "relay"})

# The fields of commands that hold an id inside the case.
_IDS: Final = frozenset({"clock_id", "task_id", "notice_id"})


def _clock_name(clock_id: str) -> str:
    return clock_id.partition("#")[0]


_LIKENESS: Final[dict[str, Any]] = {
    "notification_requested": lambda body: (body.purpose,),
    "staff_alerted": lambda body: (body.role, _clock_name(body.clock_id), body.step, body.text),
    "parcel_tracking_started": lambda body: (body.carrier, body.tracking_no),
    "carrier_asked": lambda body: (body.carrier, body.tracking_no),
    "merge_requested": lambda body: (body.into_case_id,),
    "link_requested": lambda body: (body.case_id, body.incident),
    "task_requested": lambda body: (body.department, body.what),
    "notice_requested": lambda body: (body.text, body.audience),
    "relay_requested": lambda body: (body.case_id, body.text),
    "follow_up_requested": lambda body: (body.case_id,),
    "inject_requested": lambda body: (body.inject.id,),
    "judgement_requested": lambda body: (body.expectation_id,),
    "move_requested": lambda body: (body.move_id,),
    "restoration_requested": lambda body: (body.inject_id,),
}
