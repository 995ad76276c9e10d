"""The folder of checkpoints: what the log has published, kept where nobody who can change the log should be able to.

One file a UTC day, `2026-11-22.jsonl`, to which lines are only added, each synced to the disk: best on a volume that
does not let anybody change or delete what stands there.
"""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit.durable import sync_folder
from audit.log import Checkpoint
from casetrail.proof.note import NoteError, SignedNote, TreeNote


def _now() -> datetime:
    return datetime.now(UTC)


class FolderRefusedError(Exception):
    """The folder cannot be used; the message says why."""


class CheckpointFolder:
    """A folder outside the database."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = _now) -> None:
        """Use a folder that is there.

        Args:
            path: The folder.
            clock: The real time in UTC; a file is named by its day.

        Raises:
            FolderRefusedError: It is not, or nothing can be written into it.
        """
        self.path = path
        self._clock = clock
        self._synced: Path | None = None
        if not (os.access(path, os.W_OK | os.X_OK, effective_ids=True) and path.is_dir()):
            raise FolderRefusedError(
                f"{path} is no folder that this process can write: make it, or leave CASETRAIL_CHECKPOINTS out"
            )

    def add(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint with what co-signatures it has; it is on the disk when this returns.

        Raises:
            OSError: It is not.
        """
        line = json.dumps(
            {
                "note": checkpoint.signed_note,
                "published_at": _moment(checkpoint.published_at),
                "size": checkpoint.size,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        path = self.path / f"{self._clock():%Y-%m-%d}.jsonl"
        with path.open("ab") as file:
            # A line that a crash cut off stays as it is; the next one begins on its own.
            start = b"\n" if file.tell() and not _ends_a_line(path) else b""
            file.write(start + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if path != self._synced:  # its name too, also where another process has made it
            sync_folder(self.path)
            self._synced = path

    def newest(self, origin: str) -> SignedNote | None:
        """The checkpoint of the largest tree of a log that stands here, as it was written first.

        Raises:
            FolderRefusedError: Two trees of one size stand here, or a line is not what was written.
        """
        notes: dict[int, SignedNote] = {}
        try:
            days = days_in(self.path)
        except OSError as error:
            raise FolderRefusedError(f"{self.path} cannot be read: {error.strerror}") from error
        for path in reversed(days):
            for note in _notes(path):
                tree = note.tree
                if tree.origin == origin and notes.setdefault(tree.size, note).tree.root != tree.root:
                    raise FolderRefusedError(f"{path} has two roots for {tree.size} events of {origin}: it was forked")
            if notes:
                return notes[max(notes)]
        return None


def days_in(folder: Path) -> list[Path]:
    """The files of a folder, the oldest first.

    Raises:
        OSError: There is no such folder, or it cannot be read.
    """
    return sorted(path for path in folder.iterdir() if path.match("????-??-??.jsonl"))


def trees_of(path: Path, until: int) -> Iterator[TreeNote]:
    """The trees in the first bytes of a file, of whatever log.

    Raises:
        FolderRefusedError: A line is not what was written.
        OSError: It cannot be read.
    """
    return (note.tree for note in _notes(path, until))


def _moment(microseconds: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + microseconds * timedelta(microseconds=1)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _notes(path: Path, until: int | None = None) -> Iterator[SignedNote]:
    lines = path.read_bytes()[:until].split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):  # what stands after the last line feed was cut off by a crash
        try:
            yield SignedNote.parse(str(json.loads(line)["note"]))
        except (ValueError, KeyError, TypeError, NoteError) as error:
            if _is_cut_off(line):
                continue
            raise FolderRefusedError(f"{path}, line {number}, is no checkpoint: {error}") from error


def _is_cut_off(line: bytes) -> bool:
    """Whether a crash left only the beginning of a line."""
    return not line.endswith(b"}")


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
