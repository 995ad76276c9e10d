"""Carries an approved archive out, and brings cases back from one.

In this order, so that a crash leaves either everything in the database or a finished archive, and doing it again is
safe: the folder is written and synced; it is read back and checked; then one transaction writes the event that says so
and removes what the archive has.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from audit import proofs
from audit.durable import sync_folder
from audit.envelope import StoredEvent, event_of
from audit.log import ArchivedCase, ArchivingRefusedError, ClosedCase, Log, LogDamagedError
from audit.own_events import record
from audit.retention import Archive, Keep, approved_cases, archive, conclusion_key, refuse_withdrawn
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import CaseRestored, CasesArchived, Event
from casetrail.v1.types_pb2 import Actor
from domain import fold
from domain.refusal import Rejected
from server.archive_folder import ArchiveDamagedError, ArchiveFolder
from server.archive_writer import ArchiveWriter
from server.export_lines import checkpoint_line, header_line, policy_lines
from server.proving import Proving
from server.witnessed import PATIENCE, Ending, ending

_PAGE: Final = 2000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Archiving:
    """Writes archives into one folder, and reads them there."""

    def __init__(self, log: Log, proving: Proving, folder: Path, keep: Keep) -> None:
        """Say where.

        Args:
            log: What is archived.
            proving: Who signs the trees that the archives' proofs lead to.
            folder: The folder of all archives.
            keep: For how long a closed case must be kept.
        """
        self._log = log
        self._proving = proving
        self._folder = folder
        self._keep = keep
        self._one_at_a_time = asyncio.Lock()

    async def carry_out(self, archive_id: str, actor: Actor) -> Archive:
        """Write an approved archive, check it, and remove what it has; once, however often it is asked for.

        Raises:
            Rejected: UNKNOWN_ARCHIVE; NOT_YET while it is not approved, or not witnessed; ARCHIVE_WITHDRAWN;
                CASES_HAVE_CHANGED; ARCHIVE_UNAVAILABLE, ARCHIVE_DAMAGED. Nothing was removed.
        """
        async with self._one_at_a_time:
            found = await archive(self._log, archive_id)
            if found.carried_out is not None:
                return found
            cases = await approved_cases(self._log, self._keep, found)
            end = await self._ending(found)
            with _refusing(archive_id):
                written = await self._written(found, cases, end)
                await self._remove(found, cases, written, actor)
            done = await archive(self._log, archive_id)
            refuse_withdrawn(done)  # while it was written
            _log.info("archived", archive=archive_id, cases=len(cases), by=actor.name)
            return done

    async def restore(self, archive_id: str, case_ids: Sequence[str], why: str, actor: Actor) -> list[Event]:
        """Bring cases back; once, however often it is asked for.

        Args:
            archive_id: The archive.
            case_ids: Which; all that it has when empty.
            why: Why.
            actor: Who asks for it.

        Returns:
            Where the log says so of those that are back, whether by this call or an earlier one.

        Raises:
            Rejected: UNKNOWN_ARCHIVE; NOT_YET; UNKNOWN_CASE when a case is not in it; ARCHIVE_UNAVAILABLE,
                ARCHIVE_DAMAGED. Nothing was restored then.
        """
        async with self._one_at_a_time:
            found = await archive(self._log, archive_id)
            if found.carried_out is None:
                raise Rejected(RefusalReason.REFUSAL_REASON_NOT_YET, f"{archive_id} was not carried out yet")
            chosen = await self._chosen(archive_id, case_ids)
            with _refusing(archive_id):
                rows = await asyncio.to_thread(self._read, found.carried_out, chosen)
                whole = {each.case_id: await self._compared(each, rows[each.case_id]) for each in chosen}
                for each in chosen:
                    await self._put_back(each, whole[each.case_id], why, actor)
            wanted = set(case_ids)
            return [
                event
                for case_id, event in (await archive(self._log, archive_id)).restored.items()
                if (not wanted or case_id in wanted)
                and await self._log.archive_of(case_id) is None  # else it was archived once more
            ]

    # Writing

    async def _ending(self, found: Archive) -> Ending:
        """The tree that the archive's proofs lead to: signed, witnessed, and holding all that is archived."""
        end = await ending(self._log, self._proving, patience=PATIENCE)
        assert found.approved is not None  # noqa: S101 - or the cases would have been refused
        if (self._proving.witnesses and not end.witnessed) or end.size < found.approved.position:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_NOT_YET,
                f"no checkpoint that holds the approval of {found.archive_id} is signed by all witnesses yet"
                f"{''.join(f'; {each}' for each in end.trouble)}: ask again",
            )
        return end

    async def _written(self, found: Archive, cases: Sequence[ClosedCase], end: Ending) -> ArchiveFolder:
        """The archive's folder, on the disk and checked. One that an earlier attempt has finished serves too."""
        place = self._folder / found.archive_id
        if place.exists():
            await asyncio.to_thread(sync_folder, self._folder)  # who put it there may have died before that
        else:
            await self._write(place, found, cases, end)
        written = await asyncio.to_thread(self._checked, place)
        said = found.proposed.archive_proposed
        if (written.manifest.facts["cases_root"], written.manifest.facts["events"]) != (said.root, said.events):
            raise ArchiveDamagedError(f"{place} is another archive: move it away, then ask again")
        return written

    async def _write(self, place: Path, found: Archive, cases: Sequence[ClosedCase], end: Ending) -> None:
        tree = proofs.Tree(self._log, end.size)
        header = await header_line(self._log, self._proving, end, tree, scope="extract")
        with ArchiveWriter(place) as writer:
            writer.write([header | {"archive_id": found.archive_id}])
            case_ids = [each.case.case_id for each in cases]
            position = 0
            while rows := await self._log.rows(after_position=position, limit=_PAGE, case_ids=case_ids):
                proved = [(row, await tree.inclusion(row.position)) for row in rows]
                await asyncio.to_thread(writer.add, proved)
                position = rows[-1].position
            writer.write([line async for line in policy_lines(self._log)])
            checkpoints = await self._log.checkpoints(after_size=end.size - 1, limit=1)
            writer.write([checkpoint_line(each) for each in checkpoints])
            facts = {
                "archive_id": found.archive_id,
                "log": header["log"],
                "origin": header["origin"],
                "size": end.size,
                "root": header["root"],
                "proposed": found.proposed.position,
                "approved": found.approved.position if found.approved is not None else 0,
                "written_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
            await asyncio.to_thread(writer.finish, facts)

    def _checked(self, place: Path) -> ArchiveFolder:
        written = ArchiveFolder(place)
        notary = self._proving.notary
        if written.manifest.facts["origin"] != notary.origin:
            raise ArchiveDamagedError(f"{place} is an archive of another log")
        written.check(notary.keys, [witness.address.key for witness in self._proving.witnesses])
        return written

    async def _remove(self, found: Archive, cases: Sequence[ClosedCase], written: ArchiveFolder, actor: Actor) -> None:
        said = found.proposed.archive_proposed
        body = CasesArchived(
            archive_id=found.archive_id,
            cases=len(cases),
            events=said.events,
            root=said.root,
            manifest_sha256=written.manifest.sha256,
            location=str(written.path.absolute()),
            tree_size=written.manifest.facts["size"],
            proposed_by=found.proposed.actor.name,
            approved_by=found.approved.actor.name if found.approved is not None else "",
        )
        await record(
            self._log,
            body,
            key=conclusion_key(found.archive_id),
            actor=actor,
            append=lambda batch: self._log.archive(batch, found.archive_id, cases),
        )

    # Restoring

    async def _chosen(self, archive_id: str, case_ids: Sequence[str]) -> list[ArchivedCase]:
        """The cases that are to come back: of those that are asked for, the ones that only the archive has."""
        noted = {each.case_id: each for each in await self._log.archived_cases(archive_id)}
        for case_id in case_ids:
            if case_id not in noted:
                raise Rejected(
                    RefusalReason.REFUSAL_REASON_UNKNOWN_CASE, f"{case_id} is not in {archive_id}", field="case_ids"
                )
        return [noted[case_id] for case_id in case_ids or noted if noted[case_id].restored is None]

    def _read(self, carried_out: Event, chosen: Sequence[ArchivedCase]) -> dict[str, list[StoredEvent]]:
        said = carried_out.cases_archived
        folder = ArchiveFolder(self._folder / said.archive_id, manifest_sha256=said.manifest_sha256)
        wanted = {each.case_id for each in chosen}
        found: dict[str, list[StoredEvent]] = defaultdict(list)
        for row in folder.rows():
            if row.case_id in wanted:
                found[row.case_id].append(row)
        return found

    async def _compared(self, archived: ArchivedCase, rows: Sequence[StoredEvent]) -> list[StoredEvent]:
        """The case's events as the log has them, with the payloads that the archive has: the very same bytes."""
        here = await self._log.rows(case_ids=[archived.case_id], limit=archived.seq + 1)
        if list(map(_without_payload, rows)) != list(map(_without_payload, here)):
            raise ArchiveDamagedError(f"the archive does not have the events of {archived.case_id} that the log has")
        return list(rows)

    async def _put_back(self, archived: ArchivedCase, rows: Sequence[StoredEvent], why: str, actor: Actor) -> None:
        case = fold([event_of(row) for row in rows])
        if (case.seq, rows[-1].leaf_hash, rows[0].position) != (archived.seq, archived.leaf_hash, archived.opened):
            raise LogDamagedError(f"{archived.case_id} is not noted as it was archived: run `casetrail-db verify`")
        body = CaseRestored(
            archive_id=archived.archive_id, restored_case_id=archived.case_id, events=archived.seq, why=why
        )
        await record(
            self._log,
            body,
            key=f"restore {archived.archive_id} {archived.case_id}",
            actor=actor,
            append=lambda batch: self._log.restore(batch, archived, rows, case),
        )
        _log.info("restored", archive=archived.archive_id, case=archived.case_id, by=actor.name)


def _without_payload(row: StoredEvent) -> StoredEvent:
    return row._replace(dek_id="", payload=None)


@contextmanager
def _refusing(archive_id: str) -> Iterator[None]:
    """Refuse where archive and database cannot do what was asked for.

    Raises:
        Rejected: ARCHIVE_UNAVAILABLE, ARCHIVE_DAMAGED, CASES_HAVE_CHANGED.
    """
    try:
        yield
    except ArchiveDamagedError as error:
        raise Rejected(RefusalReason.REFUSAL_REASON_ARCHIVE_DAMAGED, str(error)) from error
    except ArchivingRefusedError as error:
        raise Rejected(RefusalReason.REFUSAL_REASON_CASES_HAVE_CHANGED, f"{archive_id}: {error}") from error
    except OSError as error:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ARCHIVE_UNAVAILABLE,
            f"{error.filename or archive_id}: {error.strerror or error}; look at CASETRAIL_ARCHIVES",
        ) from error
