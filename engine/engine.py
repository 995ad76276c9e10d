"""Load, decide, append, answer: how a command, or the passing of time, becomes part of a case.

No caller is answered before the log has committed, and nothing here waits for Temporal. Where two processes write to
the same case, the log decides who was first; the other catches up and decides again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from audit.log import Appended, Batch, Behind, Known, Log, LogDamagedError, LogUnavailableError, Need
from audit.merkle import Growth
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.command_pb2 import Command
from casetrail.v1.effect_pb2 import Effect
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind, Stage
from casetrail.v1.workflow_pb2 import Step
from domain import Rejected, Rulebook, act, expire, fold
from domain.case_time import case_now, command_time, source_time
from domain.instants import Instant, from_datetime
from domain.parts import find_effect
from domain.refusal import unknown_case
from engine.cases import Cases, Held
from engine.nudge import Waker
from engine.numbers import numbers
from engine.requests import Request
from engine.rulebooks import Rulebooks
from engine.steps import need_of, step_of
from engine.traffic import Traffic
from engine.wakeups import Wakeups
from telemetry import span

CACHED_CASES: Final = 10_000
_PAGE: Final = 1000
_REAL_TIME: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request led to.

    Attributes:
        case: The case after it.
        events: What it wrote, as it stands in the log: what time owed first, then what the command meant.
        repeated: The request had been carried out before, and this is what it led to then.
        growth: What its commit made of the log's tree; None for a repeated one.
    """

    case: Case
    events: Sequence[Event]
    repeated: bool = False
    growth: Growth | None = None


def _real_now() -> datetime:
    return datetime.now(UTC)


