"""Which cases are in an archive, and the one way in which a payload leaves the log."""

from pathlib import Path

from audit.sqlite.upgrading import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of archived cases, and let payloads of these be deleted."""
    run_file(Path(__file__).with_suffix(".sql"))
