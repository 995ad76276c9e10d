"""Proofs about the tree, made from what the log has stored of it.

Nothing that is read here ever changes, so that a proof needs no transaction, and costs the same in a small log and in
one of a million events: some twenty short reads.
"""

from audit.log import Log
from audit.merkle import Span, beside_edge, beside_leaf, reads_of, root_of
from casetrail.proof.tree import EMPTY_ROOT


async def inclusion(log: Log, position: int, size: int) -> list[bytes]:
    """Prove that the event at a position is in the tree of the first `size` events.

    Raises:
        ValueError: It is not.
    """
    if not 1 <= position <= size:
        raise ValueError(f"a tree of {size} events does not hold position {position}")
    return [await _root(log, span) for span in beside_leaf(position - 1, size)]


async def consistency(log: Log, old_size: int, size: int) -> list[bytes]:
    """Prove that the tree of the first `size` events is that of the first `old_size` with events added at its end.

    Raises:
        ValueError: The old one is the larger one.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} events does not follow one of {old_size}")
    return [await _root(log, span) for span in beside_edge(old_size, size)]


async def root(log: Log, size: int) -> bytes:
    """Root of the tree of the first `size` events."""
    return await _root(log, Span(0, size)) if size else EMPTY_ROOT


async def _root(log: Log, span: Span) -> bytes:
    return root_of([await log.subtrees(*read) for read in reads_of(span)])
