"""Joins the stretches: what every event has to do with all those before it."""

from typing import NamedTuple

from casetrail_verify.events import Tree
from casetrail_verify.faults import Check, Faults
from casetrail_verify.folding import Folded
from casetrail_verify.stretches import NOWHERE, Checked, Edge, Gone, Last, OwnEvent, Place, chained, follows, missing


class CaseState(NamedTuple):
    """A case as of its last event so far.

    Attributes:
        opened: Position of its first event.
        first_seq: That one's number in the case: 1 unless the export has only a part.
        seq: Of its last event.
        leaf: That one's hash, hex.
        at: When that one happened, in case time: seconds since 1970.
        folded: What its events make of it; None where one of them is missing or cannot be read.
    """

    opened: int
    first_seq: int
    seq: int
    leaf: str
    at: int
    folded: Folded | None


class Joined:
    """The log as read so far.

    Attributes:
        events: How many there are.
        cases: The state of each case.
        own: The events of the log itself.
        gone: The payloads that are gone, by case.
    """

    def __init__(self, tree: Tree, found: Faults) -> None:
        self.events = 0
        self.cases: dict[str, CaseState] = {}
        self.own: list[OwnEvent] = []
        self.gone: dict[str, Gone] = {}
        self._tree = tree
        self._found = found
        self._last = NOWHERE

    def add(self, checked: Checked) -> None:
        """Join the next stretch."""
        self._found.merge(checked.faults)
        if not checked.events:
            return
        before = self._last if self.events else Place(0, checked.first.recorded_at)
        follows(checked.first, before, self._tree, self._found)
        self._last = checked.last
        self.events += checked.events
        self.own += checked.own
        for case_id, gone in checked.gone.items():
            known = self.gone.get(case_id, Gone(gone.pos, 0))
            self.gone[case_id] = Gone(known.pos, known.times + gone.times)
        for case_id, edge in checked.cases.items():
            self.cases[case_id] = self._continued(case_id, edge)

    def finish(self) -> None:
        """Check that the log ends where the export says, once nothing follows any more."""
        last, size = self._last.pos, self._tree.size
        if self._tree.whole and last < size:
            self._found.add(Check.POSITION_WRONG, missing(last + 1, size), position=last + 1)
        if last > size:
            self._found.add(
                Check.POSITION_WRONG,
                f"the export is as of {size} events, and has one at {last}",
                position=size + 1,
            )

    def _continued(self, case_id: str, edge: Edge) -> CaseState:
        known = self.cases.get(case_id)
        if known is not None:
            if edge.seq != known.seq + 1 or edge.prev != known.leaf:
                chained(case_id, edge, Last(known.seq, known.leaf), self._found)
            folded = _folded(known.folded, edge) if edge.seq == known.seq + 1 else None
            return CaseState(known.opened, known.first_seq, edge.last_seq, edge.last_leaf, edge.last_at, folded)
        # An extract may begin in the middle of a case.
        if edge.seq == 1 or self._tree.whole:
            chained(case_id, edge, Last(0, None), self._found)
        folded = _folded(Folded(), edge)
        return CaseState(edge.pos, edge.seq, edge.last_seq, edge.last_leaf, edge.last_at, folded)


def _folded(folded: Folded | None, edge: Edge) -> Folded | None:
    if folded is None or edge.steps is None:
        return None
    for step in edge.steps:
        folded.apply(step)
    return folded
