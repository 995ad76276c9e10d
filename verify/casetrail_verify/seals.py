"""Recomputes the seals: what each says every case was, when the log had as many events."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from casetrail_verify import lines
from casetrail_verify.faults import Check, Faults
from casetrail_verify.joining import CaseState
from casetrail_verify.lines import Line, LineError
from casetrail_verify.payload import body_of
from casetrail_verify.stretches import LOG_ITSELF, OwnEvent
from casetrail_verify.tree import hash_leaf, root_of
from casetrail_verify.wire import WireError

SEALED: Final = "LogSealed"
"""Type of the event."""

_BODY: Final = 192


class Seal(NamedTuple):
    """What a seal says.

    Attributes:
        day: That it closes.
        size: How many events the log had.
        cases: How many cases.
        root: Of the tree over them, hex.
    """

    day: str
    size: int
    cases: int
    root: str


class Seals:
    """The seals that an export announces, and what they should be.

    Attributes:
        sizes: At which the cases must be looked at, ascending.
        checked: How many seals have been recomputed.
    """

    def __init__(self, announced: Iterable[Line], found: Faults) -> None:
        """Take the lines that announce them."""
        self.checked = 0
        self._found = found
        self._announced: dict[int, Seal] = {}
        self._actual: dict[int, tuple[int, str]] = {}
        for line in announced:
            try:
                seal = Seal(
                    lines.text(line, "day"),
                    lines.integer(line, "size"),
                    lines.integer(line, "cases"),
                    lines.hashed(line, "root").hex(),
                )
                position = lines.integer(line, "position")
            except LineError as error:
                found.add(Check.EXPORT_MALFORMED, f"a line that announces a seal: {error}")
                continue
            if position in self._announced:
                found.add(Check.SEAL_UNANNOUNCED, "two seals are announced in one place", position=position)
            self._announced[position] = seal
        self.sizes: Sequence[int] = sorted({seal.size for seal in self._announced.values()})

    def reached(self, size: int, cases: Mapping[str, CaseState]) -> None:
        """Take the cases as they are once so many events have been read."""
        ends = [(case_id, state.seq, state.leaf) for case_id, state in cases.items() if case_id != LOG_ITSELF]
        self._actual[size] = (len(ends), root_over(ends))

    def check(self, own: Iterable[OwnEvent]) -> None:
        """Compare the seals in the log with what was announced and with the cases."""
        for event in own:
            if event.type == SEALED:
                self._check(event)
        for position in self._announced:
            self._found.add(Check.SEAL_UNANNOUNCED, "a seal is announced, and is not there", position=position)

    def _check(self, event: OwnEvent) -> None:
        announced = self._announced.pop(event.pos, None)
        try:
            seal = _read(event)
        except WireError as error:
            self._found.add(Check.SEAL_WRONG, f"the seal cannot be read: {error}", position=event.pos)
            return
        if seal != announced:
            self._found.add(
                Check.SEAL_UNANNOUNCED, f"the seal of {seal.day} is not as it was announced", position=event.pos
            )
            return
        self.checked += 1
        actual = self._actual.get(seal.size)
        if seal.size >= event.pos or event.key != f"seal {seal.day}" or actual is None:
            self._found.add(Check.SEAL_WRONG, f"the seal of {seal.day} does not fit its place", position=event.pos)
        elif actual != (seal.cases, seal.root):
            self._found.add(
                Check.SEAL_WRONG,
                f"the seal of {seal.day} is of {seal.cases} cases; at {seal.size} events there are {actual[0]}, "
                "and they or their last events are others",
                position=event.pos,
            )


def root_over(ends: Iterable[tuple[str, int, str]]) -> str:
    """The root that a seal has over the last events of cases, hex: of each its case, number and hash."""
    leaves = [
        hash_leaf(case_id.encode(errors="surrogatepass") + b"\0" + seq.to_bytes(8, "big") + bytes.fromhex(leaf))
        for case_id, seq, leaf in sorted(ends, key=lambda end: end[0].encode(errors="surrogatepass"))
    ]
    return root_of(leaves).hex()


def _read(event: OwnEvent) -> Seal:
    if event.payload is None:
        raise WireError("its payload is gone")
    body = body_of(event.payload, _BODY)
    return Seal(body.text(1), body.integer(2), body.integer(3), body.text(4))
