"""How case time follows from real time."""

from datetime import datetime, timedelta

from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.command_pb2 import Command
from casetrail.v1.errors_pb2 import RefusalReason
from domain.instants import EARLIEST, LATEST, Instant, from_datetime, instant, to_datetime
from domain.refusal import Rejected


def case_now(base: TimeBase, now: datetime) -> Instant:
    """The case's time at a real moment; for a scaled case `origin + (now - origin) × scale`, until time ends."""
    if base.mode != TimeBase.MODE_SCALED:
        return from_datetime(now)
    origin = to_datetime(instant(base.origin))
    return min(instant(base.origin) + int((now - origin).total_seconds() * base.scale), LATEST)


def real_time(base: TimeBase, at: Instant) -> datetime | None:
    """The first real moment at which the case's time is `at`; None when that never comes, as on an importer's clock."""
    if base.mode == TimeBase.MODE_IMPORTED or at > LATEST:
        return None
    if base.mode != TimeBase.MODE_SCALED:
        return to_datetime(at)
    origin = instant(base.origin)
    # A microsecond more, so that the cut to whole seconds cannot fall just short of `at`.
    return to_datetime(origin) + timedelta(seconds=(at - origin) / base.scale, microseconds=1)


def command_time(case: Case, command: Command, now: datetime) -> Instant:
    """The case time at which a command for an open case counts.

    A live or scaled case takes it from the real clock, which may lag behind what is written: never backwards.

    Raises:
        Rejected: WRONG_TIME when a case on the importer's clock gets no time, or an earlier one than it has, or one
            that nothing can follow, or when any other case gets one.
    """
    reached = instant(case.updated_at)
    if case.time_base.mode != TimeBase.MODE_IMPORTED:
        if command.HasField("at"):
            raise Rejected(
                RefusalReason.REFUSAL_REASON_WRONG_TIME,
                f"{case.case_id} runs on real time; leave `at` out",
                field="at",
            )
        return max(case_now(case.time_base, now), reached)
    if command.HasField("hand_over"):
        return max(from_datetime(now), reached)
    if not command.HasField("at"):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_TIME,
            f"{case.case_id} stands on the importer's clock; give `at`, or hand it over to live time first",
            field="at",
        )
    if instant(command.at) < reached:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_TIME,
            f"time never runs backwards: {case.case_id} has reached {to_datetime(reached):%Y-%m-%dT%H:%M:%SZ}",
            field="at",
        )
    return source_time(command)


def source_time(command: Command) -> Instant:
    """When a command counts that says so itself.

    Raises:
        Rejected: WRONG_TIME when that is no time of ours, such as the year 1 for none.
    """
    at = instant(command.at)
    if not EARLIEST <= at <= LATEST:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_TIME,
            f"{to_datetime(at):%Y-%m-%d} lies before {to_datetime(EARLIEST):%Y} or after {to_datetime(LATEST):%Y}",
            field="at",
        )
    return at
