"""What each case needs from Temporal, in a table of its own."""

from pathlib import Path

from audit.sqlite.upgrading import run_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Take it over from the projection, and have fewer of the projection's columns in indexes."""
    run_file(Path(__file__).with_suffix(".sql"))
