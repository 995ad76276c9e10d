"""Remedies: approved at the right authority, then carried out, once [S0 3.2-3.3, S4 13]."""

from casetrail.v1.case_pb2 import Case, DecisionRequest, OrderFacts, ReturnDetails, Settlement
from casetrail.v1.command_pb2 import Agree, CarryOut, ChooseAlternative, ParcelReference
from casetrail.v1.effect_pb2 import (
    CompensationRequested,
    ExchangeDispatched,
    ExchangeRequested,
    Purpose,
    RefundRequested,
)
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import (
    AlternativeChosen,
    AlternativeOffered,
    EligibilityDecided,
    RemedyCarriedOut,
    SettlementAgreed,
    SettlementApproved,
)
from casetrail.v1.types_pb2 import Kind, ParcelDirection, Remedy, RemedyKind, ReturnReason, Role, Stage, Words
from domain.draft import Draft
from domain.ladder import alert
from domain.lifecycles import closing, decisions, parcels, talk
from domain.money import Money
from domain.refusal import Rejected
from domain.words import words

_BY_HAND = frozenset({RemedyKind.REMEDY_KIND_REPAIR, RemedyKind.REMEDY_KIND_OTHER})
_MONEY = frozenset({RemedyKind.REMEDY_KIND_REFUND, RemedyKind.REMEDY_KIND_COMPENSATION})
# Faults that are ours: the goods may stay with the customer when they are worth little.
_OUR_FAULT = frozenset(
    {
        ReturnReason.RETURN_REASON_QUALITY,
        ReturnReason.RETURN_REASON_WRONG_ITEM,
        ReturnReason.RETURN_REASON_DAMAGED,
    }
)


def agree(draft: Draft, command: Agree) -> None:
    """The customer takes what was proposed or offered; after a rejection, the customer accepts that."""
    if draft.case.stage == Stage.STAGE_REJECTED:
        closing.resolved(draft, Words(), solution="rejection accepted")
        return
    draft.require_stage(Stage.STAGE_PROPOSED, Stage.STAGE_NEGOTIATING)
    if not draft.case.settlement.remedy.kind:
        raise Rejected(RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"nothing is proposed in {draft.case.case_id}")
    draft.add(SettlementAgreed())
    _approve_or_ask(draft, draft.case.settlement.proposed_role)


def choose_alternative(draft: Draft, command: ChooseAlternative) -> None:
    """The customer takes one of the things that were offered instead."""
    offered = draft.case.settlement.alternatives
    if command.remedy.kind not in offered:
        choice = ", ".join(words(RemedyKind, kind) for kind in offered) or "nothing"
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"{words(RemedyKind, command.remedy.kind)} is not offered in {draft.case.case_id}; offered: {choice}",
            field="choose_alternative.remedy.kind",
        )
    require_amount(draft, command.remedy, field="choose_alternative.remedy.amount_minor")
    _require_goods_for_goods(draft, command.remedy)
    draft.add(AlternativeChosen(remedy=_priced(draft, command.remedy)))
    _approve_or_ask(draft, draft.actor.role)


def carry_out(draft: Draft, command: CarryOut) -> None:
    """A person has carried the remedy out: a repair, an apology, or by hand what the shop refused.

    Or knows that other goods have arrived, of which the carrier says nothing any more.
    """
    draft.require_stage(Stage.STAGE_CARRYING_OUT)
    replacements = {parcel.parcel_id for parcel in draft.case.parcels if parcel.replacement}
    followed = any(effect.tracking.parcel_id in replacements for effect in draft.case.pending_effects)
    if draft.case.settlement.state == Settlement.STATE_CARRYING_OUT or followed:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"the shop's systems are carrying out the remedy of {draft.case.case_id}",
        )
    if draft.case.settlement.state != Settlement.STATE_CARRIED_OUT:
        _carried_out(draft)
    for parcel_id in sorted(replacements):
        parcels.forget(draft, parcel_id)
    closing.resolved(draft, command.words, solution=words(RemedyKind, draft.case.settlement.remedy.kind))


def approve(draft: Draft, by_role: Role.ValueType, *, rule: str = "authority") -> None:
    """Somebody with the authority, or a rule, stands for it: carry it out."""
    draft.add(SettlementApproved(by_role=by_role), rule=rule, inputs={"by": words(Role, by_role)})
    begin(draft)


