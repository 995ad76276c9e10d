"""A scenario run through the rules alone, on a virtual clock, with response times drawn from its distributions.

Nothing outside exists: letters arrive, departments are reached, and whoever is not in the scenario never answers. What
a person would do besides the script is not known, so that a run says how the scripted roles would fare.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from statistics import NormalDist
from typing import Any

from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.command_pb2 import Absorb, Command, Open, RelayNotice, ReportOutcome
from casetrail.v1.drill_pb2 import DrillExpectation
from casetrail.v1.effect_pb2 import (
    Effect,
    LinkAccepted,
    NoticePublished,
    NotificationDelivered,
    Outcome,
    RelayAccepted,
    StaffReached,
)
from casetrail.v1.event_pb2 import Event
from casetrail.v1.inject_pb2 import Inject, SilenceInject
from casetrail.v1.scenario_pb2 import Answer, Delay, Participant, Scenario
from casetrail.v1.types_pb2 import Actor, Kind, Role
from domain.decide import decide
from domain.draft import SYSTEM
from domain.drills import injects, script
from domain.drills.matching import History, Judgement, is_cue, judge, points
from domain.drills.moves import actor_of, command_of
from domain.evolve import apply
from domain.instants import Instant
from domain.passing import expire, next_wake
from domain.refusal import Rejected
from domain.rulebook import Rulebook

Draw = Callable[[], float]
"""Draws a number between 0 and 1, both excluded."""

DRILL_ID = "DRL-SIMULATED"

_STANDARD = NormalDist()
_AT_P90 = _STANDARD.inv_cdf(0.9)


@dataclass(frozen=True, slots=True)
class Climb:
    """A promise that was broken, and how far its ladder was climbed.

    Attributes:
        clock: The promise.
        roles: To whom each step went.
        answered: Whether somebody acknowledged the last one, or kept the promise late.
    """

    clock: str
    roles: tuple[Role.ValueType, ...]
    answered: bool


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to.

    Attributes:
        judgements: By the expectation's id.
        seconds: From its inject, for each expectation that was met or met late.
        score: The points won, as a part of all.
        started: How often each promise was given.
        climbs: Those that were broken.
    """

    judgements: dict[str, Judgement]
    seconds: dict[str, int]
    score: float
    started: Counter[str]
    climbs: Sequence[Climb]


def draw_delay(delay: Delay, draw: Draw) -> int | None:
    """How many seconds somebody takes this time; None when the answer never comes."""
    if draw() * 100 < delay.never_percent:
        return None
    median, p90 = delay.median.seconds, delay.p90.seconds
    if p90 <= median:
        return median
    spread = math.log(p90 / median) / _AT_P90
    return max(1, round(median * math.exp(spread * _STANDARD.inv_cdf(draw()))))


def run(scenario: Scenario, rules: Rulebook, start: Instant, draw: Draw) -> Run:
    """Run a scenario once.

    Args:
        scenario: The script.
        rules: The policy.
        start: When it begins: a night has other business hours than a day.
        draw: Where response times come from.
    """
    return _Simulation(scenario, rules, start, draw).run()


