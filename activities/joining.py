"""Joins two cases: asks the other one, and logs here what it said."""

from temporalio import activity

from activities.effects import Errands
from activities.other_case import ask
from casetrail.v1.command_pb2 import Absorb, Command
from casetrail.v1.effect_pb2 import LinkAccepted, LinkFailed, MergeAccepted, MergeRefused, Outcome
from casetrail.v1.workflow_pb2 import EffectRun
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
                drill_id=errand.case.drill_id,
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
        link = errand.effect.link
        other = link.case_id
        absorb = Absorb(case_id=run.case_id, only_link=True, drill_id=errand.case.drill_id, incident=link.incident)
        why = await self._join(run, other, absorb)
        if why:
            outcome = Outcome(link_failed=LinkFailed(case_id=other, why=why))
        else:
            outcome = Outcome(link_accepted=LinkAccepted(case_id=other))
        await self._errands.report(run, outcome)

    async def _join(self, run: EffectRun, other: str, absorb: Absorb) -> str:
        """Tell the other case; returns why it refuses, or nothing when it has accepted."""
        command = Command(case_id=other, request_id=f"{run.effect_id}/absorb", actor=SYSTEM, absorb=absorb)
        return await ask(self._errands.engine, command)
