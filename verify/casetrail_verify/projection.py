"""Compares the cases that an export lists with the events, and the policies with their digests."""

import hashlib
from collections.abc import Container, Mapping

from casetrail_verify import lines
from casetrail_verify.faults import Check, Faults
from casetrail_verify.folding import Value
from casetrail_verify.joining import CaseState
from casetrail_verify.lines import Line, LineError
from casetrail_verify.listed import Listed
from casetrail_verify.stretches import LOG_ITSELF


class Projection:
    """The cases as the export lists them.

    Attributes:
        listed: The cases that it lists.
        cases: How many of these there are.
        policies: How many policies.
        folded: How many of the cases are what their events make of them, as far as the fold goes.
        partial: How many cases the extract has not all events of.
    """

    def __init__(self, cases: Mapping[str, CaseState], *, whole: bool, found: Faults) -> None:
        self.cases = self.policies = self.folded = self.partial = 0
        self._whole = whole
        self._found = found
        self._actual = cases
        self.listed: set[str] = set()
        self._policies: set[Value] = set()  # digests as events have them: hex, in bytes

    def policy(self, line: Line, number: int) -> None:
        """Check the line of a policy."""
        self.policies += 1
        try:
            digest, policy_id = lines.hashed(line, "digest"), lines.text(line, "policy_id")
            body = lines.data(line, "body")
        except LineError as error:
            self._found.add(Check.EXPORT_MALFORMED, f"line {number}: {error}")
            return
        self._policies.add(digest.hex().encode())
        if hashlib.sha256(body).digest() != digest:
            self._found.add(
                Check.POLICY_CHANGED, f"the policy {policy_id!r} is not what its digest {digest.hex()} was made of"
            )

    def finish(self, archived: Container[str]) -> None:
        """Check that no policy is left out, and no case but those that only an archive has, when all lines are read."""
        if not self._whole:
            return
        for case_id, state in self._actual.items():
            if case_id not in self.listed and case_id not in archived and case_id != LOG_ITSELF:
                self._wrong(case_id, state.opened, "the case has events and is not listed")
            policies = state.folded.policies if state.folded is not None else ()
            for policy in policies:
                if policy is not None and policy not in self._policies:
                    self._found.add(
                        Check.POLICY_MISSING,
                        f"the policy {policy!r} that the case is, or was, under is not there",
                        position=state.opened,
                        case_id=case_id,
                    )

    def case(self, listed: Listed) -> None:
        """Check a case."""
        case_id, opened, seq = listed.case_id, listed.opened, listed.seq
        self.cases += 1
        if case_id in self.listed:
            self._wrong(case_id, opened, "the case is listed twice")
            return
        if case_id == LOG_ITSELF:
            self._wrong(case_id, opened, "the log itself is listed as a case")
            return
        self.listed.add(case_id)
        state = self._actual.get(case_id)
        if state is None:
            self._wrong(case_id, opened, "the case is listed and has no events")
            return
        if (listed.own_case_id, listed.own_seq) != (case_id, seq):
            self._wrong(case_id, state.opened, "its body is of another case, or of another time")
        self._compare(case_id, state, opened, seq, listed.leaf)
        if state.first_seq == 1 and seq == state.seq:
            self._fold(case_id, state, listed.facts)

    def _fold(self, case_id: str, state: CaseState, facts: Mapping[str, object]) -> None:
        if state.folded is None:
            return
        self.folded += 1
        if differing := state.folded.differences(facts, state.at):
            self._found.add(
                Check.FOLD_WRONG,
                f"the case is listed with another {' and '.join(differing)} than its events make of it",
                position=state.opened,
                case_id=case_id,
            )

    def _compare(self, case_id: str, state: CaseState, opened: int, seq: int, leaf: str) -> None:
        first, last = state.first_seq == 1, seq == state.seq
        if not self._whole and not (first and last):
            self.partial += 1
        if first and opened != state.opened:
            self._wrong(case_id, state.opened, f"the case is said to begin at position {opened}")
        elif (self._whole or seq < state.seq) and not last:
            self._wrong(case_id, state.opened, f"the case is said to have {seq} events; there are {state.seq}")
        elif last and leaf != state.leaf:
            self._wrong(case_id, state.opened, f"the hash of the case's last event is said to be {leaf}")

    def _wrong(self, case_id: str, position: int, message: str) -> None:
        self._found.add(Check.CASE_WRONG, message, position=position, case_id=case_id)
