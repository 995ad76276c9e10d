"""How many events are read at once for a reader who may be slow."""

import pytest

from audit.portions import FIRST, next_portion
from casetrail.v1.event_pb2 import Event


def events(count: int, size: int) -> list[Event]:
    made = Event()
    made.note_added.words.text = "x" * size
    return [made] * count


@pytest.mark.parametrize(("size", "most"), [(20_000, 6), (70_000, 1), (300_000, 1), (1_000, 130), (10, 200)])
def test_the_larger_the_events_are_the_fewer_are_read_at_once(size: int, most: int) -> None:
    assert most - 3 <= next_portion(events(5, size)) <= most


def test_after_a_pause_reading_begins_with_few() -> None:
    assert next_portion([]) == FIRST
