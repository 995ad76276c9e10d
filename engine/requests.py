"""What makes two requests the same one."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from casetrail.v1.command_pb2 import Command
from casetrail.v1.errors_pb2 import RefusalReason
from domain import Rejected

# The keys of what time brings: a clock or an alarm, and when it was due.
_TIMES_OWN: Final = re.compile(r"\w+(#\d+)?@\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Request:
    """A caller's request, as the log remembers it.

    Attributes:
        key: The caller's request id.
        digest: Hex SHA-256 of what was asked, so that the id used for something else is noticed. Through whom it
            was asked does not count: a retry may come through another principal.
    """

    key: str
    digest: str

    @classmethod
    def of(cls, command: Command) -> Self:
        """The request that a command, as the caller sent it, is.

        Raises:
            Rejected: INVALID when its id is one that only the passing of time uses.
        """
        if _TIMES_OWN.fullmatch(command.request_id):
            raise Rejected(
                RefusalReason.REFUSAL_REASON_INVALID,
                f"{command.request_id!r} is how the passing of time names its events; choose another request id",
                field="request_id",
            )
        asked = Command()
        asked.CopyFrom(command)
        asked.actor.ClearField("via")
        return cls(command.request_id, sha256(asked.SerializeToString(deterministic=True)).hexdigest())
