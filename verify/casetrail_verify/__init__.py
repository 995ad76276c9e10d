"""Checks an export of a Casetrail audit log: offline, alone, and without trusting whoever runs the service.

The formats are those of docs/proof.md and nothing else is shared with the programs that write the log: what one of them
gets wrong, this one must not get wrong in the same way.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from casetrail_verify.evidence import Evidence, EvidenceError
    from casetrail_verify.faults import Check, Fault
    from casetrail_verify.report import Report
    from casetrail_verify.verification import verify

__all__ = ["Check", "Evidence", "EvidenceError", "Fault", "Report", "verify"]

_HOMES = {
    "Check": "faults",
    "Evidence": "evidence",
    "EvidenceError": "evidence",
    "Fault": "faults",
    "Report": "report",
    "verify": "verification",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used: the program has to be there before what it takes long to load."""
    if name not in _HOMES:
        raise AttributeError(f"module 'casetrail_verify' has no attribute '{name}'")
    return getattr(import_module(f"casetrail_verify.{_HOMES[name]}"), name)
