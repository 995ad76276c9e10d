"""What a witness remembers: of each log the last checkpoint that it signed. It must never forget.

A file for each log, replaced as a whole and synced before the witness signs. A witness that lost its memory could be
shown another history, so it refuses to begin without the folder that `init` made.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from casetrail.proof.note import NoteError, SignedNote
from casetrail.proof.tree import EMPTY_ROOT


class MemoryLostError(Exception):
    """The witness's memory is missing or damaged; the message says where."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last tree of a log that was signed."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class Memory:
    """The memory in a folder."""

    def __init__(self, folder: Path) -> None:
        """Remember what stands there.

        Raises:
            MemoryLostError: The folder is missing.
        """
        if not folder.is_dir():
            raise MemoryLostError(
                f"{folder} is missing: a witness that forgets what it has signed can be shown another history. Restore "
                "it; if it is lost for good, begin a new witness with a new key"
            )
        self._folder = folder

    def last(self, origin: str) -> Seen:
        """What was signed last of a log.

        Raises:
            MemoryLostError: It cannot be read.
        """
        path = self._path(origin)
        try:
            tree = SignedNote.parse(json.loads(path.read_text(encoding="utf-8"))["note"]).tree
        except FileNotFoundError:
            return Seen()
        except (OSError, ValueError, KeyError, TypeError, NoteError) as error:
            raise MemoryLostError(f"{path} cannot be read: {error}") from error
        return Seen(tree.size, tree.root)

    def remember(self, note: SignedNote) -> None:
        """Remember a checkpoint; it is on the disk when this returns.

        Raises:
            OSError: It is not.
        """
        path = self._path(note.tree.origin)
        partial = path.with_suffix(".new")
        kept = json.dumps({"note": note.text, "origin": note.tree.origin, "size": note.tree.size}, ensure_ascii=False)
        with partial.open("w", encoding="utf-8") as file:
            file.write(kept)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.json"
