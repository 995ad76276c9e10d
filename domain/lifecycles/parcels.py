"""Parcels: followed until they arrive, asked after when they stall, given up when they are lost [S0 3.3]."""

from google.protobuf.duration_pb2 import Duration

from casetrail.v1.case_pb2 import Parcel
from casetrail.v1.command_pb2 import ParcelReference, TrackParcel
from casetrail.v1.effect_pb2 import CarrierAsked, ParcelTrackingStarted, Purpose
from casetrail.v1.event_pb2 import AlternativeOffered, ParcelGivenUp, ParcelStalled
from casetrail.v1.types_pb2 import Kind, ParcelDirection, RemedyKind
from domain import promises
from domain.draft import Draft
from domain.evolve import find_parcel
from domain.lifecycles import talk


def track_for_customer(draft: Draft, command: TrackParcel) -> None:
    """Follow a parcel that the customer asks about."""
    track(draft, command.parcel, ParcelDirection.PARCEL_DIRECTION_OUTBOUND)


def track(draft: Draft, parcel: ParcelReference, direction: ParcelDirection.ValueType) -> None:
    """Follow a parcel until it arrives or is given up."""
    draft.add(
        ParcelTrackingStarted(
            parcel_id=f"P{len(draft.case.parcels) + 1}",
            carrier=parcel.carrier,
            tracking_no=parcel.tracking_no,
            direction=direction,
        )
    )


def stalled(draft: Draft, parcel_id: str) -> None:
    """No scan for a day: ask the carrier, tell the customer within two hours."""
    parcel = find_parcel(draft.case, parcel_id)
    if parcel.state != Parcel.STATE_UNDERWAY:
        return
    draft.add(ParcelStalled(parcel_id=parcel_id, without_scan=_without_scan(draft, parcel)))
    draft.add(CarrierAsked(parcel_id=parcel_id, carrier=parcel.carrier, tracking_no=parcel.tracking_no))
    talk.tell(draft, Purpose.PURPOSE_PARCEL_STALLED, f"{parcel.carrier} {parcel.tracking_no}")


def given_up(draft: Draft, parcel_id: str) -> None:
    """No scan for two days: it is taken as lost, and something is offered in its place."""
    parcel = find_parcel(draft.case, parcel_id)
    if parcel.state not in (Parcel.STATE_UNDERWAY, Parcel.STATE_STALLED):
        return
    draft.add(ParcelGivenUp(parcel_id=parcel_id, without_scan=_without_scan(draft, parcel)))
    promises.cancel(draft, "the parcel is given up", name="stall_notice")
    if draft.case.kind == Kind.KIND_RETURN:
        offered = [RemedyKind.REMEDY_KIND_REFUND]
        if parcel.direction == ParcelDirection.PARCEL_DIRECTION_OUTBOUND:
            offered.append(RemedyKind.REMEDY_KIND_EXCHANGE)
        draft.add(AlternativeOffered(alternatives=offered, why="the parcel is lost"), rule="logistics.loss")
    talk.tell(draft, Purpose.PURPOSE_OFFER, f"{parcel.carrier} {parcel.tracking_no}")


def _without_scan(draft: Draft, parcel: Parcel) -> Duration:
    since = parcel.last_scan_at.seconds if parcel.HasField("last_scan_at") else draft.case.opened_at.seconds
    return Duration(seconds=max(0, draft.at - since))
