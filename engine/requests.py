"""What makes two requests the same one."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from casetrail.v1.command_pb2 import Command


@dataclass(frozen=True, slots=True)
class Request:
    """A caller's request, as the log remembers it.

    Attributes:
        key: The caller's request id.
        digest: Hex SHA-256 of what was asked, so that the id used for something else is noticed. Through whom it
            was asked does not count: a retry may come through another principal. Nor does what its source calls it.
    """

    key: str
    digest: str

    @classmethod
    def of(cls, command: Command) -> Self:
        """The request that a command, as the caller sent it, is."""
        asked = Command()
        asked.CopyFrom(command)
        asked.actor.ClearField("via")
        asked.ClearField("source_activity")
        return cls(command.request_id, sha256(asked.SerializeToString(deterministic=True)).hexdigest())
