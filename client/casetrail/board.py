"""The board of an incident: one frame of what its leader must see. Pure: a case, its last events and a moment in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from casetrail.counting import counted
from casetrail.sentences import Weight
from casetrail.styles import STYLES
from casetrail.timeline import local_time, printable, tell
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.event_pb2 import Event
from casetrail.v1.incident_pb2 import CrisisClass, IncidentNotice, IncidentTask, LinkedCase
from casetrail.v1.types_pb2 import Role, Stage
from casetrail.words import spaced, spoken, word_of

WIDE = 120
"""From so many columns on, two things stand side by side."""
_NARROW = 60
"""With fewer columns, what happened has no room for who did it."""

_LEVELS = {1: ("LEVEL 1 CRITICAL", "bold white on red3"), 2: ("LEVEL 2 MAJOR", "bold white on dark_orange3"),
           3: ("LEVEL 3 ORDINARY", "bold black on gold3"), 4: ("LEVEL 4 MINOR", "bold black on grey70")}  # fmt: skip
_NO_LEVEL = ("NOT GRADED", "bold white on purple4")
_BAR = 10
_HOUR, _MINUTE = 3600, 60
_NOTICES_SHOWN = 4
_TASK_STYLES = {
    IncidentTask.STATE_ASKED: "yellow",
    IncidentTask.STATE_ACCEPTED: "cyan",
    IncidentTask.STATE_REFUSED: "bold red",
    IncidentTask.STATE_DONE: "green",
    IncidentTask.STATE_CANCELLED: "dim",
}
_NOTICE_STYLES = {
    IncidentNotice.STATE_DRAFT: "yellow",
    IncidentNotice.STATE_APPROVED: "cyan",
    IncidentNotice.STATE_SENDING: "cyan",
    IncidentNotice.STATE_SENT: "green",
    IncidentNotice.STATE_FAILED: "bold red",
    IncidentNotice.STATE_DISCARDED: "dim",
}


@dataclass(frozen=True, slots=True)
class View:
    """What a frame shows, and for whom.

    Attributes:
        case: The incident.
        events: Its last news, the newest last.
        now: The real time.
        width: Of the terminal, in columns.
        height: Of the terminal, in lines; 0 to show every event given.
        zone: The reader's time zone; None for that of this machine.
        trouble: Why what is shown may be old; empty when it is not.
    """

    case: Case
    events: Sequence[Event]
    now: datetime
    width: int
    height: int = 0
    zone: tzinfo | None = None
    trouble: str = ""


def frame(view: View) -> RenderableType:
    """Draw the board."""
    now = case_seconds(view.case, view.now)
    clocks, tasks = _clocks(view.case, now, view.zone), _tasks(view.case, now)
    waits, notices = _waits(view.case), _notices(view.case, now)
    parts: list[RenderableType] = [_head(view, now)]
    if view.width >= WIDE:
        sides = Table.grid(expand=True, padding=(0, 1))
        sides.add_column(ratio=3)
        sides.add_column(ratio=2)
        sides.add_row(Group(clocks, tasks), Group(waits, notices))
        parts.append(sides)
    else:
        parts += [waits, clocks, tasks, notices]
    parts.append(_last(view))
    return Group(*parts)


def is_news(event: Event) -> bool:
    """Whether an event has a line on the board: not those that only say what is to happen next."""
    (line,) = tell([event], None)
    return line.weight is not Weight.QUIET


def case_seconds(case: Case, now: datetime) -> int:
    """The case's own time at a real moment, in Unix seconds."""
    base, seconds = case.time_base, now.timestamp()
    if base.mode == TimeBase.MODE_SCALED:
        return base.origin.seconds + int((seconds - base.origin.seconds) * base.scale)
    return int(seconds)


# --- parts ------------------------------------------------------------------------------------------------------------


