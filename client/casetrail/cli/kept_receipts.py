"""Kept receipts, held against the log as it is now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from casetrail.client import Client
from casetrail.proof import ProofError
from casetrail.proof.note import SignedNote, VerifierKey, keys_of
from casetrail.proof.receipts import Kept, ReceiptError, check, kept_in
from casetrail.proof.tree import check_consistency


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked.

    Attributes:
        receipts: How many.
        size: Of the newest checkpoint, which continues all of their trees.
    """

    receipts: int
    size: int


async def check_all(client: Client, path: Path, log_keys: Sequence[str]) -> Checked:
    """Check the receipts of a file.

    Args:
        client: Asks the log for proofs; no answer of it is believed.
        path: The file.
        log_keys: Keys of the log, or files of them; those it names itself when there are none.

    Raises:
        ReceiptError: One does not hold, or the log does not continue what it says; or there is none.
    """
    newest = await client.checkpoint()
    keys = [key for given in log_keys or newest.keys for key in _keys(given)]
    note = SignedNote.parse(newest.checkpoint.note)
    if not note.signed_by(keys):
        raise ReceiptError(f"the newest checkpoint of {note.tree.origin} is signed by none of the keys that were given")
    trees: dict[tuple[int, bytes], Kept] = {}
    count = 0
    for count, kept in enumerate(kept_in(path), start=1):  # noqa: B007 - it is what is answered
        check(kept, keys)
        trees.setdefault((kept.tree.size, kept.tree.root), kept)
    if not count:
        raise ReceiptError(f"{path} holds no receipts")
    for (size, root), kept in trees.items():
        if kept.tree.origin != note.tree.origin:
            raise ReceiptError(f"{kept.place}: it is of {kept.tree.origin}, and this log is {note.tree.origin}")
        if size > note.tree.size:
            raise ReceiptError(
                f"{kept.place}: it names a tree of {size} events, and the newest checkpoint has {note.tree.size}: the "
                "log was cut off, or its newest checkpoint is not published yet (wait a second)"
            )
        proof = await client.prove_consistency(size, size=note.tree.size)
        try:
            check_consistency(size, root, note.tree.size, note.tree.root, proof.proof)
        except ProofError as error:
            raise ReceiptError(f"{kept.place}: today's log does not continue what it says: {error}") from error
    return Checked(count, note.tree.size)


def _keys(given: str) -> Sequence[VerifierKey]:
    file = Path(given)
    return keys_of(file.read_text(encoding="utf-8", errors="replace")) if file.is_file() else [VerifierKey.parse(given)]
