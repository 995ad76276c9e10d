"""What the rows of a case mean: the commands that tell the engine, in order.

Pure: the same rows under the same mapping are the same plan, on any day and from any file.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from casetrail.broken_rules import broken_rules
from casetrail.file_problems import path_text
from casetrail.play.log_file import LogCase, Row
from casetrail.play.templates import fill_texts, parse, texts
from casetrail.v1.case_pb2 import Customer
from casetrail.v1.command_pb2 import Command, Open
from casetrail.v1.mapping_pb2 import ActivityRule, ChangeRule, Mapping
from casetrail.v1.types_pb2 import Actor, Priority, Role, Words

# What the contract takes.
_LONGEST_ACTIVITY = 200
_CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Style:
    """How a log is to be played.

    Attributes:
        scale: Case seconds per real second, live; None for history that is imported.
        prefix: Set before every case's number.
    """

    scale: float | None = None
    prefix: str = ""

    @property
    def live(self) -> bool:
        """Whether the cases live, with timers and effects."""
        return self.scale is not None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a row means.

    Attributes:
        request_id: Under which it is done; the same in every playing.
        row: The row that means it.
        activity: What the log calls the row; empty but in the first of its steps, so that each row counts once.
        actor: Who did it.
        command: What is done, without a time; None when the row is only kept.
        fault: Why the command cannot even be sent, so that the row is kept instead; empty when it can.
    """

    request_id: str
    row: Row
    actor: str
    activity: str
    command: Command | None = None
    fault: str = ""

    @property
    def kept_id(self) -> str:
        """The request under which the row is kept where its action is not taken."""
        return f"{self.request_id}:kept"


@dataclass(frozen=True, slots=True)
class CasePlan:
    """Everything that a case's rows mean, in order. The first step opens it."""

    case_id: str
    source: LogCase
    steps: tuple[Step, ...]


class CannotOpenError(Exception):
    """A case's first row makes no case. The message says why."""


def case_id_of(number: str, prefix: str) -> str:
    """The number that a case gets: the source's, with a digest of it where it has signs that ours cannot have."""
    wanted = prefix + number
    if _CASE_ID.fullmatch(wanted):
        return wanted
    digest = hashlib.sha256(number.encode()).hexdigest()[:10]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("-._")[:50]
    return f"{plain}-{digest}" if plain else digest


def columns_of(mapping: Mapping) -> frozenset[str]:
    """Every column that a mapping asks for."""
    columns = mapping.columns
    opening = mapping.open
    named = {
        columns.case,
        columns.activity,
        columns.time,
        columns.opened_at,
        columns.channel,
        columns.priority,
        columns.actor,
    }
    named.update(change.column for change in mapping.changes)
    named.update(*(rule.filled for rule in mapping.activities), *(rule.filled for rule in mapping.changes))
    for text in (*texts(opening), *(text for command in commands_of(mapping) for text in texts(command))):
        named.update(parse(text).columns)
    return frozenset(named - {""})


def commands_of(mapping: Mapping) -> Iterator[Command]:
    """Every action that a mapping may take."""
    for activity in mapping.activities:
        yield from activity.do
        yield from activity.live
    for change in mapping.changes:
        yield from change.do


