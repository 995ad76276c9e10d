"""The Merkle tree of RFC 6962, 2.1: the root of the first leaves, however many, and proofs that a leaf is in it."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

HASH: Final = 32
"""Bytes of a hash."""

_KEPT: Final = 6  # levels below this are hashed again when they are asked for: memory is a byte for each leaf
_BLOCK: Final = 1 << _KEPT


class ProofError(Exception):
    """A proof does not lead anywhere."""


def hash_leaf(data: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Hash of what stands above two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """All trees that the first leaves of one sequence make."""

    def __init__(self, leaves: bytes | memoryview) -> None:
        """Take the hashes of the leaves, one behind the other; a mapped file will do."""
        self._leaves = leaves
        self.size = len(leaves) // HASH
        self._levels = [[self._subtree(_KEPT, index) for index in range(self.size // _BLOCK)]]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([hash_node(*below[at : at + 2]) for at in range(0, len(below) - 1, 2)])

    def root(self, size: int) -> bytes:
        """Root of the tree of the first `size` leaves, of which there must be as many."""
        if size == 0:
            return hashlib.sha256(b"").digest()
        parts = []
        start = 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                parts.append(self._node(height, start >> height))
                start += 1 << height
        root = parts.pop()
        while parts:
            root = hash_node(parts.pop(), root)
        return root

    def _node(self, height: int, index: int) -> bytes:
        return self._levels[height - _KEPT][index] if height >= _KEPT else self._subtree(height, index)

    def _subtree(self, height: int, index: int) -> bytes:
        """Root of a complete subtree of 2**height leaves, from its leaves."""
        sha256 = hashlib.sha256
        first = (index << height) * HASH
        end = first + (HASH << height)
        level = bytes(self._leaves[first:end])
        while len(level) > HASH:
            level = b"".join(
                [sha256(b"\x01" + level[at : at + 2 * HASH]).digest() for at in range(0, len(level), 2 * HASH)]
            )
        return level


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root of the tree of these leaves' hashes."""
    joined = b"".join(leaves)
    return Tree(joined).root(len(joined) // HASH)


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    Args:
        leaf: Its hash.
        index: Its place, from 0.
        size: How many leaves the tree has.
        proof: The hashes beside the way, from the leaf up.

    Raises:
        ProofError: No proof for this place has this length.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has none at {index}")
    place, last, root = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if place & 1 or place == last:
            root = hash_node(beside, root)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            root = hash_node(root, beside)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    return root
