"""Drills that start by themselves: Temporal Schedules, made and looked at through DrillService."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.service import RPCError, RPCStatusCode

from audit.log import Log
from casetrail.v1.drill_service_pb2 import (
    DeleteDrillScheduleRequest,
    DeleteDrillScheduleResponse,
    DrillSchedule,
    ListDrillSchedulesRequest,
    ListDrillSchedulesResponse,
    PauseDrillScheduleRequest,
    PauseDrillScheduleResponse,
    ScheduleDrillRequest,
    ScheduleDrillResponse,
    StartDrillRequest,
    TriggerDrillScheduleRequest,
    TriggerDrillScheduleResponse,
)
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Kind
from domain import Rejected
from domain.authority import DIRECTORS_OF_DRILLS
from engine.naming import SCHEDULED_DRILL, SCHEDULER, TASK_QUEUE
from engine.numbers import numbers
from server.calls import Unary
from server.principals import Principal
from server.temporal import Temporal

_PREFIX: Final = "drill/"
_AT: Final = "10:00"
_TIME_ZONE: Final = "Asia/Shanghai"


class DrillSchedules:
    """The schedules of drills."""

    def __init__(self, temporal: Temporal, log: Log) -> None:
        """Keep them at Temporal; the log knows the drills that they start."""
        self._temporal = temporal
        self._log = log

    def methods(self) -> Mapping[str, Unary]:
        """What it offers, by the names of the contract."""
        return {
            "ScheduleDrill": self.schedule,
            "ListDrillSchedules": self.list_schedules,
            "PauseDrillSchedule": self.pause,
            "TriggerDrillSchedule": self.trigger,
            "DeleteDrillSchedule": self.delete,
        }

    async def schedule(self, request: ScheduleDrillRequest, principal: Principal) -> ScheduleDrillResponse:
        """Have a drill started on these days.

        Raises:
            Rejected: A day does not exist, or there is such a schedule.
        """
        _require_director(principal)
        action = ScheduleActionStartWorkflow(
            SCHEDULED_DRILL,
            StartDrillRequest(scenario=request.scenario, scale=request.scale),
            id=f"{_PREFIX}{request.schedule_id}",
            task_queue=TASK_QUEUE,
        )
        schedule = Schedule(
            action=action,
            spec=_spec(request),
            # Two drills of one schedule at once would disturb each other.
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
            state=ScheduleState(note=request.scenario.title),
        )
        memo = {"scenario": request.scenario.id, "title": request.scenario.title}
        client = self._client()
        try:
            with _refusing(request.schedule_id):
                handle = await client.create_schedule(f"{_PREFIX}{request.schedule_id}", schedule, memo=memo)
                return ScheduleDrillResponse(schedule=await self._described(handle))
        except ScheduleAlreadyRunningError:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_ALREADY_SO,
                f"there is a schedule {request.schedule_id!r} already",
                "schedule_id",
            ) from None

    async def list_schedules(self, _: ListDrillSchedulesRequest, __: Principal) -> ListDrillSchedulesResponse:
        """Answer all of them, by name."""
        client, schedules = self._client(), []
        with _refusing(""):
            names = [found.id async for found in await client.list_schedules() if found.id.startswith(_PREFIX)]
        for name in sorted(names):
            try:
                with _refusing(name):
                    schedules.append(await self._described(client.get_schedule_handle(name)))
            except Rejected as refusal:
                if refusal.reason != RefusalReason.REFUSAL_REASON_UNKNOWN_SCHEDULE:  # else it was deleted meanwhile
                    raise
        return ListDrillSchedulesResponse(schedules=schedules)

    async def pause(self, request: PauseDrillScheduleRequest, principal: Principal) -> PauseDrillScheduleResponse:
        """Let a schedule rest, or go on.

        Raises:
            Rejected: There is none.
        """
        handle = self._handle(request.schedule_id, principal)
        with _refusing(request.schedule_id):
            await (handle.unpause if request.resume else handle.pause)(note=request.note or None)
            return PauseDrillScheduleResponse(schedule=await self._described(handle))

    async def trigger(self, request: TriggerDrillScheduleRequest, principal: Principal) -> TriggerDrillScheduleResponse:
        """Start its drill now.

        Raises:
            Rejected: There is none.
        """
        handle = self._handle(request.schedule_id, principal)
        with _refusing(request.schedule_id):
            await handle.trigger()
            return TriggerDrillScheduleResponse(schedule=await self._described(handle))

    async def delete(self, request: DeleteDrillScheduleRequest, principal: Principal) -> DeleteDrillScheduleResponse:
        """End a schedule.

        Raises:
            Rejected: There is none.
        """
        with _refusing(request.schedule_id):
            await self._handle(request.schedule_id, principal).delete()
        return DeleteDrillScheduleResponse()

    async def _described(self, handle: ScheduleHandle) -> DrillSchedule:
        found: ScheduleDescription = await handle.describe()
        memo: Mapping[str, Any] = await found.memo()
        schedule = DrillSchedule(
            schedule_id=found.id.removeprefix(_PREFIX),
            scenario_id=memo.get("scenario", ""),
            title=memo.get("title", ""),
            paused=found.schedule.state.paused,
            note=found.schedule.state.note or "",
        )
        for moment in found.info.next_action_times:
            schedule.next.add().FromDatetime(moment)
        for action in found.info.recent_actions:
            run = getattr(action.action, "workflow_id", "")
            drill_id = next(iter(numbers(Kind.KIND_DRILL, SCHEDULER, run)))
            if await self._log.rows_of(drill_id, limit=1):  # else it is about to begin
                schedule.drill_ids.append(drill_id)
        return schedule

    def _client(self) -> Client:
        return self._temporal.client()

    def _handle(self, schedule_id: str, principal: Principal) -> ScheduleHandle:
        _require_director(principal)
        return self._client().get_schedule_handle(f"{_PREFIX}{schedule_id}")


def _spec(request: ScheduleDrillRequest) -> ScheduleSpec:
    time_zone = request.time_zone or _TIME_ZONE
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, f"{time_zone!r} is no time zone", "time_zone") from None
    at = time.fromisoformat(request.at or _AT)
    yearly = [_every_year(day, f"yearly[{number}]") for number, day in enumerate(request.yearly)]
    once = [_once(day, at, zone, f"dates[{number}]") for number, day in enumerate(request.dates)]
    calendars = [_calendar(day, at) for day in yearly] + [_calendar(day, at, day.year) for day in once]
    return ScheduleSpec(calendars=calendars, time_zone_name=time_zone)


def _every_year(day: str, field: str) -> date:
    common_year = "2023"
    try:
        return date.fromisoformat(f"{common_year}-{day}")
    except ValueError:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_INVALID, f"{day} is not in the calendar of every year", field
        ) from None


def _once(day: str, at: time, zone: ZoneInfo, field: str) -> date:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, f"{day} is not in the calendar", field) from None
    if datetime.combine(found, at, zone) <= datetime.now(zone):
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, f"{day} {at:%H:%M} in {zone} is over", field)
    return found


def _calendar(day: date, at: time, year: int | None = None) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        hour=(ScheduleRange(at.hour),),
        minute=(ScheduleRange(at.minute),),
        month=(ScheduleRange(day.month),),
        day_of_month=(ScheduleRange(day.day),),
        year=(ScheduleRange(year),) if year else (),
    )


def _require_director(principal: Principal) -> None:
    if not principal.roles & DIRECTORS_OF_DRILLS:
        raise Rejected(RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED, f"{principal.name!r} may not schedule drills")


@contextmanager
def _refusing(schedule_id: str) -> Iterator[None]:
    """Refuse where Temporal has no such schedule, or cannot be asked.

    Raises:
        Rejected: UNKNOWN_SCHEDULE, WORKFLOW_UNAVAILABLE.
    """
    try:
        yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            message = f"there is no schedule {schedule_id!r}"
            raise Rejected(RefusalReason.REFUSAL_REASON_UNKNOWN_SCHEDULE, message, "schedule_id") from error
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WORKFLOW_UNAVAILABLE, f"Temporal cannot be asked now: {error.status.name}"
        ) from error
