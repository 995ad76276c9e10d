from collections import Counter
from typing import get_args

import pytest

from casetrail.v1.event_pb2 import Event
from domain.changes.table import Change
from domain.evolve import _CHANGES, _MATTERS

BODIES = {field.name: field.message_type for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields}


def test_a_change_is_made_by_an_event_that_there_is_and_by_one_matter_only() -> None:
    matters_of = Counter(name for matter in _MATTERS for name in matter.CHANGES)
    assert set(matters_of) <= set(BODIES)
    assert [name for name, matters in matters_of.items() if matters > 1] == []


@pytest.mark.parametrize(("name", "change"), _CHANGES.items(), ids=list(_CHANGES))
def test_a_change_takes_what_its_event_says(name: str, change: Change) -> None:
    taken = change.__annotations__["body"]
    assert BODIES[name] in [body.DESCRIPTOR for body in get_args(taken) or (taken,)]
