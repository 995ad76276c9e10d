from collections import Counter

from casetrail.v1.event_pb2 import Event
from domain.evolve import _MATTERS

BODIES = {field.name for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields}


def test_a_change_is_made_by_an_event_that_there_is_and_by_one_matter_only() -> None:
    matters_of = Counter(name for matter in _MATTERS for name in matter.CHANGES)
    assert set(matters_of) <= BODIES
    assert [name for name, matters in matters_of.items() if matters > 1] == []
