"""Emergency incidents: declare, lead, follow and report on them. Reached as `client.incidents`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, get_args

from casetrail.calling import Calls
from casetrail.commands import How, name_of, new_request_id, words
from casetrail.receipts import Keep
from casetrail.v1 import command_pb2 as c
from casetrail.v1 import incident_service_pb2 as wire
from casetrail.v1.case_pb2 import Case
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.incident_service_pb2_grpc import IncidentServiceStub
from casetrail.v1.types_pb2 import Actor, Channel
from casetrail.words import ChannelWord, CrisisWord, value_of

if TYPE_CHECKING:
    # A name that only the generated stubs have: the same class, as an asynchronous channel makes it.
    from casetrail.v1.incident_service_pb2_grpc import IncidentServiceAsyncStub

Step = (
    c.ConfirmNature | c.GradeIncident | c.AssumeCommand | c.HandOverCommand | c.AddTask | c.AcceptTask | c.RefuseTask
    | c.ReassignTask | c.CompleteTask | c.ReopenTask | c.DraftNotice | c.ApproveNotice | c.DiscardNotice | c.SendNotice
    | c.LinkCases | c.ContainIncident | c.ResolveIncident | c.FollowUpCase | c.FinishFollowUp | c.FileReport
    | c.CloseIncident | c.DismissIncident | c.ReopenIncident | c.CancelTask
)  # fmt: skip
"""Everything that leads an incident on. Each is a command, and the call of the same name."""

_REQUESTS: Mapping[str, Any] = {
    step.DESCRIPTOR.name: getattr(wire, f"{step.DESCRIPTOR.name}Request") for step in get_args(Step)
}


class Incidents:
    """The incidents of a service. Writes carry request ids and are retried, as everywhere in the client."""

    def __init__(self, calls: Calls, keep: Keep) -> None:
        """Made by the client, over its own channel."""
        self._stub: IncidentServiceAsyncStub = IncidentServiceStub(calls.channel)
        self._calls = calls
        self._keep_receipt = keep

    async def declare(  # noqa: PLR0913 - what an incident can begin with, each by its name
        self,
        *,
        subject: str,
        suspected_level: int = 0,
        crisis: CrisisWord | None = None,
        inputs: Mapping[str, str] | None = None,
        case_ids: Sequence[str] = (),
        channel: ChannelWord | None = None,
        category: str = "",
        product_id: str = "",
        text: str = "",
        scale: float = 0,
        request_id: str = "",
        actor: Actor | None = None,
    ) -> wire.IncidentWritten:
        """Begin an incident.

        Args:
            subject: What happened, in one line.
            suspected_level: 1 critical to 4 minor; 0 when nobody knows yet.
            crisis: The class of a public-opinion crisis, where it is one.
            inputs: What was seen, for example figures.
            case_ids: Customers' cases that it touches.
            channel: Where it was seen; the web when left out.
            category: The policy's word.
            product_id: The shop's product.
            text: More of what is known.
            scale: Case seconds per real second; 0 and 1 are real time.
            request_id: The same again finds the same incident; a new one when left out.
            actor: Who acts, where the caller may act for others.
        """
        request = wire.DeclareIncidentRequest(
            request_id=request_id or new_request_id(),
            on_behalf_of=actor,
            subject=subject,
            channel=value_of(Channel, channel or ""),
            category=category,
            product_id=product_id,
            words=words(text),
            incident=c.Declaration(
                suspected_level=suspected_level,
                crisis=value_of(CrisisClass, crisis or ""),
                inputs=inputs,
                case_ids=case_ids,
            ),
            scale=scale,
        )
        answer = await self._calls.ask(self._stub.DeclareIncident, request, request.request_id)
        return self._kept(answer.written, request.request_id)

    async def lead(self, case_id: str, step: Step, **how: Unpack[How]) -> wire.IncidentWritten:
        """Lead an incident on, such as `lead(case_id, GradeIncident(level=2, why="checkout is down"))`."""
        name = step.DESCRIPTOR.name
        call = wire.IncidentCall(
            case_id=case_id,
            request_id=how.get("request_id") or new_request_id(),
            on_behalf_of=how.get("actor"),
            expected_seq=how.get("expected_seq"),
        )
        request = _REQUESTS[name](call=call, **{name_of(step): step})
        answer = await self._calls.ask(getattr(self._stub, name), request, call.request_id)
        return self._kept(answer.written, call.request_id)

    async def list(
        self, *, open_only: bool = False, levels: Sequence[int] = (), include_drills: bool = False, page_size: int = 0
    ) -> AsyncIterator[Case]:
        """Incidents, the newest first; pages are fetched as they are needed.

        Args:
            open_only: Only those that are not closed.
            levels: Only of these levels, 1 to 4; of all when empty.
            include_drills: Those of drills as well.
            page_size: How many a page.
        """
        request = wire.ListIncidentsRequest(
            open=open_only, levels=levels, include_drills=include_drills, page_size=page_size
        )
        async for page in self._calls.pages(self._stub.ListIncidents, request):
            for case in page.incidents:
                yield case

    def watch(self, case_id: str, *, after_seq: int = 0) -> AsyncIterator[wire.WatchIncidentResponse]:
        """Every event of an incident after one, with the incident after it: what is there, then what comes."""
        return self._calls.follow(
            self._stub.WatchIncident,
            lambda seq: wire.WatchIncidentRequest(case_id=case_id, after_seq=seq),
            place=lambda answer: answer.event.seq,
            after=after_seq,
        )

    async def report(self, case_id: str, *, html: bool = False, locale: str = "en") -> wire.GetReportResponse:
        """《事件处理报告》, made from the log: the same log gives the same bytes.

        Args:
            case_id: The incident.
            html: As a page with a picture of its timeline, instead of Markdown.
            locale: en or zh-CN.
        """
        form = wire.GetReportRequest.FORM_HTML if html else wire.GetReportRequest.FORM_MARKDOWN
        request = wire.GetReportRequest(case_id=case_id, form=form, locale=locale)
        return await self._calls.ask(self._stub.GetReport, request)

    def _kept(self, written: wire.IncidentWritten, request_id: str) -> wire.IncidentWritten:
        """What was written, once its receipt is kept."""
        self._keep_receipt(written.case.case_id, request_id, written.receipt)
        return written
