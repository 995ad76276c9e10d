"""What is found out, decided, proposed, agreed on and carried out."""

from casetrail.v1.case_pb2 import Case, DecisionRequest, Settlement
from casetrail.v1.effect_pb2 import (
    CompensationFailed,
    CompensationRequested,
    ExchangeFailed,
    ExchangeRequested,
    ExchangeUnavailable,
    RefundFailed,
    RefundRequested,
)
from casetrail.v1.event_pb2 import (
    AlternativeChosen,
    AlternativeOffered,
    Classified,
    DecisionRequested,
    DecisionTaken,
    DepartmentAsked,
    Event,
    FindingRecorded,
    InvestigationStarted,
    RemedyCarriedOut,
    SettlementAgreed,
    SettlementApproved,
    SettlementNegotiated,
    SettlementProposed,
)
from casetrail.v1.types_pb2 import RemedyKind, Stage
from domain.changes.table import Changes

CHANGES = Changes()


@CHANGES.on("classified")
def _classified(case: Case, event: Event, body: Classified) -> None:
    case.category = body.category
    if body.priority:
        case.priority = body.priority
    case.stage = Stage.STAGE_CLASSIFIED


@CHANGES.on("investigation_started")
def _investigation_started(case: Case, event: Event, body: InvestigationStarted) -> None:
    case.stage = Stage.STAGE_INVESTIGATING
    case.owner = body.specialist


@CHANGES.on("department_asked")
def _department_asked(case: Case, event: Event, body: DepartmentAsked) -> None:
    case.counters.departments_asked += 1
    if body.department not in case.asked_departments:
        case.asked_departments.append(body.department)


@CHANGES.on("finding_recorded")
def _finding_recorded(case: Case, event: Event, body: FindingRecorded) -> None:
    if body.department in case.asked_departments:
        case.asked_departments.remove(body.department)


@CHANGES.on("decision_requested")
def _decision_requested(case: Case, event: Event, body: DecisionRequested) -> None:
    case.decision.CopyFrom(body.request)
    if body.request.subject == DecisionRequest.SUBJECT_SETTLEMENT:
        case.stage = Stage.STAGE_AWAITING_APPROVAL


@CHANGES.on("decision_taken")
def _decision_taken(case: Case, event: Event, body: DecisionTaken) -> None:
    case.decision.state = DecisionRequest.STATE_GRANTED if body.granted else DecisionRequest.STATE_REFUSED
    if body.subject == DecisionRequest.SUBJECT_SETTLEMENT and not body.granted:
        case.stage = Stage.STAGE_NEGOTIATING
        case.settlement.state = Settlement.STATE_NEGOTIATED


@CHANGES.on("settlement_proposed")
def _settlement_proposed(case: Case, event: Event, body: SettlementProposed) -> None:
    negotiations = case.settlement.negotiations
    case.settlement.CopyFrom(
        Settlement(
            remedy=body.remedy,
            state=Settlement.STATE_PROPOSED,
            proposed_role=body.proposed_role,
            negotiations=negotiations,
        )
    )
    case.stage = Stage.STAGE_PROPOSED


@CHANGES.on("settlement_negotiated")
def _settlement_negotiated(case: Case, event: Event, body: SettlementNegotiated) -> None:
    case.settlement.state = Settlement.STATE_NEGOTIATED
    case.settlement.negotiations += 1
    case.stage = Stage.STAGE_NEGOTIATING


@CHANGES.on("alternative_offered")
def _alternative_offered(case: Case, event: Event, body: AlternativeOffered) -> None:
    del case.settlement.alternatives[:]
    case.settlement.alternatives.extend(body.alternatives)
    case.settlement.state = Settlement.STATE_PROPOSED


@CHANGES.on("alternative_chosen")
def _alternative_chosen(case: Case, event: Event, body: AlternativeChosen) -> None:
    case.settlement.remedy.CopyFrom(body.remedy)
    case.settlement.state = Settlement.STATE_AGREED
    take_offer_back(case)


@CHANGES.on("settlement_agreed")
def _settlement_agreed(case: Case, event: Event, body: SettlementAgreed) -> None:
    case.settlement.state = Settlement.STATE_AGREED
    take_offer_back(case)


@CHANGES.on("settlement_approved")
def _settlement_approved(case: Case, event: Event, body: SettlementApproved) -> None:
    case.settlement.state = Settlement.STATE_APPROVED
    case.stage = Stage.STAGE_CARRYING_OUT


@CHANGES.on("refund_requested", "compensation_requested", "exchange_requested")
def _remedy_requested(
    case: Case, event: Event, body: RefundRequested | CompensationRequested | ExchangeRequested
) -> None:
    case.settlement.state = Settlement.STATE_CARRYING_OUT
    case.stage = Stage.STAGE_CARRYING_OUT
    take_offer_back(case)


@CHANGES.on("remedy_carried_out")
def _remedy_carried_out(case: Case, event: Event, body: RemedyCarriedOut) -> None:
    case.settlement.state = Settlement.STATE_CARRIED_OUT


@CHANGES.on("refund_failed", "compensation_failed", "exchange_failed")
def _remedy_failed(case: Case, event: Event, body: RefundFailed | CompensationFailed | ExchangeFailed) -> None:
    case.settlement.state = Settlement.STATE_FAILED


@CHANGES.on("exchange_unavailable")
def _exchange_unavailable(case: Case, event: Event, body: ExchangeUnavailable) -> None:
    case.settlement.state = Settlement.STATE_PROPOSED
    case.settlement.remedy.kind = RemedyKind.REMEDY_KIND_REFUND
    case.settlement.remedy.ClearField("sku")
    case.settlement.remedy.ClearField("quantity")
    case.stage = Stage.STAGE_PROPOSED


def take_offer_back(case: Case) -> None:
    """What was offered instead can be chosen no more."""
    del case.settlement.alternatives[:]
