"""A case as a person reads it: a heading, and a line for each event. Pure: events in, lines out."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import reduce
from typing import Any, cast

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.counting import counted
from casetrail.money import format_amount
from casetrail.sentences import SENTENCES, Sentence, Weight
from casetrail.short_forms import duration_text
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.clock_pb2 import Climb, Clock, PausedTime, Reckoning
from casetrail.v1.event_pb2 import Event
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.types_pb2 import Cause, Kind, Priority, Remedy, RemedyKind, Role, Stage
from casetrail.words import spaced, spoken

_LONGEST_QUOTE = 120
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Line:
    """One event, told.

    Attributes:
        since: Case time since the opening: `+00:00:30`, `+1d 02:03`; empty where the opening is not known.
        when: The clock on the wall, in case time.
        who: Who did it, and in which role.
        what: What happened.
        weight: How much it matters.
    """

    since: str
    when: str
    who: str
    what: str
    weight: Weight

    @property
    def columns(self) -> str:
        """Everything before what happened, in columns of one width."""
        return f"{self.since:>10}  {self.when}  {self.who:<20}"

    def __str__(self) -> str:
        """The line as plain text."""
        return f"{self.columns}  {self.what}"


def heading(case: Case, zone: tzinfo | None) -> Iterator[str]:
    """What the case is, in a few lines."""
    kind, stage = spoken(Kind.DESCRIPTOR, case.kind), spoken(Stage.DESCRIPTOR, case.stage)
    yield f"{case.case_id}  {kind}, {stage}, round {case.round}"
    if case.subject:
        yield f"  {_quote(case.subject)}"
    facts = (
        f"customer {case.customer.customer_id}" if case.HasField("customer") else "",
        "personal data erased" if case.erased else "",
        _level(case),
        f"drill {case.drill_id}" if case.drill_id else "",
        f"priority {spoken(Priority.DESCRIPTOR, case.priority)}",
        f"order {case.order_id}" if case.order_id else "",
        f"{'led by' if case.kind == Kind.KIND_INCIDENT else 'with'} {case.owner or 'nobody'}",
        f"waiting for the {spoken(Cause.DESCRIPTOR, case.waiting.cause)}" if case.HasField("waiting") else "",
    )
    yield "  " + " · ".join(printable(fact) for fact in facts if fact)
    opened = local_time(case.opened_at, zone)
    pace = _PACE.get(case.time_base.mode, "").format(case.time_base)
    yield f"  opened {opened:%a %d %b %Y %H:%M:%S %Z}{pace}"


def _level(case: Case) -> str:
    """How grave an incident is; empty for other cases."""
    incident = case.incident
    if not incident.level:
        return ""
    crisis = spoken(CrisisClass.DESCRIPTOR, incident.crisis)
    level = f"{'level' if incident.graded else 'suspected level'} {incident.level}"
    return f"{level}, {crisis} crisis" if crisis else level


_PACE = {
    TimeBase.MODE_SCALED: " · times are case time, which runs {0.scale:g} times as fast as real time",
    TimeBase.MODE_IMPORTED: " · times are those of the imported log",
}


def standing(case: Case, zone: tzinfo | None) -> Iterator[str]:
    """How the case's promises stand, and what is still to be done outside."""
    for clock in case.clocks:
        breached = ", BREACHED" if clock.breached else ""
        due = f", due {_clock(clock.due_at, zone)}" if clock.HasField("due_at") else ""
        counted = f"{duration_text(clock.elapsed_seconds)} of {duration_text(clock.target_seconds)}"
        state = spoken(Clock.State.DESCRIPTOR, clock.state)
        name = f"{spaced(clock.name)} {clock.subject}".strip()
        yield f"  clock {name}: {state}{breached}, {counted} counted{due}"
    for effect in case.pending_effects:
        yield f"  to be done: {spaced(effect.WhichOneof('demand') or 'something')} ({effect.effect_id})"


