"""IncidentService: each call of it is one command, carried out as CaseService does; besides, lists and reports."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from audit.in_full import history
from audit.log import Log
from casetrail.v1 import incident_service_pb2
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import (
    CaseFilter,
    ListCasesRequest,
    WatchCaseRequest,
)
from casetrail.v1.command_pb2 import Command, Open
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.incident_service_pb2 import (
    DeclareIncidentRequest,
    DeclareIncidentResponse,
    GetReportRequest,
    GetReportResponse,
    IncidentWritten,
    ListIncidentsRequest,
    ListIncidentsResponse,
    WatchIncidentRequest,
    WatchIncidentResponse,
)
from casetrail.v1.types_pb2 import Channel, Kind
from domain import Rejected
from domain.words import word
from reports.incident import incident_report
from server.calls import Stream, Unary
from server.cases import CaseServicer, field_of_opening, fields_named
from server.lookup import known_case
from server.principals import Principal
from server.reporting import written

CONTRACT: Final = incident_service_pb2.DESCRIPTOR.services_by_name["IncidentService"]


class IncidentServicer:
    """Incidents as cases: what CaseService does with any case, here for one kind and with a call for each command."""

    def __init__(self, cases: CaseServicer, log: Log) -> None:
        """Serve through the servicer of all cases; reports are made from the log."""
        self._cases = cases
        self._log = log

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        steps = {method.name: self._step(method.output_type) for method in CONTRACT.methods if _is_step(method)}
        return {
            **steps,
            "DeclareIncident": self.declare,
            "ListIncidents": self.list_incidents,
            "WatchIncident": self.watch_incident,
            "GetReport": self.get_report,
        }

    def _step(self, response_type: Any) -> Unary:  # noqa: ANN401 - a descriptor, of either implementation of protobuf
        """Carry out the command that a request of the form `{call, COMMAND}` holds."""
        response = GetMessageClass(response_type)

        async def take(request: Any, principal: Principal) -> Message:  # noqa: ANN401 - the request of any step
            with fields_named(_field_of_step):
                return response(written=await self._write(_command(request), principal))

        return take

    async def declare(self, request: DeclareIncidentRequest, principal: Principal) -> DeclareIncidentResponse:
        """Begin an incident.

        Raises:
            Rejected: It was refused, and there is no such incident.
        """
        command = Command(
            request_id=request.request_id,
            open=Open(
                kind=Kind.KIND_INCIDENT,
                channel=request.channel or Channel.CHANNEL_WEB,
                category=request.category,
                product_id=request.product_id,
                subject=request.subject,
                words=request.words if request.HasField("words") else None,
                incident=request.incident,
                scale=request.scale,
            ),
        )
        if request.HasField("on_behalf_of"):
            command.actor.CopyFrom(request.on_behalf_of)
        with fields_named(field_of_opening):
            return DeclareIncidentResponse(written=await self._write(command, principal))

    async def list_incidents(self, request: ListIncidentsRequest, principal: Principal) -> ListIncidentsResponse:
        """Answer a page of incidents; one that nothing fits is skipped.

        Raises:
            Rejected: The page token is not of this query.
        """
        query = ListCasesRequest(
            filter=CaseFilter(kinds=[Kind.KIND_INCIDENT], open=request.open, include_drills=request.include_drills),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        while True:
            page = await self._cases.list_cases(query, principal)
            fitting = [case for case in page.cases if _fits(case, request)]
            if fitting or not page.next_page_token:
                return ListIncidentsResponse(incidents=fitting, next_page_token=page.next_page_token)
            query.page_token = page.next_page_token

    async def watch_incident(
        self, request: WatchIncidentRequest, principal: Principal
    ) -> AsyncGenerator[WatchIncidentResponse, None]:
        """Answer the incident after every event that follows `after_seq`: those that are there, then those to come.

        Raises:
            Rejected: No such incident, or it has not come as far as `after_seq`.
        """
        await self._incident(request.case_id)
        watch = WatchCaseRequest(case_id=request.case_id, after_seq=request.after_seq)
        async with aclosing(self._cases.watch_case(watch, principal)) as answers:
            async for answer in answers:
                yield WatchIncidentResponse(case=answer.case, event=answer.event)

    async def get_report(self, request: GetReportRequest, _: Principal) -> GetReportResponse:
        """Make the report from the log, as far as it goes.

        Raises:
            Rejected: No such incident.
        """
        await self._incident(request.case_id)
        events = await history(self._log, request.case_id)
        html = request.form == GetReportRequest.FORM_HTML
        report = written(incident_report(events, request.locale or "en"), html=html)
        return GetReportResponse(
            content=report.content, media_type=report.media_type, sha256=report.sha256, seq=events[-1].seq
        )

    async def _write(self, command: Command, principal: Principal) -> IncidentWritten:
        outcome = await self._cases.carry_out(command, principal)
        return IncidentWritten(
            case=outcome.case,
            events=outcome.events,
            receipt=await self._cases.receipt(outcome),
            repeated_request=outcome.repeated,
        )

    async def _incident(self, case_id: str) -> Case:
        case = await known_case(self._log, case_id)
        if case.kind != Kind.KIND_INCIDENT:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_WRONG_KIND,
                f"{case_id} is of kind {word(Kind, case.kind)}, not an incident",
                "case_id",
            )
        return case


def _is_step(method: Any) -> bool:  # noqa: ANN401 - a descriptor, of either implementation of protobuf
    return "call" in method.input_type.fields_by_name


def _command(request: Any) -> Command:  # noqa: ANN401 - the request of any step
    """The command that a step's request stands for."""
    call = request.call
    command = Command(case_id=call.case_id, request_id=call.request_id)
    if call.HasField("expected_seq"):
        command.expected_seq = call.expected_seq
    if call.HasField("on_behalf_of"):
        command.actor.CopyFrom(call.on_behalf_of)
    (action,) = (field.name for field in request.DESCRIPTOR.fields if field.name != "call")
    getattr(command, action).CopyFrom(getattr(request, action))
    getattr(command, action).SetInParent()
    return command


_OF_THE_CALL: Final = frozenset({"case_id", "request_id", "expected_seq"})


def _field_of_step(path: str) -> str:
    """Name a command's wrong field as it is called in the request of a step."""
    first, dot, rest = path.partition(".")
    if first == "actor":
        return f"call.on_behalf_of{dot}{rest}"
    return f"call.{path}" if first in _OF_THE_CALL else path


def _fits(case: Case, request: ListIncidentsRequest) -> bool:
    if case.is_drill and not request.include_drills:
        return False
    return not request.levels or case.incident.level in request.levels
