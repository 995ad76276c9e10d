"""What every store keeps to when cases leave it for an archive, and come back. Subclassed once for each database."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from audit.envelope import StoredEvent
from audit.log import LOG_ITSELF, Appended, ArchivedCase, ArchivingRefusedError, ClosedCase, Known, Log, Need
from audit.own_events import record
from audit.replay import replay
from audit.retention import approve, propose, root_of, withdraw
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import (
    ArchiveApproved,
    ArchiveProposed,
    ArchiveWithdrawn,
    CaseClosed,
    CaseRestored,
    CasesArchived,
    Event,
)
from casetrail.v1.types_pb2 import Actor, Role
from domain.evolve import fold
from domain.refusal import Rejected
from tests.audit.contract import NOW, opened
from tests.audit.given import NOON, Writer, note, opening
from tests.audit.tree_contract import true_checkpoint

ANNA = Actor(name="anna", role=Role.ROLE_ADMIN)
BORIS = Actor(name="boris", role=Role.ROLE_AUDITOR)
CARL = Actor(name="carl", role=Role.ROLE_AUDITOR)
A1 = "archive-1"


@contextmanager
def reason(code: str, match: str | None = None) -> Iterator[None]:
    with pytest.raises(Rejected, match=match) as refused:
        yield
    assert refused.value.code == code


async def closed(log: Log, case_id: str) -> Writer:
    writer = Writer(log, case_id)
    await writer.write(opening(imported=True), note(f"what {case_id} said"), key="open")
    await writer.write(CaseClosed(), key="close")
    return writer


async def closed_cases(log: Log) -> Sequence[ClosedCase]:
    return await log.closed_cases(opened_before=NOON + 1_000_000)


async def agreed(
    log: Log, cases: Sequence[ClosedCase], archive_id: str = A1, *, by: Actor = ANNA, approved_by: Actor | None = BORIS
) -> None:
    proposal = ArchiveProposed(archive_id=archive_id, cases=len(cases), root=root_of(cases))
    await record(log, proposal, key=f"propose {archive_id}", actor=by)
    if approved_by is not None:
        approval = ArchiveApproved(archive_id=archive_id, cases=len(cases), root=root_of(cases))
        await record(log, approval, key=f"approve {archive_id}", actor=approved_by)


async def archived(log: Log, cases: Sequence[ClosedCase], archive_id: str = A1, *, proven_by: int = 0) -> Event:
    body = CasesArchived(archive_id=archive_id, cases=len(cases), root=root_of(cases), tree_size=proven_by)
    return await record(
        log,
        body,
        key=f"archive {archive_id}",
        actor=BORIS,
        append=lambda batch: log.archive(batch, archive_id, cases),
    )


async def restored(log: Log, case: ArchivedCase, rows: Sequence[StoredEvent], events: Sequence[Event]) -> Event:
    body = CaseRestored(archive_id=case.archive_id, restored_case_id=case.case_id)
    return await record(
        log,
        body,
        key=f"restore {case.archive_id} {case.case_id}",
        actor=ANNA,
        append=lambda batch: log.restore(batch, case, rows, fold(events)),
    )


def is_archived(refused: pytest.ExceptionInfo[Rejected]) -> bool:
    return refused.value.reason == RefusalReason.REFUSAL_REASON_CASE_ARCHIVED and A1 in refused.value.message


class ArchiveContract:
    """The rules of `Log.archive` and `Log.restore`."""

    async def test_closed_cases_are_told_from_one_on_in_the_order_of_their_opening(self, log: Log) -> None:
        for number in range(4):
            await closed(log, f"INQ-{number}")
        first = await log.closed_cases(opened_before=NOON + 1_000_000, limit=2)
        then = await log.closed_cases(opened_before=NOON + 1_000_000, after_opened=first[-1].opened, limit=5)
        assert [[each.case.case_id for each in page] for page in (first, then)] == [
            ["INQ-0", "INQ-1"],
            ["INQ-2", "INQ-3"],
        ]

    async def test_what_is_archived_leaves_its_envelopes_and_the_log_still_verifies(self, log: Log) -> None:
        for case_id in ("INQ-1", "INQ-2", "INQ-3"):
            await closed(log, case_id)
        await opened(log, "INQ-4")
        before = await log.rows()
        cases = [each for each in await closed_cases(log) if each.case.case_id != "INQ-2"]
        await agreed(log, cases)
        event = await archived(log, cases)
        assert (await log.verify()).findings == ()
        after = await log.rows(limit=len(before))
        assert [row.envelope for row in after] == [row.envelope for row in before]
        gone = {row.case_id for row in after if row.payload is None}
        assert gone == {"INQ-1", "INQ-3"}
        assert await log.archived_cases(A1) == [
            ArchivedCase(A1, each.case.case_id, each.opened, each.seq, each.leaf_hash, event.position) for each in cases
        ]
        assert (await log.verify("INQ-1")).findings == ()
        assert [each.case.case_id for each in await closed_cases(log)] == ["INQ-2"]

    async def test_a_checkpoint_that_proves_an_archive_and_is_gone_is_found(self, log: Log) -> None:
        await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        size = await log.size()
        await archived(log, cases, proven_by=size)
        (finding,) = (await log.verify()).findings
        assert (finding.reason, finding.position) == ("CHECKPOINT_MISSING", size)
        assert A1 in finding.message
        await log.keep_checkpoint(await true_checkpoint(log, size))
        assert (await log.verify()).findings == ()

    async def test_an_archived_case_is_refused_wherever_it_is_read_or_written(self, log: Log) -> None:
        writer = await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await archived(log, cases)
        assert await log.archive_of("INQ-1") == A1
        for asked in (
            log.read_case("INQ-1"),
            log.events("INQ-1"),
            log.find_key("INQ-1", "open"),
            replay(log, "INQ-1"),
            log.append(writer.batch(note(), key="later")),
            log.append(Writer(log, "INQ-1").batch(opening(), key="open")),
        ):
            with pytest.raises(Rejected) as refused:
                await asked
            assert is_archived(refused)
        assert await log.read_case("INQ-9") is None
        assert (await log.list_cases(CaseFilter(), page_size=10, token="")).cases == []

    async def test_who_follows_the_log_passes_by_what_is_archived(self, log: Log) -> None:
        await closed(log, "INQ-1")
        await closed(log, "INQ-2")
        await opened(log, "INQ-3")
        cases = (await closed_cases(log))[:1]
        await agreed(log, cases)
        await archived(log, cases)
        assert [event.case_id for event in await log.scan(limit=5)] == [*["INQ-2"] * 3, "INQ-3", LOG_ITSELF]
        assert [event.position for event in await log.scan(limit=1)] == [4]

    @pytest.mark.parametrize("approved_by", [None, ANNA])
    async def test_nothing_is_removed_without_the_approval_of_somebody_else(
        self, log: Log, approved_by: Actor | None
    ) -> None:
        await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases, approved_by=approved_by)
        with pytest.raises(ArchivingRefusedError, match="another who approves"):
            await archived(log, cases)
        assert len(await log.events("INQ-1")) == 3
        assert (await log.verify()).findings == ()

    async def test_one_other_person_approves_and_no_third_one(self, log: Log) -> None:
        await closed(log, "INQ-1")
        await agreed(log, await closed_cases(log), approved_by=None)
        with reason("SAME_PERSON"):
            await approve(log, A1, ANNA)
        approved = await approve(log, A1, BORIS)
        assert await approve(log, A1, BORIS) == approved
        with reason("ALREADY_SO", match="'boris' has approved"):
            await approve(log, A1, CARL)

    async def test_what_somebody_withdrew_is_neither_withdrawn_again_nor_approved(self, log: Log) -> None:
        await closed(log, "INQ-1")
        await agreed(log, await closed_cases(log), approved_by=None)
        withdrawn = await withdraw(log, A1, "not this one", BORIS)
        assert await withdraw(log, A1, "not this one", BORIS) == withdrawn
        with reason("ALREADY_SO", match="'boris' has withdrawn"):
            await withdraw(log, A1, "not this one", CARL)
        with reason("ARCHIVE_WITHDRAWN", match="not this one"):
            await approve(log, A1, CARL)

    async def test_what_was_carried_out_is_not_withdrawn(self, log: Log) -> None:
        await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await archived(log, cases)
        with reason("ARCHIVE_CARRIED_OUT", match="by 'boris'"):
            await withdraw(log, A1, "not this one", ANNA)

    async def test_one_id_is_of_one_proposal(self, log: Log) -> None:
        proposal = ArchiveProposed(archive_id=A1, most_cases=10, why="room")
        proposed = await propose(log, proposal, ANNA)
        assert await propose(log, proposal, ANNA) == proposed
        for changed, actor in (
            (ArchiveProposed(archive_id=A1, most_cases=11, why="room"), ANNA),
            (ArchiveProposed(archive_id=A1, most_cases=10, why="more room"), ANNA),
            (proposal, BORIS),
        ):
            with reason("REQUEST_ID_REUSED"):
                await propose(log, changed, actor)

    async def test_nothing_is_removed_when_one_of_the_cases_has_moved_on(self, log: Log) -> None:
        await closed(log, "INQ-1")
        writer = await closed(log, "INQ-2")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await writer.write(note(), key="later")
        size = await log.size()
        with pytest.raises(ArchivingRefusedError, match="not as it was"):
            await archived(log, cases)
        assert await log.size() == size
        assert len(await log.events("INQ-1")) == 3

    async def test_an_archive_takes_nothing_more_once_it_is_carried_out(self, log: Log) -> None:
        await closed(log, "INQ-1")
        await closed(log, "INQ-2")
        first, second = await closed_cases(log)
        await agreed(log, [first])
        event = await archived(log, [first])
        assert await archived(log, [second]) == event
        assert len(await log.events("INQ-2")) == 3

    async def test_of_a_withdrawal_and_a_removal_at_once_there_is_one(self, log: Log) -> None:
        await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        removal, _ = await asyncio.gather(
            archived(log, cases), withdraw(log, A1, "not this one", ANNA), return_exceptions=True
        )
        assert isinstance(removal, Event)
        conclusion = removal.WhichOneof("body")
        assert conclusion in ("cases_archived", "archive_withdrawn")
        assert await log.archive_of("INQ-1") == (A1 if conclusion == "cases_archived" else None)
        assert (await log.verify()).findings == ()

    async def test_nothing_is_removed_once_it_was_withdrawn(self, log: Log) -> None:
        await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await withdraw(log, A1, "not this one", ANNA)
        assert (await archived(log, cases)).HasField("archive_withdrawn")
        assert len(await log.events("INQ-1")) == 3
        assert (await log.verify()).findings == ()

    async def test_a_withdrawal_beside_a_removal_is_found(self, log: Log) -> None:
        await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        removal = await archived(log, cases)
        await record(log, ArchiveWithdrawn(archive_id=A1, why="too late"), key="another key", actor=ANNA)
        findings = (await log.verify()).findings
        assert [(each.reason, each.position) for each in findings] == [("ARCHIVE_WRONG", removal.position)]

    async def test_of_many_who_carry_it_out_at_once_one_does(self, log: Log) -> None:
        await closed(log, "INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        events = await asyncio.gather(*(archived(log, cases) for _ in range(4)))
        assert events == [events[0]] * 4
        assert (await log.verify()).findings == ()

    async def test_a_restored_case_is_what_it_was(self, log: Log) -> None:
        for case_id in ("INQ-1", "INQ-2"):
            await closed(log, case_id)
        rows, events = await log.rows(case_ids=["INQ-1"]), await log.events("INQ-1")
        case, projected = await log.read_case("INQ-1"), await log.projection("INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await archived(log, cases)
        there, _ = await log.archived_cases(A1)
        back = await restored(log, there, rows, events)
        assert await log.rows(case_ids=["INQ-1"]) == rows
        assert await log.events("INQ-1") == events
        assert await log.read_case("INQ-1") == case
        # What is encrypted anew has other bytes.
        restored_projection = await log.projection("INQ-1")
        assert restored_projection is not None
        assert projected is not None
        assert restored_projection._replace(body=projected.body) == projected
        assert (await log.verify()).findings == ()
        assert [each.restored for each in await log.archived_cases(A1)] == [back.position, None]

    async def test_a_restored_case_goes_on_and_can_be_archived_again(self, log: Log) -> None:
        writer = await closed(log, "INQ-1")
        rows, events = await log.rows(case_ids=["INQ-1"]), await log.events("INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await archived(log, cases)
        (there,) = await log.archived_cases(A1)
        await restored(log, there, rows, events)
        known = await log.append(Writer(log, "INQ-1").batch(opening(imported=True), key="open"))
        assert isinstance(known, Known)
        assert isinstance(await log.append(writer.batch(note(), key="later")), Appended)
        again = await closed_cases(log)
        await agreed(log, again, "archive-2")
        await archived(log, again, "archive-2")
        assert await log.archive_of("INQ-1") == "archive-2"
        assert (await log.verify()).findings == ()

    async def test_half_a_case_is_not_restored(self, log: Log) -> None:
        await closed(log, "INQ-1")
        rows, events = await log.rows(case_ids=["INQ-1"]), await log.events("INQ-1")
        cases = await closed_cases(log)
        await agreed(log, cases)
        await archived(log, cases)
        (there,) = await log.archived_cases(A1)
        with pytest.raises(ArchivingRefusedError, match="restored whole"):
            await restored(log, there, rows[:-1], events)
        assert await log.archive_of("INQ-1") == A1
        assert (await log.verify()).findings == ()

    async def test_a_case_with_work_ahead_is_not_to_be_archived(self, log: Log) -> None:
        await opened(log, "INQ-1")
        for case_id, need in (("INQ-2", Need(None, effects=True)), ("INQ-3", Need(NOW, effects=False))):
            await (await opened(log, case_id)).write(CaseClosed(), key="close", need=need)
        assert await closed_cases(log) == []
