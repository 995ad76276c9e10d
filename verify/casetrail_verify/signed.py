"""Compares what was signed about the log, checkpoints and receipts, with what the log is."""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from casetrail_verify import lines
from casetrail_verify.events import Tree
from casetrail_verify.export import Header
from casetrail_verify.faults import Check, Fault, Faults
from casetrail_verify.keyring import Keyring
from casetrail_verify.lines import Line, LineError
from casetrail_verify.notes import Checkpoint, NoteError, VerifierKey, body_of
from casetrail_verify.spool import Events
from casetrail_verify.stretches import digest_of
from casetrail_verify.tree import ProofError, root_by_inclusion

_INT64: Final = re.compile(r"[0-9]{1,18}")


class Source(NamedTuple):
    """Where something stands.

    Attributes:
        words: To find it.
        elsewhere: Whether that is outside of the export, where whoever made the export had no hand in it.
    """

    words: str
    elsewhere: bool

    def __str__(self) -> str:
        """To find it."""
        return self.words


class _Receipt(NamedTuple):
    case_id: str
    position: int
    leaf: bytes
    size: int
    root: bytes
    signature: bytes
    key_id: str
    origin: str
    inclusion: list[bytes]


class Signed:
    """All that was signed about a log.

    Attributes:
        checkpoints: How many were looked at.
        receipts: How many were.
        unsigned: How many of the receipts carry no signature, as old servers gave them.
        unshown: How many an extract cannot show: it is not of their tree, or has neither their event nor a proof of it.
    """

    def __init__(
        self,
        header: Header,
        keyring: Keyring,
        witnesses: Sequence[VerifierKey],
        root: Callable[[int], bytes | None],
        found: Faults,
    ) -> None:
        """Begin.

        Args:
            header: What the export says of itself.
            keyring: The log's keys.
            witnesses: Keys of the witnesses that must have seen the log.
            root: The root of the first so many events; None where that is not known.
            found: Where to note what is wrong.
        """
        self.checkpoints = self.receipts = self.unsigned = self.unshown = 0
        self._tree: Tree = header.tree
        self._origin = header.origin
        self._keyring = keyring
        self._witnesses = witnesses
        self._root = root
        self._found = found
        self._roots: dict[int, bytes] = {}
        self._right: dict[int, bool] = {}
        self._wrong: dict[int, Source] = {}
        self._rows_wrong = found.positions()
        self._signed_to = 0
        self._seen_to = dict.fromkeys(witnesses, 0)

    def checkpoint(self, line: Line, where: Source) -> None:
        """Check a checkpoint, given as a line of an export or of a folder."""
        try:
            checkpoint, size = Checkpoint.parse(lines.text(line, "note")), lines.integer(line, "size")
        except (LineError, NoteError) as error:
            self._found.add(Check.CHECKPOINT_MALFORMED, f"{where}: {error}")
            return
        if checkpoint.size != size:
            message = f"{where}: the checkpoint of {checkpoint.size} events is called one of {size}"
            self._found.add(Check.CHECKPOINT_MALFORMED, message)
            return
        self.note(checkpoint, where)

    def note(self, checkpoint: Checkpoint, where: Source) -> None:
        """Check a checkpoint."""
        self.checkpoints += 1
        size = checkpoint.size
        if checkpoint.origin != self._origin:
            self._found.add(
                Check.CHECKPOINT_FOREIGN,
                f"{where}: the checkpoint is of the log {checkpoint.origin!r}, not of {self._origin!r}",
            )
            return
        if not self._is_signed(checkpoint, where):
            return
        if self._compare_root(size, checkpoint.root, where):
            self._look_for_witnesses(checkpoint, where)

    def receipt(self, line: Line, events: Events, where: Source) -> None:
        """Check a receipt, given as a line of an export or of a file of receipts."""
        try:
            receipt = _receipt(line)
        except LineError as error:
            self._found.add(Check.RECEIPT_MALFORMED, f"{where}: {error}")
            return
        self.receipts += 1
        if receipt.signature or receipt.size:
            self._check_signature(receipt, where)
        else:
            self.unsigned += 1
        self._compare(receipt, events, where)
        if not self._tree.whole:
            placed = receipt.inclusion or events.at(receipt.position) is not None
            self.unshown += not placed or (receipt.size > 0 and self._root(receipt.size) is None)

    def finish(self) -> None:
        """Say which part of the log nobody vouches for, once all has been looked at."""
        if self._wrong:
            self._say_where()
        else:
            self._compare_header()
        size = self._tree.size
        if self._signed_to < size:
            self._found.add(
                Check.TAIL_UNSIGNED,
                f"no signature of the log covers what follows position {self._signed_to}: {self._doubt}",
                position=self._signed_to + 1,
            )
        for witness, seen in self._seen_to.items():
            if seen == size:
                continue
            if self._tree.whole:
                message = f"the witness {witness.name} has signed nothing that covers what follows position {seen}"
            else:
                message = (
                    f"the witness {witness.name} has not signed the tree of {size} events that these are from; "
                    "if it came to the log later, only the whole log shows what it has seen"
                )
            self._found.add(Check.TAIL_UNWITNESSED, message, position=seen + 1)

    @property
    def _doubt(self) -> str:
        """What it means."""
        nothing = self.checkpoints and not self._signed_to
        return "is the key that was given the key of this log?" if nothing else "it may be anything"

    def _say_where(self) -> None:
        """Say where the events begin to differ from what was signed, as closely as that is known."""
        last = min(self._wrong)
        where = self._wrong[last]
        # Who has written the log again may have signed it again in the export, but not elsewhere.
        right = [size for size, elsewhere in self._right.items() if size < last and elsewhere >= where.elsewhere]
        first = max(right, default=0) + 1
        position = min((each for each in self._rows_wrong if first <= each <= last), default=first)
        message = (
            f"{where}: the first {last} events do not have the root that was signed; "
            f"what differs stands at {first} to {last}"
        )
        self._found.merge([Fault(Check.ROOT_WRONG, message, position, times=len(self._wrong))])

    def _compare_header(self) -> None:
        root = self._root(self._tree.size)
        if root is not None and root != self._tree.root:
            self._found.add(Check.ROOT_WRONG, "the header names another root than that of the events")

    def _is_signed(self, checkpoint: Checkpoint, where: Source) -> bool:
        keys = self._keyring.of(checkpoint.size)
        made = [(key, signature) for key in keys for signature in checkpoint.by(key)]
        if len(made) == 1 and made[0][0].signed(checkpoint.body.encode(), made[0][1]):
            return True
        names = " or ".join(key.short for key in keys) or "a known key"
        self._found.add(
            Check.CHECKPOINT_UNSIGNED,
            f"{where}: the checkpoint of {checkpoint.size} events has no valid signature of {names}",
            position=min(checkpoint.size, self._tree.size),
        )
        return False

    def _look_for_witnesses(self, checkpoint: Checkpoint, where: Source) -> None:
        for witness in self._witnesses:
            for signature in checkpoint.by(witness):
                if witness.cosigned(checkpoint.body, signature):
                    self._seen_to[witness] = max(self._seen_to[witness], checkpoint.size)
                else:
                    self._found.add(
                        Check.WITNESS_SIGNATURE_WRONG,
                        f"{where}: the signature of {witness.short} on the checkpoint of {checkpoint.size} is wrong",
                        position=min(checkpoint.size, self._tree.size),
                    )

    def _compare_root(self, size: int, root: bytes, where: Source) -> bool:
        """Compare a root that the log has signed with that of the events; whether it can be."""
        known = self._roots.setdefault(size, root)
        if known != root:
            self._found.add(
                Check.TWO_ROOTS,
                f"{where}: the log has signed two roots for {size} events, {known.hex()} and {root.hex()}: "
                "it has shown two histories",
                position=min(size, self._tree.size),
            )
        if size > self._tree.size:
            self._shorter(f"{where}: a tree of {size} events was signed")
            return False
        actual = self._root(size)
        if actual is None and not self._tree.whole:
            return False
        self._signed_to = max(self._signed_to, size)
        if actual == root:
            self._right[size] = where.elsewhere or self._right.get(size, False)
        elif actual is not None:
            self._wrong.setdefault(size, where)
        return True

    def _shorter(self, message: str) -> None:
        self._found.add(
            Check.LOG_SHORTER,
            f"{message}, and the export has {self._tree.size}: its end was cut off, an old copy was restored, "
            "or it was exported before that was signed (then export again)",
            position=self._tree.size + 1,
        )

    def _check_signature(self, receipt: _Receipt, where: Source) -> None:
        if receipt.origin != self._origin:
            self._receipt_wrong(receipt, f"{where}: it is of the log {receipt.origin!r}, not of {self._origin!r}")
            return
        body = body_of(receipt.origin, receipt.size, receipt.root).encode()
        keys = [key for key in self._keyring.of(receipt.size) if key.key_hash.hex() == receipt.key_id]
        if not any(key.signed(body, receipt.signature) for key in keys):
            self._found.add(
                Check.RECEIPT_UNSIGNED,
                f"{where}: the receipt has no valid signature of the log's key at {receipt.size} events",
                position=min(receipt.position, self._tree.size),
            )
            return
        self._check_root(receipt, where)

    def _check_root(self, receipt: _Receipt, where: Source) -> None:
        if receipt.size < receipt.position:
            self._receipt_wrong(receipt, f"{where}: its tree of {receipt.size} cannot hold position {receipt.position}")
            return
        self._compare_root(receipt.size, receipt.root, where)
        if not receipt.inclusion and receipt.size > 1:
            return
        try:
            reached = root_by_inclusion(receipt.leaf, receipt.position - 1, receipt.size, receipt.inclusion)
        except ProofError as error:
            self._receipt_wrong(receipt, f"{where}: {error}")
            return
        if reached != receipt.root:
            self._receipt_wrong(receipt, f"{where}: its inclusion proof does not lead to its root")

    def _compare(self, receipt: _Receipt, events: Events, where: Source) -> None:
        if receipt.position > self._tree.size:
            self._shorter(f"{where}: the receipt is for position {receipt.position}")
            return
        event = events.at(receipt.position)
        if event is None:
            if self._tree.whole:
                self._receipt_wrong(receipt, f"{where}: the event it was given for is not there")
        elif event.leaf != receipt.leaf:
            self._receipt_wrong(receipt, f"{where}: another event stands where it was given for {receipt.leaf.hex()}")
        elif event.owner != digest_of(receipt.case_id):
            self._receipt_wrong(receipt, f"{where}: the event is not of the case {receipt.case_id!r}")

    def _receipt_wrong(self, receipt: _Receipt, message: str) -> None:
        self._found.add(
            Check.RECEIPT_WRONG,
            message,
            position=min(receipt.position, self._tree.size),
            case_id=receipt.case_id,
        )


def _receipt(line: Line) -> _Receipt:
    given = line.get("receipt")
    if not isinstance(given, dict):
        raise LineError("it holds no receipt")
    size = _int64(given, "treeSize")
    position = _int64(given, "position")
    if not position:
        raise LineError("the receipt has no position")
    return _Receipt(
        lines.text(line, "caseId"),
        position,
        lines.hashed(given, "hash"),
        size,
        lines.hashed(given, "root") if size else b"",
        lines.data({"signature": ""} | given, "signature"),
        lines.text({"keyId": ""} | given, "keyId"),
        lines.text({"origin": ""} | given, "origin"),
        lines.hashes(given, "inclusion"),
    )


def _int64(given: Line, name: str) -> int:
    """An int64 as proto3 JSON writes it: text, and absent when 0."""
    value = given.get(name, "0")
    if not isinstance(value, str) or not _INT64.fullmatch(value):
        raise LineError(f"the receipt's {name} is no number: {value!r}")
    return int(value)
