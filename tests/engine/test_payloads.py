"""The keys that personal data at Temporal is encrypted with: without them, no process starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from casetrail.key_file import KeyFileError
from engine.payloads import converter

ROOT = Path(__file__).parents[2]


def test_the_file_is_made_at_the_first_start_and_kept_at_the_next(tmp_path: Path) -> None:
    keys = tmp_path / "data" / "payload-keys"
    converter(keys)
    before = keys.read_bytes()
    converter(keys)
    assert (keys.read_bytes(), keys.stat().st_mode & 0o777) == (before, 0o600)


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="cannot be written"):
        converter(tmp_path / "file" / "payload-keys")


@pytest.mark.parametrize("program", [("worker.py",), ("-m", "server")])
def test_a_process_that_cannot_use_the_file_says_so_and_ends(tmp_path: Path, program: tuple[str, ...]) -> None:
    keys = tmp_path / "payload-keys"
    keys.write_text("no key\n")
    keys.chmod(0o600)
    (tmp_path / "principals.yaml").write_text("principals: []\n")
    (tmp_path / "staff.yaml").write_text("people: []\n")
    told = {
        "CASETRAIL_DATA": str(tmp_path),
        "CASETRAIL_SHOP_URL": "http://127.0.0.1:1",
        "CASETRAIL_SMTP_ADDRESS": "127.0.0.1:1",
    }
    ended = subprocess.run(
        [sys.executable, *program],
        check=False,
        cwd=ROOT,
        env=os.environ | told,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 1
    assert f"{keys} is no file of keys that begin with casetrail-payload-key/v1" in ended.stdout + ended.stderr
    assert not (tmp_path / "casetrail.db").exists()
