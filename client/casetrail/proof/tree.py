"""Checks proofs of an RFC 6962 Merkle tree, which one can do without the tree."""

import hashlib
from collections.abc import Sequence
from typing import Final

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""


class ProofError(Exception):
    """The proof does not hold."""


def hash_leaf(data: bytes) -> bytes:
    """A leaf (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """What stands above two subtrees (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a leaf is in a tree (RFC 9162, 2.1.3.2).

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
    at, last = index, size - 1
    above = leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if at % 2 or at == last:
            above = hash_node(sibling, above)
            while at and not at % 2:
                at, last = at >> 1, last >> 1
        else:
            above = hash_node(above, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if above != root:
        raise ProofError("the leaf is not in the tree with this root")


def check_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree is an older one with leaves added at its end (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: It is not, or this does not show it.
    """
    if not 0 <= old_size <= size:
        raise ProofError(f"a tree of {size} leaves does not follow one of {old_size}")
    if old_size in (0, size):
        _check_trivial(old_size, old_root, root, proof)
        return
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)  # a complete old tree is a subtree of the new one, and left out of the proof
    if not hashes:
        raise ProofError("the proof is too short")
    at, last = old_size - 1, size - 1
    while at % 2:
        at, last = at >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if at % 2 or at == last:
            old, new = hash_node(sibling, old), hash_node(sibling, new)
            while at and not at % 2:
                at, last = at >> 1, last >> 1
        else:
            new = hash_node(new, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if old != old_root:
        raise ProofError("the proof is not about the old root")
    if new != root:
        raise ProofError("the tree with this root does not contain the older one")


def _check_trivial(old_size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofError("the proof is too long")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ProofError("this is not the root of an empty tree")
    if old_size and old_root != root:
        raise ProofError("two roots for one size")
