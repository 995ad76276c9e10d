"""Schedules of drills while Temporal, which keeps them, does not do what it is asked."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from temporalio.client import Client

from audit.sqlite import SqliteLog
from casetrail.v1.drill_service_pb2 import ScheduleDrillRequest
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Role
from domain import Rejected
from server.drill_schedules import DrillSchedules
from server.principals import Principal
from server.temporal import Temporal

DIRECTOR = Principal(name="lead", roles=frozenset({Role.ROLE_INCIDENT_LEAD}), may_act_as=frozenset(), token_sha256="")


@pytest_asyncio.fixture
async def schedules(tmp_path: Path) -> AsyncIterator[DrillSchedules]:
    """Schedules at a server that is there, and does nothing of what Temporal does."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    temporal = Temporal(lambda: Client.connect(f"127.0.0.1:{port}"))
    await temporal.connect()
    log = SqliteLog(tmp_path / "log.db")
    yield DrillSchedules(temporal, log)
    await log.close()
    await server.stop(0)


async def test_whoever_schedules_a_drill_is_told_that_temporal_does_not_do_it(schedules: DrillSchedules) -> None:
    request = ScheduleDrillRequest(schedule_id="yearly", yearly=["03-15"])

    with pytest.raises(Rejected) as refused:
        await schedules.schedule(request, DIRECTOR)

    assert refused.value.reason == RefusalReason.REFUSAL_REASON_WORKFLOW_UNAVAILABLE


@pytest.mark.parametrize(
    ("when", "field", "says"),
    [
        ({"yearly": ["02-29"]}, "yearly[0]", "02-29 is not in the calendar of every year"),
        ({"dates": ["2027-02-29"]}, "dates[0]", "2027-02-29 is not in the calendar"),
        ({"yearly": ["03-15"], "dates": ["2020-01-01"]}, "dates[0]", "2020-01-01 10:00 in Asia/Shanghai is over"),
    ],
)
async def test_a_day_on_which_no_drill_would_start_is_refused(
    schedules: DrillSchedules, when: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(Rejected, match=f"^{says}$") as refused:
        await schedules.schedule(ScheduleDrillRequest(schedule_id="drill", **when), DIRECTOR)

    assert (refused.value.reason, refused.value.field) == (RefusalReason.REFUSAL_REASON_INVALID, field)


async def test_a_day_that_is_to_come_is_for_temporal(schedules: DrillSchedules) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    with pytest.raises(Rejected) as refused:
        await schedules.schedule(ScheduleDrillRequest(schedule_id="drill", dates=[tomorrow], at="23:59"), DIRECTOR)

    assert refused.value.reason == RefusalReason.REFUSAL_REASON_WORKFLOW_UNAVAILABLE
