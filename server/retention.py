"""RetentionService: closed cases leave the database for an archive, with two people's agreement, and come back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from audit import retention
from audit.log import ClosedCase, Log
from audit.retention import THREE_YEARS, archivable, closed_at, root_of
from casetrail.v1 import retention_service_pb2
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import Receipt
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import ArchiveProposed, Event
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.retention_service_pb2 import (
    ApproveArchiveRequest,
    ApproveArchiveResponse,
    ArchivableCase,
    Archive,
    ArchivedCase,
    ArchiveStep,
    CarryOutArchiveRequest,
    CarryOutArchiveResponse,
    ListArchivedCasesRequest,
    ListArchivedCasesResponse,
    ListArchivesRequest,
    ListArchivesResponse,
    ProposeArchiveRequest,
    ProposeArchiveResponse,
    RestoreCasesRequest,
    RestoreCasesResponse,
    WithdrawArchiveRequest,
    WithdrawArchiveResponse,
)
from casetrail.v1.types_pb2 import Actor, Role
from domain.refusal import Rejected
from engine.engine import Engine
from server.archiving import Archiving
from server.calls import Stream, Unary
from server.principals import Principal
from server.receipts import Receipts

CONTRACT: Final = retention_service_pb2.DESCRIPTOR.services_by_name["RetentionService"]

_MOST_CASES: Final = 1000
_ID_DIGITS: Final = 12


class RetentionServicer:
    """Takes proposals, approvals and orders of administrators and auditors."""

    def __init__(self, log: Log, engine: Engine, archiving: Archiving, receipts: Receipts) -> None:
        """Archive this log."""
        self._log = log
        self._engine = engine
        self._archiving = archiving
        self._receipts = receipts

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {
            "ProposeArchive": self.propose_archive,
            "ApproveArchive": self.approve_archive,
            "WithdrawArchive": self.withdraw_archive,
            "CarryOutArchive": self.carry_out_archive,
            "RestoreCases": self.restore_cases,
            "ListArchives": self.list_archives,
            "ListArchivedCases": self.list_archived_cases,
        }

    async def propose_archive(self, request: ProposeArchiveRequest, principal: Principal) -> ProposeArchiveResponse:
        """Find the cases that may go, and write that somebody wants them to.

        Raises:
            Rejected: The caller has not the role, or no case may go.
        """
        actor, now = _actor(principal), datetime.now(UTC).replace(microsecond=0)
        proposal = _proposal(request, _archive_id(principal, request.request_id), now)
        known = None if request.dry_run else (await retention.archives(self._log)).get(proposal.archive_id)
        if known is not None:
            if not request.HasField("closed_before"):
                proposal.closed_before.CopyFrom(known.proposed.archive_proposed.closed_before)
            return await self._propose(proposal, actor, ())
        cases = await self._fill(proposal, now)
        listed = [_archivable(each) for each in cases]
        if request.dry_run:
            proposal.archive_id = ""
            return ProposeArchiveResponse(archive=_proposed(proposal), cases=listed)
        if not cases:
            before = proposal.closed_before.ToDatetime(UTC)
            raise Rejected(
                RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
                f"no case was closed before {before:%Y-%m-%dT%H:%M:%SZ} and kept for as long as its policies say",
                field="closed_before",
            )
        return await self._propose(proposal, actor, listed)

    async def _propose(
        self, proposal: ArchiveProposed, actor: Actor, listed: Sequence[ArchivableCase]
    ) -> ProposeArchiveResponse:
        made = await retention.propose(self._log, proposal, actor)
        receipt = await self._receipt(made.proposed)
        return ProposeArchiveResponse(archive=_archive(made), cases=listed, receipt=receipt)

    async def _fill(self, proposal: ArchiveProposed, now: datetime) -> Sequence[ClosedCase]:
        """Find the cases that may go now, and have the proposal say so."""
        cases = await archivable(
            self._log,
            keep_closed(self._engine),
            closed_before=proposal.closed_before.ToDatetime(UTC),
            as_of=now,
            most=proposal.most_cases,
        )
        proposal.cases, proposal.events, proposal.root = len(cases), sum(each.seq for each in cases), root_of(cases)
        return cases

    async def approve_archive(self, request: ApproveArchiveRequest, principal: Principal) -> ApproveArchiveResponse:
        """Write that the caller agrees.

        Raises:
            Rejected: The caller has not the role, or is who proposed it.
        """
        found = await retention.approve(self._log, request.archive_id, _actor(principal))
        return ApproveArchiveResponse(archive=_archive(found), receipt=await self._receipt(found.approved))

    async def withdraw_archive(self, request: WithdrawArchiveRequest, principal: Principal) -> WithdrawArchiveResponse:
        """Write that it is not to be archived after all.

        Raises:
            Rejected: The caller has not the role, or the cases were removed already.
        """
        found = await retention.withdraw(self._log, request.archive_id, request.why, _actor(principal))
        return WithdrawArchiveResponse(archive=_archive(found), receipt=await self._receipt(found.withdrawn))

    async def carry_out_archive(self, request: CarryOutArchiveRequest, principal: Principal) -> CarryOutArchiveResponse:
        """Write the archive, check it, and remove what it has.

        Raises:
            Rejected: It cannot be done; nothing was removed.
        """
        done = await self._archiving.carry_out(request.archive_id, _actor(principal))
        return CarryOutArchiveResponse(archive=_archive(done), receipt=await self._receipt(done.carried_out))

    async def restore_cases(self, request: RestoreCasesRequest, principal: Principal) -> RestoreCasesResponse:
        """Bring cases back from an archive.

        Raises:
            Rejected: It cannot be done; nothing was restored.
        """
        events = await self._archiving.restore(request.archive_id, request.case_ids, request.why, _actor(principal))
        said = [event.case_restored for event in events]
        return RestoreCasesResponse(
            case_ids=[each.restored_case_id for each in said],
            events=sum(each.events for each in said),
            receipt=await self._receipts.receipt(events),
        )

    async def list_archives(self, _: ListArchivesRequest, principal: Principal) -> ListArchivesResponse:
        """Answer all archives.

        Raises:
            Rejected: The caller has not the role.
        """
        _actor(principal)
        found = await retention.archives(self._log)
        return ListArchivesResponse(archives=[_archive(each) for each in found.values()])

    async def list_archived_cases(
        self, request: ListArchivedCasesRequest, principal: Principal
    ) -> ListArchivedCasesResponse:
        """Answer the cases of an archive.

        Raises:
            Rejected: The caller has not the role, or there is no such archive.
        """
        _actor(principal)
        await retention.archive(self._log, request.archive_id)
        return ListArchivedCasesResponse(
            cases=[
                ArchivedCase(case_id=each.case_id, events=each.seq, restored=each.restored is not None)
                for each in await self._log.archived_cases(request.archive_id)
            ]
        )

    async def _receipt(self, step: Event | None) -> Receipt:
        return await self._receipts.receipt([step] if step is not None else [])


def keep_closed(engine: Engine) -> retention.Keep:
    """For how long a case is kept: as its own policy says, or the one in force where that says longer."""

    async def keep(case: Case) -> timedelta:
        return max(_kept(engine.newest_rules.policy), _kept((await engine.rules_of(case)).policy))

    return keep


def _kept(policy: Policy) -> timedelta:
    return policy.keep_closed.ToTimedelta() if policy.HasField("keep_closed") else THREE_YEARS


def _actor(principal: Principal) -> Actor:
    """The caller, as itself: two people must not be one who acts for another.

    Raises:
        Rejected: It is neither an administrator nor an auditor.
    """
    for role in (Role.ROLE_AUDITOR, Role.ROLE_ADMIN):
        if role in principal.roles:
            return Actor(name=principal.name, role=role)
    raise Rejected(
        RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED,
        f"archives are for administrators and auditors, and {principal.name!r} is neither",
    )


def _proposal(request: ProposeArchiveRequest, archive_id: str, now: datetime) -> ArchiveProposed:
    """What is asked for, without the cases; all that were closed until now where it does not say."""
    proposal = ArchiveProposed(archive_id=archive_id, most_cases=request.most_cases or _MOST_CASES, why=request.why)
    before = request.closed_before.ToDatetime(UTC) if request.HasField("closed_before") else now
    proposal.closed_before.FromDatetime(before)
    return proposal


def _archive_id(principal: Principal, request_id: str) -> str:
    digest = sha256(f"{principal.name}\0{request_id}".encode()).hexdigest()
    return f"archive-{digest[:_ID_DIGITS]}"


def _archivable(found: ClosedCase) -> ArchivableCase:
    case = ArchivableCase(case_id=found.case.case_id, kind=found.case.kind, events=found.seq)
    if (closed := closed_at(found.case)) is not None:
        case.closed_at.FromDatetime(closed)
    return case


def _proposed(said: ArchiveProposed) -> Archive:
    return Archive(
        archive_id=said.archive_id,
        closed_before=said.closed_before,
        cases=said.cases,
        events=said.events,
        root=said.root,
        why=said.why,
    )


def _archive(found: retention.Archive) -> Archive:
    made = _proposed(found.proposed.archive_proposed)
    made.proposed.CopyFrom(_step(found.proposed))
    if found.approved is not None:
        made.approved.CopyFrom(_step(found.approved))
    if found.withdrawn is not None:
        made.withdrawn.CopyFrom(_step(found.withdrawn))
        made.why_withdrawn = found.withdrawn.archive_withdrawn.why
    if found.carried_out is not None:
        made.carried_out.CopyFrom(_step(found.carried_out))
        made.location = found.carried_out.cases_archived.location
        made.manifest_sha256 = found.carried_out.cases_archived.manifest_sha256
    made.restored_cases = len(found.restored)
    return made


def _step(event: Event) -> ArchiveStep:
    return ArchiveStep(actor=event.actor.name, role=event.actor.role, at=event.recorded_at, position=event.position)
