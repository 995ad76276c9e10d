"""What a witness answers: the rules of C2SP tlog-witness, in their order."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from casetrail.proof import ProofError
from casetrail.proof.note import LOG_KEY, NoteError, SignedNote, SigningKey, VerifierKey, keys_of
from casetrail.proof.submission import Submission, SubmissionError
from casetrail.proof.tree import check_consistency
from casetrail.witness.memory import Memory

SIZE_TYPE = "text/x.tlog.size"
"""Content type of the answer that says how far the witness has come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of HTTP."""

    status: HTTPStatus
    text: str
    content_type: str = "text/plain; charset=utf-8"


def _seconds() -> int:
    return int(time.time())


class Witness:
    """Signs a checkpoint when it continues the last one that it signed of its log."""

    def __init__(
        self,
        key: SigningKey,
        memory: Memory,
        *,
        logs: Path,
        evidence: Path,
        clock: Callable[[], int] = _seconds,
    ) -> None:
        """Say with what to sign, and for whom.

        Args:
            key: The witness's own.
            memory: What it has signed.
            logs: File of the keys of the logs that it serves; read at each request, so that a change counts at once.
            evidence: File to which checkpoints are appended that a log signed and that contradict what it signed.
            clock: Seconds since 1970.
        """
        self._key = key
        self._memory = memory
        self._logs = logs
        self._evidence = evidence
        self._clock = clock
        self._alone = threading.Lock()

    def add_checkpoint(self, text: str) -> Answer:
        """Answer a request to sign.

        Raises:
            MemoryLostError: What was signed before cannot be read.
            OSError: The checkpoint cannot be remembered, so it is not signed.
        """
        try:
            submission = Submission.parse(text)
            note = SignedNote.parse(submission.note)
        except (SubmissionError, NoteError) as error:
            return Answer(HTTPStatus.BAD_REQUEST, f"{error}\n")
        refusal = self._refusal_of_signature(note)
        if refusal is not None:
            return refusal
        if submission.old_size > note.tree.size:
            return Answer(HTTPStatus.BAD_REQUEST, "the old size is larger than the checkpoint's\n")
        with self._alone:  # from the look at the memory to the signature
            return self._judge(submission, note)

    def _refusal_of_signature(self, note: SignedNote) -> Answer | None:
        try:
            keys = self._keys(note.tree.origin)
            if not keys:
                return Answer(HTTPStatus.NOT_FOUND, f"this witness does not serve {note.tree.origin}\n")
            if not note.signed_by(keys):
                return Answer(HTTPStatus.FORBIDDEN, "no key that is trusted here has signed the checkpoint\n")
        except NoteError as error:
            return Answer(HTTPStatus.FORBIDDEN, f"{error}\n")
        return None

    def _judge(self, submission: Submission, note: SignedNote) -> Answer:
        seen = self._memory.last(note.tree.origin)
        if submission.old_size != seen.size:
            return Answer(HTTPStatus.CONFLICT, f"{seen.size}\n", SIZE_TYPE)
        if note.tree.size == seen.size and note.tree.root != seen.root:
            self._keep_evidence(note)
            return Answer(HTTPStatus.CONFLICT, f"{seen.size}\n", SIZE_TYPE)
        try:
            check_consistency(seen.size, seen.root, note.tree.size, note.tree.root, submission.proof)
        except ProofError as error:
            self._keep_evidence(note)
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}\n")
        self._memory.remember(note)
        return Answer(HTTPStatus.OK, self._key.cosign(note.tree.body, self._clock()))

    def _keys(self, origin: str) -> Sequence[VerifierKey]:
        known = keys_of(self._logs.read_text(encoding="utf-8")) if self._logs.exists() else []
        return [key for key in known if key.kind == LOG_KEY and key.name == origin]

    def _keep_evidence(self, note: SignedNote) -> None:
        """Keep what may show that a log has two histories."""
        with self._evidence.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"note": note.text, "seen_at": self._clock()}, ensure_ascii=False) + "\n")
