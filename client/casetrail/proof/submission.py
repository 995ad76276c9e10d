"""What a witness is sent: a checkpoint, and the proof that it continues what it signed last (C2SP tlog-witness)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_OLD: Final = re.compile(r"old (0|[1-9][0-9]*)")
_MOST_HASHES: Final = 63
_HASH: Final = 32


class SubmissionError(Exception):
    """What was sent is no submission."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint for a witness.

    Attributes:
        old_size: Of the tree that the witness signed last, as far as the sender knows.
        proof: That the checkpoint's tree is that one with leaves added at its end.
        note: The signed checkpoint.
    """

    old_size: int
    proof: Sequence[bytes]
    note: str

    @classmethod
    def parse(cls, text: str) -> "Submission":
        """Read a request's body.

        Raises:
            SubmissionError: It is none.
        """
        head, empty, note = text.partition("\n\n")
        old, *lines = head.split("\n")
        size = _OLD.fullmatch(old)
        if not empty or size is None or len(lines) > _MOST_HASHES:
            raise SubmissionError("expected `old SIZE`, at most 63 hashes, an empty line and a checkpoint")
        return cls(int(size[1]), tuple(_hash(line) for line in lines), note)

    @property
    def text(self) -> str:
        """The request's body."""
        lines = "".join(f"{b64encode(each).decode()}\n" for each in self.proof)
        return f"old {self.old_size}\n{lines}\n{self.note}"


def _hash(line: str) -> bytes:
    try:
        data = b64decode(line.encode("ascii"), validate=True)
    except ValueError as error:
        raise SubmissionError(f"this is no hash: {line!r}") from error
    if len(data) != _HASH:
        raise SubmissionError(f"this is no hash: {line!r}")
    return data