def approve_return(
    draft: Draft, why: str, *, rule: str, inputs: dict[str, str] | None = None, keep_goods: bool = False
) -> None:
    """The return is eligible: the goods come back, or the remedy is carried out at once."""
    back = not keep_goods and _comes_back(draft)
    body = EligibilityDecided(eligibility=ReturnDetails.ELIGIBILITY_APPROVED, goods_come_back=back, why=why)
    draft.add(body, rule=rule, inputs=inputs)
    talk.tell(draft, Purpose.PURPOSE_ELIGIBILITY, why)
    if not back:
        begin(draft)


def within_rules(draft: Draft) -> bool:
    """Whether a rule may grant what the customer of a return wants: goods for goods, or back what was paid.

    Anything else is somebody's to grant, by an authority that a rule does not have.
    """
    remedy = _priced(draft, draft.case.settlement.remedy)
    if remedy.kind == RemedyKind.REMEDY_KIND_REFUND:
        return _sum(remedy).within(price(draft))
    if remedy.kind == RemedyKind.REMEDY_KIND_EXCHANGE:
        return _pieces(draft, remedy) <= _coming_back(draft)
    return remedy.kind == RemedyKind.REMEDY_KIND_REPAIR


def require_amount(draft: Draft, remedy: Remedy, *, field: str) -> None:
    """Refuse money without a sum, where the order does not say one in that currency.

    Raises:
        Rejected: INVALID.
    """
    if draft.case.silent or remedy.kind not in _MONEY or remedy.amount_minor:
        return
    paid = price(draft)
    known = "knows no price"
    if remedy.kind == RemedyKind.REMEDY_KIND_REFUND and paid.minor:
        if remedy.currency in ("", paid.currency):
            return
        known = f"was paid in {paid.currency}, not {remedy.currency}"
    raise Rejected(
        RefusalReason.REFUSAL_REASON_INVALID,
        f"how much {words(RemedyKind, remedy.kind)}? {draft.case.case_id} {known}; give amount_minor",
        field=field,
    )


def order_is_known(case: Case) -> bool:
    """Whether the shop has told about the order that the case is about now."""
    return case.order.found and not any(effect.HasField("order_lookup") for effect in case.pending_effects)


def price(draft: Draft) -> Money:
    """What was paid for the order; nothing while that is not known."""
    paid = draft.case.order if order_is_known(draft.case) else OrderFacts()
    return Money(paid.paid_minor, paid.currency or draft.rules.policy.authority.currency)


def worth(draft: Draft) -> Money | None:
    """What the remedy costs us at most: its sum, else the price of the goods; None where nobody knows that."""
    remedy = _priced(draft, draft.case.settlement.remedy)
    if remedy.amount_minor:
        return _sum(remedy)
    # Nobody is billed about a silent case.
    return price(draft) if draft.case.silent or order_is_known(draft.case) else None


def begin(draft: Draft) -> None:
    """Demand the remedy of the shop's systems; a person does what they cannot."""
    remedy = _priced(draft, draft.case.settlement.remedy)
    if draft.case.silent or remedy.kind in _BY_HAND:
        return
    if remedy.kind == RemedyKind.REMEDY_KIND_EXCHANGE:
        draft.add(
            ExchangeRequested(
                order_id=draft.case.order_id,
                sku=_exchange_sku(draft, remedy),
                quantity=_pieces(draft, remedy),
            )
        )
    elif remedy.kind == RemedyKind.REMEDY_KIND_REFUND:
        draft.add(
            RefundRequested(order_id=draft.case.order_id, amount_minor=remedy.amount_minor, currency=remedy.currency)
        )
    else:
        draft.add(
            CompensationRequested(
                order_id=draft.case.order_id,
                customer_id=draft.case.customer.customer_id,
                amount_minor=remedy.amount_minor,
                currency=remedy.currency,
            )
        )


def paid(draft: Draft) -> None:
    """The shop has paid: the remedy is carried out, and the case solved."""
    _carried_out(draft)
    closing.resolved(draft, Words(), solution=words(RemedyKind, draft.case.settlement.remedy.kind))


def dispatched(draft: Draft, outcome: ExchangeDispatched) -> None:
    """The other goods are on their way; the case is solved when they have arrived."""
    _carried_out(draft)
    parcel = ParcelReference(carrier=outcome.carrier, tracking_no=outcome.tracking_no)
    parcels.track(draft, parcel, ParcelDirection.PARCEL_DIRECTION_OUTBOUND, replacement=True)


