"""What an event says: the one body that its payload has."""

from typing import Final

from casetrail_verify.wire import Message, WireError

_BESIDE: Final = frozenset({10, 14, 15})  # `reason`, `source_activity` and `encrypted` of the message Event


def body_of(payload: bytes, number: int) -> Message:
    """The body of a payload.

    Args:
        payload: The event's.
        number: Of the field that the body must be.

    Raises:
        WireError: It is another, or not the only one: readers would differ in which of them happened.
    """
    message = Message(payload)
    if message.numbers - _BESIDE != {number}:
        raise WireError(f"the payload has another body than {number}, or others besides")
    return Message(message.data(number))
