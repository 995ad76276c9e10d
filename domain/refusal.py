"""The one way in which a command is refused."""

from casetrail.v1.errors_pb2 import RefusalReason


class Rejected(Exception):  # noqa: N818 - the word of the field; it is an answer, not a fault
    """A command was refused, and nothing happened.

    Attributes:
        reason: The stable reason, from the contract.
        message: What was wrong and what to do, for a person.
        field: The path of the wrong field in the command, where there is one.
    """

    def __init__(self, reason: RefusalReason.ValueType, message: str, field: str = "") -> None:
        """Refuse with a reason that a program can match and a message that a person can follow."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field

    @property
    def code(self) -> str:
        """The reason as callers match it, for example `WRONG_STAGE`."""
        return RefusalReason.Name(self.reason).removeprefix("REFUSAL_REASON_")


def unknown_case(case_id: str, field: str = "case_id") -> Rejected:
    """There is no such case.

    Args:
        case_id: The case that was asked for.
        field: Where it was named.
    """
    return Rejected(RefusalReason.REFUSAL_REASON_UNKNOWN_CASE, f"there is no case {case_id!r}", field)
