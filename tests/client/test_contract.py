"""The generated contract."""

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.scenario_pb2 import Phase
from casetrail.v1.types_pb2 import Kind, Role, Stage


@pytest.mark.parametrize("enum", [CrisisClass, Kind, Phase, Purpose, RefusalReason, Role, Stage])
def test_the_values_of_an_enum_are_at_hand(enum: EnumTypeWrapper) -> None:
    assert set(enum.items()) <= set(vars(enum).items())
