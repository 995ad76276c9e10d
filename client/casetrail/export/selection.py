"""What is to be exported, and the way through it: never more than a page of events in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from casetrail.client import Client
from casetrail.receipts import LOG_ITSELF
from casetrail.v1.audit_service_pb2 import ExportLogRequest
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events.

    Attributes:
        kinds: Only of cases of these lifecycles, as they are now.
        case_ids: Only of these cases.
        happened_from: Only what happened from then on, in unix seconds of case time.
        happened_before: Only what happened before then.
        source_activities: Only the steps that came from another log, each once.
        drills: Those of drills as well, which are no work for customers. Whoever names a case gets it in any event, and
            proofs are about all that is in the log.
    """

    kinds: tuple[Kind.ValueType, ...] = ()
    case_ids: tuple[str, ...] = ()
    happened_from: int | None = None
    happened_before: int | None = None
    source_activities: bool = False
    drills: bool = False

    async def cases(self, client: Client) -> AsyncIterator[Case]:
        """The cases, as they are now.

        Raises:
            CasetrailError: One that was named is unknown.
        """
        if self.case_ids:
            for case_id in self.case_ids:
                case = await client.get(case_id)
                if not self.kinds or case.kind in self.kinds:
                    yield case
            return
        async for case in client.list(CaseFilter(kinds=self.kinds, include_drills=self._drills), page_size=_PAGE):
            yield case

    async def events_of(self, client: Client, case_id: str) -> AsyncIterator[Event]:
        """The events of a case, in order."""
        async for event in client.events(case_id):
            if self.takes(event):
                yield event

    async def events(self, client: Client) -> AsyncIterator[Event]:
        """All events: in the log's order, or case by case where cases are chosen."""
        if self.kinds or self.case_ids:
            async for case in self.cases(client):
                async for event in self.events_of(client, case.case_id):
                    yield event
            return
        async for event in client.events():
            if event.case_id != LOG_ITSELF and (self.drills or not event.drill_id) and self.takes(event):
                yield event

    def takes(self, event: Event) -> bool:
        """Whether an event of a chosen case is one of them."""
        at = event.at.seconds
        return (
            (self.happened_from is None or at >= self.happened_from)
            and (self.happened_before is None or at < self.happened_before)
            and (not self.source_activities or bool(event.source_activity))
        )

    @property
    def _drills(self) -> bool:
        return self.drills or Kind.KIND_DRILL in self.kinds

    @property
    def is_everything(self) -> bool:
        """Whether nothing of the log is left out, where drills are not."""
        return not (self.kinds or self.case_ids) and self.happened_from is None and self.happened_before is None

    def request(self) -> ExportLogRequest:
        """The same, as the service is asked for it."""
        request = ExportLogRequest(kinds=self.kinds, case_ids=self.case_ids)
        if self.happened_from is not None:
            request.happened_from.seconds = self.happened_from
        if self.happened_before is not None:
            request.happened_before.seconds = self.happened_before
        return request
