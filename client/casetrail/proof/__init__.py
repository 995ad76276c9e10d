"""Checks what a log says of itself: trees, signed notes, receipts. Formats: docs/proof.md."""


class ProofError(Exception):
    """A proof, a signature or a receipt does not hold; the message says which and why."""
