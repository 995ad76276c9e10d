"""An archive's folder, written so that it is there whole or not at all; `archive_folder` says what is in it."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from audit.durable import make_folder, sync_folder
from audit.envelope import StoredEvent
from audit.log import CaseEnd
from audit.sealing import seal_root
from server.archive_folder import EVENTS, FORMAT, MANIFEST, PROOFS, VERSION, ArchiveDamagedError, described
from server.export_lines import Line, encoded, event_line, written


class ArchiveWriter:
    """Writes an archive beside its place; a context after which what is not whole is gone."""

    def __init__(self, place: Path) -> None:
        """Begin an archive.

        Raises:
            OSError: It cannot be written.
        """
        self.events = 0
        self._place = place
        self._part = place.with_name(f".{place.name}.{os.getpid()}.part")
        self._lines = 0
        self._digest = hashlib.sha256()
        self._ends: dict[str, CaseEnd] = {}

    def __enter__(self) -> Self:
        """Make the folder.

        Raises:
            OSError: It cannot be made.
        """
        # What a crash has left of earlier attempts holds what customers said, and is of no use.
        for left in self._place.parent.glob(f".{self._place.name}.*.part"):
            shutil.rmtree(left, ignore_errors=True)
        make_folder(self._place.parent)
        self._part.mkdir(mode=0o700)
        self._proofs: BinaryIO = (self._part / PROOFS).open("wb")
        from server.archive_table import Table  # noqa: PLC0415 - Parquet's library is large, and seldom needed

        self._table = Table(self._part / EVENTS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what is not in its place."""
        self._proofs.close()
        with suppress(Exception):
            self._table.close()
        shutil.rmtree(self._part, ignore_errors=True)

    def write(self, lines: Iterable[Line]) -> None:
        """Write lines that are about no event."""
        for line in lines:
            self._write(line)

    def add(self, rows: Sequence[tuple[StoredEvent, Sequence[bytes]]]) -> None:
        """Write events, each with its inclusion proof.

        Raises:
            ArchiveDamagedError: One has no payload.
        """
        for row, inclusion in rows:
            if row.payload is None:
                raise ArchiveDamagedError(
                    f"the payload of {row.event_id} is gone from the log: run `casetrail-db verify`"
                )
            self._write(event_line(row) | {"inclusion": [encoded(node) for node in inclusion]})
            self._ends[row.case_id] = CaseEnd(row.case_id, row.seq, row.leaf_hash)
        self._table.add([row for row, _ in rows])
        self.events += len(rows)

    def finish(self, about: Mapping[str, Any]) -> None:
        """Make the archive whole and put it into its place; what the disk then has is not yet checked.

        Args:
            about: What its manifest says of it besides.

        Raises:
            OSError: It cannot be written.
        """
        self._proofs.write(written({"kind": "end", "lines": self._lines, "sha256": self._digest.hexdigest()}))
        self._proofs.flush()
        os.fsync(self._proofs.fileno())
        self._proofs.close()
        self._table.close()
        _sync(self._part / EVENTS)
        ends = sorted(self._ends.values(), key=lambda end: end.case_id.encode())
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            **about,
            "cases": len(ends),
            "events": self.events,
            "cases_root": seal_root(ends).hex(),
            "files": {name: described(self._part / name) for name in (PROOFS, EVENTS)},
            "case_list": [[end.case_id, end.seq, end.leaf_hash.hex()] for end in ends],
        }
        path = self._part / MANIFEST
        path.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        _sync(path)
        sync_folder(self._part)
        self._part.rename(self._place)
        sync_folder(self._place.parent)

    def _write(self, line: Line) -> None:
        text = written(line)
        self._proofs.write(text)
        self._digest.update(text)
        self._lines += 1


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
