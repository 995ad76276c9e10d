"""What a carrier says of a parcel, and what of it the log takes."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.effects import Errands
from activities.outside import Outside, Rehearsal, World
from activities.parcels import Parcels
from activities.shop import Scan, ScanStatus
from audit.sqlite import SqliteLog
from casetrail.v1.command_pb2 import ParcelReference
from casetrail.v1.workflow_pb2 import EffectRun
from engine.engine import Engine
from engine.rulebooks import Rulebooks
from tests.asked import opening
from tests.fakes import CornerShop, Mailbox, NotedNudges
from tests.policies import shipped_policy


@pytest.fixture
async def engine(log: SqliteLog) -> Engine:
    return Engine(log, await Rulebooks.keep(log, shipped_policy()), NotedNudges())


async def test_a_delivery_counts_though_the_scan_before_is_dated_later(engine: Engine) -> None:
    """The clocks of two depots need not agree."""
    asked = opening(parcel=ParcelReference(carrier="sf", tracking_no="SF1"))
    case = (await engine.execute(asked)).case
    (effect,) = (each for each in case.pending_effects if each.HasField("tracking"))
    shop, now = CornerShop(), datetime.now(UTC)
    parcels = Parcels(Errands(engine, World(Outside(Mailbox(), shop), Rehearsal(Mailbox()))))
    run = EffectRun(case_id=case.case_id, effect_id=effect.effect_id)
    shop.scans.append(Scan(now, "Hangzhou", ScanStatus.IN_TRANSIT))
    await parcels.poll_parcel(run)
    shop.scans.append(Scan(now - timedelta(minutes=5), "Xi'an", ScanStatus.DELIVERED))
    await parcels.poll_parcel(run)
    assert await engine.pending_effect(case.case_id, effect.effect_id) is None
