"""What is kept of every event until all have been read: on disk, in a folder that goes away."""

import mmap
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from casetrail_verify.faults import Faults
from casetrail_verify.stretches import BUCKETS, DIGEST, KEYS, Checked, numbered
from casetrail_verify.tree import HASH, Tree


class Kept(NamedTuple):
    """An event, as far as it is kept.

    Attributes:
        leaf: Its hash.
        owner: What stands for its case.
    """

    leaf: bytes
    owner: bytes


class Spool:
    """The hashes, positions and keys of all events; a context in which they are kept."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="casetrail-verify-")
        self._path = Path(self._folder.name)
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        self._folder.cleanup()

    def add(self, checked: Checked) -> None:
        """Keep the events of the next stretch."""
        self._file("leaves").write(checked.leaves)
        self._file("positions").write(checked.positions)
        self._file("owners").write(checked.owners)
        for bucket, keys in checked.keys.items():
            self._file(f"keys-{bucket}").write(keys)

    def check_keys(self, found: Faults) -> None:
        """Check that every case's events under one key are numbered from 0 without a gap."""
        for bucket in range(BUCKETS):
            next_of: dict[bytes, int] = {}
            for digest, pos, first, following in KEYS.iter_unpack(self._read(f"keys-{bucket}")):
                expected = next_of.get(digest, 0)
                if first != expected:
                    numbered(pos, "", first, expected, found)
                next_of[digest] = following

    def tree(self) -> Tree:
        """The tree over the events as they are."""
        return Tree(self._read("leaves"))

    def events(self) -> "Events":
        """The events by position."""
        return Events(self._read("positions"), self._read("leaves"), self._read("owners"))

    def _file(self, name: str) -> BinaryIO:
        if name not in self._files:
            self._files[name] = (self._path / name).open("w+b")
        return self._files[name]

    def _read(self, name: str) -> memoryview:
        file = self._file(name)
        file.flush()
        if not file.tell():
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


class Events:
    """Finds kept events by their position."""

    def __init__(self, positions: memoryview, leaves: memoryview, owners: memoryview) -> None:
        self._positions = positions.cast("q")
        self._leaves = leaves
        self._owners = owners

    def at(self, position: int) -> Kept | None:
        """The event at a position, if it was in the export."""
        index = bisect_left(self._positions, position)
        if index == len(self._positions) or self._positions[index] != position:
            return None
        return Kept(
            bytes(self._leaves[index * HASH : (index + 1) * HASH]),
            bytes(self._owners[index * DIGEST : (index + 1) * DIGEST]),
        )

    def __iter__(self) -> Iterator[int]:
        return iter(self._positions)
