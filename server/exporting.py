"""AuditService.ExportLog: the log, or an extract of it, as lines that an offline verifier reads (docs/proof.md)."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Final

from google.protobuf.json_format import MessageToDict

from audit import proofs
from audit.envelope import StoredEvent, event_of
from audit.in_full import found_cases
from audit.log import LOG_ITSELF, Log
from audit.projection import findable
from audit.retention import archives
from casetrail.v1.audit_service_pb2 import ExportLogRequest, ExportLogResponse
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Role
from domain import fold
from domain.refusal import Rejected
from server.calls import Stream, Unary
from server.export_lines import (
    Line,
    archived_lines,
    checkpoint_line,
    encoded,
    event_line,
    header_line,
    policy_lines,
    written,
)
from server.lookup import known_case
from server.principals import Principal
from server.proving import Proving
from server.turns import Turns
from server.witnessed import PATIENCE, Ending, ending

_PAGE: Final = 500
_PAGE_OF_CASES: Final = 5000  # of chosen cases: they are sorted for each page
_CHUNK_BYTES: Final = 256 * 1024
_MAY_OPEN: Final = frozenset({Role.ROLE_ADMIN, Role.ROLE_AUDITOR})
_REMEMBERED_CASES: Final = 10_000


class ExportServicer:
    """Gives the log away, byte for byte, in memory that does not grow with it."""

    def __init__(self, log: Log, proving: Proving) -> None:
        """Export this log."""
        self._log = log
        self._proving = proving
        self._turns = Turns(2, "exports")

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {"ExportLog": self.export_log}

    async def export_log(
        self, request: ExportLogRequest, principal: Principal
    ) -> AsyncGenerator[ExportLogResponse, None]:
        """Answer the lines in chunks.

        Raises:
            Rejected: A case that was named is unknown, the caller may not take personal data away, others export, or
                cases are archived meanwhile.
        """
        if request.open_personal and not principal.roles & _MAY_OPEN:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED,
                f"only an administrator or an auditor takes personal data away, and {principal.name!r} is neither",
                field="open_personal",
            )
        for case_id in request.case_ids:
            await known_case(self._log, case_id)
        chunk = bytearray()
        with self._turns.one():
            async for line in self._lines(_Wanted(request, self._log)):
                chunk += written(line)
                if len(chunk) >= _CHUNK_BYTES:
                    yield ExportLogResponse(lines=bytes(chunk))
                    chunk.clear()
        if chunk:
            yield ExportLogResponse(lines=bytes(chunk))

    async def _lines(self, wanted: "_Wanted") -> AsyncIterator[Line]:
        end = await ending(self._log, self._proving, patience=wanted.patience)
        if wanted.all:
            await self._require_payloads(end)
        tree = proofs.Tree(self._log, end.size)
        yield await header_line(self._log, self._proving, end, tree, scope="log" if wanted.all else "extract")
        if wanted.all:
            async for line in self._seals(end.size):
                yield line
        async for line in self._events(end.size, tree, wanted):
            yield line
        async for line in policy_lines(self._log):
            yield line
        async for line in self._cases(end.size, wanted):
            yield line
        if wanted.all:
            async for line in archived_lines(self._log, end.size):
                yield line
            await self._require_payloads(end)
        # Of an extract only the newest can be compared with anything.
        async for line in self._checkpoints(0 if wanted.all else end.size - 1, end.size):
            yield line

    async def _require_payloads(self, end: Ending) -> None:
        """Refuse an export whose payloads went or came back by an event that it does not have.

        Raises:
            Rejected: NOT_YET.
        """
        for archive in (await archives(self._log)).values():
            gone = archive.carried_out is not None and archive.carried_out.position > end.size
            # What came back since a witness signed is only more than the export needs.
            if gone or any(restored.position > end.there for restored in archive.restored.values()):
                raise Rejected(
                    RefusalReason.REFUSAL_REASON_NOT_YET,
                    f"cases went to {archive.archive_id}, or came back from it, after event {end.size}, where this "
                    "export ends: export again, when the witnesses have signed that or without waiting for them",
                )

    async def _seals(self, size: int) -> AsyncIterator[Line]:
        seq = 0
        while events := await self._log.events(LOG_ITSELF, after_seq=seq, limit=_PAGE):
            for event in events:
                if event.HasField("log_sealed") and event.position <= size:
                    said = event.log_sealed
                    yield {
                        "kind": "seal",
                        "position": event.position,
                        "day": said.day,
                        "size": said.size,
                        "cases": said.cases,
                        "root": said.root,
                    }
            seq = events[-1].seq

    async def _events(self, size: int, tree: proofs.Tree, wanted: "_Wanted") -> AsyncIterator[Line]:
        async for row in self._rows(size, wanted.case_ids):
            if not await wanted.event(row):
                continue
            line = event_line(row)
            if wanted.personal and row.payload is not None:
                line["event"] = MessageToDict((await self._log.opened([row]))[0])
            if not wanted.all:
                line["inclusion"] = [encoded(node) for node in await tree.inclusion(row.position)]
            yield line

    async def _rows(self, size: int, case_ids: Sequence[str]) -> AsyncIterator[StoredEvent]:
        position = 0
        limit = _PAGE_OF_CASES if case_ids else _PAGE
        while rows := await self._log.rows(after_position=position, limit=limit, case_ids=case_ids):
            for row in rows:
                if row.position > size:
                    return
                yield row
            position = rows[-1].position

    async def _cases(self, size: int, wanted: "_Wanted") -> AsyncIterator[Line]:
        if wanted.by_time:
            return  # the events of a time alone do not make a case
        async for case_id in self._case_ids(wanted):
            line = await self._case_line(case_id, size)
            if line is not None:
                yield line

    async def _case_ids(self, wanted: "_Wanted") -> AsyncIterator[str]:
        for case_id in wanted.case_ids:
            if await wanted.of_kind(case_id):
                yield case_id
        if wanted.case_ids:
            return
        async for case in found_cases(self._log, wanted.case_filter):
            yield case.case_id

    async def _case_line(self, case_id: str, size: int) -> Line | None:
        """A case as the projection has it; as of the tree where it has moved on since."""
        projected = await self._log.projection(case_id)
        if projected is None or projected.opened > size:
            return None
        seq, leaf_hash, body, columns = projected.seq, projected.leaf_hash, projected.body, projected.findable
        last = await self._log.events(case_id, after_seq=seq - 1, limit=1)
        if last and last[0].position > size:
            # As it is stored: without what is encrypted.
            events = [event_of(row) for row in await self._history(case_id) if row.position <= size]
            case = fold(events)
            seq, leaf_hash = case.seq, bytes.fromhex(events[-1].hash)
            body, columns = case.SerializeToString(deterministic=True), findable(case)
        return {
            "kind": "case",
            "case_id": case_id,
            "opened": projected.opened,
            "seq": seq,
            "leaf_hash": leaf_hash.hex(),
            "body": encoded(body),
            "columns": {
                name: int(value) if isinstance(value, bool) else value for name, value in columns._asdict().items()
            },
        }

    async def _history(self, case_id: str) -> list[StoredEvent]:
        rows: list[StoredEvent] = []
        while page := await self._log.rows_of(case_id, after_seq=len(rows)):
            rows += page
        return rows

    async def _checkpoints(self, after: int, size: int) -> AsyncIterator[Line]:
        while page := await self._log.checkpoints(after_size=after, limit=_PAGE):
            for published in page:
                if published.size <= size:
                    yield checkpoint_line(published)
            after = page[-1].size


class _Wanted:
    """Which events a request is about.

    Attributes:
        patience: Seconds for which witnesses are waited for.
        case_ids: Only of these cases; of all when empty.
        personal: Whether what personal fields say is wanted beside the bytes.
    """

    def __init__(self, request: ExportLogRequest, log: Log) -> None:
        self._log = log
        self.patience = 0 if request.unwitnessed else PATIENCE
        self.case_ids = tuple(request.case_ids)
        self.personal = request.open_personal
        self._kinds = frozenset(request.kinds)
        self._from = request.happened_from.seconds if request.HasField("happened_from") else None
        self._before = request.happened_before.seconds if request.HasField("happened_before") else None
        self._known: OrderedDict[str, bool] = OrderedDict()

    @property
    def by_time(self) -> bool:
        """Whether only some events of a case may be wanted."""
        return self._from is not None or self._before is not None

    @property
    def all(self) -> bool:
        """Whether the whole log is."""
        return not (self._kinds or self.case_ids or self.by_time)

    @property
    def case_filter(self) -> CaseFilter:
        """The wanted cases, as far as a list can tell."""
        return CaseFilter(kinds=sorted(self._kinds), include_drills=True)

    async def event(self, row: StoredEvent) -> bool:
        """Whether an event is."""
        if self.all:
            return True
        if row.case_id == LOG_ITSELF or await self._is_archived(row) or not await self.of_kind(row.case_id):
            return False
        if not self.by_time:
            return True
        at = event_of(row).at.seconds
        return (self._from is None or at >= self._from) and (self._before is None or at < self._before)

    async def _is_archived(self, row: StoredEvent) -> bool:
        return row.payload is None and await self._log.archive_of(row.case_id) is not None

    async def of_kind(self, case_id: str) -> bool:
        """Whether a case is of a wanted kind."""
        if not self._kinds:
            return True
        if case_id not in self._known:
            case = await self._log.read_case(case_id)
            self._known[case_id] = case is not None and case.kind in self._kinds
            if len(self._known) > _REMEMBERED_CASES:
                self._known.popitem(last=False)
        return self._known[case_id]
