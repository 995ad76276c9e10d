"""What was archived, held against the log's own events about it: nothing else excuses a payload that is gone."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter

from audit.envelope import StoredEvent, event_of, leaf_hash
from audit.log import LOG_ITSELF, ArchivedCase
from audit.sealing import seal_root
from casetrail.v1.event_pb2 import CaseRestored, CasesArchived, Event


class Archived:
    """What the table of archived cases says, as a log is gone through."""

    def __init__(self, cases: Iterable[ArchivedCase]) -> None:
        """Take what the table says, by archive and case id."""
        self._cases = list(cases)
        self._now = {case.case_id: case for case in self._cases if case.restored is None}
        self._proposals: dict[str, Event] = {}
        self._approvals: dict[str, Event] = {}
        self._withdrawn: set[str] = set()
        self._removals: dict[int, CasesArchived] = {}
        self._restorations: dict[int, CaseRestored] = {}

    def holds(self, case_id: str) -> bool:
        """Whether an archive alone is said to have the case."""
        return case_id in self._now

    def read(self, row: StoredEvent) -> None:
        """Note what an event of the log itself says."""
        if row.case_id != LOG_ITSELF:
            return
        event = event_of(row)
        match event.WhichOneof("body"):
            case "archive_proposed":
                self._proposals.setdefault(event.archive_proposed.archive_id, event)
            case "archive_approved":
                self._approvals.setdefault(event.archive_approved.archive_id, event)
            case "archive_withdrawn":
                self._withdrawn.add(event.archive_withdrawn.archive_id)
            case "cases_archived":
                self._removals[row.position] = event.cases_archived
            case "case_restored":
                self._restorations[row.position] = event.case_restored

    def is_right(self, opened: int, last: StoredEvent) -> bool:
        """Whether a case that only an archive has ends as it did when it was archived."""
        case = self._now[last.case_id]
        return (case.opened, case.seq, case.leaf_hash) == (opened, last.seq, leaf_hash(last.envelope))

    @property
    def proven(self) -> Mapping[int, str]:
        """Sizes of the trees that archives are proven by, each with an archive; once the whole log has been read."""
        return {said.tree_size: said.archive_id for said in self._removals.values() if said.tree_size}

    def faults(self) -> Iterator[tuple[int, str]]:
        """Position and words of what does not hold, once the whole log has been read."""
        unsaid = dict(self._removals)
        for removed, group in groupby(sorted(self._cases, key=_by_removal), key=attrgetter("removed")):
            yield from _removal_faults(removed, list(group), unsaid.pop(removed, None))
        for position, said in unsaid.items():
            yield position, f"the log says that {said.cases} cases went into {said.archive_id}, and none is noted so"
        for position, said in self._removals.items():
            if not self._was_agreed(said):
                yield position, f"{said.archive_id} was not proposed by one and approved by another as what it is"
            if said.archive_id in self._withdrawn:
                yield position, f"{said.archive_id} was withdrawn, and carried out all the same"
        unsaid_back = dict(self._restorations)
        for case in self._cases:
            if case.restored is not None:
                back = unsaid_back.pop(case.restored, CaseRestored())
                if (back.archive_id, back.restored_case_id) != (case.archive_id, case.case_id):
                    yield case.restored, f"no event says that {case.case_id} was restored from {case.archive_id}"
        for position, back in unsaid_back.items():
            yield position, f"the log says that {back.restored_case_id} was restored, and it is not noted as such"

    def _was_agreed(self, said: CasesArchived) -> bool:
        proposed, approved = self._proposals.get(said.archive_id), self._approvals.get(said.archive_id)
        if proposed is None or approved is None or proposed.actor.name == approved.actor.name:
            return False
        return said.root == proposed.archive_proposed.root == approved.archive_approved.root


def _by_removal(case: ArchivedCase) -> tuple[int, bytes]:
    return case.removed, case.case_id.encode()


def _removal_faults(removed: int, cases: list[ArchivedCase], said: CasesArchived | None) -> Iterator[tuple[int, str]]:
    if said is None:
        yield removed, f"no event says that {len(cases)} cases were archived, {cases[0].case_id} among them"
    elif (said.cases, said.root) != (len(cases), seal_root([case.end for case in cases]).hex()):
        yield removed, f"the cases noted as archived in {said.archive_id} are not those that were approved"
    elif any(case.archive_id != said.archive_id for case in cases):
        yield removed, f"cases noted as archived elsewhere were archived in {said.archive_id}"
