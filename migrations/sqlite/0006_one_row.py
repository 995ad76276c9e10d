"""Each event in one row, with its payload."""

from pathlib import Path

from audit.sqlite.upgrading import run_file

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table of events again, and take all of them and their payloads over."""
    run_file(Path(__file__).with_suffix(".sql"))
