"""A scenario run through the rules alone, on a virtual clock, with response times drawn from its distributions.

Nothing outside exists: letters arrive, departments are reached, and whoever is not in the scenario never answers. What
a person would do besides the script is not known, so that a run says how the scripted roles would fare.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final

from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.command_pb2 import Absorb, Command, RelayNotice, ReportOutcome
from casetrail.v1.effect_pb2 import Effect, LinkAccepted, Outcome, RelayAccepted
from casetrail.v1.event_pb2 import Event
from casetrail.v1.inject_pb2 import FaultInject, Inject, SilenceInject
from casetrail.v1.scenario_pb2 import Answer, Participant, Scenario
from casetrail.v1.types_pb2 import Kind
from domain.draft import SYSTEM
from domain.drills import injects, script
from domain.drills.climbs import OF_PROMISES, Climb, promises_in
from domain.drills.delays import Draw, draw_delay
from domain.drills.matching import History, Judgement, is_cue, judge, meets, points
from domain.drills.moments import Meaning, Moment, World
from domain.drills.moves import actor_of, command_of
from domain.instants import Instant
from domain.refusal import Rejected
from domain.rulebook import Rulebook

DRILL_ID = "DRL-SIMULATED"


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


class Simulator:
    """A scenario to be run again and again. What of it does not depend on chance is found once."""

    def __init__(self, scenario: Scenario, rules: Rulebook, start: Instant) -> None:
        """Prepare a scenario.

        Args:
            scenario: The script.
            rules: The policy.
            start: When it begins: a night has other business hours than a day.
        """
        self.scenario: Final = scenario
        self.begins: Final = {inject.id: start + inject.at.seconds for inject in scenario.injects}
        _, self.planned = script.plan(scenario, start)
        self.ends: Final = max(expectation.expires_at.seconds for expectation in self.planned)
        self.answers: Final = [
            (script.answer_name(participant, number), participant, answer)
            for participant in scenario.participants
            for number, answer in enumerate(participant.answers)
        ]
        self._answers_to = _places(answer.to for _, _, answer in self.answers)
        self._expectations_of = _places(expectation.event for expectation in scenario.expectations)
        self._told = {*self._answers_to, *self._expectations_of, *OF_PROMISES}
        self._world = World(rules, self._meaning, [*_outages(scenario, start)])
        self._openings: dict[tuple[str, int], Moment] = {}

    def run(self, draw: Draw) -> Run:
        """Run it once, with response times from these numbers."""
        return _Rehearsal(self, draw).run()

    def opened(self, inject: Inject, number: int, at: Instant) -> Moment:
        """One of the cases that an inject brings, as it begins."""
        known = self._openings.get((inject.id, number))
        if known is None:
            known = Moment.opened(_opening(inject, number), at, self._world)
            self._openings[inject.id, number] = known
        return known

    def _meaning(self, case: Case, event: Event) -> Meaning | None:
        name = event.WhichOneof("body") or ""
        if name not in self._told:
            return None
        brought_by, expected = case.inject_id, self.scenario.expectations
        answers = [
            place for place in self._answers_to.get(name, ()) if is_cue(self.answers[place][2], brought_by, event)
        ]
        met = [place for place in self._expectations_of.get(name, ()) if meets(expected[place], brought_by, event)]
        promises = name in OF_PROMISES
        return Meaning(event, answers, met, promises) if answers or met or promises else None


def _places(names: Iterable[str]) -> Mapping[str, Sequence[int]]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return places


def _outages(scenario: Scenario, start: Instant) -> Iterator[tuple[Instant, Instant]]:
    for inject in scenario.injects:
        if inject.fault.system == FaultInject.SYSTEM_MAIL:
            begin = start + inject.at.seconds
            yield begin, begin + inject.fault.lasts.seconds


def _opening(inject: Inject, number: int) -> Command:
    declared = inject.HasField("declare")
    opening = injects.declaration(inject) if declared else injects.customer_turns_up(inject.wave, number)
    opening.inject_id, opening.drill_id = inject.id, DRILL_ID
    opening.time_base.mode = TimeBase.MODE_LIVE
    return Command(
        case_id=f"{Kind.Name(opening.kind)[5:8]}-{inject.id}-{number}",
        request_id="open",
        actor=injects.MONITORING if declared else injects.CUSTOMER,
        open=opening,
    )


@dataclass(slots=True)
class _Course:
    """A case in a run: as it is now, and what has happened in it that means something."""

    now: Moment
    news: list[Meaning] = field(default_factory=list)


@dataclass(slots=True)
class _Rehearsal:
    """One run."""

    script: Simulator
    draw: Draw
    courses: dict[str, _Course] = field(default_factory=dict)
    brought: dict[str, list[str]] = field(default_factory=dict)
    silences: list[tuple[Instant, SilenceInject]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    agenda: list[tuple[Instant, int, Callable[[Instant], None]]] = field(default_factory=list)
    order: "count[int]" = field(default_factory=count)

    def run(self) -> Run:
        for inject in self.script.scenario.injects:
            self._at(self.script.begins[inject.id], partial(self._inject, inject))
        while self.agenda and self.agenda[0][0] <= self.script.ends:
            at, _, act = heapq.heappop(self.agenda)
            act(at)
        return self._result()

    def _at(self, at: Instant, act: Callable[[Instant], None]) -> None:
        heapq.heappush(self.agenda, (at, next(self.order), act))

    # --- what happens -------------------------------------------------------------------------------------------------

    def _inject(self, inject: Inject, at: Instant) -> None:
        match inject.WhichOneof("what"):
            case "declare":
                self._open(inject, 0, at)
            case "wave":
                for number in range(inject.wave.count):
                    due = at + injects.wave_offset(inject.wave, number)
                    self._at(due, partial(self._open, inject, number))
            case "message":
                for case_id in self.brought.get(inject.message.to, ()):
                    self._command(injects.message_to(self.courses[case_id].now.case, inject), at)
            case "silence":
                self.silences.append((at + inject.silence.lasts.seconds, inject.silence))

    def _open(self, inject: Inject, number: int, at: Instant) -> None:
        opened = self.script.opened(inject, number, at)
        case_id = opened.case.case_id
        self.courses[case_id] = _Course(opened)
        self.brought.setdefault(inject.id, []).append(case_id)
        self._go_on(self.courses[case_id], opened, at)

    def _command(self, command: Command, at: Instant) -> None:
        course = self.courses.get(command.case_id)
        if course is None:
            return
        # Time first, as everywhere.
        while (wake := course.now.wake) is not None and wake <= at:
            self._wake(course, course.now, at)
        # Somebody may be too early, too late, or may not, as in a drill.
        with suppress(Rejected):
            self._go_on(course, course.now.after(command, at), at)

    def _wake(self, course: _Course, asleep: Moment, at: Instant) -> None:
        if course.now is asleep and (awake := asleep.later()):
            self._go_on(course, awake, at)

    def _go_on(self, course: _Course, now: Moment, at: Instant) -> None:
        course.now = now
        course.news += now.news
        if now.wake is not None:
            self._at(now.wake, partial(self._wake, course, now))
        for meaning in now.news:
            for place in meaning.answers:
                self._cue(place, meaning.event)
        for effect in now.asks:
            self._ask_other(now.case.case_id, effect, at)

    def _ask_other(self, case_id: str, effect: Effect, at: Instant) -> None:
        """Have another case do its part, and say so."""
        if effect.HasField("link"):
            other, outcome = effect.link.case_id, Outcome(link_accepted=LinkAccepted(case_id=effect.link.case_id))
            absorb = Absorb(case_id=case_id, only_link=True, drill_id=DRILL_ID, incident=effect.link.incident)
            self._command(Command(case_id=other, actor=SYSTEM, absorb=absorb), at)
        else:
            asked, outcome = effect.relay, Outcome(relay_accepted=RelayAccepted())
            relay = RelayNotice(incident_id=case_id, notice_id=asked.notice_id, text=asked.text, drill_id=DRILL_ID)
            self._command(Command(case_id=asked.case_id, actor=SYSTEM, relay_notice=relay), at)
        report = ReportOutcome(effect_id=effect.effect_id, outcome=outcome)
        self._command(Command(case_id=case_id, actor=SYSTEM, report_outcome=report), at)

    # --- who answers --------------------------------------------------------------------------------------------------

    def _cue(self, place: int, event: Event) -> None:
        name, participant, answer = self.script.answers[place]
        if answer.once and name in self.answered:
            return
        self.answered.add(name)
        delay = draw_delay(script.delay_of(participant, answer), self.draw)
        if delay is not None:
            self._at(event.at.seconds + delay, partial(self._move, participant, answer, event))

    def _move(self, participant: Participant, answer: Answer, event: Event, at: Instant) -> None:
        if self._is_silent(participant, at):
            return
        command = command_of(answer.do, event, self.brought)
        command.actor.CopyFrom(actor_of(participant, DRILL_ID))
        self._command(command, at)

    def _is_silent(self, participant: Participant, at: Instant) -> bool:
        return any(at < until and script.is_for(silence, participant) for until, silence in self.silences)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def _result(self) -> Run:
        judgements, seconds, won = {}, {}, 0
        histories = self._histories()
        for place, (expectation, planned) in enumerate(
            zip(self.script.scenario.expectations, self.script.planned, strict=True)
        ):
            begins = self.script.begins[expectation.after]
            judged = judge(expectation, planned, begins, histories[place])
            judgements[expectation.id] = judged
            won += points(expectation, judged.verdict)
            if judged.met_at is not None:
                seconds[expectation.id] = judged.met_at - begins
        started: Counter[str] = Counter()
        climbs: list[Climb] = []
        for course in self.courses.values():
            given, climbed = promises_in(one.event for one in course.news if one.promises)
            started.update(given)
            climbs += climbed
        return Run(judgements, seconds, won / script.max_score(self.script.scenario), started, climbs)

    def _histories(self) -> Sequence[Sequence[History]]:
        """For each expectation, what could meet it in each case."""
        found: list[list[History]] = [[] for _ in self.script.planned]
        for course in self.courses.values():
            told: dict[int, list[Event]] = {}
            for meaning in course.news:
                for place in meaning.expectations:
                    told.setdefault(place, []).append(meaning.event)
            for place, events in told.items():
                found[place].append(History(course.now.case.inject_id, events))
        return found
