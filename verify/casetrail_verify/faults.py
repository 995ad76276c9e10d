"""What is checked, and what was found wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Check(StrEnum):
    """Every check there is. The value is the stable reason of its faults, which programs match."""

    # The file
    EXPORT_MALFORMED = "EXPORT_MALFORMED"
    EXPORT_MIXED = "EXPORT_MIXED"
    EXPORT_TRUNCATED = "EXPORT_TRUNCATED"
    EXPORT_ALTERED = "EXPORT_ALTERED"
    LOG_FOREIGN = "LOG_FOREIGN"

    # Each event alone
    ENVELOPE_MALFORMED = "ENVELOPE_MALFORMED"
    ENVELOPE_NOT_CANONICAL = "ENVELOPE_NOT_CANONICAL"
    EVENT_FOREIGN = "EVENT_FOREIGN"
    ID_WRONG = "ID_WRONG"
    DIGEST_MISPLACED = "DIGEST_MISPLACED"
    COLUMN_CHANGED = "COLUMN_CHANGED"
    LEAF_HASH_WRONG = "LEAF_HASH_WRONG"
    PAYLOAD_CHANGED = "PAYLOAD_CHANGED"
    PAYLOAD_MISSING = "PAYLOAD_MISSING"
    INCLUSION_WRONG = "INCLUSION_WRONG"

    # The events together
    POSITION_WRONG = "POSITION_WRONG"
    TIME_BACKWARDS = "TIME_BACKWARDS"
    SEQ_WRONG = "SEQ_WRONG"
    CHAIN_BROKEN = "CHAIN_BROKEN"
    ORDINAL_WRONG = "ORDINAL_WRONG"

    # What was signed
    KEY_CHANGE_WRONG = "KEY_CHANGE_WRONG"
    CHECKPOINT_MALFORMED = "CHECKPOINT_MALFORMED"
    CHECKPOINT_FOREIGN = "CHECKPOINT_FOREIGN"
    CHECKPOINT_UNSIGNED = "CHECKPOINT_UNSIGNED"
    CHECKPOINT_MISSING = "CHECKPOINT_MISSING"
    WITNESS_SIGNATURE_WRONG = "WITNESS_SIGNATURE_WRONG"
    TWO_ROOTS = "TWO_ROOTS"
    ROOT_WRONG = "ROOT_WRONG"
    LOG_SHORTER = "LOG_SHORTER"
    TAIL_UNSIGNED = "TAIL_UNSIGNED"
    TAIL_UNWITNESSED = "TAIL_UNWITNESSED"
    RECEIPT_MALFORMED = "RECEIPT_MALFORMED"
    RECEIPT_WRONG = "RECEIPT_WRONG"
    RECEIPT_UNSIGNED = "RECEIPT_UNSIGNED"

    # What was made of the events
    SEAL_UNANNOUNCED = "SEAL_UNANNOUNCED"
    SEAL_WRONG = "SEAL_WRONG"
    CASE_WRONG = "CASE_WRONG"
    PAYLOAD_UNREADABLE = "PAYLOAD_UNREADABLE"
    FOLD_WRONG = "FOLD_WRONG"
    POLICY_CHANGED = "POLICY_CHANGED"
    POLICY_MISSING = "POLICY_MISSING"
    ARCHIVE_WRONG = "ARCHIVE_WRONG"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where a check fails, and how often it fails.

    Attributes:
        check: Which.
        message: What is wrong there.
        position: In the log; 0 where it is about no event, or about all of them.
        case_id: Of that event, or empty.
        times: How often this check failed in all.
    """

    check: Check
    message: str
    position: int = 0
    case_id: str = ""
    times: int = 1


class Faults:
    """The first fault of each check: memory stays small even when everything is wrong."""

    def __init__(self) -> None:
        self._first: dict[Check, Fault] = {}

    def add(self, check: Check, message: str, *, position: int = 0, case_id: str = "") -> None:
        """Note what was found."""
        self._add(Fault(check, message, position, case_id))

    def merge(self, others: Iterable[Fault]) -> None:
        """Note what was found elsewhere."""
        for fault in others:
            self._add(fault)

    def positions(self) -> list[int]:
        """Where something is wrong as far as is known now."""
        return sorted(fault.position for fault in self._first.values())

    def in_order(self) -> tuple[Fault, ...]:
        """By position; what is about no event comes first."""
        return tuple(sorted(self._first.values(), key=lambda fault: fault.position))

    def _add(self, fault: Fault) -> None:
        known = self._first.get(fault.check)
        if known is None:
            self._first[fault.check] = fault
            return
        first = fault if fault.position < known.position else known
        self._first[fault.check] = replace(first, times=known.times + fault.times)
