"""The projection: what the log keeps of each case beside its bytes, so that cases can be found.

All of it follows from the case alone, so a verifier can compute it again.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from google.protobuf.message import DecodeError

from audit.log import LogDamagedError
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.types_pb2 import Stage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Findable(NamedTuple):
    """The columns that a case is found by.

    Attributes:
        closed: Whether nothing more will happen unless somebody reopens it.
        live: Whether it is open and real time moves it, so that a workflow must know it.
        running: How many of its clocks run.
        overdue: How many of its clocks are breached and not kept.
        drill_id: The drill that it is part of; empty when it is real.
    """

    kind: int
    stage: int
    priority: int
    channel: int
    category: str
    owner: str
    team: str
    customer_id: str
    order_id: str
    opened_at: int
    closed: bool
    live: bool
    running: int
    overdue: int
    drill_id: str


def findable(case: Case) -> Findable:
    """The columns of a case."""
    closed = case.stage == Stage.STAGE_CLOSED
    running = overdue = 0
    for clock in case.clocks:
        if clock.state not in (Clock.STATE_RUNNING, Clock.STATE_PAUSED):
            continue
        running += clock.state == Clock.STATE_RUNNING
        overdue += clock.breached
    return Findable(
        kind=case.kind,
        stage=case.stage,
        priority=case.priority,
        channel=case.channel,
        category=case.category,
        owner=case.owner,
        team=case.team,
        customer_id=case.customer.customer_id,
        order_id=case.order_id,
        opened_at=case.opened_at.seconds,
        closed=closed,
        live=not closed and case.time_base.mode != TimeBase.MODE_IMPORTED,
        running=running,
        overdue=overdue,
        drill_id=case.drill_id,
    )


def case_of(body: bytes) -> Case:
    """The case from its bytes, its personal fields as they are stored.

    Raises:
        LogDamagedError: They are none.
    """
    try:
        return Case.FromString(body)
    except DecodeError as error:
        raise LogDamagedError(
            f"the projection holds a case that cannot be read ({error}): run `casetrail-db verify`"
        ) from error


def newest_effect(case: Case) -> int:
    """The seq of the last event that demanded what is still pending; 0 when nothing is."""
    return max((int(effect.effect_id.rpartition(":")[2]) for effect in case.pending_effects), default=0)


def milliseconds(when: datetime | None) -> int | None:
    """A real moment as the projection keeps it: milliseconds since 1970, never earlier than it is."""
    return None if when is None else -((_EPOCH - when) // _MILLISECOND)


def moment(kept: int | None) -> datetime | None:
    """A real moment from the projection."""
    return None if kept is None else _EPOCH + kept * _MILLISECOND
