"""A complaint's way: accepted, classified, investigated, a settlement proposed and negotiated [S0 3.2].

Agreement, approval and carrying out are in `remedies`, what follows the solution in `closing`.
"""

from casetrail.v1.case_pb2 import Settlement
from casetrail.v1.command_pb2 import AskDepartment, Classify, Investigate, Negotiate, Propose, RecordFinding
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import (
    Classified,
    DepartmentAsked,
    FindingRecorded,
    InvestigationStarted,
    SettlementNegotiated,
    SettlementProposed,
)
from casetrail.v1.types_pb2 import Kind, Stage
from domain import promises
from domain.draft import Draft
from domain.lifecycles import remedies, talk
from domain.refusal import Rejected

_BEING_INVESTIGATED = (Stage.STAGE_INVESTIGATING, Stage.STAGE_PROPOSED, Stage.STAGE_NEGOTIATING)


def classify(draft: Draft, command: Classify) -> None:
    """Say what it is about and how urgent; promises are measured by that from now on."""
    draft.require_stage(Stage.STAGE_ACCEPTED, Stage.STAGE_CLASSIFIED)
    draft.add(Classified(category=command.category, priority=command.priority))
    promises.rebase(draft)


def investigate(draft: Draft, command: Investigate) -> None:
    """A specialist takes it up: the complaint is handled."""
    draft.require_stage(Stage.STAGE_ACCEPTED, Stage.STAGE_CLASSIFIED)
    draft.add(InvestigationStarted(specialist=command.specialist or draft.actor.name))


def ask_department(draft: Draft, command: AskDepartment) -> None:
    """Ask a department for its part of the facts."""
    draft.require_stage(*_BEING_INVESTIGATED)
    draft.add(DepartmentAsked(department=command.department, words=command.words))


def record_finding(draft: Draft, command: RecordFinding) -> None:
    """Put a finding on record: a department's answer, or the specialist's own."""
    draft.require_stage(*_BEING_INVESTIGATED)
    if command.department and command.department not in draft.case.asked_departments:
        asked = ", ".join(draft.case.asked_departments) or "none"
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"{command.department} was not asked, or has answered; still asked: {asked}",
            field="record_finding.department",
        )
    draft.add(FindingRecorded(department=command.department, words=command.words))


def propose(draft: Draft, command: Propose) -> None:
    """Give the customer the findings and a proposal; also after a remedy failed, or in a later round of a return."""
    if draft.case.settlement.state == Settlement.STATE_FAILED:
        draft.require_stage(Stage.STAGE_CARRYING_OUT)
    elif draft.case.kind == Kind.KIND_RETURN:
        draft.require_stage(
            Stage.STAGE_REJECTED, Stage.STAGE_IN_PROGRESS, Stage.STAGE_PROPOSED, Stage.STAGE_NEGOTIATING
        )
    else:
        draft.require_stage(*_BEING_INVESTIGATED)
    remedies.require_amount(draft, command.remedy, field="propose.remedy.amount_minor")
    draft.add(SettlementProposed(remedy=command.remedy, words=command.words, proposed_role=draft.actor.role))
    talk.tell_or_said(draft, Purpose.PURPOSE_PROPOSAL, command.words.text)


def negotiate(draft: Draft, command: Negotiate) -> None:
    """The customer wants something else."""
    draft.require_stage(Stage.STAGE_PROPOSED)
    draft.add(SettlementNegotiated(words=command.words, wanted_minor=command.wanted_minor, currency=command.currency))
