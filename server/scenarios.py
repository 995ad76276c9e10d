"""Scenarios as they come in: refused before anything happens when they cannot be rehearsed."""

from google.protobuf.message import DecodeError

from casetrail.file_problems import path_text
from casetrail.scenario_file import findings
from casetrail.v1.command_pb2 import Open
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.scenario_pb2 import Scenario
from domain import Rejected


def require_sound_opening(asked: Open) -> None:
    """Refuse a drill whose scenario cannot be rehearsed.

    Raises:
        Rejected: INVALID, with the field that is wrong.
    """
    try:
        scenario = Scenario.FromString(asked.scenario)
    except DecodeError as error:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_INVALID, "the scenario is no message Scenario", "open.scenario"
        ) from error
    require_sound(scenario, asked.scale or 1)


def require_sound(scenario: Scenario, scale: float) -> None:
    """Refuse a scenario that cannot be rehearsed.

    Raises:
        Rejected: INVALID, with the field that is wrong.
    """
    for finding in findings(scenario, scale=scale):
        path = path_text(("scenario", *finding.path))
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, f"{path}: {finding.message}", path)
