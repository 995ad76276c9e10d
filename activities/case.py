"""A case itself, for its workflow: let time pass for it, and carry a command out."""

from datetime import UTC
from typing import Final

import protovalidate
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.effects import refusals_as_failures
from casetrail.personal import without_personal_data
from casetrail.v1.case_service_pb2 import ExecuteResponse, Receipt
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Role
from casetrail.v1.workflow_pb2 import AdvanceRun, Step
from domain.authority import ENGINE_ONLY, IMPORTERS_ONLY
from engine.engine import Engine

VIA: Final = "temporal"
"""The principal that a command out of Temporal is attributed to: whoever may write to the namespace."""

_SENT_OTHERWISE: Final = {
    "open": "open a case over gRPC; its workflow starts by itself",
    **dict.fromkeys(ENGINE_ONLY, "only the engine itself sends this"),
    **dict.fromkeys(IMPORTERS_ONLY, "an importer sends this over gRPC"),
}
_OTHERS_ROLES: Final = (Role.ROLE_UNSPECIFIED, Role.ROLE_SYSTEM, Role.ROLE_IMPORTER)


class CaseActivities:
    """What a case's workflow has done with its own case."""

    def __init__(self, engine: Engine) -> None:
        """Work through an engine."""
        self._engine = engine

    @activity.defn
    async def advance(self, run: AdvanceRun) -> Step:
        """Let time pass up to the workflow's, and say what is to be done next."""
        with refusals_as_failures():
            return await self._engine.advance(run.case_id, run.at.ToDatetime(tzinfo=UTC))

    @activity.defn
    async def execute(self, command: Command) -> ExecuteResponse:
        """Carry out a command that came through Temporal; the answer, which Temporal keeps, has no personal data."""
        _check(command)
        command.actor.via = VIA
        with refusals_as_failures():
            outcome = await self._engine.execute(command)
        last = outcome.events[-1]
        return without_personal_data(
            ExecuteResponse(
                case=outcome.case,
                events=outcome.events,
                receipt=Receipt(position=last.position, hash=last.hash),
                repeated_request=outcome.repeated,
            )
        )


def _check(command: Command) -> None:
    """Refuse what a server would refuse.

    Raises:
        ApplicationError: INVALID, ROLE_NOT_ALLOWED or UNKNOWN_PRINCIPAL.
    """
    for violation in protovalidate.collect_violations(command):
        raise _refused("INVALID", violation.proto.message)
    if (why := _SENT_OTHERWISE.get(command.WhichOneof("action") or "")) is not None:
        raise _refused("ROLE_NOT_ALLOWED", why)
    if not command.actor.name:
        raise _refused("UNKNOWN_PRINCIPAL", "name who acts, in `actor`")
    if command.actor.role in _OTHERS_ROLES:
        raise _refused("ROLE_NOT_ALLOWED", "say in which role the actor acts: not as the system, nor as an importer")


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=code, non_retryable=True)
