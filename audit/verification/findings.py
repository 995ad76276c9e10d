"""What verification finds, by position and up to a bound."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from audit.envelope import StoredEvent
from audit.log import Finding
from audit.verification.snapshot import Placed

_MOST_FINDINGS: Final = 1000


class Findings:
    """What was found, the first up to a bound: a log that is wrong everywhere need not be listed everywhere."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(
        self,
        reason: str,
        message: str,
        row: StoredEvent | Placed | None = None,
        *,
        position: int = 0,
        case_id: str = "",
    ) -> None:
        """Add what was found here: about a row, or a position."""
        if row is not None:
            self.take([Finding(reason, message, row.position, row.case_id, row.seq)])
        else:
            self.take([Finding(reason, message, position, case_id)])

    def take(self, findings: Iterable[Finding]) -> None:
        """Add what was found elsewhere."""
        self._found += findings
        if len(self._found) > 2 * _MOST_FINDINGS:
            self._found = list(self.in_order())

    def in_order(self) -> tuple[Finding, ...]:
        """Those with the lowest positions."""
        return tuple(sorted(self._found, key=attrgetter("position"))[:_MOST_FINDINGS])
