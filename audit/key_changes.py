"""Which key a log signs with at which size: its first, then those that it was changed to, as its own events say.

Both the key before and the new one sign a change. So whoever knows the first key knows all, whatever the database says.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from casetrail.proof.note import LOG_KEY, NoteError, VerifierKey
from casetrail.v1.event_pb2 import Event


class KeyChangeError(Exception):
    """A change of key does not hold; the message says why."""


class KeyHistory(NamedTuple):
    """The keys of a log in their order, each with the position from which on it signs."""

    keys: Sequence[VerifierKey]
    since: Sequence[int]

    @classmethod
    def of(cls, first: VerifierKey, changes: Iterable[Event]) -> Self:
        """Follow the changes of key.

        Raises:
            KeyChangeError: One of them does not hold.
        """
        history = cls([first], [0])
        for change in changes:
            history = history.after(change)
        return history

    def after(self, event: Event) -> Self:
        """The keys after a further change.

        Raises:
            KeyChangeError: It does not hold.
        """
        change = event.signing_key_changed
        last = self.keys[-1]
        try:
            if change.old_key != str(last):
                raise KeyChangeError(f"it goes from {change.old_key!r}, and the log had {last.short}")
            new = VerifierKey.parse(change.new_key)
            if (new.name, new.kind) != (last.name, LOG_KEY):
                raise KeyChangeError(f"{new.short} cannot be a key of {last.name}")
            statement = change_statement(last.name, last, new)
            last.check(change.signature, statement)
            new.check(change.new_signature, statement)
        except NoteError as error:
            raise KeyChangeError(str(error)) from error
        return self._replace(keys=[*self.keys, new], since=[*self.since, event.position])

    def at(self, size: int) -> VerifierKey:
        """The key that signs a tree of so many events."""
        return next(key for key, since in zip(reversed(self.keys), reversed(self.since), strict=True) if since <= size)


def change_statement(origin: str, old: VerifierKey, new: VerifierKey) -> bytes:
    """What both keys sign when one follows the other."""
    return f"casetrail/key-change/v1\n{origin}\n{old}\n{new}\n".encode()
