"""Retention: which closed cases may leave the database, and what the log says was proposed, approved and done about it.

There is no table of archives. What they are is the fold of the log's own events, and which cases a proposal is about
follows from it: the cases that it fitted then, as they were. What is approved is the root over their last events, and
what is carried out must have the same root.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from audit.log import LOG_ITSELF, ClosedCase, Log
from audit.own_events import record
from audit.sealing import seal_root
from casetrail.v1.case_pb2 import Case
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import ArchiveApproved, ArchiveProposed, ArchiveWithdrawn, Event
from casetrail.v1.types_pb2 import Actor
from domain.case_time import real_time
from domain.instants import from_datetime, instant, to_datetime
from domain.refusal import Rejected

THREE_YEARS: Final = timedelta(days=1096)
"""With a leap day: no case leaves the database earlier, whatever a policy says."""

_PAGE: Final = 500

Keep = Callable[[Case], Awaitable[timedelta]]
"""For how long a closed case is kept, by its policies."""


@dataclass(slots=True)
class Archive:
    """An archive, from its proposal on.

    Attributes:
        proposed: The event.
        approved: The event; None until there is one.
        withdrawn: The event; None unless there is one. Then there is never one that it was carried out.
        carried_out: The event; None until the cases were removed.
        restored: The cases that were brought back, by when.
    """

    proposed: Event
    approved: Event | None = None
    withdrawn: Event | None = None
    carried_out: Event | None = None
    restored: dict[str, Event] = field(default_factory=dict)

    @property
    def archive_id(self) -> str:
        """Its id."""
        return self.proposed.archive_proposed.archive_id


async def archives(log: Log) -> dict[str, Archive]:
    """All archives by id, from the first proposed to the last."""
    found: dict[str, Archive] = {}
    seq = 0
    while events := await log.events(LOG_ITSELF, after_seq=seq, limit=_PAGE):
        for event in events:
            _take(event, found)
        seq = events[-1].seq
    return found


async def archive(log: Log, archive_id: str) -> Archive:
    """One archive.

    Raises:
        Rejected: UNKNOWN_ARCHIVE.
    """
    found = (await archives(log)).get(archive_id)
    if found is None:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_UNKNOWN_ARCHIVE, f"no archive {archive_id!r} was proposed", field="archive_id"
        )
    return found


def _take(event: Event, found: dict[str, Archive]) -> None:
    match event.WhichOneof("body"):
        case "archive_proposed":
            found.setdefault(event.archive_proposed.archive_id, Archive(event))
        case "archive_approved":
            found[event.archive_approved.archive_id].approved = event
        case "archive_withdrawn":
            found[event.archive_withdrawn.archive_id].withdrawn = event
        case "cases_archived":
            found[event.cases_archived.archive_id].carried_out = event
        case "case_restored":
            found[event.case_restored.archive_id].restored[event.case_restored.restored_case_id] = event


async def archivable(
    log: Log, keep: Keep, *, closed_before: datetime, as_of: datetime, most: int, up_to: int | None = None
) -> list[ClosedCase]:
    """The closed cases that may go, those that were opened first.

    Args:
        log: Where they are.
        keep: For how long each must be kept.
        closed_before: Only those closed before, in real time; in case time where an importer gave it.
        as_of: Only those that had been kept long enough by then.
        most: At most so many.
        up_to: Only those whose first event stands before this position.
    """
    found: list[ClosedCase] = []
    opened = 0
    cut = min(closed_before, as_of)
    # A case was opened before it was closed, in whatever time.
    while page := await log.closed_cases(opened_before=from_datetime(cut), after_opened=opened, limit=_PAGE):
        for each in page:
            if up_to is not None and each.opened >= up_to:
                return found
            closed = closed_at(each.case)
            if closed is not None and closed < cut and closed + max(THREE_YEARS, await keep(each.case)) <= as_of:
                found.append(each)
                if len(found) == most:
                    return found
        opened = page[-1].opened
    return found


def root_of(cases: Sequence[ClosedCase]) -> str:
    """What stands for exactly these cases, as they are: hex, made as the root of a seal is."""
    return seal_root(sorted((each.end for each in cases), key=lambda end: end.case_id.encode())).hex()


async def propose(log: Log, proposal: ArchiveProposed, actor: Actor) -> Archive:
    """Write a proposal, once for its id.

    Raises:
        Rejected: REQUEST_ID_REUSED when something else was proposed under this id.
    """
    event = await record(log, proposal, key=f"propose {proposal.archive_id}", actor=actor)
    said = event.archive_proposed
    if event.actor != actor or (said.closed_before, said.most_cases, said.why) != (
        proposal.closed_before,
        proposal.most_cases,
        proposal.why,
    ):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_REQUEST_ID_REUSED,
            "this request id was used for another proposal",
            field="request_id",
        )
    return await archive(log, proposal.archive_id)


async def approve(log: Log, archive_id: str, actor: Actor) -> Archive:
    """Write that somebody else agrees. Asked again by the same, it comes to the same.

    Raises:
        Rejected: UNKNOWN_ARCHIVE, ARCHIVE_WITHDRAWN, SAME_PERSON, or ALREADY_SO when a third person has approved it.
    """
    found = await archive(log, archive_id)
    refuse_withdrawn(found)
    if found.proposed.actor.name == actor.name:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_SAME_PERSON,
            f"{actor.name!r} has proposed {archive_id}: somebody else must approve it",
        )
    said = found.proposed.archive_proposed
    body = ArchiveApproved(archive_id=archive_id, cases=said.cases, root=said.root)
    event = await record(log, body, key=f"approve {archive_id}", actor=actor)
    if event.actor.name != actor.name:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{event.actor.name!r} has approved {archive_id} already"
        )
    return await archive(log, archive_id)


async def withdraw(log: Log, archive_id: str, why: str, actor: Actor) -> Archive:
    """Write that it is not to be archived after all. Asked again by the same, it comes to the same.

    Raises:
        Rejected: UNKNOWN_ARCHIVE, ARCHIVE_CARRIED_OUT, or ALREADY_SO when somebody else has withdrawn it.
    """
    await archive(log, archive_id)
    event = await record(
        log, ArchiveWithdrawn(archive_id=archive_id, why=why), key=conclusion_key(archive_id), actor=actor
    )
    if event.WhichOneof("body") != "archive_withdrawn":
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ARCHIVE_CARRIED_OUT,
            f"{archive_id} was carried out by {event.actor.name!r} (event {event.position}), and cannot be withdrawn",
        )
    if event.actor.name != actor.name:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{event.actor.name!r} has withdrawn {archive_id} already"
        )
    return await archive(log, archive_id)


def conclusion_key(archive_id: str) -> str:
    """What an archive's end is written under, whether it is carried out or withdrawn: so it can never be both."""
    return f"archive {archive_id}"


