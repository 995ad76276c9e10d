"""AuditService: reads and checks the log."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from audit.in_full import pages
from audit.listing import MOST_BYTES
from audit.log import LOG_ITSELF, Log
from audit.replay import replay
from audit.verification.kept_outside import KeptOutside
from casetrail.v1.audit_service_pb2 import (
    ListEventsRequest,
    ListEventsResponse,
    ReplayCaseRequest,
    ReplayCaseResponse,
    VerifyCaseRequest,
    VerifyCaseResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from domain.instants import instant
from domain.refusal import Rejected, unknown_case
from server import page_tokens
from server.calls import Stream, Unary
from server.principals import Principal
from server.proving import Proving
from server.turns import Turns

_PAGE: Final = 200


class AuditServicer:
    """Answers from the log alone."""

    def __init__(self, log: Log, proving: Proving) -> None:
        """Read this log, and check it with what makes it provable."""
        self._log = log
        self._proving = proving
        self._of_whole_log = Turns(1, "verifications of the whole log")

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {
            "ListEvents": self.list_events,
            "WatchEvents": self.watch_events,
            "ReplayCase": self.replay_case,
            "VerifyCase": self.verify_case,
        }

    async def list_events(self, request: ListEventsRequest, _: Principal) -> ListEventsResponse:
        """Answer a page of events, cut earlier where they are large.

        Raises:
            Rejected: No such case, the page token is not of this query, or the log has not come as far.
        """
        await self._require_reached(request.after_position)
        after = page_tokens.after(request.case_id, request.page_token)
        found = self._of_case(request, after) if request.case_id else self._of_log(max(after, request.after_position))
        events, more = await _page(found, request.page_size or _PAGE)
        if not more:
            return ListEventsResponse(events=events)
        last = events[-1].seq if request.case_id else events[-1].position
        return ListEventsResponse(events=events, next_page_token=page_tokens.token(request.case_id, last))

    async def _of_case(self, request: ListEventsRequest, after_seq: int) -> AsyncGenerator[Event, None]:
        known = after_seq > 0 or request.case_id == LOG_ITSELF
        async for page in pages(self._log, request.case_id, after_seq=after_seq):
            known = True
            for event in page:
                if event.position > request.after_position:
                    yield event
        if not known:
            raise unknown_case(request.case_id)

    async def _of_log(self, after_position: int) -> AsyncGenerator[Event, None]:
        while page := await self._log.scan(after_position=after_position, limit=_PAGE):
            for event in page:
                yield event
            after_position = page[-1].position

    async def watch_events(
        self, request: WatchEventsRequest, _: Principal
    ) -> AsyncGenerator[WatchEventsResponse, None]:
        """Answer every event after a position, for as long as the caller listens.

        Raises:
            Rejected: The log has not come as far.
        """
        await self._require_reached(request.after_position)
        async for event in self._log.follow(after_position=request.after_position):
            yield WatchEventsResponse(event=event)

    async def _require_reached(self, position: int) -> None:
        """Refuse who has read more than there is: what comes next would stand at places that it passes by.

        Raises:
            Rejected: STALE_SEQ.
        """
        size = await self._log.size() if position else 0
        if position > size:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_STALE_SEQ,
                f"the log has {size} events, not {position}: it is another one, or an older copy; read it anew",
                "after_position",
            )

    async def replay_case(self, request: ReplayCaseRequest, _: Principal) -> ReplayCaseResponse:
        """Fold the case up to a point.

        Raises:
            Rejected: No such case, it has no such point, or one answer does not take its events.
        """
        case = await replay(
            self._log,
            request.case_id,
            seq=request.seq if request.HasField("seq") else None,
            at=instant(request.at) if request.HasField("at") else None,
        )
        if request.without_events:
            return ReplayCaseResponse(case=case)
        events, more = await _page(self._of_case(ListEventsRequest(case_id=case.case_id), 0), case.seq)
        if more and len(events) < case.seq:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_TOO_LARGE,
                f"one answer does not take all {case.seq} events: ask with without_events, and ListEvents for them",
                "without_events",
            )
        return ReplayCaseResponse(case=case, events=events)

    async def verify_case(self, request: VerifyCaseRequest, _: Principal) -> VerifyCaseResponse:
        """Check one case, or the whole log.

        Raises:
            Rejected: No such case, or the whole log is being verified.
        """
        if request.case_id and not await self._has(request.case_id):
            raise unknown_case(request.case_id)
        if request.case_id:
            return (await self._log.verify(request.case_id)).answer
        with self._of_whole_log.one():
            outside = await asyncio.to_thread(KeptOutside, self._proving.publisher.folder, self._proving.signers)
            return (await self._log.verify(outside=outside)).answer

    async def _has(self, case_id: str) -> bool:
        """Whether there is such a case, here or in an archive."""
        return await self._log.archive_of(case_id) is not None or await self._log.read_case(case_id) is not None


async def _page(found: AsyncGenerator[Event, None], most: int) -> tuple[Sequence[Event], bool]:
    """As many of the first events as one answer takes, one at least, and whether there are more."""
    events: list[Event] = []
    size = 0
    async with aclosing(found):
        async for event in found:
            size += event.ByteSize()
            if len(events) == most or (size > MOST_BYTES and events):
                return events, True
            events.append(event)
    return events, False
