"""Checks receipts: that the log has signed a tree, and that the write is in it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import ParseDict, ParseError

from casetrail.proof import ProofError
from casetrail.proof.note import TreeNote, VerifierKey
from casetrail.proof.tree import check_inclusion
from casetrail.v1.case_service_pb2 import Receipt


class ReceiptError(ProofError):
    """A receipt does not hold, or is none; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt from a file.

    Attributes:
        place: File and line.
    """

    place: str
    case_id: str
    request_id: str
    receipt: Receipt

    @property
    def tree(self) -> TreeNote:
        """The tree that it names.

        Raises:
            ReceiptError: It names none.
        """
        try:
            return TreeNote(self.receipt.origin, self.receipt.tree_size, bytes.fromhex(self.receipt.root))
        except ValueError as error:
            raise ReceiptError(f"{self.place}: the root is no hash") from error


def kept_in(path: Path) -> Iterator[Kept]:
    """The receipts of a file, as the client keeps them; a crash may have cut off the last line.

    Raises:
        ReceiptError: A line is none.
        OSError: The file cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield _kept(f"{path}, line {number}", line)
            except ReceiptError:
                if line.endswith("\n"):
                    raise


def _kept(place: str, line: str) -> Kept:
    try:
        found = json.loads(line)
        receipt = ParseDict(found["receipt"], Receipt(), ignore_unknown_fields=True)
        return Kept(place, found["caseId"], found["requestId"], receipt)
    except (ValueError, KeyError, TypeError, ParseError, RecursionError) as error:
        raise ReceiptError(f"{place} is no receipt") from error


def check(kept: Kept, keys: Sequence[VerifierKey]) -> None:
    """Check one receipt by itself.

    Raises:
        ReceiptError: It does not hold.
    """
    receipt, tree = kept.receipt, kept.tree
    if not receipt.signature:
        raise ReceiptError(f"{kept.place}: it is not signed")
    key = next((key for key in keys if key.key_hash.hex() == receipt.key_id and key.name == receipt.origin), None)
    if key is None:
        raise ReceiptError(f"{kept.place}: it is signed by a key of {receipt.origin} that was not given")
    try:
        key.check(receipt.signature, tree.body.encode())
        check_inclusion(
            bytes.fromhex(receipt.hash), receipt.position - 1, receipt.tree_size, tree.root, receipt.inclusion
        )
    except (ProofError, ValueError) as error:
        raise ReceiptError(f"{kept.place}: {error}") from error
