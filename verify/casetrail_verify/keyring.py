"""Which key a log signs with at which size: one known from elsewhere, then those that it has changed to."""

from collections.abc import Iterable, Sequence
from typing import Final

from casetrail_verify.faults import Check, Faults
from casetrail_verify.notes import LOG_KEY, NoteError, VerifierKey
from casetrail_verify.payload import body_of
from casetrail_verify.stretches import OwnEvent
from casetrail_verify.wire import WireError

CHANGED: Final = "SigningKeyChanged"
"""Type of the event."""

_BODY: Final = 193


class _ChangeError(Exception):
    """A change of key does not hold."""


class Keyring:
    """The log's keys in the order of its changes.

    Attributes:
        unused_names: Of those that are known from elsewhere and that the log never had; in words, or empty.
    """

    def __init__(
        self, origin: str, known: Sequence[VerifierKey], own: Iterable[OwnEvent], *, whole: bool, found: Faults
    ) -> None:
        """Follow the changes of key.

        Args:
            origin: The log's name.
            known: Its keys that are known from elsewhere.
            own: Its own events.
            whole: Whether those are all of them.
            found: Where to note what is wrong.
        """
        self._origin = origin
        self._known = [key for key in known if key.name == origin]
        self._whole = whole
        self._periods: list[tuple[int, VerifierKey]] = []
        changes = [event for event in own if event.type == CHANGED]
        for event in changes:
            try:
                self._change(event)
            except (_ChangeError, NoteError, WireError) as error:
                found.add(Check.KEY_CHANGE_WRONG, f"the change of key does not hold: {error}", position=event.pos)
        had = [key for _, key in self._periods] or self._known[:1]
        self.unused_names = " or ".join(key.short for key in self._known if key not in had)
        unknown = next(((start, key) for start, key in self._periods if key not in self._known), None)
        if whole and self.unused_names and unknown is not None:
            start, key = unknown
            message = f"the log goes on with {key.short}, which is not known, and never had {self.unused_names}"
            found.add(Check.KEY_CHANGE_WRONG, message, position=start)

    def of(self, size: int) -> list[VerifierKey]:
        """The keys that may have signed a tree of this size: one, where all of the log's own events are known."""
        if not self._whole:
            return [*self._known, *(key for _, key in self._periods if key not in self._known)]
        in_force = [key for start, key in self._periods if start <= size]
        return in_force[-1:] if self._periods else self._known[:1]

    def _change(self, event: OwnEvent) -> None:
        if event.payload is None:
            raise _ChangeError("its payload is gone")
        change = body_of(event.payload, _BODY)
        old, new = VerifierKey.parse(change.text(1)), VerifierKey.parse(change.text(2))
        in_force = [key for _, key in self._periods[-1:]] or self._known
        if old not in in_force:
            raise _ChangeError(f"it goes from {old.short}, which is not a key that the log had by then")
        if new.name != self._origin or new.kind != LOG_KEY:
            raise _ChangeError(f"{new.short} cannot be a key of {self._origin}")
        statement = f"casetrail/key-change/v1\n{self._origin}\n{old}\n{new}\n".encode()
        if not old.signed(statement, change.data(3)) or not new.signed(statement, change.data(4)):
            raise _ChangeError("it is not signed by both keys")
        if not self._periods:
            self._periods.append((0, old))
        self._periods.append((event.pos, new))