def _head(view: View, now: int) -> RenderableType:
    case, incident = view.case, view.case.incident
    level, style = _LEVELS.get(incident.level, _NO_LEVEL)
    if incident.level and not incident.graded:
        level += " ?"
    stage = spoken(Stage.DESCRIPTOR, case.stage)
    title = Text.assemble((f" {level} ", style), (f"  {case.case_id}  ", "bold"), (stage.upper(), "bold cyan"))
    if case.is_drill:
        title.append("  DRILL 演练 ", "bold white on blue")
    leader = f"{incident.commander} ({spoken(Role.DESCRIPTOR, incident.commander_role)})"
    crisis = word_of(CrisisClass.DESCRIPTOR, incident.crisis)
    facts = Text.assemble(
        ("led by ", "dim"),
        (printable(leader), "bold") if incident.commander else ("NOBODY", "bold red"),
        (f"   declared {_span(now - case.opened_at.seconds)} ago", "dim"),
        (f"   {crisis} crisis" if crisis else "", "magenta"),
        (f"   touches {_cases(len(incident.cases))}" if incident.cases else "", "dim"),
        (f"   time runs ×{case.time_base.scale:g}" if case.time_base.mode == TimeBase.MODE_SCALED else "", "dim"),
    )
    lines: list[RenderableType] = [title, Text(printable(case.subject), style="bold"), facts]
    if incident.nature:
        lines.insert(2, Text(printable(incident.nature)))
    if view.trouble:
        lines.append(Text(f"NOT UP TO DATE: {printable(view.trouble)}", style="bold white on red3"))
    return Panel(Group(*lines), box=box.HEAVY, border_style="red" if _is_late(case) else "cyan")


def _waits(case: Case) -> RenderableType:
    waits = case.incident.waits_for
    if case.stage == Stage.STAGE_CLOSED:
        return _panel("waits for", [Text("nothing: it is closed", style="green")])
    if not waits:
        return _panel("waits for", [Text("nothing: it can go on", style="green")], "green")
    return _panel("waits for", [Text(f"▸ {printable(what)}", style="yellow") for what in waits], "yellow")


def _clocks(case: Case, now: int, zone: tzinfo | None) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    shown = [clock for clock in case.clocks if clock.state in (Clock.STATE_RUNNING, Clock.STATE_PAUSED)]
    for clock in sorted(shown, key=lambda clock: (not clock.breached, clock.due_at.seconds)):
        left = clock.due_at.seconds - now if clock.state == Clock.STATE_RUNNING else _left_when_paused(clock)
        style = _urgency(left, clock)
        name = f"{spaced(clock.name)} {clock.subject}".strip()
        table.add_row(
            Text(name, style="bold" if clock.breached else ""),
            _bar(left, clock.target_seconds, style),
            Text(_countdown(left, clock), style=style),
            _ladder(clock, now) or _due(clock, zone),
        )
    ended = [clock for clock in case.clocks if clock.state in (Clock.STATE_MET, Clock.STATE_LATE)]
    if ended:
        late = sum(clock.state == Clock.STATE_LATE for clock in ended)
        over = Text(f"{len(ended) - late} kept", style="green")
        over.append(f", {late} kept late" if late else "", "yellow")
        table.add_row(over)
    return _panel("clocks", [table] if table.row_count else [Text("none", style="dim")])


