"""What was written is there after a loss of power: the file, and every name on the way to it."""

import os
from pathlib import Path

import pytest

from audit.durable import make_folder, write_private


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is on the disk, in the order in which it came there."""
    order: list[Path] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        sync(descriptor)
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    return order


def test_a_folder_is_on_the_disk_with_its_name_and_those_above_it(tmp_path: Path, synced: list[Path]) -> None:
    make_folder(tmp_path / "data" / "keys")

    assert synced == [tmp_path, tmp_path / "data"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data", tmp_path / "data" / "keys")} == {0o700}


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path, synced: list[Path]) -> None:
    there = tmp_path / "keys"
    there.mkdir(mode=0o750)

    make_folder(there)

    assert (synced, there.stat().st_mode & 0o777) == ([], 0o750)


@pytest.mark.parametrize("anew", [True, False])
def test_a_private_file_is_on_the_disk_before_its_name_is(tmp_path: Path, synced: list[Path], *, anew: bool) -> None:
    write_private(tmp_path / "key", "secret", anew=anew)

    assert synced == [tmp_path / f"key.{os.getpid()}", tmp_path]
    assert (tmp_path / "key").read_text(encoding="utf-8") == "secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_file_that_another_process_was_faster_to_write_counts(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "theirs", anew=True)
    write_private(tmp_path / "key", "ours", anew=True)

    assert (tmp_path / "key").read_text(encoding="utf-8") == "theirs"