class Planner:
    """Says what cases mean under one mapping, played in one style."""

    def __init__(self, mapping: Mapping, style: Style) -> None:
        self._mapping = mapping
        self._style = style
        self._entering: dict[str, list[ActivityRule]] = {}
        for rule in mapping.activities:
            for activity in rule.enter:
                self._entering.setdefault(activity, []).append(rule)

    def plan(self, case: LogCase) -> CasePlan:
        """Plan a case.

        Raises:
            CannotOpenError: What its first row says of the case breaks the contract.
        """
        case_id = case_id_of(case.number, self._style.prefix)
        steps = [self._opening(case, case_id)]
        before: Row | None = None
        for row in case.rows:
            steps += self._steps(row, before, case_id)
            before = row
        return CasePlan(case_id, case, tuple(steps))

    def _opening(self, case: LogCase, case_id: str) -> Step:
        opening, row = self._mapping.open, case.rows[0]
        customer = parse(opening.customer).fill(row.cells) or case.number
        text = parse(opening.text).fill(row.cells).strip()
        command = Command(
            case_id=case_id,
            request_id=f"{_request(row)}:open",
            actor=self._actor(row, Role.ROLE_UNSPECIFIED),
            source_activity=row.activity[:_LONGEST_ACTIVITY],
            open=Open(
                kind=opening.kind,
                channel=self._mapping.channels.get(row.cells.get(self._mapping.columns.channel, ""), opening.channel),
                priority=self._priority(row),
                category=parse(opening.category).fill(row.cells),
                customer=Customer(customer_id=customer, email=parse(opening.email).fill(row.cells)),
                order_id=parse(opening.order_id).fill(row.cells),
                subject=parse(opening.subject).fill(row.cells).strip() or case.number,
                words=Words(text=text) if text else None,
                scale=self._style.scale or 0,
                source="" if self._style.live else case.number,
                silent=not self._style.live,
            ),
        )
        fault = _fault(command)
        if fault:
            raise CannotOpenError(f"case {case.number} cannot be opened from this row: {fault}")
        return Step(command.request_id, row, command.actor.name, command.source_activity, command)

    def _steps(self, row: Row, before: Row | None, case_id: str) -> Iterator[Step]:
        """What a row means after the one before; the first row of a case may mean no more than its opening."""
        actions = [*self._changes(row, before), *self._entered(row, before)]
        for ordinal, (action, role) in enumerate(actions, start=1):
            # The first row of a case has told what it is with its opening.
            activity = row.activity[:_LONGEST_ACTIVITY] if before is not None and ordinal == 1 else ""
            command = Command(case_id=case_id, request_id=f"{_request(row)}:{ordinal}", actor=self._actor(row, role))
            command.MergeFrom(action)
            command.source_activity = activity
            fill_texts(_body(command), row.cells)
            if command.HasField("prioritize") and not command.prioritize.priority:
                command.prioritize.priority = self._priority(row)
            yield Step(command.request_id, row, command.actor.name, activity, command, _fault(command))
        if before is not None and not actions:
            yield Step(f"{_request(row)}:1", row, self._name(row), row.activity[:_LONGEST_ACTIVITY])

    def _changes(self, row: Row, before: Row | None) -> Iterator[tuple[Command, Role.ValueType]]:
        told: set[str] = set()
        for rule in self._mapping.changes:
            if rule.column in told or not _changed(rule, row, before):
                continue
            told.add(rule.column)
            for command in rule.do:
                told.update(*(parse(text).columns for text in texts(command)))
                yield command, rule.live_role

    def _entered(self, row: Row, before: Row | None) -> Iterable[tuple[Command, Role.ValueType]]:
        after = before.activity if before is not None else ""
        if row.activity == after:
            return ()
        for rule in self._entering.get(row.activity, ()):
            if (not rule.after or after in rule.after) and all(row.cells[column] for column in rule.filled):
                commands = rule.live if self._style.live and rule.live else rule.do
                return [(command, rule.live_role) for command in commands]
        return ()

    def _priority(self, row: Row) -> Priority.ValueType:
        """The row's priority; unspecified where the log says none or the mapping does not know its word."""
        word = row.cells.get(self._mapping.columns.priority, "")
        return self._mapping.priorities.get(word, Priority.PRIORITY_UNSPECIFIED)

    def _actor(self, row: Row, live_role: Role.ValueType) -> Actor:
        role = (live_role or Role.ROLE_AGENT) if self._style.live else Role.ROLE_IMPORTER
        return Actor(name=self._name(row), role=role)

    def _name(self, row: Row) -> str:
        """Who did it. An @ would make it an address, which no actor's name may be."""
        return row.cells.get(self._mapping.columns.actor, "").replace("@", " at ")[:100] or "log"


def _request(row: Row) -> str:
    return f"play:{row.digest[:32]}"


def _changed(rule: ChangeRule, row: Row, before: Row | None) -> bool:
    old = before.cells[rule.column] if before is not None else ""
    if row.cells[rule.column] == old or not all(row.cells[column] for column in rule.filled):
        return False
    if rule.before == ChangeRule.BEFORE_MISSING:
        return not old
    return rule.before != ChangeRule.BEFORE_FILLED or bool(old)


def _body(command: Command) -> Message:
    body: Message = getattr(command, command.WhichOneof("action") or "")
    return body


def _fault(command: Command) -> str:
    """How a command breaks the contract; empty when it does not."""
    broken = broken_rules(command, hints={}, leave_out=())
    return "; ".join(f"{path_text(finding.path)} {finding.message}" for finding in broken)
