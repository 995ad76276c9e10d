"""Checks an export of a Casetrail audit log: offline, alone, and without trusting whoever runs the service.

The formats are those of docs/proof.md and nothing else is shared with the programs that write the log: what one of them
gets wrong, this one must not get wrong in the same way.
"""

from casetrail_verify.evidence import Evidence, EvidenceError
from casetrail_verify.faults import Check, Fault
from casetrail_verify.report import Report
from casetrail_verify.verification import verify

__all__ = ["Check", "Evidence", "EvidenceError", "Fault", "Report", "verify"]
