"""A case step by step, forward and back. Pure: the steps and the keys in, the place out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum

from casetrail.differences import Difference, differences
from casetrail.v1.case_pb2 import Case
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Reason

# Every event moves the first two, and none erases itself: the event's own line says so.
_IN_ITS_LINE = frozenset({"seq", "updated_at", "erased"})


@dataclass(frozen=True, slots=True)
class Step:
    """One event, and the case on both sides of it."""

    event: Event
    before: Case
    after: Case

    def differences(self, zone: tzinfo | None) -> Iterator[Difference]:
        """What the event changed in the case, besides its count and time."""
        return (found for found in differences(self.before, self.after, zone) if found.path not in _IN_ITS_LINE)


class Key(Enum):
    """What a reader can ask for."""

    FORWARD = "forward"
    BACK = "back"
    FIRST = "first"
    LAST = "last"
    TO_EVENT = "to event"
    TO_TIME = "to time"
    QUIT = "quit"


_KEYS = {
    "n": Key.FORWARD,
    " ": Key.FORWARD,
    "\r": Key.FORWARD,
    "\n": Key.FORWARD,
    "\x1b[C": Key.FORWARD,
    "\x1b[B": Key.FORWARD,
    "p": Key.BACK,
    "b": Key.BACK,
    "\x1b[D": Key.BACK,
    "\x1b[A": Key.BACK,
    "f": Key.FIRST,
    "\x1b[H": Key.FIRST,
    "l": Key.LAST,
    "\x1b[F": Key.LAST,
    "g": Key.TO_EVENT,
    "t": Key.TO_TIME,
    "q": Key.QUIT,
    "\x1b": Key.QUIT,
    "\x03": Key.QUIT,
    "\x04": Key.QUIT,
}

HELP = "n → next   p ← back   f first   l last   g go to event   t go to time   q quit"


def keys_in(typed: str) -> Iterator[Key | None]:
    """The keys in what a terminal gave at once: several, where one was held down; None for one without a meaning."""
    while typed:
        known = next((typed[:length] for length in (3, 1) if typed[:length] in _KEYS), "")
        yield _KEYS.get(known)
        typed = typed[len(known) or 1 :]


class Player:
    """Where a reader is in a case's steps."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """Begin before the first event."""
        self._steps = steps
        self._place = 0

    @property
    def step(self) -> Step:
        """The step that the reader is at."""
        return self._steps[self._place]

    @property
    def title(self) -> str:
        """Where that is."""
        return f"event {self._place + 1} of {len(self._steps)}"

    def press(self, key: Key) -> bool:
        """Move by a key; False at the end that lies that way."""
        wanted = {
            Key.FORWARD: self._place + 1,
            Key.BACK: self._place - 1,
            Key.FIRST: 0,
            Key.LAST: len(self._steps) - 1,
        }[key]
        if not 0 <= wanted < len(self._steps):
            return False
        self._place = wanted
        return True

    def go_to_event(self, seq: int) -> None:
        """Move to an event.

        Raises:
            ValueError: There is none of this number.
        """
        if not 1 <= seq <= len(self._steps):
            raise ValueError(f"there are events 1 to {len(self._steps)}")
        self._place = seq - 1

    def go_to_time(self, at: int) -> None:
        """Move to the last event that had happened by an instant.

        Args:
            at: Case time, in unix seconds.

        Raises:
            ValueError: The case was not open yet.
        """
        happened = [place for place, step in enumerate(self._steps) if step.event.at.seconds <= at]
        if not happened:
            raise ValueError("the case was not open yet")
        self._place = happened[-1]


def reason_words(reason: Reason) -> str:
    """A decision's reason in one line; empty where the event has none."""
    if not reason.rule:
        return ""
    looked_at = ", ".join(f"{name} {value or 'none'}" for name, value in sorted(reason.inputs.items()))
    return f"rule {reason.rule} of policy {reason.policy_id}" + (f", which looked at {looked_at}" if looked_at else "")
