"""AuditService.WhatIf: recorded cases, run again under another policy."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from audit.in_full import found_cases, history
from audit.log import Log
from audit.what_if import what_if
from casetrail.v1.audit_service_pb2 import WhatIfRequest, WhatIfResponse
from casetrail.v1.case_pb2 import Case, PolicyRef, TimeBase
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Stage
from domain import Rejected, Rulebook
from domain.case_time import case_now
from domain.instants import Instant, instant
from server.calls import Stream, Unary
from server.lookup import known_case
from server.principals import Principal
from server.turns import Turns


class WhatIfServicer:
    """Runs cases again from the log alone; nothing is written."""

    def __init__(self, log: Log) -> None:
        """Read this log."""
        self._log = log
        self._turns = Turns(2, "runs under another policy")

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {"WhatIf": self.what_if}

    async def what_if(self, request: WhatIfRequest, _: Principal) -> AsyncGenerator[WhatIfResponse, None]:
        """Answer each case as it is done: those that are named in their order, else the newest first.

        Raises:
            Rejected: The policy cannot be used, a case that was named is unknown, or others are at it.
        """
        rules = _compiled(request.policy)
        known = _RecordedPolicies(self._log)
        with self._turns.one():
            async for case in self._chosen(request):
                events = await history(self._log, case.case_id)
                await known.learn(events)
                # Off the loop: a long case must not keep other callers waiting.
                rerun = await asyncio.to_thread(what_if, events, rules, known.of, _until(case, events))
                yield WhatIfResponse(rerun=rerun)

    async def _chosen(self, request: WhatIfRequest) -> AsyncIterator[Case]:
        named = {case_id: await known_case(self._log, case_id) for case_id in request.case_ids}
        if not named:
            async for case in found_cases(self._log, request.filter):
                yield case
            return
        if request.filter != CaseFilter():
            # Whoever names a case of a drill means it.
            request.filter.include_drills = True
            fitting = {case.case_id async for case in found_cases(self._log, request.filter)}
            named = {case_id: case for case_id, case in named.items() if case_id in fitting}
        for case in named.values():
            yield case


class _RecordedPolicies:
    """The policies that the cases of one call were under."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._by_digest: dict[str, Rulebook] = {}

    async def learn(self, events: Sequence[Event]) -> None:
        """Make the policies of a case ready.

        Raises:
            Rejected: UNKNOWN_POLICY when the log never kept one of them.
        """
        bodies = (getattr(event, event.WhichOneof("body") or "") for event in events)
        refs = [body.policy for body in bodies if "policy" in body.DESCRIPTOR.fields_by_name]
        missing = [ref for ref in refs if ref.digest not in self._by_digest]
        if not missing:
            return
        kept = {digest: body for digest, _, body in await self._log.policies()}
        for ref in missing:
            if ref.digest not in kept:
                raise Rejected(
                    RefusalReason.REFUSAL_REASON_UNKNOWN_POLICY,
                    f"{events[0].case_id} was under {ref.policy_id!r}, which the log does not have",
                )
            self._by_digest[ref.digest] = Rulebook(Policy.FromString(kept[ref.digest]))

    def of(self, ref: PolicyRef) -> Rulebook:
        """One that was learned."""
        return self._by_digest[ref.digest]


def _compiled(policy: Policy) -> Rulebook:
    try:
        return Rulebook(policy)
    except ValueError as error:
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, str(error), "policy") from error


def _until(case: Case, events: Sequence[Event]) -> Instant:
    """How far a case has come: its last event, or where real time moves it, now."""
    reached = instant(events[-1].at)
    if case.stage == Stage.STAGE_CLOSED or case.time_base.mode == TimeBase.MODE_IMPORTED:
        return reached
    return max(reached, case_now(case.time_base, datetime.now(UTC)))
