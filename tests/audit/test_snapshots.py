"""How a log is divided into ranges of cases that are checked apart."""

from collections.abc import Iterator
from typing import Any

import pytest

from audit import questions
from audit.questions import Question
from audit.verification.from_tables import snapshot
from audit.verification.snapshot import ALL_CASES, CaseRange


def ranges(*sizes: int) -> list[CaseRange]:
    def select(question: Question) -> Iterator[tuple[Any, ...]]:
        if question == questions.head():
            yield ("log", sum(sizes), b"")
        elif question == questions.case_sizes():
            yield from ((f"C-{number}", size) for number, size in enumerate(sizes))

    return list(snapshot(select, "").ranges())


@pytest.mark.parametrize("sizes", [(), (1,), (9_999,), (5_000, 4_999)])
def test_a_small_log_is_one_range(sizes: tuple[int, ...]) -> None:
    assert ranges(*sizes) == [ALL_CASES]


def test_a_range_ends_with_the_case_that_fills_it_and_the_next_begins_behind() -> None:
    assert ranges(6_000, 3_999, 1, 20_000, 7, 7) == [
        CaseRange(None, "C-2"),
        CaseRange("C-2", "C-3"),
        CaseRange("C-3", None),
    ]
