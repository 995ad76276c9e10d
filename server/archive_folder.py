"""An archive's folder, read by somebody who trusts none of it.

`proofs.jsonl`    an extract of the log (docs/proof.md): envelopes, payloads, inclusion proofs, the signed checkpoint
`events.parquet`  the same events as a table, for reading and searching
`manifest.json`   what the archive is, and the digests of both

Nothing in it is encrypted here, and nothing decrypted: payloads are the bytes that the log had.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from audit import facts
from audit.envelope import StoredEvent, leaf_hash
from audit.log import CaseEnd
from audit.sealing import seal_root
from casetrail.proof import ProofError
from casetrail.proof.note import SignedNote, VerifierKey
from casetrail.proof.tree import check_inclusion
from server.export_lines import Line

PROOFS: Final = "proofs.jsonl"
EVENTS: Final = "events.parquet"
MANIFEST: Final = "manifest.json"

FORMAT: Final = "casetrail-archive"
VERSION: Final = 1
_CHUNK: Final = 1 << 20


class ArchiveDamagedError(Exception):
    """The archive is not what was written; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself.

    Attributes:
        facts: All of it.
        sha256: Of its bytes, hex: what the log's event about the archive names.
    """

    facts: Mapping[str, Any]
    sha256: str

    @property
    def ends(self) -> list[CaseEnd]:
        """The last event of each of its cases."""
        return [CaseEnd(case_id, seq, bytes.fromhex(leaf)) for case_id, seq, leaf in self.facts["case_list"]]


class ArchiveFolder:
    """An archive that was written.

    Attributes:
        path: Its folder.
        manifest: What it says of itself.
    """

    def __init__(self, path: Path, *, manifest_sha256: str = "") -> None:
        """Open a folder whose files are those that its manifest names.

        Args:
            path: The folder.
            manifest_sha256: The manifest's digest, when that is known from elsewhere.

        Raises:
            ArchiveDamagedError: They are not, or it is another manifest.
            OSError: It cannot be read.
        """
        self.path = path
        self.manifest = _manifest(path)
        if manifest_sha256 and self.manifest.sha256 != manifest_sha256:
            raise ArchiveDamagedError(
                f"{path / MANIFEST} has the SHA-256 {self.manifest.sha256}, and the log says {manifest_sha256}"
            )
        for name in (PROOFS, EVENTS):
            if described(path / name) != self.manifest.facts["files"].get(name):
                raise ArchiveDamagedError(f"{path / name} is not the file that the manifest has the digest of")

    def check(self, keys: Iterable[VerifierKey], witnesses: Iterable[VerifierKey]) -> None:
        """Check all of it: every event against its envelope, the tree, the table; the tree against who signed it.

        Args:
            keys: Of the log.
            witnesses: Each of which must have signed the tree.

        Raises:
            ArchiveDamagedError: Something does not hold.
            OSError: It cannot be read.
        """
        from server.archive_table import rows_of  # noqa: PLC0415 - Parquet's library is large, and seldom needed

        ends: dict[str, CaseEnd] = {}
        table = rows_of(self.path / EVENTS)
        count = 0
        for row in self.rows():
            count += 1
            before = ends.get(row.case_id, CaseEnd(row.case_id, 0, b""))
            if row.seq != before.seq + 1 or facts.read(row.envelope).previous != before.leaf_hash:
                raise self._wrong(f"{row.event_id} does not follow the event of its case that stands before it")
            ends[row.case_id] = CaseEnd(row.case_id, row.seq, row.leaf_hash)
            if next(table, None) != (row.position, row.leaf_hash, row.payload):
                raise self._wrong(f"{EVENTS} does not have {row.event_id} as {PROOFS} has it")
        if next(table, None) is not None:
            raise self._wrong(f"{EVENTS} has more events than {PROOFS}")
        said = self.manifest.facts
        in_order = sorted(ends.values(), key=lambda end: end.case_id.encode())
        if in_order != self.manifest.ends or seal_root(in_order).hex() != said["cases_root"]:
            raise self._wrong("its events are not those of the cases that the manifest lists")
        if (count, len(ends)) != (said["events"], said["cases"]):
            raise self._wrong("it has not as many events and cases as the manifest says")
        self._check_signatures(list(keys), list(witnesses))

    def rows(self) -> Iterator[StoredEvent]:
        """Its events in the order of the log, each found to be what its envelope says, and in the tree.

        Raises:
            ArchiveDamagedError: One is not.
            OSError: It cannot be read.
        """
        size, root = self.manifest.facts["size"], bytes.fromhex(self.manifest.facts["root"])
        for line in self._lines("event"):
            try:
                row = _row(line)
                said = facts.read(row.envelope)
                if hashlib.sha256(row.payload or b"").digest() != said.payload_hash:
                    raise self._wrong(f"the payload of {row.event_id} is not what its envelope has the hash of")
                if leaf_hash(row.envelope) != row.leaf_hash or (said.case_id, said.seq, said.position) != (
                    row.case_id,
                    row.seq,
                    row.position,
                ):
                    raise self._wrong(f"{row.event_id} is not the event that its envelope is about")
                proof = [b64decode(node, validate=True) for node in line["inclusion"]]
                check_inclusion(row.leaf_hash, row.position - 1, size, root, proof)
            except (KeyError, TypeError, ValueError) as error:
                raise self._wrong(f"{PROOFS} has an event that cannot be read: {error}") from error
            except ProofError as error:
                raise self._wrong(f"{line.get('event_id')}: {error}") from error
            yield row

    def _check_signatures(self, keys: list[VerifierKey], witnesses: list[VerifierKey]) -> None:
        said = self.manifest.facts
        for line in self._lines("checkpoint"):
            try:
                note = SignedNote.parse(line["note"])
                seen = {each.witness.name for each in note.cosigned_by(witnesses)}
                signed = bool(note.signed_by(keys))
            except ProofError as error:
                raise self._wrong(f"its checkpoint does not hold: {error}") from error
            tree = (note.tree.origin, note.tree.size, note.tree.root.hex())
            if tree == (said["origin"], said["size"], said["root"]) and signed:
                if unseen := sorted({key.name for key in witnesses} - seen):
                    raise self._wrong(f"its checkpoint was not signed by {', '.join(unseen)}")
                return
        raise self._wrong("no checkpoint of its tree that the log has signed is in it")

    def _lines(self, kind: str) -> Iterator[Line]:
        with (self.path / PROOFS).open("rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    line = json.loads(raw)
                    found = line["kind"]
                except (ValueError, KeyError, TypeError) as error:
                    raise self._wrong(f"{PROOFS}, line {number}, cannot be read") from error
                if found == kind:
                    yield line

    def _wrong(self, what: str) -> ArchiveDamagedError:
        return ArchiveDamagedError(f"{self.path}: {what}")


def _manifest(path: Path) -> Manifest:
    data = (path / MANIFEST).read_bytes()
    try:
        said = json.loads(data)
        manifest = Manifest(said, hashlib.sha256(data).hexdigest())
        known = (said["format"], said["version"]) == (FORMAT, VERSION)
        _ = (manifest.ends, said["files"].get, bytes.fromhex(said["root"]), said["size"], said["origin"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArchiveDamagedError(f"{path / MANIFEST} is no manifest of an archive") from error
    if not known:
        raise ArchiveDamagedError(f"{path / MANIFEST} is of another version than {VERSION}")
    return manifest


def _row(line: Line) -> StoredEvent:
    return StoredEvent(
        line["pos"],
        line["case_id"],
        line["seq"],
        "" if line["ordinal"] else line["key"],
        line["ordinal"],
        line["envelope"].encode(),
        bytes.fromhex(line["leaf_hash"]),
        line["recorded_at"],
        line["dek_id"] or "",
        b64decode(line["payload"], validate=True),
    )


def described(path: Path) -> dict[str, Any]:
    """What a manifest says of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}
