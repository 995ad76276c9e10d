"""The log and its projection."""

from pathlib import Path

from audit.sqlite.upgrading import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables, and what guards them."""
    run_file(Path(__file__).with_suffix(".sql"))
