"""What becomes of a return, of the order that it is about, and of parcels on their way."""

from casetrail.v1.case_pb2 import Case, Parcel, ReturnDetails
from casetrail.v1.effect_pb2 import OrderFound, OrderNotFound, ParcelDelivered, ParcelScanned, ParcelTrackingStarted
from casetrail.v1.event_pb2 import (
    EligibilityDecided,
    Event,
    GoodsInspected,
    GoodsReceived,
    ParcelGivenUp,
    ParcelStalled,
)
from casetrail.v1.types_pb2 import Stage
from domain.changes.settlements import take_offer_back
from domain.changes.table import Changes
from domain.effects import drop_effects
from domain.parts import parcel_of

CHANGES = Changes()


@CHANGES.on("order_found")
def _order_found(case: Case, event: Event, body: OrderFound) -> None:
    order = case.order
    order.found = True
    order.order_id = body.order_id
    order.state = body.state
    order.category = body.category
    order.paid_minor = body.paid_minor
    order.currency = body.currency
    if body.HasField("paid_at"):
        order.paid_at.CopyFrom(body.paid_at)
    if body.HasField("delivered_at"):
        order.delivered_at.CopyFrom(body.delivered_at)


@CHANGES.on("order_not_found")
def _order_not_found(case: Case, event: Event, body: OrderNotFound) -> None:
    case.order.order_id = body.order_id
    case.order.found = False


@CHANGES.on("eligibility_decided")
def _eligibility_decided(case: Case, event: Event, body: EligibilityDecided) -> None:
    case.return_details.eligibility = body.eligibility
    case.return_details.goods_come_back = body.goods_come_back
    take_offer_back(case)
    if body.eligibility == ReturnDetails.ELIGIBILITY_REJECTED:
        case.stage = Stage.STAGE_REJECTED
    elif body.goods_come_back:
        case.stage = Stage.STAGE_AWAITING_GOODS
    else:
        case.stage = Stage.STAGE_CARRYING_OUT


@CHANGES.on("goods_received")
def _goods_received(case: Case, event: Event, body: GoodsReceived) -> None:
    case.stage = Stage.STAGE_RECEIVED
    take_offer_back(case)
    if body.parcel_id:
        parcel_of(case, body.parcel_id).state = Parcel.STATE_DELIVERED
        _drop_tracking(case, body.parcel_id)


@CHANGES.on("goods_inspected")
def _goods_inspected(case: Case, event: Event, body: GoodsInspected) -> None:
    case.return_details.inspection = body.inspection
    if body.inspection == ReturnDetails.INSPECTION_FAILED:
        case.stage = Stage.STAGE_REJECTED
    else:
        case.stage = Stage.STAGE_CARRYING_OUT


@CHANGES.on("parcel_tracking_started")
def _parcel_tracking_started(case: Case, event: Event, body: ParcelTrackingStarted) -> None:
    case.parcels.add(
        parcel_id=body.parcel_id,
        carrier=body.carrier,
        tracking_no=body.tracking_no,
        direction=body.direction,
        state=Parcel.STATE_UNDERWAY,
        replacement=body.replacement,
    )


@CHANGES.on("parcel_scanned")
def _parcel_scanned(case: Case, event: Event, body: ParcelScanned) -> None:
    _scan(case, body, Parcel.STATE_UNDERWAY)


@CHANGES.on("parcel_delivered")
def _parcel_delivered(case: Case, event: Event, body: ParcelDelivered) -> None:
    _scan(case, body, Parcel.STATE_DELIVERED)


@CHANGES.on("parcel_stalled")
def _parcel_stalled(case: Case, event: Event, body: ParcelStalled) -> None:
    parcel_of(case, body.parcel_id).state = Parcel.STATE_STALLED


@CHANGES.on("parcel_given_up")
def _parcel_given_up(case: Case, event: Event, body: ParcelGivenUp) -> None:
    parcel_of(case, body.parcel_id).state = Parcel.STATE_GIVEN_UP
    _drop_tracking(case, body.parcel_id)


def _scan(case: Case, body: ParcelScanned | ParcelDelivered, state: Parcel.State.ValueType) -> None:
    parcel = parcel_of(case, body.parcel_id)
    parcel.state = state
    parcel.last_scan_at.CopyFrom(body.scan.scanned_at)
    parcel.last_scan_place = body.scan.place


def _drop_tracking(case: Case, parcel_id: str) -> None:
    drop_effects(case, lambda effect: effect.tracking.parcel_id == parcel_id)