def tell(events: Iterable[Event], zone: tzinfo | None, opened_at: Timestamp | None = None) -> Iterator[Line]:
    """A line for each event, in their order.

    Args:
        events: Of one case, or of several when no opening is to be told.
        zone: The reader's time zone; None for that of this machine.
        opened_at: When the case opened; without it lines say of which year they are instead of how long ago that was.
    """
    for event in events:
        body_name = event.WhichOneof("body")
        weight, what = (
            _told(getattr(event, body_name), event.at, zone)
            if body_name
            else (Weight.WARNING, "something that this version of casetrail does not know; a newer one does")
        )
        if event.erased:
            what += " (personal data erased)"
        since = _since(event.at.seconds - opened_at.seconds) if opened_at else ""
        when = _clock(event.at, zone) if opened_at else f"{local_time(event.at, zone):%d %b %Y %H:%M:%S}"
        yield Line(since, when, _who(event), printable(what), weight)


def event_type(event: Event) -> str:
    """The name of the event's body, for example `ClockBreached`; `Unknown` for one of a newer contract."""
    body_name = event.WhichOneof("body")
    return type(getattr(event, body_name)).__name__ if body_name else "Unknown"


def _told(body: Message, at: Timestamp, zone: tzinfo | None) -> tuple[Weight, str]:
    name = type(body).__name__
    for sentence in SENTENCES.get(name, ()):
        if _fits(sentence, body, at, zone):
            return sentence.weight, _fill(sentence.text, body, at, zone)
    # An event that is in the contract and not yet in the table: its name says what it is.
    return Weight.PLAIN, re.sub(r"(?<!^)([A-Z])", r" \1", name).lower()


def _fits(sentence: Sentence, body: Message, at: Timestamp, zone: tzinfo | None) -> bool:
    if not sentence.when:
        return True
    path, differs, other = sentence.when.partition("!=")
    if differs:
        return bool(_Leaf.of(body, path).value != _Leaf.of(body, other).value)
    path, _, word = sentence.when.partition("=")
    leaf = _Leaf.of(body, path)
    return leaf.text(at, zone) == word if word else leaf.filled()


_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_FIELD = re.compile(r"\{([\w.]+)(?::(\w+))?\}")


