"""Lawful erasure."""

from pathlib import Path

from audit.sqlite.upgrading import run_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of keys that were destroyed."""
    run_file(Path(__file__).with_suffix(".sql"))