class Engine:
    """Carries out commands and lets time pass, for any number of callers at once."""

    def __init__(
        self,
        log: Log,
        rulebooks: Rulebooks,
        waker: Waker,
        now: Callable[[], datetime] = _real_now,
        *,
        cached_cases: int = CACHED_CASES,
        traffic: Traffic | None = None,
    ) -> None:
        """Work on a log.

        Args:
            log: The truth.
            rulebooks: The policies that cases are under.
            waker: Who tells Temporal that a case needs it.
            now: The real clock.
            cached_cases: How many cases are kept in memory.
            traffic: Told of every command, for those who yield to them.
        """
        self._log = log
        self._rulebooks = rulebooks
        self._now = now
        self._cases = Cases(cached_cases)
        self._wakeups = Wakeups(waker, self._cases, now)
        self._traffic = traffic or Traffic()

    async def execute(self, command: Command) -> Outcome:
        """Carry a command out, or answer it as the first time.

        Raises:
            Rejected: It was refused, and nothing has happened. Only LOG_UNAVAILABLE leaves that open: ask again, with
                the same id.
        """
        with self._traffic.command():
            return await self._execute(command, Request.of(command))

    async def _execute(self, command: Command, request: Request) -> Outcome:
        if command.HasField("open"):
            return await self._open(command, request)
        with span("engine.execute", case=command.case_id, action=command.WhichOneof("action") or ""):
            async with self._cases.of(command.case_id).alone() as held:
                with _failing_closed(held):
                    return await self._carry_out(held, command, request)

    async def advance(self, case_id: str, at: datetime | None = None) -> Step:
        """Let time pass for a case, tell the log that its workflow knows, and say what the workflow is to do next.

        Repeated or late, it comes to the same: whatever time owed is dated by when it was due.

        Args:
            case_id: The case.
            at: The workflow's own time, where the engine's clock may lag behind it.

        Raises:
            Rejected: UNKNOWN_CASE, LOG_UNAVAILABLE.
        """
        now = max(self._now(), at) if at else self._now()
        with span("engine.advance", case=case_id):
            async with self._cases.of(case_id).alone() as held:
                with _failing_closed(held):
                    case, rules = await self._let_time_pass(held, case_id, now)
                    wake = need_of(case).wake
                    await self._log.arm(case_id, seq=case.seq, wake=wake, now=now)
                    held.armed = wake
                    return step_of(case, rules)

    async def case(self, case_id: str) -> Case:
        """The case as of the last commit of any process.

        Raises:
            Rejected: UNKNOWN_CASE, LOG_UNAVAILABLE.
        """
        async with self._cases.of(case_id).alone() as held:
            with _failing_closed(held):
                return await self._newest(held, case_id)

    async def pending_effect(self, case_id: str, effect_id: str) -> tuple[Case, Effect] | None:
        """What is still to be done outside under this id, and for which case.

        Returns:
            None once its outcome is known, or nobody wants it any more.

        Raises:
            Rejected: UNKNOWN_CASE, LOG_UNAVAILABLE.
        """
        case = await self.case(case_id)
        effect = find_effect(case, effect_id)
        return None if effect is None else (case, effect)

    async def knows(self, case_id: str, request_id: str) -> bool:
        """Whether a request has been carried out.

        Raises:
            Rejected: LOG_UNAVAILABLE.
        """
        async with self._cases.of(case_id).alone() as held:
            with _failing_closed(held):
                return await self._log.find_key(case_id, request_id) is not None

    @property
    def newest_rules(self) -> Rulebook:
        """The policy in force for what begins now."""
        return self._rulebooks.newest

    async def rules_of(self, case: Case) -> Rulebook:
        """The policy that a case is under.

        Raises:
            Rejected: UNKNOWN_POLICY, LOG_UNAVAILABLE.
        """
        try:
            return await self._rulebooks.of(case.policy)
        except LogUnavailableError as error:
            raise _unavailable(error) from error

    # --- opening ------------------------------------------------------------------------------------------------------

    async def _open(self, command: Command, request: Request) -> Outcome:
        for case_id in _candidates(command):
            opening = Command()
            opening.CopyFrom(command)
            opening.case_id = case_id
            with span("engine.open", case=case_id):
                async with self._cases.of(case_id).alone() as held:
                    with _failing_closed(held):
                        outcome = await self._begin(held, opening, request)
            if outcome is not None:
                return outcome
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CASE_EXISTS,
            f"there is a case {command.case_id} already, opened by another request",
            field="case_id",
        )

    async def _begin(self, held: Held, command: Command, request: Request) -> Outcome | None:
        """Open a case under the command's number; None when another request has taken the number."""
        try:
            await self._join_drill(command)
            events = act(None, command, _opening_time(command, self._now()), self._rulebooks.newest)
        except Rejected:
            known = await self._log.find_key(command.case_id, request.key)
            if known is None:
                raise
            return await self._again(command.case_id, known, request)
        case = fold(events)
        need = need_of(case)
        result = await self._append(command.case_id, 0, request, events, case, need)
        match result:
            case Appended():
                held.case = case
                self._wakeups.follow(held, None, case, need)
                return Outcome(case, result.events, growth=result.growth)
            case Known():
                return await self._again(command.case_id, result, request)
            case Behind():
                return None

    async def _join_drill(self, command: Command) -> None:
        """Put a case that is to be part of a drill on the drill's clock.

        Raises:
            Rejected: UNKNOWN_CASE, or CANNOT_JOIN when there is no such drill, or it is over.
        """
        command.open.ClearField("time_base")
        if not command.open.drill_id:
            return
        drill = await self._load(command.open.drill_id)
        if drill.kind != Kind.KIND_DRILL or drill.stage != Stage.STAGE_IN_PROGRESS:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_CANNOT_JOIN,
                f"{drill.case_id} is no drill that is under way",
                field="open.drill_id",
            )
        command.open.time_base.CopyFrom(drill.time_base)

    # --- commands -----------------------------------------------------------------------------------------------------

    async def _carry_out(self, held: Held, command: Command, request: Request) -> Outcome:
        fresh = held.case is None
        case = held.case or await self._load(command.case_id)
        while True:
            try:
                events = await self._decide(case, command)
            except Rejected:
                # What looks like a refusal may be a request that was carried out already, or a cache that lags behind.
                known = await self._log.find_key(command.case_id, request.key)
                if known is not None:
                    return await self._again(command.case_id, known, request)
                newer = case if fresh else await self._caught_up(case)
                if newer is case:
                    raise
                case, fresh = newer, True
                continue
            after = fold(events, case)
            need = need_of(after)
            result = await self._append(command.case_id, case.seq, request, events, after, need)
            match result:
                case Appended():
                    held.case = after
                    # Whoever reports an outcome is sent by the case's workflow, which looks at the case afterwards.
                    self._wakeups.follow(held, case, after, need, nudging=not command.HasField("report_outcome"))
                    return Outcome(after, result.events, growth=result.growth)
                case Known():
                    return await self._again(command.case_id, result, request)
                case Behind():
                    case = held.case = await self._adopt(case, result)
                    fresh = True

    async def _decide(self, case: Case, command: Command) -> list[Event]:
        """What a command means for a case: what time owes it first, then the command's own events.

        Raises:
            Rejected: The lifecycle, or something else that the command names, does not allow it.
        """
        _check_seq(case, command)
        await self._check_other_case(command)
        rules = await self._rulebooks.of(case.policy)
        rules_after = None
        if command.HasField("change_policy"):
            rules_after = await self._rulebooks.named(command.change_policy.policy_id)
        at = command_time(case, command, self._now())
        return act(case, command, at, rules, rules_after=rules_after)

    async def _check_other_case(self, command: Command) -> None:
        field, other = _other_case(command)
        if other and await self._log.read_case(other) is None:
            raise unknown_case(other, field)

    # --- time ---------------------------------------------------------------------------------------------------------

    async def _let_time_pass(self, held: Held, case_id: str, now: datetime) -> tuple[Case, Rulebook]:
        case = await self._newest(held, case_id)
        while True:
            rules = await self._rulebooks.of(case.policy)
            owed = expire(case, case_now(case.time_base, now), rules) if _moves(case) else []
            if not owed:
                return case, rules
            after = fold(owed, case)
            request = Request(key="", digest="")
            result = await self._append(case_id, case.seq, request, owed, after, need_of(after))
            match result:
                case Appended():
                    held.case = after
                    return after, rules
                case Known():
                    raise LogDamagedError(f"{case_id}: the passing of time has no request, but the log knows one")
                case Behind():
                    case = held.case = await self._adopt(case, result)

    # --- the log ------------------------------------------------------------------------------------------------------

    async def _append(
        self, case_id: str, seq: int, request: Request, events: Sequence[Event], after: Case, need: Need
    ) -> Appended | Known | Behind:
        for event in events:
            # What time brings has a key of its own.
            event.key = event.key or request.key
        return await self._log.append(
            Batch(
                case_id=case_id,
                expected_seq=seq,
                key=request.key,
                digest=request.digest,
                events=events,
                case=after,
                need=need,
            )
        )

    async def _load(self, case_id: str) -> Case:
        case = await self._log.read_case(case_id)
        if case is None:
            raise unknown_case(case_id)
        return case

    async def _newest(self, held: Held, case_id: str) -> Case:
        held.case = await (self._load(case_id) if held.case is None else self._caught_up(held.case))
        return held.case

    async def _caught_up(self, case: Case) -> Case:
        while newer := await self._log.events(case.case_id, after_seq=case.seq, limit=_PAGE):
            case = fold(newer, case)
        return case

    async def _adopt(self, case: Case, behind: Behind) -> Case:
        """The case with what the log says we did not know; a log that has less than we thought is believed too."""
        return fold(behind.events, case) if behind.events else await self._load(case.case_id)

    async def _again(self, case_id: str, known: Known, request: Request) -> Outcome:
        """The first outcome of a request.

        Raises:
            Rejected: REQUEST_ID_REUSED when its id was first used for something else.
        """
        if known.digest != request.digest:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_REQUEST_ID_REUSED,
                f"the request id {request.key!r} was used in {case_id} for something else",
                field="request_id",
            )
        last = known.events[-1].seq
        # Not as it is held here: somebody may have erased what it says.
        case = await self._load(case_id)
        if case.seq != last:
            case = fold(await self._history(case_id, last))
        return Outcome(case, known.events, repeated=True)

    async def _history(self, case_id: str, last: int) -> Iterable[Event]:
        events: list[Event] = []
        while len(events) < last:
            page = await self._log.events(case_id, after_seq=len(events), limit=min(_PAGE, last - len(events)))
            if not page:
                raise LogDamagedError(f"{case_id} has {last} events, but only {len(events)} can be read")
            events.extend(page)
        return events


