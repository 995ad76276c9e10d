"""Proofs about the tree, made from what the log has stored of it.

Nothing that is read here ever changes, so that a proof needs no transaction, and costs the same in a small log and in
one of a million events: three or four short reads. Many proofs about one tree share them (`Tree`).
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from audit.log import Log
from audit.merkle import WIDTH, Read, Span, beside_edge, beside_leaf, reads_of, root_of
from casetrail.proof.tree import EMPTY_ROOT

_BLOCKS: Final = 256  # of up to 256 hashes each: 2 MiB
_NODES: Final = 16_384


class Tree:
    """The tree of the first `size` events, to prove many things about: what one proof has read, the next need not."""

    def __init__(self, log: Log, size: int) -> None:
        """Read from this log, which has at least so many events."""
        self._log = log
        self._size = size
        self._blocks: OrderedDict[tuple[int, int], Sequence[bytes]] = OrderedDict()
        self._nodes: OrderedDict[Read, bytes] = OrderedDict()

    async def root(self) -> bytes:
        """Root of the tree."""
        return await self._root(Span(0, self._size)) if self._size else EMPTY_ROOT

    async def inclusion(self, position: int) -> list[bytes]:
        """Prove that the event at a position is in the tree.

        Raises:
            ValueError: It is not.
        """
        if not 1 <= position <= self._size:
            raise ValueError(f"a tree of {self._size} events does not hold position {position}")
        return [await self._root(span) for span in beside_leaf(position - 1, self._size)]

    async def consistency(self, old_size: int) -> list[bytes]:
        """Prove that the tree is that of the first `old_size` events with events added at its end.

        Raises:
            ValueError: The old one is the larger one.
        """
        if not 0 <= old_size <= self._size:
            raise ValueError(f"a tree of {self._size} events does not follow one of {old_size}")
        return [await self._root(span) for span in beside_edge(old_size, self._size)]

    async def _root(self, span: Span) -> bytes:
        return root_of([[await self._node(read)] for read in reads_of(span)])

    async def _node(self, read: Read) -> bytes:
        """Root of a complete subtree: that over what is read, which lies in one block."""
        known = self._nodes.get(read)
        if known is None:
            number, first = divmod(read.first, WIDTH)
            block = await self._block(read.level, number)
            known = self._nodes[read] = root_of([block[first : first + read.last - read.first]])
            if len(self._nodes) > _NODES:
                self._nodes.popitem(last=False)
        return known

    async def _block(self, level: int, number: int) -> Sequence[bytes]:
        """The hashes of a level that are below one of the next; fewer at the tree's edge."""
        known = self._blocks.get((level, number))
        if known is None:
            first = number * WIDTH
            last = min(first + WIDTH, self._size // WIDTH**level)
            known = self._blocks[level, number] = await self._log.subtrees(level, first, last)
            if len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end((level, number))
        return known


async def inclusion(log: Log, position: int, size: int) -> list[bytes]:
    """Prove that the event at a position is in the tree of the first `size` events.

    Raises:
        ValueError: It is not.
    """
    return await Tree(log, size).inclusion(position)


async def consistency(log: Log, old_size: int, size: int) -> list[bytes]:
    """Prove that the tree of the first `size` events is that of the first `old_size` with events added at its end.

    Raises:
        ValueError: The old one is the larger one.
    """
    return await Tree(log, size).consistency(old_size)


async def root(log: Log, size: int) -> bytes:
    """Root of the tree of the first `size` events."""
    return await Tree(log, size).root()
