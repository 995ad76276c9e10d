"""The tree, against the published test vectors and a reference written as RFC 6962 is."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import Frontier, Read, Subtree, beside_edge, beside_leaf, reads_of, root_of
from casetrail.proof import ProofError
from casetrail.proof.tree import EMPTY_ROOT, check_consistency, check_inclusion, hash_leaf

# Those of the reference implementation of Certificate Transparency: eight leaves and the roots of the trees over the
# first one, two, … of them.
INPUTS = [
    bytes.fromhex(data)
    for data in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
}
CONSISTENCY = {
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


# RFC 6962, 2.1, as it is written there.


def reference_root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + reference_root(leaves[:k]) + reference_root(leaves[k:])).digest()


def reference_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*reference_path(m, leaves[:k]), reference_root(leaves[k:])]
    return [*reference_path(m - k, leaves[k:]), reference_root(leaves[:k])]


def reference_subproof(m: int, leaves: Sequence[bytes], *, complete: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if complete else [reference_root(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*reference_subproof(m, leaves[:k], complete=complete), reference_root(leaves[k:])]
    return [*reference_subproof(m - k, leaves[k:], complete=False), reference_root(leaves[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


class Tree:
    """A log's tree as it is stored: leaves, and the subtrees that were given to be kept."""

    def __init__(self, leaves: Sequence[bytes], *, in_steps_of: int = 7) -> None:
        self.frontier = Frontier()
        self.stored: dict[tuple[int, int], bytes] = {(0, number): leaf for number, leaf in enumerate(leaves)}
        for start in range(0, len(leaves), in_steps_of):
            growth = self.frontier.grow(leaves[start : start + in_steps_of])
            self.frontier = growth.frontier
            self.stored |= {(level, number): root for level, number, root in growth.subtrees}

    def read(self, read: Read) -> list[bytes]:
        return [self.stored[read.level, number] for number in range(read.first, read.last)]

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return [root_of([self.read(read) for read in reads_of(span)]) for span in beside_leaf(index, size)]

    def consistency(self, old_size: int, size: int) -> list[bytes]:
        return [root_of([self.read(read) for read in reads_of(span)]) for span in beside_edge(old_size, size)]


def leaves_of(size: int) -> list[bytes]:
    return [hash_leaf(str(number).encode()) for number in range(size)]


sizes = st.integers(1, 700)


def test_the_roots_are_the_published_ones() -> None:
    leaves = [hash_leaf(data) for data in INPUTS]
    assert Frontier().root == EMPTY_ROOT == hashlib.sha256(b"").digest()
    assert [Frontier().grow(leaves[:n]).frontier.root.hex() for n in range(1, 9)] == ROOTS


def test_the_inclusion_proofs_are_the_published_ones() -> None:
    tree = Tree([hash_leaf(data) for data in INPUTS])
    for (index, size), proof in INCLUSION.items():
        assert [hashed.hex() for hashed in tree.inclusion(index, size)] == list(proof)


def test_the_consistency_proofs_are_the_published_ones() -> None:
    tree = Tree([hash_leaf(data) for data in INPUTS])
    for (old_size, size), proof in CONSISTENCY.items():
        assert [hashed.hex() for hashed in tree.consistency(old_size, size)] == list(proof)


@given(sizes, st.integers(1, 300))
def test_roots_and_frontiers_do_not_depend_on_the_steps(size: int, step: int) -> None:
    leaves = leaves_of(size)
    tree = Tree(leaves, in_steps_of=step)
    assert tree.frontier.root == reference_root(leaves)
    assert tree.frontier == Frontier().grow(leaves).frontier == Frontier.parse(size, tree.frontier.stored)


@given(sizes, st.data())
def test_inclusion_proofs_are_those_of_the_reference_and_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(700)
    proof = Tree(leaves).inclusion(index, size)
    assert proof == reference_path(index, leaves[:size])
    check_inclusion(leaves[index], index, size, reference_root(leaves[:size]), proof)


