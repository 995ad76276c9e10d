"""The keys that personal data at Temporal is encrypted with: without them, no process starts."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from audit import key_writing, payload_key
from audit.log import Log
from casetrail.key_file import KeyFile, KeyFileError
from casetrail.payload_keys import payload_key_file
from engine.payloads import converter
from tests.audit.given import Writer, opening

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return payload_key_file(tmp_path / "here" / "payload-keys")


@pytest.fixture
def elsewhere(tmp_path: Path) -> KeyFile:
    """The file of another host."""
    return payload_key_file(tmp_path / "elsewhere" / "payload-keys")


def copy(source: KeyFile, target: KeyFile) -> None:
    target.path.parent.mkdir(exist_ok=True)
    target.path.write_bytes(source.path.read_bytes())
    target.path.chmod(0o600)


async def test_the_file_is_made_at_the_first_start_and_kept_at_the_next(log: Log, file: KeyFile) -> None:
    await converter(log, file.path)
    before = file.path.read_bytes()
    await Writer(log, "INQ-1").write(opening(), key="open")
    await converter(log, file.path)
    assert (file.path.read_bytes(), file.path.stat().st_mode & 0o777) == (before, 0o600)


async def test_a_file_that_was_lost_is_not_made_anew(log: Log, file: KeyFile) -> None:
    await converter(log, file.path)
    file.path.unlink()
    with pytest.raises(KeyFileError, match=r"payload-keys is missing.* restore the file, or copy it"):
        await converter(log, file.path)
    assert not file.path.exists()


async def test_no_file_is_made_for_a_log_with_events_whose_key_nobody_remembers(log: Log, file: KeyFile) -> None:
    await Writer(log, "INQ-1").write(opening(), key="open")
    with pytest.raises(KeyFileError, match="is missing"):
        await converter(log, file.path)
    assert not file.path.exists()
    key_writing.make(file)  # as a Casetrail had it that did not remember
    await converter(log, file.path)


async def test_another_host_needs_the_same_file(log: Log, file: KeyFile, elsewhere: KeyFile) -> None:
    await converter(log, file.path)
    with pytest.raises(KeyFileError, match="is missing"):
        await converter(log, elsewhere.path)
    key_writing.make(elsewhere)
    with pytest.raises(KeyFileError, match=r"has not the key .* copy it from another host"):
        await converter(log, elsewhere.path)
    copy(file, elsewhere)
    await converter(log, elsewhere.path)


async def test_a_new_key_is_in_force_once_somebody_encrypts_with_it(
    log: Log, file: KeyFile, elsewhere: KeyFile
) -> None:
    await converter(log, file.path)
    copy(file, elsewhere)
    key_writing.add(file)
    await converter(log, elsewhere.path)
    await converter(log, file.path)
    with pytest.raises(KeyFileError, match="has not the key"):
        await converter(log, elsewhere.path)
    copy(file, elsewhere)
    await converter(log, elsewhere.path)


async def test_a_key_that_is_lost_for_ever_is_replaced_and_one_that_is_there_is_not(log: Log, file: KeyFile) -> None:
    await converter(log, file.path)
    (first,) = file.read()
    with pytest.raises(KeyFileError, match=f"the key {first} is not lost"):
        await payload_key.replace(log, file)
    file.path.unlink()
    new, lost = await payload_key.replace(log, file)
    assert (list(file.read()), lost) == ([new], first)
    await converter(log, file.path)


async def test_a_file_that_cannot_be_made_is_an_error(log: Log, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="cannot be written"):
        await converter(log, tmp_path / "file" / "payload-keys")


def ended(program: tuple[str, ...], data: Path) -> str:
    """What a process says that does not start."""
    (data / "principals.yaml").write_text("principals: []\n")
    (data / "staff.yaml").write_text("people: []\n")
    told = {
        "CASETRAIL_DATA": str(data),
        "CASETRAIL_SHOP_URL": "http://127.0.0.1:1",
        "CASETRAIL_SMTP_ADDRESS": "127.0.0.1:1",
    }
    done = subprocess.run(
        [sys.executable, *program],
        check=False,
        cwd=ROOT,
        env=os.environ | told,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    return done.stdout + done.stderr


@pytest.mark.parametrize("program", [("worker.py",), ("-m", "server")])
def test_a_process_that_cannot_use_the_file_says_so_and_ends(tmp_path: Path, program: tuple[str, ...]) -> None:
    keys = tmp_path / "payload-keys"
    keys.write_text("no key\n")
    keys.chmod(0o600)
    assert f"{keys} is no file of keys that begin with casetrail-payload-key/v1" in ended(program, tmp_path)


@pytest.mark.parametrize("program", [("worker.py",), ("-m", "server")])
async def test_a_process_whose_file_was_lost_says_so_and_ends(
    log: Log, tmp_path: Path, program: tuple[str, ...]
) -> None:
    await Writer(log, "INQ-1").write(opening(), key="open")
    assert f"{tmp_path / 'payload-keys'} is missing" in await asyncio.to_thread(ended, program, tmp_path)
