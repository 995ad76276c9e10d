"""Parcels: followed until they arrive, asked after when they stall, given up when they are lost [S0 3.3]."""

from google.protobuf.duration_pb2 import Duration

from casetrail.v1.case_pb2 import Parcel
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.command_pb2 import ParcelReference, TrackParcel
from casetrail.v1.effect_pb2 import CarrierAsked, ParcelTrackingStarted, Purpose
from casetrail.v1.event_pb2 import AlternativeOffered, ParcelGivenUp, ParcelStalled
from casetrail.v1.types_pb2 import Kind, ParcelDirection, RemedyKind, Stage
from domain import promises
from domain.draft import Draft
from domain.lifecycles import talk
from domain.parts import parcel_of

# A return in which nothing has been agreed on yet.
_BEFORE_A_REMEDY = (
    Stage.STAGE_OPENED,
    Stage.STAGE_ACCEPTED,
    Stage.STAGE_IN_PROGRESS,
    Stage.STAGE_REJECTED,
    Stage.STAGE_PROPOSED,
    Stage.STAGE_NEGOTIATING,
)


def track_for_customer(draft: Draft, command: TrackParcel) -> None:
    """Follow a parcel that the customer asks about."""
    track(draft, command.parcel, ParcelDirection.PARCEL_DIRECTION_OUTBOUND)


def track(
    draft: Draft, parcel: ParcelReference, direction: ParcelDirection.ValueType, *, replacement: bool = False
) -> None:
    """Follow a parcel until it arrives or is given up."""
    draft.add(
        ParcelTrackingStarted(
            parcel_id=f"P{len(draft.case.parcels) + 1}",
            carrier=parcel.carrier,
            tracking_no=parcel.tracking_no,
            direction=direction,
            replacement=replacement,
        )
    )


def stalled(draft: Draft, clock: Clock) -> None:
    """No scan for a day: ask the carrier, tell the customer within two hours."""
    parcel = parcel_of(draft.case, clock.subject)
    if parcel.state != Parcel.STATE_UNDERWAY:
        return
    draft.add(ParcelStalled(parcel_id=parcel.parcel_id, without_scan=_without_scan(draft, clock)))
    draft.add(CarrierAsked(parcel_id=parcel.parcel_id, carrier=parcel.carrier, tracking_no=parcel.tracking_no))
    talk.tell(draft, Purpose.PURPOSE_PARCEL_STALLED, f"{parcel.carrier} {parcel.tracking_no}")


def given_up(draft: Draft, clock: Clock) -> None:
    """No scan for two days: it is taken as lost, and something is offered in its place."""
    parcel = parcel_of(draft.case, clock.subject)
    if parcel.state not in (Parcel.STATE_UNDERWAY, Parcel.STATE_STALLED):
        return
    draft.add(ParcelGivenUp(parcel_id=parcel.parcel_id, without_scan=_without_scan(draft, clock)))
    if not any(other.state == Parcel.STATE_STALLED for other in draft.case.parcels):
        promises.cancel(draft, "the parcel is given up", name="stall_notice")
    if _can_be_made_good(draft, parcel):
        offered = [RemedyKind.REMEDY_KIND_REFUND]
        if parcel.direction == ParcelDirection.PARCEL_DIRECTION_OUTBOUND:
            offered.append(RemedyKind.REMEDY_KIND_EXCHANGE)
        draft.add(AlternativeOffered(alternatives=offered, why="the parcel is lost"), rule="logistics.loss")
    talk.tell(draft, Purpose.PURPOSE_OFFER, f"{parcel.carrier} {parcel.tracking_no}")


def forget(draft: Draft, parcel_id: str) -> None:
    """Ask nobody about a parcel any more: a person knows that it is there."""
    for name in ("logistics_stall", "logistics_loss"):
        promises.cancel(draft, "the goods have arrived", name=name, subject=parcel_id)


def _can_be_made_good(draft: Draft, parcel: Parcel) -> bool:
    """Whether the parcel's loss leaves the customer of a return without what is owed."""
    if draft.case.kind != Kind.KIND_RETURN:
        return False
    if parcel.direction == ParcelDirection.PARCEL_DIRECTION_INBOUND:
        return draft.case.stage == Stage.STAGE_AWAITING_GOODS
    if parcel.replacement:
        return draft.case.stage == Stage.STAGE_CARRYING_OUT
    return draft.case.stage in _BEFORE_A_REMEDY


def _without_scan(draft: Draft, clock: Clock) -> Duration:
    # The clock began with the last scan, or with the tracking where there was none.
    return Duration(seconds=draft.at - clock.started_at.seconds)