def _fill(template: str, body: Message, at: Timestamp, zone: tzinfo | None) -> str:
    def kept(part: re.Match[str]) -> str:
        return part[1] if all(_Leaf.of(body, path).filled() for path, _ in _FIELD.findall(part[1])) else ""

    def shown(field: re.Match[str]) -> str:
        leaf = _Leaf.of(body, field[1])
        return _SHAPES[field[2]](leaf) if field[2] else leaf.text(at, zone)

    return _FIELD.sub(shown, _OPTIONAL.sub(kept, template))


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A field that a sentence speaks of, in the message that holds it."""

    parent: Message
    name: str

    @classmethod
    def of(cls, body: Message, path: str) -> "_Leaf":
        """The field at a path such as `clock.due_at`."""
        *steps, last = path.split(".")
        parent: Message = reduce(getattr, steps, body)
        return cls(parent, last)

    @property
    def value(self) -> Any:  # noqa: ANN401 - the sentence that names a field knows what it holds
        """What the field holds."""
        return getattr(self.parent, self.name)

    def filled(self) -> bool:
        """Whether there is something to say."""
        has_presence = self.parent.DESCRIPTOR.fields_by_name[self.name].has_presence
        return self.parent.HasField(self.name) if has_presence else bool(self.value)

    def text(self, at: Timestamp, zone: tzinfo | None) -> str:
        """The value in the shape of its type."""
        field = self.parent.DESCRIPTOR.fields_by_name[self.name]
        values = self.value if field.is_repeated else (self.value,)
        if field.enum_type:
            return ", ".join(spoken(cast("EnumDescriptor", field.enum_type), value) for value in values)
        return ", ".join(_plain(value, at, zone) for value in values)


def _plain(value: object, at: Timestamp, zone: tzinfo | None) -> str:
    if isinstance(value, Timestamp):
        same_day = local_time(value, zone).date() == local_time(at, zone).date()
        return _clock(value, zone)[-len("00:00:00") :] if same_day else _clock(value, zone)
    if isinstance(value, Duration):
        return duration_text(value.seconds)
    return str(value)


def _amount(leaf: _Leaf) -> str:
    return format_amount(leaf.value, getattr(leaf.parent, "currency", ""))


def _left(leaf: _Leaf) -> str:
    clock: Reckoning = leaf.value
    return duration_text(clock.target_seconds - clock.elapsed_seconds)


def _paused(leaf: _Leaf) -> str:
    paused: Iterable[PausedTime] = leaf.value
    return ", ".join(f"{duration_text(p.seconds)} for the {spoken(Cause.DESCRIPTOR, p.cause)}" for p in paused)


def _remedy(leaf: _Leaf) -> str:
    remedy: Remedy = leaf.value
    parts = (
        spoken(RemedyKind.DESCRIPTOR, remedy.kind),
        f"of {format_amount(remedy.amount_minor, remedy.currency)}" if remedy.amount_minor else "",
        f"with {remedy.quantity or 1} × {remedy.sku}" if remedy.sku else "",
        f"({_quote(remedy.text)})" if remedy.text else "",
    )
    return " ".join(filter(None, parts))


_WHY = {
    Climb.WHY_BREACHED: "the promise was not kept",
    Climb.WHY_UNACKNOWLEDGED: "nobody has taken the last step on",
    Climb.WHY_UNREACHABLE: "the last step found nobody",
}

# A scripted participant's move is named PARTICIPANT/ANSWER/EVENT.
_SHAPES: Mapping[str, Callable[[_Leaf], str]] = {
    "amount": _amount,
    "answered": lambda leaf: printable(leaf.value.rsplit("/", 2)[-1]),
    "cases": lambda leaf: counted(_how_many(leaf.value), "case"),
    "count": lambda leaf: str(len(leaf.value)),
    "events": lambda leaf: counted(leaf.value, "event"),
    "left": _left,
    "mark": lambda _: "",
    "name": lambda leaf: spaced(leaf.value),
    "participant": lambda leaf: printable(leaf.value.rsplit("/", 2)[0]),
    "paused": _paused,
    "quote": lambda leaf: _quote(leaf.value),
    "remedy": _remedy,
    "span": lambda leaf: duration_text(leaf.value),
    "why": lambda leaf: _WHY.get(leaf.value, "for a reason that a newer version knows"),
}
"""How a sentence can show a field: `{path:shape}`. `mark` shows nothing: the words beside it say it."""


def _how_many(value: int | Sequence[str]) -> int:
    return value if isinstance(value, int) else len(value)


def _since(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    days, rest = divmod(abs(seconds), _DAY)
    hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
    return f"{sign}{days}d {hours:02}:{minutes:02}" if days else f"{sign}{hours:02}:{minutes:02}:{seconds:02}"


def _clock(at: Timestamp, zone: tzinfo | None) -> str:
    return f"{local_time(at, zone):%d %b %H:%M:%S}"


def local_time(at: Timestamp, zone: tzinfo | None) -> datetime:
    """An instant as clocks on the wall show it."""
    return datetime.fromtimestamp(at.seconds, UTC).astimezone(zone)


def _who(event: Event) -> str:
    actor = event.actor
    if actor.role == Role.ROLE_SYSTEM:
        return "time" if event.HasField("due") else "engine"
    role = spoken(Role.DESCRIPTOR, actor.role)
    return printable(actor.name if actor.name == role or not role else f"{actor.name} ({role})")


def _quote(text: str) -> str:
    said = printable(text)
    return f"“{said}”" if len(said) <= _LONGEST_QUOTE else f"“{said[:_LONGEST_QUOTE].rstrip()}…”"


def printable(text: str) -> str:
    """Without what would break the line or command the terminal: anybody may have written it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
