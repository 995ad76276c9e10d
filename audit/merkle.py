"""The Merkle tree over the log's leaf hashes (RFC 6962, 2.1).

Appending needs only the tree's right edge, the *frontier*: the roots of the complete subtrees that the leaves so far
make up, one for each bit of their number. Proofs need hashes from inside. Those of complete subtrees never change, so
the log stores the ones of 256, 256², … leaves as they become complete; a proof reads at most a few hundred hashes
however many events there are.

A store of the log grows the frontier in the transaction that appends, with what it read under its lock:

    growth = Frontier.parse(size, stored).grow([event.leaf_hash for event in events])
    # store growth.frontier.stored in the head; each of growth.subtrees as a row (level, number, root)

and answers `Appended(events, growth)`. From the rest of this module it needs nothing; `audit.proofs` makes the proofs.

Leaves have an index from 0: that of the event at a position is one less.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from casetrail.proof.tree import EMPTY_ROOT, hash_node, left_of

WIDTH: Final = 256
"""Subtrees of a level, of which one makes a subtree of the next."""

_BITS: Final = WIDTH.bit_length() - 1
_HASH: Final = hashlib.sha256().digest_size


class Subtree(NamedTuple):
    """A complete subtree that is worth storing.

    Attributes:
        level: It has 256**level leaves; at least 1.
        number: Which of these, from 0.
        root: Its hash.
    """

    level: int
    number: int
    root: bytes


class Span(NamedTuple):
    """Leaves that stand side by side under one hash.

    Attributes:
        begin: Index of the first.
        end: Index after the last.
    """

    begin: int
    end: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.end - self.begin


class Read(NamedTuple):
    """Hashes that stand side by side and are stored.

    Attributes:
        level: 0 for leaves, else of subtrees of 256**level leaves.
        first: Number of the first.
        last: Number after the last.
    """

    level: int
    first: int
    last: int


@dataclass(frozen=True)
class Frontier:
    """The right edge of a tree: all that appending to it needs.

    Attributes:
        size: How many leaves the tree has.
        roots: Of its complete subtrees from left to right, the largest first.
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()

    @classmethod
    def parse(cls, size: int, stored: bytes) -> "Frontier":
        """Read a frontier as the head keeps it.

        Raises:
            ValueError: It is none of a tree of this size.
        """
        if len(stored) != size.bit_count() * _HASH:
            raise ValueError(f"{len(stored)} bytes are no frontier of {size} leaves")
        return cls(size, tuple(stored[start : start + _HASH] for start in range(0, len(stored), _HASH)))

    @property
    def stored(self) -> bytes:
        """The frontier as the head keeps it: its hashes one after the other."""
        return b"".join(self.roots)

    @cached_property
    def root(self) -> bytes:
        """Of the whole tree."""
        return _join(self.roots)

    def grow(self, leaves: Sequence[bytes]) -> "Growth":
        """Add leaf hashes at the end."""
        edge = list(self.roots)
        subtrees = []
        sha256 = hashlib.sha256
        for size, leaf in enumerate(leaves, start=self.size + 1):
            edge.append(leaf)
            height = 0
            while size >> height & 1 == 0:
                right = edge.pop()
                edge[-1] = sha256(b"\x01" + edge[-1] + right).digest()  # not hash_node: this is the hot loop
                height += 1
                if height % _BITS == 0:
                    subtrees.append(Subtree(height // _BITS, (size >> height) - 1, edge[-1]))
        return Growth(self, tuple(leaves), Frontier(self.size + len(leaves), tuple(edge)), tuple(subtrees))


@dataclass(frozen=True)
class Growth:
    """What one commit made of the tree.

    Attributes:
        before: The frontier before it.
        leaves: The leaf hashes that it added.
        frontier: The frontier after it.
        subtrees: Subtrees that became complete and are to be stored.
    """

    before: Frontier
    leaves: Sequence[bytes]
    frontier: Frontier
    subtrees: Sequence[Subtree]
    _roots: dict[tuple[int, int], bytes] = field(default_factory=dict, compare=False, repr=False)

    def inclusion(self, position: int) -> list[bytes]:
        """Prove that an event of this commit is in the tree after it, from what the commit knows.

        What stands beside the way of a new leaf is new itself, or a subtree of the old frontier.
        """
        if not self.before.size < position <= self.frontier.size:
            raise ValueError(f"position {position} is not of this commit")
        return [self._root(beside) for beside in beside_leaf(position - 1, self.frontier.size)]

    def _root(self, span: Span) -> bytes:
        if not self._roots:
            end = 0
            for height, root in zip(_heights(self.before.size), self.before.roots, strict=True):
                begin, end = end, end + (1 << height)
                self._roots[begin, end] = root
        known = self._roots.get(span)
        if known is None:
            if span.size == 1:
                known = self.leaves[span.begin - self.before.size]
            else:
                middle = span.begin + left_of(span.size)
                known = hash_node(self._root(Span(span.begin, middle)), self._root(Span(middle, span.end)))
            self._roots[span] = known
        return known


def beside_leaf(index: int, size: int) -> list[Span]:
    """What an inclusion proof lists: the spans beside a leaf's way to the root, from below (RFC 6962, 2.1.1)."""
    spans = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + left_of(end - begin)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin = middle
    return spans[::-1]


def beside_edge(old_size: int, size: int) -> list[Span]:
    """What a consistency proof lists: spans that make up the old tree, and the new one with it (RFC 6962, 2.1.2)."""
    if old_size in (0, size):
        return []
    spans = []
    begin, end = 0, size
    while end != old_size:
        middle = begin + left_of(end - begin)
        if old_size <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin = middle
    if begin:
        spans.append(Span(begin, end))
    return spans[::-1]


def reads_of(span: Span) -> list[Read]:
    """What is read to know a span's hash: for each complete subtree that it is made of, the stored hashes below it.

    The span is one that a proof lists, so it begins at a multiple of a power of two not smaller than itself.
    """
    reads = []
    begin = span.begin
    for height in _heights(span.size):
        level = height // _BITS
        reads.append(Read(level, begin >> level * _BITS, begin + (1 << height) >> level * _BITS))
        begin += 1 << height
    return reads


def root_of(read: Sequence[Sequence[bytes]]) -> bytes:
    """A span's hash, from the hashes that were read for it."""
    return _join([_complete(hashes) for hashes in read])


def _complete(hashes: Sequence[bytes]) -> bytes:
    """Root of a complete subtree, from all its nodes of one level."""
    while len(hashes) > 1:
        hashes = [hash_node(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def _join(roots: Sequence[bytes]) -> bytes:
    """Root over complete subtrees that stand side by side, the largest first."""
    if not roots:
        return EMPTY_ROOT
    *others, above = roots
    for root in reversed(others):
        above = hash_node(root, above)
    return above


def _heights(size: int) -> Iterator[int]:
    """Heights of the complete subtrees that so many leaves make up, the highest first."""
    for height in range(size.bit_length() - 1, -1, -1):
        if size >> height & 1:
            yield height
