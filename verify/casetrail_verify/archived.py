"""Compares the cases whose payloads are gone with what the log's own events say was archived, and by whom.

An export names every case that was ever archived. For each event that says so (`CasesArchived`) they must be exactly as
many as it says, with the root that two people agreed to; nothing else excuses that a payload is gone.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from casetrail_verify import lines
from casetrail_verify.export import Header
from casetrail_verify.faults import Check, Fault, Faults
from casetrail_verify.joining import CaseState
from casetrail_verify.lines import Line, LineError
from casetrail_verify.payload import body_of
from casetrail_verify.report import counted
from casetrail_verify.seals import root_over
from casetrail_verify.stretches import Gone, OwnEvent
from casetrail_verify.wire import WireError

PROPOSED: Final = "ArchiveProposed"
APPROVED: Final = "ArchiveApproved"
ARCHIVED: Final = "CasesArchived"
RESTORED: Final = "CaseRestored"
WITHDRAWN: Final = "ArchiveWithdrawn"
"""Types of the events."""

_BODIES: Final = {PROPOSED: 194, APPROVED: 195, ARCHIVED: 196, RESTORED: 197, WITHDRAWN: 199}


class Removal(NamedTuple):
    """What an event says that was archived.

    Attributes:
        archive_id: The archive.
        cases: How many cases.
        root: Over their last events, hex.
        manifest: SHA-256 of the archive's manifest, hex.
        proven_by: Size of the tree that its proofs lead to; 0 where it does not say.
        proposed_by: Who wanted it.
        approved_by: Who agreed.
    """

    archive_id: str
    cases: int
    root: str
    manifest: str
    proven_by: int
    proposed_by: str
    approved_by: str


class _Consent(NamedTuple):
    """That somebody proposed an archive, or agreed to it."""

    pos: int
    actor: str
    cases: int
    root: str


class _Case(NamedTuple):
    archive_id: str
    case_id: str
    opened: int
    seq: int
    leaf: str
    removed: int
    restored: int | None


class Archives:
    """What was archived, as an export says it.

    Attributes:
        removals: What the log's events say, by their positions.
        cases: How many archived cases the export names.
        gone: How many payloads are gone lawfully, or by the auditor's leave.
    """

    def __init__(self, own: Iterable[OwnEvent], actual: Mapping[str, CaseState], found: Faults) -> None:
        """Take the log's own events, and the cases as they are."""
        self.removals: dict[int, Removal] = {}
        self.cases = self.gone = 0
        self._actual = actual
        self._found = found
        self._restorations: dict[int, tuple[str, str]] = {}
        self._proposals: dict[str, _Consent] = {}
        self._approvals: dict[str, _Consent] = {}
        self._withdrawn: set[str] = set()
        self._named: list[_Case] = []
        self._signed: set[int] = set()
        for event in own:
            try:
                self._read(event)
            except WireError as error:
                found.add(
                    Check.ARCHIVE_WRONG, f"what it says of an archive cannot be read: {error}", position=event.pos
                )

    def case(self, line: Line, number: int) -> None:
        """Take the line of an archived case."""
        try:
            restored = lines.integer(line, "restored") if line.get("restored") is not None else None
            case = _Case(
                lines.text(line, "archive_id"),
                lines.text(line, "case_id"),
                lines.integer(line, "opened"),
                lines.integer(line, "seq"),
                lines.hashed(line, "leaf_hash").hex(),
                lines.integer(line, "removed"),
                restored,
            )
        except LineError as error:
            self._found.add(Check.EXPORT_MALFORMED, f"line {number}: {error}")
            return
        self._named.append(case)
        self.cases += 1

    def checkpoint(self, line: Line) -> None:
        """Take the line of a checkpoint."""
        self._signed |= {said.proven_by for said in self.removals.values() if said.proven_by == line.get("size")}

    @property
    def alone(self) -> frozenset[str]:
        """The cases that only an archive has."""
        return frozenset(case.case_id for case in self._named if case.restored is None)

    def finish(self, gone: Mapping[str, Gone], listed: Container[str], *, excused: bool, header: Header) -> None:
        """Check all that was archived, and that no other payload is gone, once all lines have been read.

        Args:
            gone: The payloads that are gone, by case.
            listed: The cases that the projection has.
            excused: Whether the auditor allows other payloads to be gone.
            header: What the export says of itself: only the whole log has every checkpoint, and what it leaves out may
                say that a case was restored.
        """
        whole = header.tree.whole
        for said in self.removals.values():
            if whole and said.proven_by and said.proven_by not in self._signed:
                message = f"the checkpoint of {said.proven_by} events, by which {said.archive_id} is proven, is gone"
                self._found.add(Check.CHECKPOINT_MISSING, message, position=said.proven_by)
        for position, words in self._faults():
            self._found.add(Check.ARCHIVE_WRONG, words, position=position)
        if header.log_size <= header.tree.size:
            for position, words in self._kept(gone, listed):
                self._found.add(Check.ARCHIVE_WRONG, words, position=position)
        alone = self.alone
        for case_id, missing in gone.items():
            if case_id in alone or excused:
                self.gone += missing.times
                continue
            message = "the payload is gone: what the event said cannot be known"
            self._found.merge([Fault(Check.PAYLOAD_MISSING, message, missing.pos, case_id, missing.times)])

    def _read(self, event: OwnEvent) -> None:
        if event.type not in _BODIES:
            return
        if event.payload is None:
            raise WireError("its payload is gone")
        body = body_of(event.payload, _BODIES[event.type])
        if event.type == PROPOSED:
            self._proposals[body.text(1)] = _Consent(event.pos, event.actor, body.integer(4), body.text(6))
            return
        if event.type == APPROVED:
            self._approvals[body.text(1)] = _Consent(event.pos, event.actor, body.integer(2), body.text(3))
            return
        if event.type == RESTORED:
            self._restorations[event.pos] = (body.text(1), body.text(2))
            return
        if event.type == WITHDRAWN:
            self._withdrawn.add(body.text(1))
            return
        self.removals[event.pos] = Removal(
            body.text(1),
            body.integer(2),
            body.text(4),
            body.text(5),
            body.integer(7),
            body.text(8),
            body.text(9),
        )

    def _faults(self) -> Iterator[tuple[int, str]]:
        by_removal: dict[int, list[_Case]] = {}
        for case in self._named:
            by_removal.setdefault(case.removed, []).append(case)
        for position in sorted({*by_removal, *self.removals}):
            words = _wrong(self.removals.get(position), by_removal.get(position, []))
            if words:
                yield position, words
        for position, said in self.removals.items():
            if not self._was_agreed_to(said, position):
                who = f"{said.proposed_by!r} proposed {said.archive_id}, and then {said.approved_by!r} approved it"
                yield position, f"no events before it say that {who}, of these cases"
            if said.archive_id in self._withdrawn:
                yield position, f"{said.archive_id} was withdrawn, and carried out all the same"
        for case in self._named:
            yield from self._wrong_case(case)

    def _kept(self, gone: Mapping[str, Gone], listed: Container[str]) -> Iterator[tuple[int, str]]:
        for case in self._named:
            if case.restored is not None:
                continue
            payloads = case.seq - gone.get(case.case_id, Gone(0, 0)).times
            if payloads or case.case_id in listed:
                where = f"its place in the list of cases, or {payloads} of its payloads"
                yield case.removed, f"only {case.archive_id} is said to have {case.case_id}, and the log has {where}"

    def _was_agreed_to(self, said: Removal, position: int) -> bool:
        proposed, approved = self._proposals.get(said.archive_id), self._approvals.get(said.archive_id)
        if proposed is None or approved is None or not proposed.pos < approved.pos < position:
            return False
        if (proposed.actor, approved.actor) != (said.proposed_by, said.approved_by):
            return False
        return proposed[2:] == approved[2:] == (said.cases, said.root)

    def _wrong_case(self, case: _Case) -> Iterator[tuple[int, str]]:
        if case.restored is not None:
            if self._restorations.get(case.restored) != (case.archive_id, case.case_id):
                yield case.restored, f"no event says that {case.case_id} was restored from {case.archive_id}"
            return
        state = self._actual.get(case.case_id)
        if state is None or (state.opened, state.seq, state.leaf) != (case.opened, case.seq, case.leaf):
            yield case.removed, f"{case.case_id} is not as it was when it was archived in {case.archive_id}"


def _wrong(said: Removal | None, cases: list[_Case]) -> str:
    """What is wrong with what was archived at once; empty when nothing is."""
    if said is None:
        what = f"{counted(len(cases), 'case')}, {cases[0].case_id} among them"
        return f"listed as archived, and no event says so: {what}"
    if any(not 0 <= case.seq < 1 << 63 for case in cases):
        return f"cases of {said.archive_id} have numbers that no case has"
    root = root_over((case.case_id, case.seq, case.leaf) for case in cases)
    if (said.cases, said.root) != (len(cases), root) or any(case.archive_id != said.archive_id for case in cases):
        return f"the cases that are named of {said.archive_id} are not those that were agreed to"
    if not said.proposed_by or not said.approved_by or said.proposed_by == said.approved_by:
        return f"{said.archive_id} was not proposed by one and approved by another"
    return ""
