"""The score of a drill, by role and by phase."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from casetrail.v1.drill_pb2 import Drill, DrillExpectation
from casetrail.v1.scenario_pb2 import Expectation, Phase
from casetrail.v1.types_pb2 import Role
from domain.drills import script

_Key = TypeVar("_Key", bound=Hashable)
_COUNTED = {
    DrillExpectation.VERDICT_MET: "met",
    DrillExpectation.VERDICT_LATE: "late",
    DrillExpectation.VERDICT_MISSED: "missed",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of some expectations: how many, and the points.

    Expectations that were dropped are not counted: nobody could meet them.
    """

    met: int = 0
    late: int = 0
    missed: int = 0
    score: int = 0
    max_score: int = 0


def by_phase(drill: Drill) -> dict[Phase.ValueType, Tally]:
    """The score of each phase, in their order."""
    return _tallied((expectation.phase, expectation, judged) for expectation, judged in _pairs(drill))


def by_role(drill: Drill) -> dict[Role.ValueType, Tally]:
    """The score of each role, in their order; what several may do counts for each, what anybody may for none."""
    return _tallied(
        (role, expectation, judged)
        for expectation, judged in _pairs(drill)
        for role in expectation.by or (Role.ROLE_UNSPECIFIED,)
    )


def _pairs(drill: Drill) -> Iterable[tuple[Expectation, DrillExpectation]]:
    return zip(script.scenario_of(drill.scenario).expectations, drill.expectations, strict=True)


def _tallied(judged: Iterable[tuple[_Key, Expectation, DrillExpectation]]) -> dict[_Key, Tally]:
    tallies: dict[_Key, Tally] = {}
    for key, expectation, result in judged:
        if result.verdict not in _COUNTED:
            continue
        before = tallies.get(key, Tally())
        counts = {name: getattr(before, name) + (_COUNTED[result.verdict] == name) for name in _COUNTED.values()}
        tallies[key] = Tally(
            **counts, score=before.score + result.score, max_score=before.max_score + expectation.score
        )
    return dict(sorted(tallies.items()))
