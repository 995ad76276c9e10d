"""Follows parcels: the carrier's scans, and the carrier's answers."""

from typing import Final

from temporalio import activity

from activities.effects import Errand, Errands, case_instant
from activities.shop import Scan, ScanStatus, ShopRefusedError
from casetrail.v1 import types_pb2
from casetrail.v1.effect_pb2 import (
    CarrierAnswered,
    Outcome,
    ParcelDelivered,
    ParcelScanned,
    ParcelTrackingFailed,
)
from casetrail.v1.workflow_pb2 import EffectRun
from domain.parts import parcel_of

_QUESTION: Final = "This parcel has not been scanned for a day or more. Where is it, and when will it arrive?"


class Parcels:
    """Carriers, as the shop's systems reach them."""

    def __init__(self, errands: Errands) -> None:
        """Ask what errands ask for."""
        self._errands = errands

    @activity.defn
    async def poll_parcel(self, run: EffectRun) -> None:
        """Log every scan that is newer than the last one in the log, the oldest first; the delivery ends it."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        followed = errand.effect.tracking
        try:
            scans = await errand.outside.shop.parcel(followed.carrier, followed.tracking_no)
        except ShopRefusedError as refused:
            lost = ParcelTrackingFailed(parcel_id=followed.parcel_id, why=refused.reason)
            await self._errands.report(run, Outcome(tracking_failed=lost))
            return
        for scan in scans:
            await self._log(run, errand, scan)
            if scan.status == ScanStatus.DELIVERED:
                return

    @activity.defn
    async def ask_carrier(self, run: EffectRun) -> None:
        """Ask where a parcel is, once, and log under which reference the carrier looks into it."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        asked = errand.effect.carrier_question
        try:
            reference = await errand.outside.shop.ask_carrier(
                asked.carrier, asked.tracking_no, _QUESTION, run.effect_id
            )
        except ShopRefusedError as refused:
            reference = f"refused: {refused.reason}"
        answered = CarrierAnswered(parcel_id=asked.parcel_id, reference=reference)
        await self._errands.report(run, Outcome(carrier_answered=answered))

    async def _log(self, run: EffectRun, errand: Errand, scan: Scan) -> None:
        at = case_instant(errand.case.time_base, scan.at)
        name = f"{scan.status.value}@{scan.at:%Y%m%dT%H%M%S.%f}"
        # Most are older than the last one known; of the same second, only the log can tell. A delivery counts however
        # old: the clocks of two depots need not agree.
        is_old = at < _last_scan(errand) and scan.status != ScanStatus.DELIVERED
        if is_old or await self._errands.was_reported(run, name):
            return
        parcel_id = errand.effect.tracking.parcel_id
        told = types_pb2.Scan(place=scan.place, status=scan.status.value)
        told.scanned_at.seconds = at
        if scan.status == ScanStatus.DELIVERED:
            outcome = Outcome(parcel_delivered=ParcelDelivered(parcel_id=parcel_id, scan=told))
        else:
            outcome = Outcome(parcel_scanned=ParcelScanned(parcel_id=parcel_id, scan=told))
        await self._errands.report(run, outcome, name=name)


def _last_scan(errand: Errand) -> int:
    return parcel_of(errand.case, errand.effect.tracking.parcel_id).last_scan_at.seconds
