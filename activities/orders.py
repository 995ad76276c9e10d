"""What a case asks of the shop: the order, money, other goods."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.effects import Errand, Errands, case_instant, refusals_as_failures
from activities.shop import Order, OutOfStockError, Reservation, ShopRefusedError
from casetrail.v1.case_pb2 import Case
from casetrail.v1.effect_pb2 import (
    Compensated,
    CompensationFailed,
    ExchangeDispatched,
    ExchangeFailed,
    ExchangeUnavailable,
    OrderFound,
    OrderNotFound,
    Outcome,
    Refunded,
    RefundFailed,
)
from casetrail.v1.workflow_pb2 import EffectRun


class Orders:
    """The shop's systems, as effects use them."""

    def __init__(self, errands: Errands) -> None:
        """Ask what errands ask for."""
        self._errands = errands

    @activity.defn
    async def look_up_order(self, run: EffectRun) -> None:
        """Ask what the shop knows of the order, and log it."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        order_id = errand.effect.order_lookup.order_id
        try:
            order = await errand.outside.shop.order(order_id)
        except ShopRefusedError:
            # It cannot be an order's id at all.
            order = None
        if order is None:
            outcome = Outcome(order_not_found=OrderNotFound(order_id=order_id))
        else:
            outcome = Outcome(order_found=_found(order, errand.case))
        await self._errands.report(run, outcome)

    @activity.defn
    async def refund(self, run: EffectRun) -> None:
        """Pay back, once, and log the shop's receipt or refusal."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        asked = errand.effect.refund
        currency = await self._currency(errand, asked.currency)
        try:
            receipt = await errand.outside.shop.refund(asked.order_id, asked.amount_minor, currency, run.effect_id)
        except ShopRefusedError as refused:
            outcome = Outcome(refund_failed=RefundFailed(why=refused.reason, message=refused.message))
        else:
            outcome = Outcome(
                refunded=Refunded(
                    amount_minor=receipt.amount_minor, currency=receipt.currency, reference=receipt.receipt_id
                )
            )
        await self._errands.report(run, outcome)

    @activity.defn
    async def compensate(self, run: EffectRun) -> None:
        """Give something for the trouble, once, and log the shop's receipt or refusal."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        asked = errand.effect.compensation
        currency = await self._currency(errand, asked.currency)
        beneficiary = asked.order_id or asked.customer_id
        try:
            receipt = await errand.outside.shop.compensate(beneficiary, asked.amount_minor, currency, run.effect_id)
        except ShopRefusedError as refused:
            failed = CompensationFailed(why=refused.reason, message=refused.message)
            outcome = Outcome(compensation_failed=failed)
        else:
            outcome = Outcome(
                compensated=Compensated(
                    amount_minor=receipt.amount_minor, currency=receipt.currency, reference=receipt.receipt_id
                )
            )
        await self._errands.report(run, outcome)

    @activity.defn
    async def reserve_exchange(self, run: EffectRun) -> Reservation | None:
        """Keep other goods back. None when that is the end of it: out of stock, refused, or not wanted any more."""
        errand = await self._errands.find(run)
        if errand is None:
            return None
        asked = errand.effect.exchange
        try:
            return await errand.outside.shop.reserve(
                asked.order_id, asked.sku, asked.quantity or 1, f"{run.effect_id}/reserve"
            )
        except OutOfStockError:
            outcome = Outcome(exchange_unavailable=ExchangeUnavailable(sku=asked.sku))
        except ShopRefusedError as refused:
            outcome = Outcome(exchange_failed=ExchangeFailed(why=refused.reason, message=refused.message))
        await self._errands.report(run, outcome)
        return None

    @activity.defn
    async def dispatch_exchange(self, run: EffectRun, reservation: Reservation) -> None:
        """Send what was reserved, and log the parcel.

        Raises:
            ApplicationError: The shop will not send it, or nobody wants it any more; the goods are still reserved.
        """
        errand = await self._errands.find(run)
        if errand is None:
            raise ApplicationError("nobody wants it any more", type="NOT_WANTED", non_retryable=True)
        try:
            parcel = await errand.outside.shop.dispatch(reservation, f"{run.effect_id}/dispatch")
        except ShopRefusedError as refused:
            raise ApplicationError(refused.message, type=refused.reason, non_retryable=True) from refused
        await self._errands.report(
            run,
            Outcome(
                exchange_dispatched=ExchangeDispatched(
                    sku=reservation.sku,
                    carrier=parcel.carrier,
                    tracking_no=parcel.tracking_no,
                    reference=reservation.reservation_id,
                )
            ),
        )

    @activity.defn
    async def release_exchange(self, run: EffectRun, reservation: Reservation) -> None:
        """Put what was reserved back on the shelf."""
        outside = await self._errands.outside_of(run)
        try:
            await outside.shop.release(reservation, f"{run.effect_id}/release")
        except ShopRefusedError as refused:
            # Nothing is kept back under this reservation: released, or dispatched by an attempt whose answer got lost.
            activity.logger.info("nothing to release", extra={"reason": refused.reason})

    @activity.defn
    async def fail_exchange(self, run: EffectRun, why: str, message: str) -> None:
        """Log that an exchange failed for good."""
        await self._errands.report(run, Outcome(exchange_failed=ExchangeFailed(why=why, message=message)))

    async def _currency(self, errand: Errand, asked: str) -> str:
        """The currency asked for, else the order's, else the policy's."""
        if asked or errand.case.order.currency:
            return asked or errand.case.order.currency
        with refusals_as_failures():
            rules = await self._errands.engine.rules_of(errand.case)
        return rules.policy.authority.currency


def _found(order: Order, case: Case) -> OrderFound:
    found = OrderFound(
        order_id=order.order_id,
        state=order.state.value,
        category=_category(order, case),
        paid_minor=order.paid_minor,
        currency=order.currency,
    )
    if order.paid_at:
        found.paid_at.seconds = case_instant(case.time_base, order.paid_at)
    if order.delivered_at:
        found.delivered_at.seconds = case_instant(case.time_base, order.delivered_at)
    return found


def _category(order: Order, case: Case) -> str:
    """The category of what is sent back, else of what was bought."""
    returned = {item.sku for item in case.return_details.items}
    bought = [item.category for item in order.items]
    return next((item.category for item in order.items if item.sku in returned), bought[0] if bought else "")
