"""Asks another case. Each case has a log of its own, so that what concerns two is two steps: there, then here."""

from activities.effects import passing_refusals
from casetrail.v1.case_pb2 import TimeBase
from casetrail.v1.command_pb2 import Command
from domain import Rejected
from engine.engine import Engine


async def ask(engine: Engine, command: Command) -> str:
    """Have another case carry a command out, once.

    Returns:
        Why it refuses; empty when it has done it, now or before.

    Raises:
        ApplicationError: The log cannot be used now.
    """
    try:
        with passing_refusals():
            if await engine.knows(command.case_id, command.request_id):
                return ""
            case = await engine.case(command.case_id)
            if case.time_base.mode == TimeBase.MODE_IMPORTED:
                # It happens when the importer's clock stands now.
                command.at.CopyFrom(case.updated_at)
            await engine.execute(command)
    except Rejected as refusal:
        return f"{refusal.code}: {refusal.message}"
    return ""
