"""AuditService.CrossCheck: whether log, projection and running workflows say the same of every open case."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Final

from audit.in_full import history
from audit.log import Log
from audit.verification.cases import is_fold
from casetrail.v1.audit_service_pb2 import CrossCheckRequest, CrossCheckResponse, Difference
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Stage
from casetrail.v1.workflow_pb2 import Step
from domain import Rejected, fold
from engine.engine import Engine
from engine.steps import step_of
from server.calls import Stream, Unary
from server.lookup import known_case
from server.principals import Principal
from server.temporal import Temporal
from server.turns import Turns

_PAGE: Final = 100
# Cases whose workflows are asked side by side.
_AT_ONCE: Final = 16
# A case moves while it is read; more often than so in a row it does not.
_READINGS: Final = 5
# Words for people that a newer version may choose otherwise.
_ONLY_WORDS: Final = frozenset({"summary", "waits_for"})


class CrossCheckServicer:
    """Compares; nothing is written, and nothing that differs is put right."""

    def __init__(self, engine: Engine, log: Log, temporal: Temporal) -> None:
        """Compare this log with this Temporal; the engine knows the policies."""
        self._engine = engine
        self._log = log
        self._temporal = temporal
        self._of_all_cases = Turns(2, "comparisons of all cases")

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {"CrossCheck": self.cross_check}

    async def cross_check(self, request: CrossCheckRequest, _: Principal) -> AsyncGenerator[CrossCheckResponse, None]:
        """Answer how each case stands, in the order in which they are listed.

        Raises:
            Rejected: The case that was named is unknown, or others compare all cases.
        """
        if request.case_id:
            yield await self._compare(request.case_id)
            return
        with self._of_all_cases.one():
            async for case_ids in self._open_cases():
                for answer in await asyncio.gather(*(self._compare(case_id) for case_id in case_ids)):
                    yield answer

    async def _open_cases(self) -> AsyncIterator[Sequence[str]]:
        token = ""
        while True:
            page = await self._log.list_cases(CaseFilter(open=True, include_drills=True), page_size=_PAGE, token=token)
            for first in range(0, len(page.cases), _AT_ONCE):
                yield [case.case_id for case in page.cases[first : first + _AT_ONCE]]
            if not page.next_token:
                return
            token = page.next_token

    async def _compare(self, case_id: str) -> CrossCheckResponse:
        events, projected = await self._read(case_id)
        by_log = fold(events)
        answer = CrossCheckResponse(case_id=case_id, seq=by_log.seq, workflow_expected=_has_workflow(by_log))
        if not is_fold(projected, by_log):
            message = f"the projection is not the fold of the case's events; it differs in {_named(projected, by_log)}"
            answer.differences.append(Difference(reason="PROJECTION_DIFFERS", message=message))
        if answer.workflow_expected:
            answer.differences.extend(await self._of_workflow(by_log))
        return answer

    async def _read(self, case_id: str) -> tuple[Sequence[Event], Case]:
        """Events and projection, of one moment where the case stands still for as long as it takes to read it."""
        events: list[Event] = []
        projected = Case()
        for _ in range(_READINGS):
            projected = await known_case(self._log, case_id)
            events += await history(self._log, case_id, after_seq=len(events))
            if projected.seq >= len(events):
                break
        return events, projected

    async def _of_workflow(self, by_log: Case) -> Sequence[Difference]:
        try:
            step = await self._temporal.look(by_log.case_id, by_log.seq)
        except Rejected as refusal:
            not_running = refusal.reason == RefusalReason.REFUSAL_REASON_WORKFLOW_NOT_RUNNING
            if not_running and await self._is_over(by_log.case_id):
                return ()
            return [Difference(reason=refusal.code, message=refusal.message)]
        if step.seq < by_log.seq:
            message = f"the workflow has seen event {step.seq} and does not look further; the log has {by_log.seq}"
            return [Difference(reason="WORKFLOW_BEHIND", message=message)]
        case = fold(await self._log.events(by_log.case_id, after_seq=by_log.seq, limit=step.seq - by_log.seq), by_log)
        expected = step_of(case, await self._engine.rules_of(case))
        wrong = _named(step, expected)
        if not wrong:
            return ()
        message = f"at event {step.seq} the workflow's view differs from the log's in {wrong}"
        return [Difference(reason="WORKFLOW_DIFFERS", message=message)]

    async def _is_over(self, case_id: str) -> bool:
        """Whether the case was closed while it was looked at."""
        case = await self._log.read_case(case_id)
        return case is None or not _has_workflow(case)


def _has_workflow(case: Case) -> bool:
    return case.stage != Stage.STAGE_CLOSED and case.time_base.mode != TimeBase.MODE_IMPORTED


def _named(one: Case | Step, other: Case | Step) -> str:
    """The fields in which two messages of a type differ; empty when they do not."""
    return ", ".join(
        field.name
        for field in one.DESCRIPTOR.fields
        if field.name not in _ONLY_WORDS and getattr(one, field.name) != getattr(other, field.name)
    )
