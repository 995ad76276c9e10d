"""AuditService: reads and checks the log."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

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

_PAGE: Final = 200
# Clients take messages of up to 4 MiB unless they are told otherwise.
_PAGE_BYTES: Final = 3 * 1024 * 1024


class AuditServicer:
    """Answers from the log alone."""

    def __init__(self, log: Log, proving: Proving) -> None:
        """Read this log, and check it with what makes it provable."""
        self._log = log
        self._proving = proving

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
        size = request.page_size or _PAGE
        after = page_tokens.after(request.case_id, request.page_token)
        if request.case_id:
            events = await self._of_case(request.case_id, after, request.after_position, size + 1)
        else:
            position = max(after, request.after_position)
            events = await self._log.scan(after_position=position, limit=size + 1)
        page = _fitting(events[:size])
        if len(page) == len(events):
            return ListEventsResponse(events=page)
        last = page[-1].seq if request.case_id else page[-1].position
        return ListEventsResponse(events=page, next_page_token=page_tokens.token(request.case_id, last))

    async def _of_case(self, case_id: str, after_seq: int, after_position: int, size: int) -> Sequence[Event]:
        found: list[Event] = []
        while len(found) < size:
            events = await self._log.events(case_id, after_seq=after_seq, limit=size)
            if not events and after_seq == 0 and case_id != LOG_ITSELF:
                raise unknown_case(case_id)
            found += (event for event in events if event.position > after_position)
            if len(events) < size:
                break
            after_seq = events[-1].seq
        return found[:size]

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
            Rejected: No such case, or it has no such point.
        """
        case, events = await replay(
            self._log,
            request.case_id,
            seq=request.seq if request.HasField("seq") else None,
            at=instant(request.at) if request.HasField("at") else None,
        )
        return ReplayCaseResponse(case=case, events=events)

    async def verify_case(self, request: VerifyCaseRequest, _: Principal) -> VerifyCaseResponse:
        """Check one case, or the whole log.

        Raises:
            Rejected: No such case.
        """
        if request.case_id and not await self._has(request.case_id):
            raise unknown_case(request.case_id)
        if request.case_id:
            return (await self._log.verify(request.case_id)).answer
        outside = await asyncio.to_thread(KeptOutside, self._proving.publisher.folder, self._proving.signers)
        return (await self._log.verify(outside=outside)).answer

    async def _has(self, case_id: str) -> bool:
        """Whether there is such a case, here or in an archive."""
        return await self._log.archive_of(case_id) is not None or await self._log.read_case(case_id) is not None


def _fitting(events: Sequence[Event]) -> Sequence[Event]:
    """Return as many of the first events as one answer takes, and at least one."""
    size = 0
    for n, event in enumerate(events):
        size += event.ByteSize()
        if size > _PAGE_BYTES and n:
            return events[:n]
    return events