def out_of_stock(draft: Draft) -> None:
    """What was to be exchanged is not there: a refund is offered instead."""
    draft.add(
        AlternativeOffered(alternatives=[RemedyKind.REMEDY_KIND_REFUND], why="out of stock"),
        rule="exchange.out_of_stock",
    )
    talk.tell(draft, Purpose.PURPOSE_OFFER, "out of stock")


def failed(draft: Draft, why: str) -> None:
    """The shop refused for good: a person must see to it."""
    alert(draft, Role.ROLE_TEAM_LEAD, f"the remedy failed: {why}")


def _approve_or_ask(draft: Draft, proposed_role: Role.ValueType) -> None:
    remedy = _priced(draft, draft.case.settlement.remedy)
    amount = worth(draft) if remedy.kind == RemedyKind.REMEDY_KIND_REFUND else _sum(remedy)
    if amount is not None and _owed_by_rule(draft, amount):
        approve(draft, Role.ROLE_SYSTEM, rule="return.eligible")
        return
    if draft.rules.may_decide(proposed_role, amount):
        approve(draft, proposed_role)
        return
    decisions.ask(draft, DecisionRequest.SUBJECT_SETTLEMENT, draft.rules.deciding_role(amount), amount=amount)


def _owed_by_rule(draft: Draft, amount: Money) -> bool:
    # What an eligible return had cost is owed whoever decides: the authority was in the eligibility. But only for goods
    # in order, and only once: in a later round something has been done for the customer already.
    details = draft.case.return_details
    eligible = (
        details.eligibility == ReturnDetails.ELIGIBILITY_APPROVED
        and details.inspection != ReturnDetails.INSPECTION_FAILED
    )
    refund = draft.case.settlement.remedy.kind == RemedyKind.REMEDY_KIND_REFUND
    return eligible and refund and draft.case.round == 1 and amount.within(price(draft))


def _carried_out(draft: Draft) -> None:
    draft.add(RemedyCarriedOut(remedy=_priced(draft, draft.case.settlement.remedy)))


def _comes_back(draft: Draft) -> bool:
    details, remedy = draft.case.return_details, _priced(draft, draft.case.settlement.remedy)
    here_already = details.inspection != ReturnDetails.INSPECTION_UNSPECIFIED
    if here_already or details.reason == ReturnReason.RETURN_REASON_NOT_RECEIVED:
        return False
    policy = draft.rules.policy
    worth_little = _sum(remedy).within(Money(policy.returns.keep_goods_up_to_minor, policy.authority.currency))
    return not (details.reason in _OUR_FAULT and remedy.kind in _MONEY and worth_little)


def _priced(draft: Draft, remedy: Remedy) -> Remedy:
    """The remedy with amount and currency: of the order where it names none."""
    priced = Remedy()
    priced.CopyFrom(remedy)
    paid = price(draft)
    if remedy.kind == RemedyKind.REMEDY_KIND_REFUND and not remedy.amount_minor and paid.minor:
        priced.amount_minor, priced.currency = paid
    elif not remedy.currency:
        priced.currency = paid.currency
    return priced


def _sum(remedy: Remedy) -> Money:
    return Money(remedy.amount_minor, remedy.currency)


def _require_goods_for_goods(draft: Draft, remedy: Remedy) -> None:
    most = _coming_back(draft)
    if remedy.kind == RemedyKind.REMEDY_KIND_EXCHANGE and _pieces(draft, remedy) > most:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_INVALID,
            f"an exchange is for as many pieces as come back: {most}",
            field="choose_alternative.remedy.quantity",
        )


def _coming_back(draft: Draft) -> int:
    return sum(item.quantity for item in draft.case.return_details.items)


def _pieces(draft: Draft, remedy: Remedy) -> int:
    """How many an exchange is for: as many as come back of the article, or of the first one, where it does not say."""
    items = draft.case.return_details.items
    same = next((item for item in items if item.sku == remedy.sku), items[0] if items else None)
    return remedy.quantity or (same.quantity if same else 1)


def _exchange_sku(draft: Draft, remedy: Remedy) -> str:
    if remedy.sku or draft.case.kind != Kind.KIND_RETURN:
        return remedy.sku
    return draft.case.return_details.items[0].sku
