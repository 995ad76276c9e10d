"""The Merkle tree."""

from pathlib import Path

from audit.sqlite.upgrading import plant_tree, run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of the tree, and grow it over the events that are there."""
    run_file(Path(__file__).with_suffix(".sql"))
    plant_tree()
