"""Joins two cases: asks the other one, and logs here what it said."""

from temporalio import activity

from activities.effects import Errands, refusals_as_failures
from casetrail.v1.case_pb2 import TimeBase
from casetrail.v1.command_pb2 import Absorb, Command
from casetrail.v1.effect_pb2 import LinkAccepted, LinkFailed, MergeAccepted, MergeRefused, Outcome
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.workflow_pb2 import EffectRun
from domain import Rejected
from domain.draft import SYSTEM


class Joining:
    """Links and mergers. Each case has a log of its own, so that either is two steps: there, then here."""

    def __init__(self, errands: Errands) -> None:
        """Work through an engine."""
        self._errands = errands

    @activity.defn
    async def merge(self, run: EffectRun) -> None:
        """Have the other case take this one in, and log whether it did."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        other = errand.effect.merge.into_case_id
        why = await self._join(
            run,
            other,
            Absorb(
                case_id=run.case_id,
                why=errand.effect.merge.reason,
                customer_id=errand.case.customer.customer_id,
            ),
        )
        if why:
            outcome = Outcome(merge_refused=MergeRefused(into_case_id=other, why=why))
        else:
            outcome = Outcome(merge_accepted=MergeAccepted(into_case_id=other))
        await self._errands.report(run, outcome)

    @activity.defn
    async def link(self, run: EffectRun) -> None:
        """Note the link in the other case, and log whether that could be done."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        other = errand.effect.link.case_id
        why = await self._join(run, other, Absorb(case_id=run.case_id, only_link=True))
        if why:
            outcome = Outcome(link_failed=LinkFailed(case_id=other, why=why))
        else:
            outcome = Outcome(link_accepted=LinkAccepted(case_id=other))
        await self._errands.report(run, outcome)

    async def _join(self, run: EffectRun, other: str, absorb: Absorb) -> str:
        """Tell the other case; returns why it refuses, or nothing when it has accepted."""
        engine = self._errands.engine
        command = Command(case_id=other, request_id=f"{run.effect_id}/absorb", actor=SYSTEM, absorb=absorb)
        with refusals_as_failures():
            try:
                if await engine.knows(other, command.request_id):
                    return ""
                case = await engine.case(other)
                if case.time_base.mode == TimeBase.MODE_IMPORTED:
                    # It happens when the importer's clock stands now.
                    command.at.CopyFrom(case.updated_at)
                await engine.execute(command)
            except Rejected as refusal:
                if refusal.reason == RefusalReason.REFUSAL_REASON_LOG_UNAVAILABLE:
                    raise
                return f"{refusal.code}: {refusal.message}"
        return ""
