"""Cases of a simulated drill from moment to moment, in a world where everything outside does what it should.

A moment never changes, and remembers the one that follows when nobody does anything. So what does not depend on chance
is found once, however many runs go through it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import Command, ReportOutcome
from casetrail.v1.effect_pb2 import Effect, NoticePublished, NotificationDelivered, Outcome, StaffReached
from casetrail.v1.event_pb2 import Event
from domain.decide import begun
from domain.draft import SYSTEM, Draft
from domain.instants import Instant
from domain.lifecycles import outcomes
from domain.passing import pass_time
from domain.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event means for the drill.

    Attributes:
        event: What happened.
        answers: The places of the answers that it is a cue for.
        expectations: The places of the expectations that it meets, in its time.
        promises: Whether it tells of a promise, or of its ladder.
    """

    event: Event
    answers: Sequence[int]
    expectations: Sequence[int]
    promises: bool


@dataclass(frozen=True, slots=True)
class World:
    """What there is around the cases.

    Attributes:
        rules: The policy.
        meaning: What an event means that happens in a case; None for nothing.
        outages: From when until when mail does not go out; what is sent meanwhile arrives at the end.
    """

    rules: Rulebook
    meaning: Callable[[Case, Event], Meaning | None]
    outages: Sequence[tuple[Instant, Instant]] = ()

    def arrival(self, at: Instant) -> Instant:
        """When a letter arrives that is sent at an instant."""
        return max((end for begin, end in self.outages if begin <= at < end), default=at)


class Moment:
    """A case at a moment, and what has just happened in it.

    Attributes:
        case: As it is. Many share it: nobody changes it.
        news: What of what has just happened means something for the drill.
        asks: What it now asks of other cases: links, and notices passed on.
        wake: When the next thing happens by itself; None for never.
    """

    __slots__ = ("_later", "_world", "asks", "case", "news", "wake")

    def __init__(self, draft: Draft, world: World) -> None:
        """What a draft has come to, and what arrives or is due at once."""
        self.wake: Final = _catch_up(draft, world)
        self.case: Final = draft.case
        for event in draft.events:
            event.event_id = f"{event.case_id}:{event.seq}"
        self.news: Final = tuple(filter(None, (world.meaning(draft.case, event) for event in draft.events)))
        demanded = {event.event_id for event in draft.events}
        self.asks: Final = tuple(
            effect
            for effect in draft.case.pending_effects
            if effect.effect_id in demanded and effect.WhichOneof("demand") in ("link", "relay")
        )
        self._world = world
        self._later: Moment | None = None

    @classmethod
    def opened(cls, opening: Command, at: Instant, world: World) -> Self:
        """The beginning of a case."""
        return cls(begun(None, opening, at, world.rules), world)

    def after(self, command: Command, at: Instant) -> "Moment":
        """The case after a command that comes before anything happens by itself.

        Raises:
            Rejected: It changes nothing.
        """
        return Moment(begun(self.case, command, at, self._world.rules), self._world)

    def later(self) -> "Moment | None":
        """The case after what happens next by itself, at `wake`; None when that is never."""
        if self._later is None and self.wake is not None:
            own = Case()
            own.CopyFrom(self.case)
            self._later = Moment(Draft(own, self.wake, SYSTEM, self._world.rules), self._world)
        return self._later


def _catch_up(draft: Draft, world: World) -> Instant | None:
    """Let arrive and happen what does so at the draft's instant; returns when the next thing will."""
    draft.actor, arrives = SYSTEM, world.arrival(draft.at)
    while True:
        due = pass_time(draft, draft.at)
        under_way = _next_arrival(draft.case)
        if under_way is None:
            return due
        if arrives > draft.at:
            return arrives if due is None else min(due, arrives)
        while under_way is not None:
            outcomes.report(draft, under_way)
            under_way = _next_arrival(draft.case)


def _next_arrival(case: Case) -> ReportOutcome | None:
    for effect in case.pending_effects:
        if (outcome := _outcome(effect)) is not None:
            return ReportOutcome(effect_id=effect.effect_id, outcome=outcome)
    return None


def _outcome(effect: Effect) -> Outcome | None:
    """What comes of a letter that arrives; None for what is no letter, which a simulation leaves open."""
    match effect.WhichOneof("demand"):
        case "notification":
            return Outcome(notification_delivered=NotificationDelivered(purpose=effect.notification.purpose))
        case "staff_alert":
            return Outcome(staff_reached=StaffReached(role=effect.staff_alert.role))
        case "public_notice":
            return Outcome(notice_published=NoticePublished())
        case _:
            return None
