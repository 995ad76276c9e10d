"""Work that takes the machine: so much of it goes on at a time. More is refused, so that commands never wait for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from casetrail.v1.errors_pb2 import RefusalReason
from domain.refusal import Rejected


class Turns:
    """How much of one kind of work may go on at a time."""

    def __init__(self, most: int, what: str) -> None:
        """Let so much go on.

        Args:
            most: How much.
            what: What it is, in the plural.
        """
        self._most = most
        self._what = what
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Within the block, one more goes on.

        Raises:
            Rejected: BUSY.
        """
        if self._taken >= self._most:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_BUSY,
                f"this server does {self._most} {self._what} at a time, and is at it: ask again in a moment",
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