def refuse_withdrawn(found: Archive) -> None:
    """Let nothing more be done about an archive that was withdrawn.

    Raises:
        Rejected: ARCHIVE_WITHDRAWN.
    """
    if found.withdrawn is not None:
        said = found.withdrawn.archive_withdrawn
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ARCHIVE_WITHDRAWN,
            f"{found.archive_id} was withdrawn by {found.withdrawn.actor.name!r}: {said.why}",
        )


async def approved_cases(log: Log, keep: Keep, found: Archive) -> list[ClosedCase]:
    """The cases of an approved archive, by the case id's bytes.

    Raises:
        Rejected: NOT_YET while it is not approved; ARCHIVE_WITHDRAWN; CASES_HAVE_CHANGED when they are not what was
            proposed.
    """
    refuse_withdrawn(found)
    if found.approved is None:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"{found.archive_id} was proposed by {found.proposed.actor.name!r}, and nobody else has approved it yet",
        )
    said = found.proposed.archive_proposed
    cases = await archivable(
        log,
        keep,
        closed_before=said.closed_before.ToDatetime(UTC),
        as_of=to_datetime(instant(found.proposed.at)),
        most=said.most_cases,
        up_to=found.proposed.position,
    )
    if root_of(cases) != said.root:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CASES_HAVE_CHANGED,
            f"the cases of {found.archive_id} are not what was proposed and approved: since then one was changed, "
            "archived or imported, or a policy wants them longer; propose again",
        )
    return sorted(cases, key=lambda each: each.case.case_id.encode())


def closed_at(case: Case) -> datetime | None:
    """When a case was closed, in real time; in case time where an importer gave it. None when nobody knows."""
    if not case.HasField("closed_at"):
        return None
    at = instant(case.closed_at)
    return real_time(case.time_base, at) or to_datetime(at)
