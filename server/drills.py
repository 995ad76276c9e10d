"""DrillService: drills started, followed, disturbed, ended, reported on, scheduled and simulated."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from audit.in_full import cases_of_drill, found_cases, history
from audit.listing import MOST_BYTES
from audit.log import Log
from casetrail.v1 import drill_service_pb2
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter, WatchCaseRequest
from casetrail.v1.command_pb2 import AbortDrill, Command, InjectByHand, RemarkDrill
from casetrail.v1.drill_service_pb2 import (
    AbortDrillRequest,
    AbortDrillResponse,
    DrillCall,
    DrillWritten,
    GetDrillReportRequest,
    GetDrillReportResponse,
    GetDrillRequest,
    GetDrillResponse,
    InjectIntoDrillRequest,
    InjectIntoDrillResponse,
    RemarkDrillRequest,
    RemarkDrillResponse,
    SimulateDrillRequest,
    SimulateDrillResponse,
    StartDrillRequest,
    StartDrillResponse,
    WatchDrillRequest,
    WatchDrillResponse,
)
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Kind
from domain import Rejected
from domain.drills import script
from engine.engine import Engine
from reports.drill import drill_report
from server.calls import Stream, Unary
from server.cases import CaseServicer, field_of_opening, fields_named
from server.drill_schedules import DrillSchedules
from server.lookup import known_case
from server.principals import Principal
from server.reporting import written
from server.scenarios import require_sound
from server.simulating import simulate
from server.turns import Turns

CONTRACT: Final = drill_service_pb2.DESCRIPTOR.services_by_name["DrillService"]

_RUNS: Final = 1000


class DrillServicer:
    """Drills as cases: what CaseService does with any case, and what only a drill has."""

    def __init__(self, cases: CaseServicer, log: Log, engine: Engine, schedules: DrillSchedules) -> None:
        """Serve through the servicer of all cases.

        Args:
            cases: Carries out commands.
            log: Reports are made from it.
            engine: Whose newest policy simulations go by.
            schedules: Starts drills by itself.
        """
        self._cases = cases
        self._log = log
        self._engine = engine
        self._schedules = schedules
        self._simulations = Turns(1, "simulations")

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {
            "StartDrill": self.start,
            "GetDrill": self.get,
            "WatchDrill": self.watch,
            "InjectIntoDrill": self.inject,
            "AbortDrill": self.abort,
            "RemarkDrill": self.remark,
            "GetDrillReport": self.report,
            "SimulateDrill": self.simulate,
            **self._schedules.methods(),
        }

    async def start(self, request: StartDrillRequest, principal: Principal) -> StartDrillResponse:
        """Begin a drill.

        Raises:
            Rejected: Its scenario is wrong, or it was refused; there is no such drill.
        """
        command = Command(request_id=request.request_id, open=script.opening(request.scenario, request.scale))
        if request.HasField("on_behalf_of"):
            command.actor.CopyFrom(request.on_behalf_of)
        with fields_named(field_of_opening):
            outcome = await self._cases.carry_out(command, principal)
        return StartDrillResponse(drill=outcome.case, events=outcome.events, receipt=await self._cases.receipt(outcome))

    async def get(self, request: GetDrillRequest, _: Principal) -> GetDrillResponse:
        """Answer the drill, its scenario, and the cases in it.

        Raises:
            Rejected: No such drill, or one answer does not take its cases.
        """
        drill = await self._drill(request.case_id)
        answer = GetDrillResponse(drill=drill, scenario=script.scenario_of(drill.drill.scenario))
        if not request.without_cases:
            cases = await cases_of_drill(self._log, drill.case_id)
            if sum(case.ByteSize() for case in cases) > MOST_BYTES:
                raise Rejected(
                    RefusalReason.REFUSAL_REASON_TOO_LARGE,
                    f"one answer does not take all {len(cases)} cases: ask without_cases, and ListCases by drill_id",
                    "without_cases",
                )
            answer.cases.extend(cases)
        return answer

    async def watch(self, request: WatchDrillRequest, principal: Principal) -> AsyncGenerator[WatchDrillResponse, None]:
        """Answer the drill after every event that follows `after_seq`, until it is over.

        Raises:
            Rejected: No such drill, or it has not come as far as `after_seq`.
        """
        await self._drill(request.case_id)
        watch = WatchCaseRequest(case_id=request.case_id, after_seq=request.after_seq)
        async with aclosing(self._cases.watch_case(watch, principal)) as answers:
            async for answer in answers:
                yield WatchDrillResponse(drill=answer.case, event=answer.event)
                if answer.event.HasField("drill_cleared"):
                    return

    async def inject(self, request: InjectIntoDrillRequest, principal: Principal) -> InjectIntoDrillResponse:
        """Let something happen now.

        Raises:
            Rejected: The drill is over, or has an inject of this id.
        """
        command = Command(inject_by_hand=InjectByHand(inject=request.inject))
        return InjectIntoDrillResponse(written=await self._write(request.call, command, principal))

    async def abort(self, request: AbortDrillRequest, principal: Principal) -> AbortDrillResponse:
        """End it before its time.

        Raises:
            Rejected: It is over.
        """
        command = Command(abort_drill=AbortDrill(why=request.why))
        return AbortDrillResponse(written=await self._write(request.call, command, principal))

    async def remark(self, request: RemarkDrillRequest, principal: Principal) -> RemarkDrillResponse:
        """Note a problem, an improvement, or both.

        Raises:
            Rejected: Neither is given.
        """
        remark = RemarkDrill(problem=request.problem, improvement=request.improvement)
        return RemarkDrillResponse(written=await self._write(request.call, Command(remark_drill=remark), principal))

    async def report(self, request: GetDrillReportRequest, _: Principal) -> GetDrillReportResponse:
        """Make the report from the log, as far as it goes, and compare with the last run of the scenario before it.

        Raises:
            Rejected: No such drill.
        """
        drill = await self._drill(request.case_id)
        locale = request.locale or script.scenario_of(drill.drill.scenario).locale
        document = drill_report(
            await history(self._log, drill.case_id),
            await cases_of_drill(self._log, drill.case_id),
            await self._last_run(drill),
            locale,
        )
        report = written(document, html=request.form == GetDrillReportRequest.FORM_HTML)
        return GetDrillReportResponse(content=report.content, media_type=report.media_type, sha256=report.sha256)

    async def simulate(self, request: SimulateDrillRequest, _: Principal) -> SimulateDrillResponse:
        """Run a scenario through the rules alone.

        Raises:
            Rejected: The scenario is wrong, or another is being simulated.
        """
        require_sound(request.scenario, 0)
        policy = self._engine.newest_rules.policy
        with self._simulations.one():
            return await simulate(request.scenario, policy, runs=request.runs or _RUNS, seed=request.seed)

    async def _write(self, call: DrillCall, command: Command, principal: Principal) -> DrillWritten:
        await self._drill(call.case_id)
        command.case_id, command.request_id = call.case_id, call.request_id
        if call.HasField("on_behalf_of"):
            command.actor.CopyFrom(call.on_behalf_of)
        outcome = await self._cases.carry_out(command, principal)
        return DrillWritten(
            drill=outcome.case,
            events=outcome.events,
            receipt=await self._cases.receipt(outcome),
            repeated_request=outcome.repeated,
        )

    async def _drill(self, case_id: str) -> Case:
        case = await known_case(self._log, case_id)
        if case.kind != Kind.KIND_DRILL:
            raise Rejected(RefusalReason.REFUSAL_REASON_WRONG_KIND, f"{case_id} is no drill", "case_id")
        return case

    async def _last_run(self, drill: Case) -> Case | None:
        """The run of the same scenario that was the last to be over when this one began, as the log has it."""
        began = (await self._log.events(drill.case_id, limit=1))[0].position
        runs = [
            run
            async for run in found_cases(self._log, CaseFilter(kinds=[Kind.KIND_DRILL], include_drills=True))
            if run.drill.scenario_id == drill.drill.scenario_id
            and run.drill.HasField("ended_at")
            and not run.drill.aborted
            and run.drill.started_at.seconds <= drill.drill.started_at.seconds
        ]
        for run in sorted(runs, key=lambda run: run.drill.started_at.seconds, reverse=True):
            # Not by the clocks of the drills, which may run faster than ours.
            if await self._ended(run.case_id) < began:
                return run
        return None

    async def _ended(self, case_id: str) -> int:
        """Where in the log a drill ended."""
        return next(event.position for event in await history(self._log, case_id) if event.HasField("drill_ended"))
