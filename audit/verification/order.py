"""By position: nothing is missing, and the tree over all hashes is the one that was said to be over them."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from audit.merkle import Frontier
from audit.signing import origin_of
from audit.verification.findings import Findings
from audit.verification.snapshot import Snapshot
from casetrail.proof.note import TreeNote

_AT_ONCE: Final = 512  # places that are looked at together: so few that no garbage is looked for meanwhile


class Order:
    """By position: gapless, in the order of time, and under the tree that was said to be over it.

    Attributes:
        events: How many there are.
        findings: What is wrong.
    """

    def __init__(self, snapshot: Snapshot, leaves: Mapping[int, bytes]) -> None:
        """Go through the log; `leaves` are the true hashes where others are stored."""
        found = Findings()
        tree = Tree(snapshot, found)
        count = position = recorded_at = 0
        whole = snapshot.size is not None
        places = iter(snapshot.places())
        while some := list(islice(places, _AT_ONCE)):
            count += len(some)
            tree.add([leaves.get(row.position, row.leaf_hash) for row in some])
            for row in some:
                if whole and row.position != position + 1:
                    missing = f"positions {position + 1} to {row.position - 1} are missing"
                    found.add("GAP", missing, position=position + 1)
                if row.recorded_at < recorded_at:
                    found.add("TIME_BACKWARDS", "it was recorded before the event that stands before it", row)
                position, recorded_at = row.position, row.recorded_at
        if snapshot.size is not None and snapshot.size != position:
            found.add(
                "HEAD_WRONG",
                f"the head says {snapshot.size} events, and the last one is at {position}",
                position=min(snapshot.size, position) + 1,
            )
        if whole:
            tree.finish(snapshot.frontier)
        self.events = count
        self.findings = found.in_order()


class Tree:
    """The tree over the events as they are, compared with what was said of it."""

    def __init__(self, snapshot: Snapshot, found: Findings) -> None:
        self._frontier = Frontier()
        self._stored = {(level, number): root for level, number, root in snapshot.subtrees()}
        self._origin = origin_of(snapshot.log)
        self._checkpoints = iter(snapshot.checkpoints())
        self._next = next(self._checkpoints, None)
        self._found = found

    def add(self, leaves: Sequence[bytes]) -> None:
        """Go on with the next events, by their hashes, and compare at each size that a checkpoint speaks of."""
        while self._next is not None and 0 < (ahead := self._next[0] - self._frontier.size) <= len(leaves):
            self._grow(leaves[:ahead])
            self._compare(*self._next)
            leaves = leaves[ahead:]
        self._grow(leaves)

    def finish(self, frontier: bytes) -> None:
        """Compare the whole with what the head says, and see that nothing was said of more."""
        size = self._frontier.size
        if frontier != self._frontier.stored:
            self._found.add("TREE_WRONG", "the tree that the head speaks of is not over these events", position=size)
        for level, number in sorted(self._stored):
            first = number * 256**level + 1
            self._found.add("TREE_WRONG", f"a subtree of level {level} is stored that there is not", position=first)
        if self._next is not None:
            ahead = max((self._next, *self._checkpoints))[0]
            self._found.add(
                "LOG_SHORTENED",
                f"a checkpoint of {ahead} events was published, and there are {size}",
                position=size + 1,
            )

    def _grow(self, leaves: Sequence[bytes]) -> None:
        growth = self._frontier.grow(leaves)
        self._frontier = growth.frontier
        for level, number, root in growth.subtrees:
            if self._stored.pop((level, number), None) != root:
                first, last = number * 256**level + 1, (number + 1) * 256**level
                self._found.add(
                    "TREE_WRONG", f"the stored subtree of events {first} to {last} is not over them", position=first
                )

    def _compare(self, size: int, root: bytes, note: str) -> None:
        self._next = next(self._checkpoints, None)
        if root != self._frontier.root:
            self._found.add(
                "CHECKPOINT_DIFFERS",
                f"the checkpoint that was published for {size} events is not about these: the log was rewritten",
                position=size,
            )
            self._next = None  # those after it differ too
        elif not note.startswith(f"{TreeNote(self._origin, size, root).body}\n"):
            self._found.add(
                "CHECKPOINT_DIFFERS",
                f"the note of the checkpoint of {size} events is about something else: it was changed",
                position=size,
            )