@dataclass(slots=True)
class _Simulation:
    scenario: Scenario
    rules: Rulebook
    start: Instant
    draw: Draw
    cases: dict[str, Case] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)
    brought: dict[str, list[str]] = field(default_factory=dict)
    silences: list[tuple[Instant, SilenceInject]] = field(default_factory=list)
    answers: dict[str, list[tuple[str, Participant, Answer]]] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    agenda: list[tuple[Instant, int, Callable[[Instant], None]]] = field(default_factory=list)
    order: "count[int]" = field(default_factory=count)

    def run(self) -> Run:
        for participant in self.scenario.participants:
            for number, answer in enumerate(participant.answers):
                named = (script.answer_name(participant, number), participant, answer)
                self.answers.setdefault(answer.to, []).append(named)
        _, planned = script.plan(self.scenario, self.start)
        ends = max(expectation.expires_at.seconds for expectation in planned)
        for inject in self.scenario.injects:
            self._at(self.start + inject.at.seconds, partial(self._inject, inject))
        while self.agenda and self.agenda[0][0] <= ends:
            at, _, act = heapq.heappop(self.agenda)
            act(at)
        return self._result(planned)

    def _at(self, at: Instant, act: Callable[[Instant], None]) -> None:
        heapq.heappush(self.agenda, (at, next(self.order), act))

    # --- what happens -------------------------------------------------------------------------------------------------

    def _inject(self, inject: Inject, at: Instant) -> None:
        match inject.WhichOneof("what"):
            case "declare":
                self._open(inject.id, 0, injects.declaration(inject), injects.MONITORING, at)
            case "wave":
                for number in range(inject.wave.count):
                    opening = injects.customer_turns_up(inject.wave, number)
                    due = at + injects.wave_offset(inject.wave, number)
                    self._at(due, partial(self._open, inject.id, number, opening, injects.CUSTOMER))
            case "message":
                for case_id in self.brought.get(inject.message.to, ()):
                    self._command(injects.message_to(self.cases[case_id], inject), at)
            case "silence":
                self.silences.append((at + inject.silence.lasts.seconds, inject.silence))

    def _open(self, inject_id: str, number: int, opening: Open, actor: Actor, at: Instant) -> None:
        case_id = f"{Kind.Name(opening.kind)[5:8]}-{inject_id}-{number}"
        opening.inject_id, opening.drill_id = inject_id, DRILL_ID
        opening.time_base.mode = TimeBase.MODE_LIVE
        command = Command(case_id=case_id, request_id="open", actor=actor, open=opening)
        events = decide(None, command, at, self.rules)
        self.cases[case_id] = Case()
        self.events[case_id] = []
        self.brought.setdefault(inject_id, []).append(case_id)
        self._take(case_id, events, at)

    def _command(self, command: Command, at: Instant) -> None:
        case_id = command.case_id
        if case_id not in self.cases:
            return
        self._pass_time(case_id, at)
        try:
            events = decide(self.cases[case_id], command, at, self.rules)
        except Rejected:
            # As in a drill: somebody was too early, too late, or may not.
            return
        self._take(case_id, events, at)

    def _pass_time(self, case_id: str, at: Instant) -> None:
        if owed := expire(self.cases[case_id], at, self.rules):
            self._take(case_id, owed, at)

    def _take(self, case_id: str, events: Sequence[Event], at: Instant) -> None:
        case = self.cases[case_id]
        for event in events:
            event.event_id = f"{case_id}:{event.seq}"
            apply(case, event)
            self.events[case_id].append(event)
        for event in events:
            self._cue(event)
        for effect in list(case.pending_effects):
            self._ask_other(case_id, effect, at)
            outcome = _at_once(effect)
            if outcome is not None:
                report = ReportOutcome(effect_id=effect.effect_id, outcome=outcome)
                self._command(Command(case_id=case_id, actor=SYSTEM, report_outcome=report), at)
        wake = next_wake(case)
        if wake is not None:
            self._at(max(wake, at + 1), lambda now: self._pass_time(case_id, now))

    def _ask_other(self, case_id: str, effect: Effect, at: Instant) -> None:
        """Have the other case do its part, where an effect is for one."""
        if effect.HasField("link"):
            absorb = Absorb(case_id=case_id, only_link=True, drill_id=DRILL_ID, incident=effect.link.incident)
            self._command(Command(case_id=effect.link.case_id, actor=SYSTEM, absorb=absorb), at)
        elif effect.HasField("relay"):
            asked = effect.relay
            relay = RelayNotice(incident_id=case_id, notice_id=asked.notice_id, text=asked.text, drill_id=DRILL_ID)
            self._command(Command(case_id=asked.case_id, actor=SYSTEM, relay_notice=relay), at)

    # --- who answers --------------------------------------------------------------------------------------------------

    def _cue(self, event: Event) -> None:
        for name, participant, answer in self.answers.get(event.WhichOneof("body") or "", ()):
            if answer.once and name in self.answered:
                continue
            if not is_cue(answer, self.cases[event.case_id].inject_id, event):
                continue
            self.answered.add(name)
            delay = draw_delay(script.delay_of(participant, answer), self.draw)
            if delay is not None:
                self._will_move(participant, answer, event, event.at.seconds + delay)

    def _will_move(self, participant: Participant, answer: Answer, event: Event, at: Instant) -> None:
        def move(now: Instant) -> None:
            if self._is_silent(participant, now):
                return
            command = command_of(answer.do, event, self.brought)
            command.actor.CopyFrom(actor_of(participant, DRILL_ID))
            self._command(command, now)

        self._at(at, move)

    def _is_silent(self, participant: Participant, at: Instant) -> bool:
        return any(at < until and script.is_for(silence, participant) for until, silence in self.silences)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def _result(self, planned: Sequence[DrillExpectation]) -> Run:
        histories = [History(self.cases[case_id].inject_id, events) for case_id, events in self.events.items()]
        begins = {inject.id: self.start + inject.at.seconds for inject in self.scenario.injects}
        judgements, seconds, won = {}, {}, 0
        for expectation, expected in zip(self.scenario.expectations, planned, strict=True):
            judged = judge(expectation, expected, begins[expectation.after], histories)
            judgements[expectation.id] = judged
            won += points(expectation, judged.verdict)
            if judged.met_at is not None:
                seconds[expectation.id] = judged.met_at - begins[expectation.after]
        started: Counter[str] = Counter()
        climbs: list[Climb] = []
        for events in self.events.values():
            _count_clocks(events, started, climbs)
        return Run(judgements, seconds, won / script.max_score(self.scenario), started, climbs)


def _count_clocks(events: Sequence[Event], started: Counter[str], climbs: list[Climb]) -> None:
    names: dict[str, str] = {}
    steps: dict[str, list[Role.ValueType]] = {}
    answered: set[str] = set()
    for event in events:
        name = event.WhichOneof("body") or ""
        if name == "escalation_stepped":
            steps.setdefault(event.escalation_stepped.clock_id, []).append(event.escalation_stepped.role)
            continue
        if name == "escalation_acknowledged":
            answered.add(event.escalation_acknowledged.clock_id)
            continue
        if not name.startswith("clock_"):
            continue
        reckoning: Any = getattr(event, name).clock
        if name == "clock_started":
            names[reckoning.clock_id] = reckoning.name
            started[reckoning.name] += 1
        elif name in ("clock_met", "clock_met_late", "clock_cancelled"):
            answered.add(reckoning.clock_id)
        elif name == "clock_breached":
            steps.setdefault(reckoning.clock_id, [])
    for clock_id, roles in steps.items():
        if clock_id in names:
            climbs.append(Climb(names[clock_id], tuple(roles), clock_id in answered))


# --- the world outside, when nothing goes wrong ---


def _at_once(effect: Effect) -> Outcome | None:
    """What comes of an effect where everything outside works; None for what a simulation leaves open."""
    match effect.WhichOneof("demand"):
        case "notification":
            return Outcome(notification_delivered=NotificationDelivered(purpose=effect.notification.purpose))
        case "staff_alert":
            return Outcome(staff_reached=StaffReached(role=effect.staff_alert.role))
        case "public_notice":
            return Outcome(notice_published=NoticePublished())
        case "relay":
            return Outcome(relay_accepted=RelayAccepted())
        case "link":
            return Outcome(link_accepted=LinkAccepted(case_id=effect.link.case_id))
        case _:
            return None
