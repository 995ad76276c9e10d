"""The verdict: what was checked, how much, what is wrong, and what was not covered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from casetrail_verify.faults import Fault


@dataclass(frozen=True)
class Report:
    """What a verification has found.

    Attributes:
        log: What was looked at, in words.
        checked: How much of what was looked at.
        faults: What is wrong, by position.
        open: What these files cannot show, in words.
    """

    log: str
    checked: Mapping[str, int]
    faults: Sequence[Fault]
    open: Sequence[str]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    @property
    def json(self) -> str:
        """For programs."""
        return json.dumps(
            {
                "holds": self.holds,
                "log": self.log,
                "checked": dict(self.checked),
                "faults": [
                    {
                        "reason": fault.check.value,
                        "position": fault.position or None,
                        "caseId": fault.case_id or None,
                        "message": fault.message,
                        "times": fault.times,
                    }
                    for fault in self.faults
                ],
                "notCovered": list(self.open),
            },
            indent=2,
        )

    @property
    def words(self) -> str:
        """For people."""
        lines = [_shown(self.log), "", "Checked"]
        lines += [f"  {number:>12,}  {what}" for what, number in self.checked.items()]
        lines += ["", "Not covered", *(f"  - {_shown(each)}" for each in self.open)]
        if self.faults:
            lines += ["", "Faults: of each kind the first"]
            lines += [line for fault in self.faults for line in _words(fault)]
        return "\n".join([*lines, "", self._verdict])

    @property
    def _verdict(self) -> str:
        if self.holds:
            return "The log holds: nothing that was checked is wrong."
        positions = [fault.position for fault in self.faults if fault.position]
        first = f", the first at position {min(positions)}" if positions else ""
        kinds = counted(len(self.faults), "kind of fault", "kinds of fault")
        return f"THE LOG DOES NOT HOLD: {kinds}{first}."


def counted(number: int, what: str, many: str = "") -> str:
    """A number and what it counts: `1 case`, `1,024 cases`."""
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


def _words(fault: Fault) -> Sequence[str]:
    place = f"position {fault.position}" if fault.position else "the export"
    case = f", case {_shown(fault.case_id)}" if fault.case_id else ""
    times = f", {fault.times:,} times" if fault.times > 1 else ""
    return (f"  {place}{case}: {fault.check}{times}", f"    {_shown(fault.message)}")


def _shown(text: str) -> str:
    """What a hostile file says is shown, never obeyed: no control sequence of it reaches a terminal."""
    return text if text.isprintable() else ascii(text)
