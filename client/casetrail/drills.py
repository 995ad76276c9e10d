"""Drills: start, follow, disturb, end, report on, schedule and simulate them. Reached as `client.drills`."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Unpack

from casetrail.calling import Calls
from casetrail.commands import How, new_request_id
from casetrail.patience import Patience
from casetrail.receipts import Keep
from casetrail.v1 import drill_service_pb2 as wire
from casetrail.v1.case_service_pb2 import CaseFilter, ListCasesRequest
from casetrail.v1.case_service_pb2_grpc import CaseServiceStub
from casetrail.v1.drill_service_pb2_grpc import DrillServiceStub
from casetrail.v1.inject_pb2 import Inject
from casetrail.v1.scenario_pb2 import Scenario
from casetrail.v1.types_pb2 import Kind

if TYPE_CHECKING:
    # Names that only the generated stubs have: the same classes, as an asynchronous channel makes them.
    from casetrail.v1.case_service_pb2_grpc import CaseServiceAsyncStub
    from casetrail.v1.drill_service_pb2_grpc import DrillServiceAsyncStub

# A thousand runs of a large scenario take a while, and none of it is waiting.
_SIMULATION = Patience(attempt=600.0, overall=900.0, again=Patience().overall)

_PAGE = 500


class Drills:
    """The drills of a service. Writes carry request ids and are retried, as everywhere in the client."""

    def __init__(self, calls: Calls, keep: Keep) -> None:
        """Made by the client, over its own channel."""
        self._stub: DrillServiceAsyncStub = DrillServiceStub(calls.channel)
        self._cases: CaseServiceAsyncStub = CaseServiceStub(calls.channel)
        self._calls = calls
        self._keep_receipt = keep

    async def start(self, scenario: Scenario, *, scale: float = 0, **how: Unpack[How]) -> wire.StartDrillResponse:
        """Begin a drill.

        Args:
            scenario: What is rehearsed; `casetrail.scenario_file.load` reads one.
            scale: Case seconds per real second; the scenario's when left out.
            how: Request id and actor.
        """
        request = wire.StartDrillRequest(
            request_id=how.get("request_id") or new_request_id(),
            on_behalf_of=how.get("actor"),
            scenario=scenario,
            scale=scale,
        )
        started = await self._calls.ask(self._stub.StartDrill, request, request.request_id)
        self._keep_receipt(started.drill.case_id, request.request_id, started.receipt)
        return started

    async def get(self, case_id: str) -> wire.GetDrillResponse:
        """The drill as it is now, its scenario, and the cases in it."""
        request = wire.GetDrillRequest(case_id=case_id, without_cases=True)
        found = await self._calls.ask(self._stub.GetDrill, request)
        if not found.cases:  # an older service gives them at once
            listing = ListCasesRequest(filter=CaseFilter(drill_id=case_id, include_drills=True), page_size=_PAGE)
            pages = [page async for page in self._calls.pages(self._cases.ListCases, listing)]
            cases = [case for page in pages for case in page.cases if case.kind != Kind.KIND_DRILL]
            found.cases.extend(reversed(cases))
        return found

    async def watch(self, case_id: str, *, after_seq: int = 0) -> AsyncIterator[wire.WatchDrillResponse]:
        """Every event of a drill after one, with the drill after it, until it is over and everything put right."""
        answers = self._calls.follow(
            self._stub.WatchDrill,
            lambda seq: wire.WatchDrillRequest(case_id=case_id, after_seq=seq),
            place=lambda answer: answer.event.seq,
            after=after_seq,
        )
        async for answer in answers:
            yield answer
            if answer.event.HasField("drill_cleared"):
                return

    async def inject(self, case_id: str, inject: Inject, **how: Unpack[How]) -> wire.DrillWritten:
        """Let something happen now that the script does not have."""
        request = wire.InjectIntoDrillRequest(call=_call(case_id, how), inject=inject)
        answer = await self._calls.ask(self._stub.InjectIntoDrill, request, request.call.request_id)
        return self._kept(answer.written, request.call.request_id)

    async def abort(self, case_id: str, why: str, **how: Unpack[How]) -> wire.DrillWritten:
        """End a drill before its time."""
        request = wire.AbortDrillRequest(call=_call(case_id, how), why=why)
        answer = await self._calls.ask(self._stub.AbortDrill, request, request.call.request_id)
        return self._kept(answer.written, request.call.request_id)

    async def remark(
        self, case_id: str, *, problem: str = "", improvement: str = "", **how: Unpack[How]
    ) -> wire.DrillWritten:
        """Note what went badly, or is to become better, for the report."""
        request = wire.RemarkDrillRequest(call=_call(case_id, how), problem=problem, improvement=improvement)
        answer = await self._calls.ask(self._stub.RemarkDrill, request, request.call.request_id)
        return self._kept(answer.written, request.call.request_id)

    async def report(self, case_id: str, *, html: bool = False, locale: str = "") -> wire.GetDrillReportResponse:
        """《演练报告》, made from the log: the same log gives the same bytes.

        Args:
            case_id: The drill.
            html: As a page instead of Markdown.
            locale: en or zh-CN; the scenario's when left out.
        """
        form = wire.GetDrillReportRequest.FORM_HTML if html else wire.GetDrillReportRequest.FORM_MARKDOWN
        request = wire.GetDrillReportRequest(case_id=case_id, form=form, locale=locale)
        return await self._calls.ask(self._stub.GetDrillReport, request)

    async def simulate(self, scenario: Scenario, *, runs: int = 0, seed: int = 0) -> wire.SimulateDrillResponse:
        """Run a scenario through the rules alone, with response times drawn from its distributions.

        Args:
            scenario: What is rehearsed.
            runs: How often; 1000 when left out.
            seed: The same gives the same result.
        """
        request = wire.SimulateDrillRequest(scenario=scenario, runs=runs, seed=seed)
        return await self._calls.ask(self._stub.SimulateDrill, request, patience=_SIMULATION)

    # --- schedules ----------------------------------------------------------------------------------------------------

    async def schedule(
        self,
        schedule_id: str,
        scenario: Scenario,
        *,
        yearly: Sequence[str] = (),
        dates: Sequence[str] = (),
        at: str = "",
        time_zone: str = "",
        scale: float = 0,
    ) -> wire.DrillSchedule:
        """Have a drill started every year, on single days, or both.

        Args:
            schedule_id: Its name: small letters, digits and dashes.
            scenario: What is rehearsed.
            yearly: Days of every year, MM-DD.
            dates: Single days, YYYY-MM-DD, for example before a promotion.
            at: HH:MM; 10:00 when left out.
            time_zone: IANA; Asia/Shanghai when left out.
            scale: Case seconds per real second; the scenario's when left out.
        """
        request = wire.ScheduleDrillRequest(
            schedule_id=schedule_id,
            scenario=scenario,
            yearly=yearly,
            dates=dates,
            at=at,
            time_zone=time_zone,
            scale=scale,
        )
        answer = await self._calls.ask(self._stub.ScheduleDrill, request)
        return answer.schedule

    async def schedules(self) -> Sequence[wire.DrillSchedule]:
        """What is scheduled."""
        answer = await self._calls.ask(self._stub.ListDrillSchedules, wire.ListDrillSchedulesRequest())
        return answer.schedules

    async def pause(self, schedule_id: str, *, resume: bool = False, note: str = "") -> wire.DrillSchedule:
        """Let a schedule rest, or go on."""
        request = wire.PauseDrillScheduleRequest(schedule_id=schedule_id, resume=resume, note=note)
        answer = await self._calls.ask(self._stub.PauseDrillSchedule, request)
        return answer.schedule

    async def trigger(self, schedule_id: str) -> wire.DrillSchedule:
        """Start what is scheduled now."""
        request = wire.TriggerDrillScheduleRequest(schedule_id=schedule_id)
        answer = await self._calls.ask(self._stub.TriggerDrillSchedule, request)
        return answer.schedule

    async def unschedule(self, schedule_id: str) -> None:
        """End a schedule."""
        request = wire.DeleteDrillScheduleRequest(schedule_id=schedule_id)
        await self._calls.ask(self._stub.DeleteDrillSchedule, request)

    def _kept(self, written: wire.DrillWritten, request_id: str) -> wire.DrillWritten:
        """What was written, once its receipt is kept."""
        self._keep_receipt(written.drill.case_id, request_id, written.receipt)
        return written


def _call(case_id: str, how: How) -> wire.DrillCall:
    return wire.DrillCall(
        case_id=case_id, request_id=how.get("request_id") or new_request_id(), on_behalf_of=how.get("actor")
    )
