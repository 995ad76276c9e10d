"""Events with their keys once."""

from pathlib import Path

from audit.sqlite.upgrading import run_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table of events again, and take all of them over."""
    run_file(Path(__file__).with_suffix(".sql"))
