"""Checks what a log says of itself: trees, signed notes, receipts. Formats: docs/proof.md."""
