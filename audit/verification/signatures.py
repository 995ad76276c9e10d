"""Whether what the log has published is signed: each checkpoint by the key that the log had then, and by witnesses.

The first key, and those of the witnesses, are known from outside the database: who owns it can write any others there.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple, Self

from audit import questions
from audit.envelope import StoredEvent, event_of
from audit.key_changes import KeyChangeError, KeyHistory
from audit.log import LOG_ITSELF, Finding, LogDamagedError, LogUnavailableError
from audit.signing import origin_of
from audit.verification.from_tables import Select
from casetrail.proof.note import NoteError, SignedNote, VerifierKey, keys_of

_AT_ONCE: Final = 4000  # checkpoints
_IN_A_THREAD: Final = 250


class Signers(NamedTuple):
    """Who is known to sign for a log.

    Attributes:
        keys: The log's own; it has begun with the first.
        witnesses: Those of its witnesses.
    """

    keys: Sequence[VerifierKey]
    witnesses: Sequence[VerifierKey] = ()

    @classmethod
    def read(cls, path: Path, witnesses: Sequence[VerifierKey] = ()) -> Self:
        """Read the log's keys from a file (`log.vkey`).

        Raises:
            LogUnavailableError: They cannot be read.
        """
        try:
            keys = keys_of(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LogUnavailableError(
                f"{path} is missing, and signatures cannot be checked without the log's public keys: say where it is "
                "(CASETRAIL_KEYS, CASETRAIL_DATA), or leave them out (--without-keys)"
            ) from None
        except (OSError, UnicodeDecodeError, NoteError) as error:
            raise LogUnavailableError(f"the log's public keys in {path} cannot be read: {error}") from error
        if not keys:
            raise LogUnavailableError(f"{path} has no key")
        return cls(keys, witnesses)


class Signatures:
    """Those of all checkpoints of a log as of one moment.

    Attributes:
        checkpoints: How many were looked at so far.
    """

    def __init__(self, select: Select, signers: Signers) -> None:
        """Look at the log that `select` asks."""
        self.checkpoints = 0
        self._select = select
        self._witnesses = signers.witnesses
        self._keys = KeyHistory([signers.keys[0]], [0])

    def findings(self) -> Iterator[Finding]:
        """What does not hold."""
        log, *_ = questions.head_of(list(self._select(questions.head())))
        first = self._keys.keys[0]
        if first.name != origin_of(log):
            yield Finding(
                "LOG_FOREIGN", f"the log is {origin_of(log)}, and the key that it is known by is {first.short}"
            )
            return
        yield from self._changes()
        rows = self._select(questions.all_checkpoints())
        # A thread that checks a signature lets the others run.
        with ThreadPoolExecutor(os.cpu_count(), "signatures") as threads:
            while some := [(size, note) for size, _, note in islice(rows, _AT_ONCE)]:
                notes = self._with_cosignatures(some)
                parts = (notes[first : first + _IN_A_THREAD] for first in range(0, len(notes), _IN_A_THREAD))
                yield from chain.from_iterable(threads.map(self._check_all, parts))
                self.checkpoints += len(some)

    def _changes(self) -> Iterator[Finding]:
        """Follow the changes of key; one that does not hold changes nothing."""
        for row in map(StoredEvent._make, self._select(questions.all_events_of(LOG_ITSELF))):
            try:
                event = event_of(row)
            except LogDamagedError:
                continue  # what is wrong with it is found by itself
            try:
                if event.HasField("signing_key_changed"):
                    self._keys = self._keys.after(event)
            except KeyChangeError as error:
                words = f"the change of key does not hold: {error}"
                yield Finding("KEY_CHANGE_WRONG", words, row.position, row.case_id, row.seq)

    def _with_cosignatures(self, notes: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
        lines = defaultdict[int, str](str)
        if self._witnesses:
            for size, line in self._select(questions.cosignatures(notes[0][0], notes[-1][0])):
                lines[size] += line
        return [(size, note + lines[size]) for size, note in notes]

    def _check_all(self, notes: Sequence[tuple[int, str]]) -> list[Finding]:
        return [finding for size, note in notes for finding in self._check(size, note)]

    def _check(self, size: int, text: str) -> Iterator[Finding]:
        try:
            note = SignedNote.parse(text)
        except NoteError as error:
            yield Finding("CHECKPOINT_MALFORMED", f"the note of the checkpoint of {size} events: {error}", size)
            return
        key = self._keys.at(size)
        if not _is_signed(note, key):
            words = f"the checkpoint of {size} events has no valid signature of {key.short}"
            yield Finding("CHECKPOINT_UNSIGNED", words, size)
        for witness in self._witnesses:
            try:
                note.cosigned_by([witness])
            except NoteError:
                words = f"the signature of {witness.short} on the checkpoint of {size} events is wrong"
                yield Finding("WITNESS_SIGNATURE_WRONG", words, size)


def _is_signed(note: SignedNote, key: VerifierKey) -> bool:
    """Whether it has exactly one signature of the key, and that one holds."""
    try:
        return note.signed_by([key]) == [key]
    except NoteError:
        return False
