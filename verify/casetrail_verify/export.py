"""Reads an export: its header, what is announced, its events by the stretch, and whether it is all there."""

import hashlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from casetrail_verify import lines
from casetrail_verify.events import Tree
from casetrail_verify.faults import Check, Faults
from casetrail_verify.lines import Line, LineError
from casetrail_verify.listed import Listed
from casetrail_verify.stretches import Stretch

_VERSION: Final = 1
_AT_ONCE: Final = 4 * 2**20  # bytes in a stretch, and the rest of its last line
_LONGEST: Final = 64 * 2**20  # bytes of a line; the service itself takes no message that is as long
_BLOCK: Final = 256 * 2**10  # bytes that are hashed at once: as many as are near the processor

_AFTER_EVENTS: Final = ("policy", "case", "archived", "checkpoint", "receipt", "end")


class Header(NamedTuple):
    """What an export says of itself.

    Attributes:
        tree: That its events are in.
        origin: The log's name in checkpoints.
        exported_at: When it was made.
        log_size: How many events the log had then.
    """

    tree: Tree
    origin: str
    exported_at: str
    log_size: int


class Export:
    """An export that is read once, from its beginning to its end; a context in which it is open.

    Attributes:
        lines: How many have been read.
    """

    def __init__(self, path: Path, found: Faults) -> None:
        """Open a file.

        Raises:
            OSError: It cannot be read.
        """
        self.lines = 0
        self._path = path
        self._found = found
        self._file = path.open("rb")
        self._hash = hashlib.sha256()
        self._held = b""  # the last line read: the hash that the last one of all holds is of those before it
        self._rank = 0
        self._end: tuple[int, Line] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def header(self) -> Header:
        """Read the first line.

        Raises:
            LineError: This is no export that can be read.
        """
        raw = self._take_line()
        if not raw:
            raise LineError("the file is empty")
        if raw.startswith(b"{") and not raw.endswith(b"\n"):
            self._found.add(Check.EXPORT_TRUNCATED, "the file ends within its first line: it was cut off")
        line = lines.parse(raw)
        if line.get("kind") != "header" or line.get("format") != "casetrail-export":
            raise LineError("the file does not begin with the header of an export of Casetrail")
        if (version := lines.integer(line, "version")) != _VERSION:
            raise LineError(f"the export has version {version}; this program reads version {_VERSION}")
        scope = lines.text(line, "scope")
        if scope not in ("log", "extract"):
            raise LineError(f"the export is neither of a log nor an extract, but {scope!r}")
        tree = Tree(lines.text(line, "log"), lines.integer(line, "size"), lines.hashed(line, "root"), scope == "log")
        if tree.size < 0:
            raise LineError(f"no log has {tree.size} events")
        log_size = lines.integer({"log_size": tree.size} | line, "log_size")
        return Header(tree, lines.text(line, "origin"), lines.text(line, "exported_at"), log_size)

    def seals(self) -> list[Line]:
        """Read the lines that announce seals."""
        found = []
        while line := self._next_if("seal"):
            found.append(line)
        return found

    def stretches(self, tree: Tree, cuts: Sequence[int]) -> Iterator[Stretch]:
        """Divide the other lines.

        Args:
            tree: That the events are in.
            cuts: After so many lines a stretch must end; ascending.
        """
        passed = 0
        for cut in [*(cut for cut in cuts if cut > 0), None]:
            while cut is None or passed < cut:
                start, number = self._file.tell(), self.lines + 1
                taken = self._take(cut - passed if cut is not None else None)
                if not taken:
                    return
                passed += self.lines + 1 - number
                yield Stretch(self._path, start, taken, number, tree)

    def kind(self, number: int, line: Line | Listed) -> str:
        """What a line behind the events is, once it stands where it may; otherwise empty, and noted."""
        kind = "case" if isinstance(line, Listed) else line.get("kind")
        if kind == "header":
            self._found.add(Check.EXPORT_MIXED, f"line {number}: a second header: this file is made of several exports")
            return ""
        if kind not in _AFTER_EVENTS:
            what = "stands behind the events" if kind in ("seal", "event") else "is of an unknown kind"
            self._found.add(Check.EXPORT_MALFORMED, f"line {number} ({kind!r}) {what}")
            return ""
        rank = _AFTER_EVENTS.index(kind)
        if rank < self._rank or self._end is not None:
            self._found.add(Check.EXPORT_MALFORMED, f"line {number} ({kind!r}) stands behind lines that follow it")
        self._rank = rank
        if kind == "end" and isinstance(line, dict):
            self._end = (number, line)
        return str(kind)

    def finish(self) -> bool:
        """Check that the file is all there, once all has been read; whether its end is."""
        if self._end is None:
            self._found.add(
                Check.EXPORT_TRUNCATED, f"the file ends after {self.lines} lines without an `end`: it was cut off"
            )
            return False
        if not self._held.endswith(b"\n"):
            self._found.add(Check.EXPORT_TRUNCATED, "the last line has no end: it was cut off")
        number, line = self._end
        if line.get("lines") != number - 1 or line.get("sha256") != self._hash.hexdigest():
            self._found.add(
                Check.EXPORT_ALTERED,
                f"the last line speaks of {line.get('lines')!r} lines with another hash than those of this file",
            )
        return True

    def _take(self, most: int | None) -> int:
        """Read whole lines, no more than so many; returns how many bytes they are."""
        start, first = self._file.tell(), self.lines
        size = 0
        while size < _AT_ONCE and (block := self._file.read(min(_BLOCK, _AT_ONCE - size))):
            remaining = None if most is None else most - (self.lines - first)
            if remaining is not None and block.count(b"\n") >= remaining:
                block = b"".join(islice(BytesIO(block), remaining))
                self._file.seek(start + size + len(block))
                self._note(block)
                return size + len(block)
            self._note(block)
            size += len(block)
        return size + len(self._take_line())

    def _take_line(self) -> bytes:
        """Read the next line, or the rest of one.

        Raises:
            LineError: It has no end that can be waited for.
        """
        line = self._file.readline(_LONGEST)
        if len(line) == _LONGEST:
            raise LineError(f"line {self.lines + 1} is longer than any that there is")
        self._note(line)
        return line

    def _note(self, taken: bytes) -> None:
        """Note what has been read."""
        self.lines += taken.count(b"\n")
        taken = self._held + taken
        last = taken.rfind(b"\n", 0, -1) + 1
        self._hash.update(memoryview(taken)[:last])
        self._held = taken[last:]

    def _next_if(self, kind: str) -> Line | None:
        start = self._file.tell()
        raw = self._file.readline(_LONGEST)
        self._file.seek(start)
        try:
            line = lines.parse(raw)
        except LineError:
            return None
        if line.get("kind") != kind:
            return None
        self._take_line()
        return line
