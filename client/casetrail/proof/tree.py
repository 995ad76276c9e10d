"""Checks proofs of an RFC 6962 Merkle tree, which one can do without the tree."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from casetrail.proof import ProofError

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""


def hash_leaf(data: bytes) -> bytes:
    """A leaf (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """What stands above two subtrees (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def left_of(size: int) -> int:
    """How many of a tree's leaves are on its left: the largest power of two that is smaller than all of them."""
    return 1 << (size - 1).bit_length() - 1


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a leaf is in a tree (RFC 6962, 2.1.1).

    Args:
        leaf: Its hash.
        index: Its place, from 0.
        size: How many leaves the tree has.
        root: Of the tree.
        proof: Hashes beside the way from the leaf to the root.

    Raises:
        ProofError: It is not, or this does not show it.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    beside = _Hashes(proof)
    above = _with_leaf(leaf, index, size, beside)
    beside.end()
    if above != root:
        raise ProofError("the leaf is not in the tree with this root")


def check_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree is an older one with leaves added at its end (RFC 6962, 2.1.2).

    Raises:
        ProofError: It is not, or this does not show it.
    """
    if not 0 <= old_size <= size:
        raise ProofError(f"a tree of {size} leaves does not follow one of {old_size}")
    hashes = _Hashes(proof)
    if old_size == 0:
        old, new = EMPTY_ROOT, root
    else:
        old, new = _with_old(old_size, size, hashes, old_root)
    hashes.end()
    if old != old_root:
        raise ProofError("the proof is not about the old root")
    if new != root:
        raise ProofError("the tree with this root does not contain the older one")


class _Hashes:
    """A proof's hashes, each to be used once."""

    def __init__(self, proof: Sequence[bytes]) -> None:
        self._left: Iterator[bytes] = iter(proof)

    def take(self) -> bytes:
        for taken in self._left:
            return taken
        raise ProofError("the proof is too short")

    def end(self) -> None:
        if next(self._left, None) is not None:
            raise ProofError("the proof is too long")


def _with_leaf(leaf: bytes, index: int, size: int, proof: _Hashes) -> bytes:
    """Root of the tree that has this leaf there."""
    if size == 1:
        return leaf
    left = left_of(size)
    if index < left:
        above = _with_leaf(leaf, index, left, proof)
        return hash_node(above, proof.take())
    above = _with_leaf(leaf, index - left, size - left, proof)
    return hash_node(proof.take(), above)


def _with_old(old_size: int, size: int, proof: _Hashes, old_root: bytes | None) -> tuple[bytes, bytes]:
    """Roots of the older tree and of the whole one.

    Args:
        old_size: How many leaves the older one has, at least 1.
        size: How many the whole one has.
        proof: Hashes that both are made of.
        old_root: The older one's, while all its leaves are looked at: the proof leaves it out.
    """
    if old_size == size:
        same = proof.take() if old_root is None else old_root
        return same, same
    left = left_of(size)
    if old_size <= left:
        old, new = _with_old(old_size, left, proof, old_root)
        return old, hash_node(new, proof.take())
    old, new = _with_old(old_size - left, size - left, proof, None)
    before = proof.take()
    return hash_node(before, old), hash_node(before, new)
