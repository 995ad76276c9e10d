"""In which fields two messages differ, in words."""

from datetime import UTC

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.differences import differences
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.command_pb2 import Rate
from casetrail.v1.effect_pb2 import Effect, NotificationRequested
from casetrail.v1.types_pb2 import Cause, Reason, Stage

NOON = Timestamp(seconds=1_795_348_800)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (Case(), Case(), []),
        (Case(stage=Stage.STAGE_OPENED), Case(stage=Stage.STAGE_IN_PROGRESS), ["stage: opened → in progress"]),
        (Case(), Case(told_at=NOON), ["told_at: nothing → 2026-11-22 12:00:00"]),
        (Case(silent=True), Case(), ["silent: yes → nothing"]),
        (Case(), Case(customer=Customer(name="Li Lei")), ["customer.name: nothing → Li Lei"]),
        (
            Case(clocks=[Clock(clock_id="a#2", elapsed_seconds=3), Clock(clock_id="b#3")]),
            Case(clocks=[Clock(clock_id="b#3"), Clock(clock_id="a#2", elapsed_seconds=5)]),
            ["clocks[a#2].elapsed_seconds: 3 → 5"],
        ),
        (Case(pending_effects=[Effect(effect_id="C:4")]), Case(), ["pending_effects[C:4]: there → nothing"]),
        (
            Case(),
            Case(pending_effects=[Effect(effect_id="C:4", notification=NotificationRequested(text="Hi"))]),
            [
                "pending_effects[C:4].effect_id: nothing → C:4",
                "pending_effects[C:4].notification.text: nothing → Hi",
            ],
        ),
        (
            Clock(pauses_for=[Cause.CAUSE_CUSTOMER]),
            Clock(pauses_for=[Cause.CAUSE_CUSTOMER, Cause.CAUSE_VENDOR]),
            ["pauses_for: customer → customer, vendor"],
        ),
        (
            Reason(inputs={"a": "1", "b": "2"}),
            Reason(inputs={"a": "3"}),
            ["inputs[a]: 1 → 3", "inputs[b]: 2 → nothing"],
        ),
        (Rate(), Rate(recommend=0), ["recommend: nothing → 0"]),
    ],
)
def test_every_field_that_has_changed_is_told_and_no_other(old: Case, new: Case, told: list[str]) -> None:
    assert [str(found) for found in differences(old, new, UTC)] == told


def test_items_without_an_identity_of_their_own_are_told_apart_by_their_place() -> None:
    twice = Case(clocks=[Clock(clock_id="a#2"), Clock(clock_id="a#2")])

    assert list(differences(twice, twice, UTC)) == []
    assert len(list(differences(Case(), twice, UTC))) == 2