def _candidates(command: Command) -> Iterator[str] | tuple[str]:
    if command.case_id:
        return (command.case_id,)
    actor = command.actor
    return numbers(command.open.kind, actor.via or actor.name, command.request_id)


def _opening_time(command: Command, now: datetime) -> Instant:
    """When a case begins: now, or when its source says that it did.

    Raises:
        Rejected: WRONG_TIME when an imported case comes without a possible time, or any other with one.
    """
    imported = bool(command.open.source)
    if imported != command.HasField("at"):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_TIME,
            "give `at` together with `open.source`, for a case that is imported, and only for one",
            field="at",
        )
    if imported:
        return source_time(command)
    if command.open.HasField("time_base"):
        return case_now(command.open.time_base, now)
    at = from_datetime(now)
    # The rest of this second would be minutes to a compressed case: it begins with the next one.
    return at if command.open.scale in _REAL_TIME else at + 1


def _check_seq(case: Case, command: Command) -> None:
    if command.HasField("expected_seq") and command.expected_seq != case.seq:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_STALE_SEQ,
            f"{case.case_id} has {case.seq} events, not {command.expected_seq}: look at it again",
            field="expected_seq",
        )


def _other_case(command: Command) -> tuple[str, str]:
    """The field in which a command names another case, and that case; nothing when it names none."""
    if command.HasField("link"):
        return "link.case_id", command.link.case_id
    if command.HasField("merge"):
        return "merge.into_case_id", command.merge.into_case_id
    return "", ""


def _moves(case: Case) -> bool:
    """Whether real time moves the case."""
    return case.time_base.mode != TimeBase.MODE_IMPORTED


@contextmanager
def _failing_closed(held: Held) -> Iterator[None]:
    """Refuse when the log cannot be used, and believe nothing of the case any more; nor when it has left the log.

    Raises:
        Rejected: LOG_UNAVAILABLE, LOG_DAMAGED.
    """
    try:
        yield
    except Rejected as refusal:
        if refusal.reason == RefusalReason.REFUSAL_REASON_CASE_ARCHIVED:
            held.case = held.armed = None
        raise
    except LogUnavailableError as error:
        held.case = held.armed = None
        raise _unavailable(error) from error
    except LogDamagedError as error:
        held.case = held.armed = None
        raise Rejected(RefusalReason.REFUSAL_REASON_LOG_DAMAGED, f"the log is damaged: {error}") from error


def _unavailable(error: LogUnavailableError) -> Rejected:
    return Rejected(
        RefusalReason.REFUSAL_REASON_LOG_UNAVAILABLE,
        f"the log cannot be used now; ask again with the same request id: {error}",
    )
