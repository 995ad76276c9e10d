"""Processes of their own that write to a log."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def writing_process(url: str, case_id: str, batches: int) -> subprocess.Popen[str]:
    """Start one that opens a case and adds batches to it; it prints each seq once it is acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.audit.writing_process", url, case_id, str(batches)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
