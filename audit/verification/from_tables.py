"""The log as of one moment, for verification, from whatever database it is in."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from audit import archive_questions, questions, tables
from audit.envelope import StoredEvent
from audit.log import ArchivedCase
from audit.merkle import Subtree
from audit.projection import Findable
from audit.questions import Question
from audit.verification.snapshot import ALL_CASES, CaseRange, Placed, Projected, Snapshot

_EVENTS_IN_A_RANGE: Final = 10_000

Select = Callable[[Question], Iterator[tuple[Any, ...]]]
"""Gives a question's rows one by one, all from the same moment."""


def snapshot(select: Select, case_id: str) -> Snapshot:
    """One case, or the whole log when the id is empty."""
    return _OneCase(select, case_id) if case_id else _WholeLog(select)


def projected_of(row: tuple[Any, ...]) -> Projected:
    """A case from its row."""
    case_id, opened, seq, leaf_hash, body, *columns = row
    return Projected(case_id, opened, Findable(*columns), seq, leaf_hash, body)


class _WholeLog:
    """All of it."""

    def __init__(self, select: Select) -> None:
        self._select = select
        list(select(tables.ALL))  # also those that nothing below asks for
        self.log, size, self.frontier = questions.head_of(list(select(questions.head())))
        self.size: int | None = size

    def subtrees(self) -> Iterator[Subtree]:
        return (Subtree(*row) for row in self._select(questions.all_subtrees()))

    def checkpoints(self) -> Iterator[tuple[int, bytes, str]]:
        return ((size, root, note) for size, root, note in self._select(questions.all_checkpoints()))

    def cosigned_alone(self) -> Iterator[int]:
        return (size for (size,) in self._select(questions.cosigned_alone()))

    def places(self) -> Iterator[Placed]:
        return map(Placed._make, self._select(questions.all_places()))

    def ranges(self) -> Iterator[CaseRange]:
        after, events = None, 0
        for case_id, seq in self._select(questions.case_sizes()):
            events += seq
            if events >= _EVENTS_IN_A_RANGE:
                yield CaseRange(after, case_id)
                after, events = case_id, 0
        yield CaseRange(after, None)

    def by_case(self, cases: CaseRange) -> Iterator[StoredEvent]:
        return self._events(questions.all_events(*cases))

    def projected(self, cases: CaseRange) -> Iterator[Projected]:
        return self._projected(questions.all_projected(*cases))

    def archived(self) -> Iterator[ArchivedCase]:
        return (ArchivedCase(*row) for row in self._select(archive_questions.all_archived()))

    def policies(self) -> Iterator[tuple[str, str, bytes]]:
        return ((digest, policy_id, body) for digest, policy_id, body in self._select(questions.policies()))

    def _events(self, question: Question) -> Iterator[StoredEvent]:
        return map(StoredEvent._make, self._select(question))

    def _projected(self, question: Question) -> Iterator[Projected]:
        return map(projected_of, self._select(question))


class _OneCase(_WholeLog):
    """One case of it."""

    def __init__(self, select: Select, case_id: str) -> None:
        super().__init__(select)
        self.size = None
        self._case_id = case_id

    def subtrees(self) -> Iterator[Subtree]:
        return iter(())

    def checkpoints(self) -> Iterator[tuple[int, bytes, str]]:
        return iter(())

    def cosigned_alone(self) -> Iterator[int]:
        return iter(())

    def places(self) -> Iterator[Placed]:
        return (
            Placed(row.position, row.case_id, row.seq, row.recorded_at, row.leaf_hash)
            for row in self.by_case(ALL_CASES)
        )

    def ranges(self) -> Iterator[CaseRange]:
        return iter((ALL_CASES,))

    def by_case(self, _cases: CaseRange) -> Iterator[StoredEvent]:
        return self._events(questions.all_events_of(self._case_id))

    def projected(self, _cases: CaseRange) -> Iterator[Projected]:
        return self._projected(questions.projected(self._case_id))

    def archived(self) -> Iterator[ArchivedCase]:
        return (ArchivedCase(*row) for row in self._select(archive_questions.archived_as(self._case_id)))

    def policies(self) -> Iterator[tuple[str, str, bytes]]:
        return iter(())
