"""How far a case has been played, and what comes next.

Playing is safe to repeat because of four rules:

1. **Every step has a request id of its own**, made of what the row says and of nothing else: neither the file's name
   nor the row's place in it. A step that is refused keeps its row under a second id, made of the first.
2. **A case's steps are strictly in order.** A command is sent only when the one before is answered, and after a refusal
   the kept row before anything else. So what the log holds of a case is always the beginning of its plan.
3. **The log says what is done.** An event's key is the request that wrote it. When the opening is answered as known,
   the case's events are read, and every step whose own or kept row is among them is left out. Only the opening is
   ever sent twice on purpose.
4. **A refusal whose row is kept is never asked for again**, and one whose row is not kept yet is refused the same way
   again: nothing has happened in the case since. (Time moves a live case meanwhile: there, only the rest holds.)

Without the third rule, a step that was refused in its place might be taken later, at the case's end. For the same
reason every command of history names the number of events that it follows: one that was on its way for long, or that a
second player sends, finds that the case has moved on, and the player reads the log again.

History keeps the times of its rows. Time never runs backwards in a case: a row that is dated before what the case has
reached (because a longer file was played later) counts at the time reached, and is kept besides, with a remark.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from casetrail.play.plan import CasePlan, Step
from casetrail.v1.case_service_pb2 import BatchResult, Refusal
from casetrail.v1.command_pb2 import Command, ImportRow
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Role

# Not about the row, but about the caller, the service or the request: the playing stops until it is put right.
_ABOUT_US = frozenset(
    {
        "UNKNOWN_PRINCIPAL",
        "MAY_NOT_ACT_FOR",
        "REQUEST_ID_REUSED",
        "LOG_UNAVAILABLE",
        "LOG_DAMAGED",
        "WORKFLOW_UNAVAILABLE",
        "TOO_LARGE",
        "INTERNAL",
    }
)
_NUMBER_TAKEN = frozenset({"CASE_EXISTS", "REQUEST_ID_REUSED"})


class Stopped(Exception):  # noqa: N818 - an answer to the user, not a fault of the program
    """The playing cannot go on. What was played stays, and is not played again next time."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """That a row is to be kept as it is.

    Attributes:
        refused: Why its action was not taken; empty where it has none.
        remark: What the row itself does not say.
    """

    refused: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _Task:
    """What is left of a step: its action, or the row to keep."""

    step: Step
    keeping: Keeping | None


class Playback:
    """One case on its way through its plan. No I/O: it says what to send and is told the answers.

    Attributes:
        plan: The whole plan.
        known: The case was there before, or has moved on without us; its events must be told with `resume` before the
            next command is asked for.
        archived: Only an archive has the case now: nothing can be added to it.
        began: When it opened, on the case's own clock, in unix seconds; None until that is known.
        written: Events that this playing has written.
    """

    def __init__(self, plan: CasePlan, *, live: bool) -> None:
        self.plan = plan
        self.known = False
        self.archived = False
        self.began: int | None = None
        self.written = 0
        self._live = live
        self._ahead = [_Task(step, _kept_anyway(step)) for step in reversed(plan.steps)]
        self._reached = plan.source.opened_at
        self._seq = 0
        self._refused_lines: set[int] = set()
        self._noted_lines: set[int] = set()

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return not self._ahead

    @property
    def rows_done(self) -> int:
        """How many rows are told, or kept, to the end."""
        return len(self.plan.source.rows) - len({task.step.row.line for task in self._ahead})

    @property
    def refused(self) -> int:
        """How many rows meant something that the lifecycle did not allow."""
        return len(self._refused_lines)

    @property
    def notes(self) -> int:
        """How many rows are kept only because they tell nothing, or are dated too early."""
        return len(self._noted_lines - self._refused_lines)

    @property
    def due(self) -> int:
        """When the next command happened in the log, in unix seconds."""
        step = self._ahead[-1].step
        return self.plan.source.opened_at if self._opening(step) else step.row.at

    def command(self) -> Command:
        """The next command; the same until its answer is told."""
        task = self._ahead[-1]
        command = _keep(task.step, task.keeping, self.plan.case_id) if task.keeping else _copy(task.step.command)
        if not self._live:
            command.at.seconds = max(self.due, self._reached)
        if not self._live and not self._opening(task.step):
            command.expected_seq = self._seq
        return command

    def answer(self, result: BatchResult) -> None:
        """Take the answer to the last command.

        Raises:
            Stopped: The playing cannot go on with this case.
        """
        task = self._ahead[-1]
        if result.HasField("refused"):
            self._take_refusal(task, result.refused)
            return
        if self._opening(task.step):
            if result.done.repeated_request:
                self.known = True
                return
            self.began = result.done.events[0].at.seconds
        self.written += len(result.done.events)
        self._seq = result.done.events[-1].seq
        self._done(task)

    def resume(self, events: Iterable[Event]) -> None:
        """Leave out what the case's events show as done.

        Args:
            events: All events of the case, in order.
        """
        done: dict[str, Event] = {}
        for event in events:
            self.began = event.at.seconds if self.began is None else self.began
            self._reached = event.at.seconds
            self._seq = event.seq
            done[event.key] = event
        self.known = False
        self._refused_lines, self._noted_lines = set(), set()
        self._ahead = [task for step in reversed(self.plan.steps) for task in self._left_of(step, done)]

    def _left_of(self, step: Step, done: dict[str, Event]) -> Iterator[_Task]:
        if step.kept_id in done:
            self._count(step, refused=bool(done[step.kept_id].row_imported.refused))
        elif step.request_id not in done:
            yield _Task(step, _kept_anyway(step))
        elif self._late(step, done[step.request_id].at.seconds):
            yield _Task(step, _remark(step, done[step.request_id].at.seconds))

    def _take_refusal(self, task: _Task, refusal: Refusal) -> None:
        step, said = task.step, f"{refusal.reason}: {refusal.message}"
        if refusal.reason == "STALE_SEQ":
            self.known = True
            return
        if refusal.reason == "CASE_ARCHIVED":
            self.archived = True
            self._ahead.clear()
            return
        if self._opening(step):
            taken = refusal.reason in _NUMBER_TAKEN
            advice = "; something else has opened it: choose another --prefix" if taken else ""
            raise Stopped(f"case {self.plan.case_id} cannot be opened: {said}{advice}")
        if task.keeping or refusal.reason in _ABOUT_US:
            raise Stopped(f"case {self.plan.case_id} cannot take the row of line {step.row.line}: {said}")
        self._ahead[-1] = _Task(step, Keeping(refused=f"{_action(step)}: {said}"))

    def _done(self, task: _Task) -> None:
        if task.keeping:
            self._count(task.step, refused=bool(task.keeping.refused))
        elif self._late(task.step, self._reached):
            self._ahead[-1] = _Task(task.step, _remark(task.step, self._reached))
            return
        self._reached = max(self._reached, self.due)
        self._ahead.pop()

    def _count(self, step: Step, *, refused: bool) -> None:
        (self._refused_lines if refused else self._noted_lines).add(step.row.line)

    def _late(self, step: Step, counted_at: int) -> bool:
        return not self._live and not self._opening(step) and step.row.at < counted_at

    def _opening(self, step: Step) -> bool:
        return step is self.plan.steps[0]


def _kept_anyway(step: Step) -> Keeping | None:
    """What is known before anything is sent: the row has no action, or one that breaks the contract."""
    if step.command is None:
        return Keeping()
    return Keeping(refused=f"{_action(step)}: INVALID: {step.fault}") if step.fault else None


def _remark(step: Step, counted_at: int) -> Keeping:
    dated, counted = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (step.row.at, counted_at))
    return Keeping(remark=f"dated {dated}, which the case had passed; counted at {counted}")


def _action(step: Step) -> str:
    return (step.command.WhichOneof("action") if step.command is not None else None) or ""


def _copy(command: Command | None) -> Command:
    copy = Command()
    if command is not None:
        copy.CopyFrom(command)
    return copy


def _keep(step: Step, keeping: Keeping, case_id: str) -> Command:
    """Keep the row of a step as it is; a remark stands at its end."""
    remark = json.dumps({"(remark)": keeping.remark}, ensure_ascii=False)
    raw = f"{step.row.raw[:-1]},{remark[1:]}" if keeping.remark else step.row.raw
    return Command(
        case_id=case_id,
        request_id=step.kept_id,
        actor=Actor(name=step.actor, role=Role.ROLE_IMPORTER),
        # With a remark, the row's action has been taken, and has said what the log calls it.
        source_activity="" if keeping.remark else step.activity,
        import_row=ImportRow(raw=raw, refused=keeping.refused[:2000]),
    )
