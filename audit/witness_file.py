"""The file of witnesses: one a line, its address and its verifier key.

https://witness.example  witness.example+c2a3f1b0+BD…
"""

from dataclasses import dataclass
from pathlib import Path

from casetrail.proof.note import WITNESS_KEY, NoteError, VerifierKey


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Who is asked, and whose signature is accepted."""

    url: str
    key: VerifierKey


def witnesses_in(path: Path) -> list[WitnessAddress]:
    """Read the file of witnesses; empty lines and comments (#) are skipped.

    Raises:
        ValueError: It cannot be read, or a line is wrong; the message says which.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"CASETRAIL_WITNESSES cannot be read: {error.strerror}: {path}") from error
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            url, vkey = words
            key = VerifierKey.parse(vkey)
        except (ValueError, NoteError) as error:
            raise ValueError(f"line {number} of the witnesses is not `URL VKEY`: {error}") from error
        if key.kind != WITNESS_KEY or not url.startswith(("http://", "https://")):
            raise ValueError(f"line {number} of the witnesses: an http(s) address and the key of a witness are needed")
        found.append(WitnessAddress(url.rstrip("/"), key))
    return found