@given(sizes, st.data())
def test_consistency_proofs_are_those_of_the_reference_and_hold(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    leaves = leaves_of(700)
    proof = Tree(leaves).consistency(old_size, size)
    assert proof == reference_subproof(old_size, leaves[:size], complete=True)
    check_consistency(old_size, reference_root(leaves[:old_size]), size, reference_root(leaves[:size]), proof)


@given(st.integers(0, 600), st.integers(1, 80), st.data())
def test_a_commit_proves_its_own_events_without_the_database(before: int, grown: int, data: st.DataObject) -> None:
    leaves = leaves_of(before + grown)
    growth = Frontier().grow(leaves[:before]).frontier.grow(leaves[before:])
    position = data.draw(st.integers(before + 1, before + grown))
    assert growth.inclusion(position) == reference_path(position - 1, leaves)


def test_a_commit_proves_no_other_events() -> None:
    growth = Frontier().grow(leaves_of(5)).frontier.grow(leaves_of(3))
    for position in (0, 5, 9):
        with pytest.raises(ValueError, match="not of this commit"):
            growth.inclusion(position)


def test_subtrees_of_256_and_65536_are_kept_when_they_are_complete() -> None:
    leaves = leaves_of(65_536)
    kept = Frontier().grow(leaves).subtrees
    assert len(kept) == 256 + 1
    assert kept[0] == Subtree(1, 0, reference_root(leaves[:256]))
    assert kept[-1] == Subtree(2, 0, reference_root(leaves))


def test_a_proof_in_a_large_log_reads_little() -> None:
    reads = [read for span in beside_leaf(654_321, 1_000_000) for read in reads_of(span)]
    assert sum(read.last - read.first for read in reads) <= 3 * 256
    assert {read.level for read in reads} == {0, 1, 2}


def test_a_frontier_of_another_size_is_refused() -> None:
    stored = Frontier().grow(leaves_of(5)).frontier.stored
    with pytest.raises(ValueError, match="no frontier of 7 leaves"):
        Frontier.parse(7, stored)


@given(sizes, st.data())
def test_a_wrong_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root, proof = reference_root(leaves), reference_path(index, leaves)
    other = hash_leaf(b"another")
    with pytest.raises(ProofError):
        check_inclusion(other, index, size, root, proof)
    with pytest.raises(ProofError):
        check_inclusion(leaves[index], index, size, other, proof)
    with pytest.raises(ProofError, match="too long"):
        check_inclusion(leaves[index], index, size, root, [*proof, other])
    with pytest.raises(ProofError, match="has no leaf"):
        check_inclusion(leaves[index], size, size, root, proof)
    if proof:
        with pytest.raises(ProofError, match="too short"):
            check_inclusion(leaves[index], index, size, root, proof[:-1])
        broken = data.draw(st.integers(0, len(proof) - 1))
        with pytest.raises(ProofError):
            check_inclusion(leaves[index], index, size, root, [*proof[:broken], other, *proof[broken + 1 :]])


@given(st.integers(2, 700), st.data())
def test_a_wrong_consistency_proof_is_refused(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size - 1))
    leaves = leaves_of(size)
    old, new = reference_root(leaves[:old_size]), reference_root(leaves)
    proof = reference_subproof(old_size, leaves, complete=True)
    other = hash_leaf(b"another")
    with pytest.raises(ProofError):
        check_consistency(old_size, other, size, new, proof)
    with pytest.raises(ProofError):
        check_consistency(old_size, old, size, other, proof)
    with pytest.raises(ProofError, match="too long"):
        check_consistency(old_size, old, size, new, [*proof, other])
    with pytest.raises(ProofError, match="too short"):
        check_consistency(old_size, old, size, new, proof[:-1])
    broken = data.draw(st.integers(0, len(proof) - 1))
    with pytest.raises(ProofError):
        check_consistency(old_size, old, size, new, [*proof[:broken], other, *proof[broken + 1 :]])


def test_a_tree_does_not_follow_a_larger_one_nor_another_of_its_size() -> None:
    root, other = leaves_of(2)
    check_consistency(3, root, 3, root, [])
    check_consistency(0, EMPTY_ROOT, 3, root, [])
    with pytest.raises(ProofError, match="does not follow"):
        check_consistency(4, root, 3, root, [])
    with pytest.raises(ProofError, match="does not contain"):
        check_consistency(3, root, 3, other, [])
    with pytest.raises(ProofError, match="not about the old root"):
        check_consistency(0, other, 3, root, [])
