"""An archive's folder: its manifest, and that its files and its cases are those of the manifest.

What proves its events is the extract in it, `proofs.jsonl`; the table `events.parquet` is for reading, and only its
digest is compared here.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from casetrail_verify import lines
from casetrail_verify.events import Tree
from casetrail_verify.evidence import regular
from casetrail_verify.faults import Check, Faults
from casetrail_verify.joining import CaseState
from casetrail_verify.lines import Line, LineError
from casetrail_verify.seals import root_over

PROOFS: Final = "proofs.jsonl"

_MANIFEST: Final = "manifest.json"
_FILES: Final = (PROOFS, "events.parquet")
_VERSION: Final = 1
_CHUNK: Final = 1 << 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ArchiveFolder:
    """An archive that is to be judged.

    Attributes:
        archive_id: Which one it says it is.
        manifest_sha256: Of its manifest, hex: the log's event about the archive must name it.
    """

    def __init__(self, path: Path, found: Faults) -> None:
        """Read the manifest, and compare the files with their digests.

        Raises:
            LineError: This is no manifest of an archive.
            EvidenceError: One of the files is none that ends, as a pipe is.
            OSError: Something cannot be read.
        """
        self._found = found
        data = regular(path / _MANIFEST).read_bytes()
        self.manifest_sha256 = hashlib.sha256(data).hexdigest()
        self._manifest = lines.parse(data)
        if self._manifest.get("format") != "casetrail-archive" or self._manifest.get("version") != _VERSION:
            raise LineError(f"{_MANIFEST} is not that of an archive of version {_VERSION}")
        self.archive_id = lines.text(self._manifest, "archive_id")
        self._ends = _ends(self._manifest)
        files = self._manifest.get("files")
        for name in _FILES:
            said = files.get(name) if isinstance(files, dict) else None
            if said != _described(path / name):
                found.add(Check.EXPORT_ALTERED, f"{name} is not the file that the manifest has the digest of")

    def check(self, tree: Tree, actual: Mapping[str, CaseState], events: int) -> None:
        """Check that the manifest is about what the proofs are about, once these have been read."""
        said = self._manifest
        ends = {case_id: (state.seq, state.leaf) for case_id, state in actual.items()}
        right = {
            "tree": (said.get("size"), said.get("root")) == (tree.size, tree.root.hex()),
            "log": said.get("log") == tree.log,
            "number of events": said.get("events") == events,
            "number of cases": said.get("cases") == len(ends) == len(self._ends),
            "list of cases": {case_id: (seq, leaf) for case_id, seq, leaf in self._ends} == ends,
            "root over the cases": said.get("cases_root") == root_over(self._ends),
            "beginning of each case": all(state.first_seq == 1 for state in actual.values()),
        }
        if wrong := [name for name, holds in right.items() if not holds]:
            self._found.add(
                Check.ARCHIVE_WRONG, f"the manifest's {' and '.join(wrong)} differs from what {PROOFS} has", position=1
            )


def _ends(manifest: Line) -> list[tuple[str, int, str]]:
    """Case, number and hash of the last event of each case that is listed.

    Raises:
        LineError: The list is none.
    """
    listed = manifest.get("case_list")
    if not isinstance(listed, list) or not all(map(_is_end, listed)):
        raise LineError("the manifest has no list of cases that can be read")
    return [(case_id, seq, leaf) for case_id, seq, leaf in listed]


def _is_end(one: object) -> bool:
    """Whether this is a case, the number of its last event, and that one's hash in hex."""
    match one:
        case [str(), int(seq), str(leaf)]:
            return type(seq) is int and 0 <= seq < 1 << 63 and _SHA256.fullmatch(leaf) is not None
        case _:
            return False


def _described(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with regular(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}
