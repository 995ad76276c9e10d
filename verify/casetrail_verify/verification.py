"""The verification, step by step; each step is a module of its own."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from casetrail_verify import lines, stretches
from casetrail_verify.archive_folder import PROOFS, ArchiveFolder
from casetrail_verify.archived import Archives
from casetrail_verify.evidence import Evidence, notes_in, regular
from casetrail_verify.export import Export, Header
from casetrail_verify.faults import Check, Faults
from casetrail_verify.joining import Joined
from casetrail_verify.keyring import Keyring
from casetrail_verify.lines import Line, LineError
from casetrail_verify.listed import Listed
from casetrail_verify.notes import Checkpoint, NoteError
from casetrail_verify.parallel import in_order
from casetrail_verify.projection import Projection
from casetrail_verify.report import Report, counted
from casetrail_verify.seals import Seals
from casetrail_verify.signed import Signed, Source
from casetrail_verify.spool import Events, Spool
from casetrail_verify.stretches import Numbered

_WORTH_PROCESSES: Final = 16 * 2**20  # bytes; less is checked sooner than processes are started


def verify(evidence: Evidence, *, processes: int | None = None) -> Report:
    """Check an export by all that is known about its log.

    Args:
        evidence: What an auditor has.
        processes: How many may check at once; by default as many as there are processors, for a large export.

    Raises:
        EvidenceError: What was brought cannot be used at all.
        OSError: A file cannot be read.
    """
    evidence.check_kept()
    found = Faults()
    path, folder = evidence.export, None
    try:
        if path.is_dir():
            folder = ArchiveFolder(path, found)
            path /= PROOFS
        regular(path)
        if processes is None:
            processes = (os.cpu_count() or 1) if path.stat().st_size > _WORTH_PROCESSES else 1
        with Export(path, found) as export, Spool() as spool:
            return _Verification(evidence, export.header(), folder, found).run(export, spool, processes)
    except LineError as error:
        found.add(Check.EXPORT_MALFORMED, str(error))
        return Report(str(evidence.export), {}, found.in_order(), ["everything: it is no export that can be read"])


class _Verification:
    def __init__(self, evidence: Evidence, header: Header, folder: ArchiveFolder | None, found: Faults) -> None:
        self._evidence = evidence
        self._header = header
        self._folder = folder
        self._found = found
        self._joined = Joined(header.tree, found)

    def run(self, export: Export, spool: Spool, processes: int) -> Report:
        self._check_identity()
        seals = Seals(export.seals(), self._found)
        behind = self._read_events(export, spool, seals, processes)
        first_behind = next(behind, None)  # by now all events have been read
        self._joined.finish()
        spool.check_keys(self._found)
        if self._header.tree.whole:
            seals.check(self._joined.own)
        keyring = self._keyring()
        signed, events = self._signed(keyring, spool), spool.events()
        projection = Projection(self._joined.cases, whole=self._header.tree.whole, found=self._found)
        archives = Archives(self._joined.own, self._joined.cases, self._found)
        if first_behind is not None:
            self._read_behind(export, chain([first_behind], behind), events, signed, projection, archives)
        self._read_elsewhere(events, signed)
        if export.finish():  # else the other cases may stand in what was cut off
            projection.finish(archives.alone)
        archives.finish(self._joined.gone, projection.listed, excused=self._evidence.archived, header=self._header)
        signed.finish()
        if self._folder is not None:
            self._folder.check(self._header.tree, self._joined.cases, self._joined.events)
        return self._report(seals, keyring, signed, projection, archives)

    def _check_identity(self) -> None:
        """Check that the export is of the log whose key is known."""
        header = self._header
        if header.origin != f"casetrail/{header.tree.log}":
            self._found.add(
                Check.LOG_FOREIGN, f"the header names the log {header.tree.log!r} and the origin {header.origin!r}"
            )
        names = {key.name for key in self._evidence.log_keys}
        if header.origin not in names:
            self._found.add(
                Check.LOG_FOREIGN,
                f"the export is of {header.origin!r}, and the key is of {', '.join(sorted(names))}: "
                "the wrong key, or another log's export",
            )

    def _read_events(self, export: Export, spool: Spool, seals: Seals, processes: int) -> Iterator[Numbered]:
        """Check the events; gives the lines behind them, with their numbers."""
        tree = self._header.tree
        whole_sizes = [size for size in seals.sizes if tree.whole and 0 <= size <= tree.size]
        sizes = set(whole_sizes)
        if 0 in sizes:
            seals.reached(0, {})
        behind = False
        for checked in in_order(stretches.check, export.stretches(tree, whole_sizes), processes):
            if behind and checked.events:
                self._found.add(
                    Check.EXPORT_MALFORMED, "events stand behind lines that follow them", position=checked.first.pos
                )
            elif not behind:
                self._joined.add(checked)
                spool.add(checked)
                if self._joined.events in sizes:
                    seals.reached(self._joined.events, self._joined.cases)
            behind = behind or bool(checked.rest)
            yield from checked.rest

    def _keyring(self) -> Keyring:
        return Keyring(
            self._header.origin,
            self._evidence.log_keys,
            self._joined.own,
            whole=self._header.tree.whole,
            found=self._found,
        )

    def _signed(self, keyring: Keyring, spool: Spool) -> Signed:
        header, tree = self._header, spool.tree()

        def root(size: int) -> bytes | None:
            if not header.tree.whole:
                return header.tree.root if size == header.tree.size else None
            return tree.root(size) if size <= tree.size else None

        return Signed(header, keyring, self._evidence.witness_keys, root, self._found)

    def _read_behind(
        self,
        export: Export,
        numbered: Iterable[Numbered],
        events: Events,
        signed: Signed,
        projection: Projection,
        archives: Archives,
    ) -> None:
        """Check the lines behind the events."""
        for number, line in numbered:
            if isinstance(line, str):
                self._found.add(Check.EXPORT_MALFORMED, f"line {number}: {line}")
                continue
            kind = export.kind(number, line)
            if isinstance(line, Listed):
                if kind:
                    projection.case(line)
                continue
            match kind:
                case "policy":
                    projection.policy(line, number)
                case "archived":
                    archives.case(line, number)
                case "checkpoint":
                    archives.checkpoint(line)
                    signed.checkpoint(line, Source(f"line {number}", elsewhere=False))
                case "receipt":
                    signed.receipt(line, events, Source(f"line {number}", elsewhere=False))

    def _read_elsewhere(self, events: Events, signed: Signed) -> None:
        """Check what was kept elsewhere than in the export."""
        for file in (file for path in self._evidence.checkpoints for file in notes_in(path)):
            self._read_checkpoints(file, signed)
        for path in self._evidence.receipts:
            for line, where in self._lines(path, Check.RECEIPT_MALFORMED):
                signed.receipt(line, events, where)

    def _read_checkpoints(self, path: Path, signed: Signed) -> None:
        """Check a file of checkpoints: one a line, or a single note."""
        with path.open("rb") as file:
            is_note = file.read(1) not in (b"{", b"")
        if not is_note:
            for line, where in self._lines(path, Check.CHECKPOINT_MALFORMED):
                signed.checkpoint(line, where)
            return
        try:
            checkpoint = Checkpoint.parse(path.read_text(encoding="utf-8"))
        except (NoteError, UnicodeDecodeError) as error:
            self._found.add(Check.CHECKPOINT_MALFORMED, f"{path}: {error}")
            return
        signed.note(checkpoint, Source(str(path), elsewhere=True))

    def _lines(self, path: Path, check: Check) -> Iterator[tuple[Line, Source]]:
        """The lines of a file that was only ever added to: a crash may have cut off the last one."""
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                where = Source(f"{path}, line {number}", elsewhere=True)
                try:
                    yield lines.parse(raw), where
                except LineError as error:
                    if raw.endswith(b"\n"):
                        self._found.add(check, f"{where}: {error}")

    def _report(
        self, seals: Seals, keyring: Keyring, signed: Signed, projection: Projection, archives: Archives
    ) -> Report:
        tree = self._header.tree
        scope = "the whole log" if tree.whole else "an extract"
        if self._folder is not None:
            scope = f"the archive {self._folder.archive_id}"
        archived = {"archived cases: what was agreed to, by whom, last hash": archives.cases} if archives.cases else {}
        return Report(
            log=f"{self._header.origin}: {scope} as of {counted(tree.size, 'event')}, "
            f"exported at {self._header.exported_at}",
            checked={
                "events: envelopes, columns, hashes, payloads, positions, keys": self._joined.events,
                "cases: numbering and chains": sum(case_id != stretches.LOG_ITSELF for case_id in self._joined.cases),
                "checkpoints: signatures, witnesses, roots": signed.checkpoints,
                "receipts: signatures, roots, events": signed.receipts,
                "seals, recomputed": seals.checked,
                "cases of the projection: beginning, number of events, last hash": projection.cases,
                "cases folded: kind, stage, times, owner, policy, round, counters and the like": projection.folded,
                "policies: digests": projection.policies,
                **archived,
            },
            faults=self._found.in_order(),
            open=self._open(keyring, signed, projection, archives),
        )

    def _open(self, keyring: Keyring, signed: Signed, projection: Projection, archives: Archives) -> Sequence[str]:
        """What these files cannot show."""
        evidence, whole = self._evidence, self._header.tree.whole
        later = self._header.log_size - self._header.tree.size
        said = [
            (True, "whether what was written was true"),
            (
                True,
                "whether the cases' clocks, settlements, parcels, … are their fold (`casetrail verify` folds all)",
            ),
            (True, "members that are there for reading only, as `columns`: payload and envelope count"),
            (
                later > 0,
                f"the {counted(later, 'newest event')} that the log says it had, which the export leaves out",
            ),
            (
                not evidence.checkpoints,
                "a rewritten or shortened log: no checkpoints that were kept elsewhere were given",
            ),
            (not evidence.witness_keys, "whether others were shown another log: no witness's key was given"),
            (not whole, "what is not in the extract, and seals: only the whole log shows that no event was left out"),
            (projection.partial > 0, f"{counted(projection.partial, 'case')} of which the extract has not all events"),
            (
                signed.unsigned > 0,
                f"{counted(signed.unsigned, 'receipt')} without a signature: only the events were compared",
            ),
            (
                signed.unshown > 0,
                f"{counted(signed.unshown, 'receipt')} whose tree or event only the whole log can show",
            ),
            (
                whole and keyring.unused_names != "",
                f"whether an older key has written the log again: it never had {keyring.unused_names}",
            ),
            (
                not whole and len(evidence.log_keys) > 1,
                "which of the log's keys was in force: an extract is believed by any that was given",
            ),
            (
                archives.gone > 0,
                f"what {counted(archives.gone, 'event')} without payload said; that it happened, and when, holds",
            ),
        ]
        return [*(words for applies, words in said if applies), *self._about_archives(archives)]

    def _about_archives(self, archives: Archives) -> Iterator[str]:
        """What binds an archive to the log is the digest of its manifest: the auditor has to compare the two."""
        if self._folder is not None:
            yield (
                f"whether this is all of {self._folder.archive_id}: its manifest has the SHA-256 "
                f"{self._folder.manifest_sha256}, and the log's event of it must say the same"
            )
        for removal in archives.removals.values():
            yield (
                f"the archive {removal.archive_id} itself, proposed by {removal.proposed_by}, approved by "
                f"{removal.approved_by}: its manifest must have the SHA-256 {removal.manifest}"
            )
