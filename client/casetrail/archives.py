"""Archives: propose, approve, carry out, list and restore from them. Reached as `client.archives`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.calling import Calls
from casetrail.commands import new_request_id
from casetrail.patience import Patience
from casetrail.receipts import LOG_ITSELF, Keep
from casetrail.v1 import retention_service_pb2 as wire
from casetrail.v1.retention_service_pb2_grpc import RetentionServiceStub

if TYPE_CHECKING:
    # A name that only the generated stubs have: the same class, as an asynchronous channel makes it.
    from casetrail.v1.retention_service_pb2_grpc import RetentionServiceAsyncStub

# Thousands of cases are written, synced, read back and checked before there is an answer.
_LONG_WORK = Patience(attempt=1800.0, overall=3600.0, again=Patience().overall)


_Written = TypeVar(
    "_Written",
    wire.ProposeArchiveResponse,
    wire.ApproveArchiveResponse,
    wire.WithdrawArchiveResponse,
    wire.CarryOutArchiveResponse,
    wire.RestoreCasesResponse,
)


class Archives:
    """The archives of a service. For administrators and auditors; each step is safe to repeat."""

    def __init__(self, calls: Calls, keep: Keep) -> None:
        """Made by the client, over its own channel."""
        self._stub: RetentionServiceAsyncStub = RetentionServiceStub(calls.channel)
        self._calls = calls
        self._keep_receipt = keep

    async def propose(
        self,
        *,
        closed_before: Timestamp | None = None,
        most_cases: int = 0,
        why: str = "",
        dry_run: bool = False,
        request_id: str = "",
    ) -> wire.ProposeArchiveResponse:
        """Propose that closed cases leave the database, or only say which ones.

        Args:
            closed_before: Only those closed before this instant; all that are old enough when left out.
            most_cases: At most so many; 1,000 when left out.
            why: For who is to approve it.
            dry_run: Only say which cases.
            request_id: Proposed once, however often it is sent.
        """
        request = wire.ProposeArchiveRequest(
            request_id=request_id or new_request_id(),
            closed_before=closed_before,
            most_cases=most_cases,
            why=why,
            dry_run=dry_run,
        )
        answer = await self._calls.ask(self._stub.ProposeArchive, request, request.request_id, patience=_LONG_WORK)
        return self._kept(answer, f"propose {answer.archive.archive_id}")

    async def approve(self, archive_id: str) -> wire.ApproveArchiveResponse:
        """Agree to what somebody else has proposed."""
        request = wire.ApproveArchiveRequest(archive_id=archive_id)
        return self._kept(await self._calls.ask(self._stub.ApproveArchive, request), f"approve {archive_id}")

    async def withdraw(self, archive_id: str, *, why: str) -> wire.WithdrawArchiveResponse:
        """Take a proposal back, approved or not, unless it was carried out."""
        request = wire.WithdrawArchiveRequest(archive_id=archive_id, why=why)
        return self._kept(await self._calls.ask(self._stub.WithdrawArchive, request), f"archive {archive_id}")

    async def carry_out(self, archive_id: str) -> wire.CarryOutArchiveResponse:
        """Have an approved archive written and checked, and what it has removed from the database."""
        request = wire.CarryOutArchiveRequest(archive_id=archive_id)
        answer = await self._calls.ask(self._stub.CarryOutArchive, request, patience=_LONG_WORK)
        return self._kept(answer, f"archive {archive_id}")

    async def restore(
        self, archive_id: str, case_ids: Sequence[str] = (), *, why: str = ""
    ) -> wire.RestoreCasesResponse:
        """Bring cases back from an archive; all that only the archive has when none is named."""
        request = wire.RestoreCasesRequest(archive_id=archive_id, case_ids=case_ids, why=why)
        answer = await self._calls.ask(self._stub.RestoreCases, request, patience=_LONG_WORK)
        return self._kept(answer, f"restore {archive_id} {''.join(answer.case_ids[-1:])}")

    async def list(self) -> Sequence[wire.Archive]:
        """All archives, from the first proposed to the last."""
        answer = await self._calls.ask(self._stub.ListArchives, wire.ListArchivesRequest())
        return answer.archives

    async def cases(self, archive_id: str) -> Sequence[wire.ArchivedCase]:
        """The cases that an archive has."""
        request = wire.ListArchivedCasesRequest(archive_id=archive_id)
        answer = await self._calls.ask(self._stub.ListArchivedCases, request)
        return answer.cases

    def _kept(self, answer: _Written, key: str) -> _Written:
        """The answer to a step, once its receipt is kept.

        Args:
            answer: It.
            key: Of the event that it is about: most steps have no request id.
        """
        self._keep_receipt(LOG_ITSELF, key, answer.receipt)
        return answer
