"""The log as of one moment, for verification, from whatever database it is in."""

from collections.abc import Callable, Iterator
from typing import Any

from audit import archive_questions, questions
from audit.envelope import StoredEvent
from audit.log import ArchivedCase
from audit.merkle import Subtree
from audit.projection import Findable
from audit.questions import Question
from audit.verify import Projected, Snapshot

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
        ((self.log, size, self.frontier),) = select(questions.head())
        self.size: int | None = size

    def subtrees(self) -> Iterator[Subtree]:
        return (Subtree(*row) for row in self._select(questions.all_subtrees()))

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return ((size, root) for size, root in self._select(questions.all_checkpoints()))

    def by_position(self) -> Iterator[StoredEvent]:
        return self._events(questions.all_events("event.pos"))

    def by_case(self) -> Iterator[StoredEvent]:
        return self._events(questions.all_events("case_id, seq"))

    def projected(self) -> Iterator[Projected]:
        return self._projected(questions.all_projected())

    def archived(self) -> Iterator[ArchivedCase]:
        return (ArchivedCase(*row) for row in self._select(archive_questions.all_archived()))

    def policies(self) -> Iterator[tuple[str, str, bytes]]:
        return ((digest, policy_id, body) for digest, policy_id, body in self._select(questions.policies()))

    def _events(self, question: Question) -> Iterator[StoredEvent]:
        return (StoredEvent(*row) for row in self._select(question))

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

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return iter(())

    def by_position(self) -> Iterator[StoredEvent]:
        return self.by_case()

    def by_case(self) -> Iterator[StoredEvent]:
        return self._events(questions.all_events_of(self._case_id))

    def projected(self) -> Iterator[Projected]:
        return self._projected(questions.projected(self._case_id))

    def archived(self) -> Iterator[ArchivedCase]:
        return (ArchivedCase(*row) for row in self._select(archive_questions.archived_as(self._case_id)))

    def policies(self) -> Iterator[tuple[str, str, bytes]]:
        return iter(())