def _tasks(case: Case, now: int) -> RenderableType:
    if not case.incident.tasks:
        return _panel("tasks", [Text("none", style="dim")])
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, min_width=max(len(task.task_id) for task in case.incident.tasks))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    due = {clock.subject: clock for clock in case.clocks if clock.name == "task" and clock.state == Clock.STATE_RUNNING}
    for task in case.incident.tasks:
        clock = due.get(task.task_id)
        left = clock.due_at.seconds - now if clock else 0
        text = task.what if not task.remark else f"{task.what} — {task.remark}"
        table.add_row(
            Text(task.task_id, style="bold"),
            Text(printable(f"{task.department}, {task.owner}" if task.owner else task.department)),
            Text(spoken(IncidentTask.State.DESCRIPTOR, task.state), style=_TASK_STYLES.get(task.state, "")),
            Text(_countdown(left, clock) if clock else "", style=_urgency(left, clock) if clock else ""),
            Text(printable(text), style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return _panel("tasks", [table])


def _notices(case: Case, now: int) -> RenderableType:
    lines: list[RenderableType] = []
    for notice in reversed(case.incident.notices[-_NOTICES_SHOWN:]):
        state = spoken(IncidentNotice.State.DESCRIPTOR, notice.state)
        ago = f" {_span(now - notice.sent_at.seconds)} ago" if notice.HasField("sent_at") else ""
        head = Text.assemble(
            (notice.notice_id, "bold"),
            "  ",
            (state + ago, _NOTICE_STYLES.get(notice.state, "")),
            (f"  to {printable(notice.audience)}", "dim"),
        )
        lines += [head, Text(f"  {printable(notice.text)}", overflow="ellipsis", no_wrap=True)]
    if case.incident.cases:
        states = [linked.state for linked in case.incident.cases]
        told = sum(bool(linked.notice_id) for linked in case.incident.cases)
        followed = states.count(LinkedCase.STATE_FOLLOWED_UP)
        refused = states.count(LinkedCase.STATE_REFUSED)
        text = f"{_cases(len(states))}: {told} told, {followed} followed up"
        lines.append(Text(text + (f", {refused} refused" if refused else ""), style="dim"))
    return _panel("notices", lines or [Text("users have not been told anything", style="dim")])


def _last(view: View) -> RenderableType:
    events = view.events[-_room(view) :] if view.height else view.events
    who = "<22" if view.width >= _NARROW else ".0"
    lines = [
        Text.assemble((f"{line.when[-len('00:00:00') :]}  {line.who:{who}} ", "dim"), (line.what, STYLES[line.weight]))
        for line in tell(events, view.zone, view.case.opened_at)
    ]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return _panel("what happened last", lines)


def _room(view: View) -> int:
    """How many events fit below the rest."""
    incident = view.case.incident
    running = sum(clock.state in (Clock.STATE_RUNNING, Clock.STATE_PAUSED) for clock in view.case.clocks)
    left = running + 3 + len(incident.tasks) + 2
    right = max(1, len(incident.waits_for)) + 2 + 2 * min(_NOTICES_SHOWN, max(1, len(incident.notices))) + 3
    rest = max(left, right) if view.width >= WIDE else left + right
    return max(3, view.height - 7 - rest - 3)


# --- shapes -----------------------------------------------------------------------------------------------------------


def _panel(title: str, lines: Iterable[RenderableType], border: str = "grey50") -> RenderableType:
    return Panel(Group(*lines), title=title, title_align="left", border_style=border, box=box.ROUNDED, padding=(0, 1))


def _bar(left: int, target: int, style: str) -> Text:
    """How much of a promise's time is over."""
    spent = min(_BAR, max(0, round(_BAR * (1 - left / max(1, target)))))
    return Text.assemble(("█" * spent, style or "green"), ("░" * (_BAR - spent), "grey37"))


def _urgency(left: int, clock: Clock) -> str:
    if clock.breached or left < 0:
        return "bold red"
    if clock.warn_seconds and left <= clock.warn_seconds:
        return "bold yellow"
    return "green"


def _countdown(left: int, clock: Clock) -> str:
    if left >= 0:
        return f"{_span(left)} left"
    return f"{_span(-left)} {'OVER' if clock.breached else 'over'}"


def _left_when_paused(clock: Clock) -> int:
    return clock.target_seconds - clock.elapsed_seconds


def _ladder(clock: Clock, now: int) -> Text | None:
    """How far a broken promise has climbed; None while it has not."""
    climb = clock.climb
    if not climb.steps:
        return None
    told = f"step {climb.steps}: {spoken(Role.DESCRIPTOR, climb.role)}"
    if climb.acknowledged:
        return Text(f"{told}, taken on", style="yellow")
    after = f", next {_span(max(0, climb.next_at.seconds - now))}" if climb.HasField("next_at") else ""
    return Text(told + after, style="red")


def _due(clock: Clock, zone: tzinfo | None) -> Text:
    return Text(f"due {local_time(clock.due_at, zone):%H:%M:%S}" if clock.HasField("due_at") else "stands", style="dim")


def _span(seconds: int) -> str:
    """A duration that can be watched running: `4:05`, `1:04:05`, `2d 01:04`."""
    days, rest = divmod(max(0, seconds), 24 * _HOUR)
    hours, minutes, seconds = rest // _HOUR, rest // _MINUTE % 60, rest % 60
    if days:
        return f"{days}d {hours:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _is_late(case: Case) -> bool:
    return any(clock.breached and clock.state == Clock.STATE_RUNNING for clock in case.clocks)


def _cases(count: int) -> str:
    return counted(count, "customer’s case", "customers’ cases")
