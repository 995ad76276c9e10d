"""A return's way: eligible by rule or by a person, sent back, inspected, and then the remedy [S0 3.3, S4 13]."""

from casetrail.v1.case_pb2 import DecisionRequest, Parcel, ReturnDetails
from casetrail.v1.command_pb2 import DecideEligibility, Inspect, ReceiveGoods, ShipBack
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.event_pb2 import AlternativeOffered, EligibilityDecided, GoodsInspected, GoodsReceived
from casetrail.v1.policy_pb2 import EligibilityRule
from casetrail.v1.types_pb2 import ItemState, Kind, ParcelDirection, RemedyKind, ReturnReason, Stage
from domain.draft import Draft
from domain.lifecycles import decisions, parcels, remedies, talk
from domain.words import word

# Until then, and again after a rejection, a person decides.
_DECIDABLE = (Stage.STAGE_ACCEPTED, Stage.STAGE_REJECTED)


def try_rules(draft: Draft) -> None:
    """Decide the eligibility by rule, once the return is accepted and the shop has told about the order."""
    details = draft.case.return_details
    if draft.case.stage != Stage.STAGE_ACCEPTED or details.eligibility != ReturnDetails.ELIGIBILITY_UNDECIDED:
        return
    if not remedies.order_is_known(draft.case):
        return
    rule = next((rule for rule in draft.rules.policy.returns.rules if _fits(draft, rule)), None)
    if rule is None or rule.verdict == EligibilityRule.VERDICT_ASK:
        return
    if rule.verdict == EligibilityRule.VERDICT_APPROVE:
        if remedies.within_rules(draft):
            remedies.approve_return(draft, rule.rule, rule=rule.rule, inputs=_looked_at(draft))
        return
    _reject(draft, rule.rule, list(rule.alternatives), rule=rule.rule)


def decide_eligibility(draft: Draft, command: DecideEligibility) -> None:
    """A person decides; an amount above that person's authority is decided further up."""
    draft.require_stage(*_DECIDABLE)
    if not command.eligible:
        _reject(draft, command.why, list(command.alternatives), rule="person")
        return
    amount = remedies.worth(draft)
    if not draft.rules.may_decide(draft.actor.role, amount):
        needed = draft.rules.deciding_role(amount)
        decisions.ask(
            draft,
            DecisionRequest.SUBJECT_REMEDY,
            needed,
            question=command.why,
            amount=amount,
            keep_goods=command.keep_goods,
        )
        return
    remedies.approve_return(draft, command.why, rule="person", keep_goods=command.keep_goods)


def undecided(draft: Draft) -> bool:
    """Whether the case is a return that a person may still find eligible."""
    return draft.case.kind == Kind.KIND_RETURN and draft.case.stage in _DECIDABLE


def ship_back(draft: Draft, command: ShipBack) -> None:
    """The customer has sent the goods; they are followed."""
    draft.require_stage(Stage.STAGE_AWAITING_GOODS)
    parcels.track(draft, command.parcel, ParcelDirection.PARCEL_DIRECTION_INBOUND)


def receive_goods(draft: Draft, command: ReceiveGoods) -> None:
    """The warehouse has the goods, whatever the carrier says."""
    draft.require_stage(Stage.STAGE_AWAITING_GOODS)
    sent_back = (
        parcel.parcel_id
        for parcel in draft.case.parcels
        if parcel.direction == ParcelDirection.PARCEL_DIRECTION_INBOUND and parcel.state != Parcel.STATE_DELIVERED
    )
    arrived(draft, next(sent_back, ""))


def arrived(draft: Draft, parcel_id: str) -> None:
    """The goods are here."""
    draft.add(GoodsReceived(parcel_id=parcel_id))


def inspect(draft: Draft, command: Inspect) -> None:
    """Look at the goods: in order, the remedy is carried out; not, something else is offered."""
    draft.require_stage(Stage.STAGE_RECEIVED)
    passed = ReturnDetails.INSPECTION_PASSED if command.passed else ReturnDetails.INSPECTION_FAILED
    draft.add(GoodsInspected(inspection=passed, words=command.words))
    if command.passed:
        remedies.begin(draft)
        return
    _offer(draft, "the goods did not pass inspection", [RemedyKind.REMEDY_KIND_COMPENSATION], rule="inspection")
    talk.tell(draft, Purpose.PURPOSE_ELIGIBILITY, command.words.text)


def _reject(draft: Draft, why: str, alternatives: list[RemedyKind.ValueType], *, rule: str) -> None:
    draft.add(
        EligibilityDecided(eligibility=ReturnDetails.ELIGIBILITY_REJECTED, why=why),
        rule=rule,
        inputs=_looked_at(draft),
    )
    if alternatives:
        _offer(draft, why, alternatives, rule=rule)
    talk.tell(draft, Purpose.PURPOSE_ELIGIBILITY, why)


def _offer(draft: Draft, why: str, alternatives: list[RemedyKind.ValueType], *, rule: str) -> None:
    draft.add(AlternativeOffered(alternatives=alternatives, why=why), rule=rule)


def _fits(draft: Draft, rule: EligibilityRule) -> bool:
    details, order = draft.case.return_details, draft.case.order
    # The customer asked when the case was opened, however long we took since.
    asked_at = draft.case.opened_at.seconds
    since_delivery = asked_at - order.delivered_at.seconds if order.HasField("delivered_at") else None
    if rule.HasField("within") and (since_delivery is None or since_delivery > rule.within.seconds):
        return False
    if rule.HasField("beyond") and (since_delivery is None or since_delivery <= rule.beyond.seconds):
        return False
    return (
        (not rule.categories or (order.category or draft.case.category) in rule.categories)
        and (not rule.reasons or details.reason in rule.reasons)
        and (not rule.item_states or details.item_state in rule.item_states)
        and (not rule.order_states or order.state in rule.order_states)
    )


def _looked_at(draft: Draft) -> dict[str, str]:
    details, order = draft.case.return_details, draft.case.order
    return {
        "reason": word(ReturnReason, details.reason),
        "item_state": word(ItemState, details.item_state),
        "category": order.category or draft.case.category,
        "order_state": order.state,
        "asked_at": draft.case.opened_at.ToJsonString(),
        "delivered_at": order.delivered_at.ToJsonString() if order.HasField("delivered_at") else "",
    }
