"""What was written is there after a loss of power: the file, and every name on the way to it."""

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from audit import key_writing
from audit.durable import make_folder, sync_folder, write_private, write_public
from casetrail.key_file import KeyFile
from tests.disk import on_the_disk


def test_a_folder_is_on_the_disk_with_its_name_and_those_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = on_the_disk(monkeypatch, below=tmp_path)

    make_folder(tmp_path / "data" / "keys")

    assert order == ["sync .", "sync data"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data", tmp_path / "data" / "keys")} == {0o700}


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = on_the_disk(monkeypatch, below=tmp_path)
    there = tmp_path / "keys"
    there.mkdir(mode=0o750)

    make_folder(there)

    assert (order, there.stat().st_mode & 0o777) == ([], 0o750)


def test_what_was_opened_to_be_synced_is_closed(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    sync_folder(tmp_path)
    write_public(tmp_path / "key", "known")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("anew", [True, False])
def test_a_private_file_is_on_the_disk_before_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, anew: bool
) -> None:
    order = on_the_disk(monkeypatch, below=tmp_path)

    write_private(tmp_path / "key", "secret", anew=anew)

    assert order == ["sync key.new", "name key", "sync ."]
    assert (tmp_path / "key").read_text(encoding="utf-8") == "secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_public_file_is_on_the_disk_before_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = on_the_disk(monkeypatch, below=tmp_path)

    write_public(tmp_path / "key", "known")

    assert order == ["sync key.new", "name key", "sync ."]
    assert (tmp_path / "key").read_text(encoding="utf-8") == "known"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_file_that_another_process_was_faster_to_write_counts(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "theirs", anew=True)
    write_private(tmp_path / "key", "ours", anew=True)

    assert (tmp_path / "key").read_text(encoding="utf-8") == "theirs"


@pytest.mark.parametrize("write", [partial(write_private, anew=True), write_private, write_public])
def test_what_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "key", "secret")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [partial(write_private, anew=True), write_private, write_public])
def test_two_processes_of_one_number_do_not_write_into_each_others_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
) -> None:
    """As in two containers, the first processes of which have the same number."""
    sync = os.fsync

    def overtaken(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        sync(descriptor)
        write(tmp_path / "key", "theirs")
        assert (tmp_path / "key").read_text(encoding="utf-8") == "theirs"

    monkeypatch.setattr(os, "fsync", overtaken)
    write(tmp_path / "key", "ours")

    assert (tmp_path / "key").read_text(encoding="utf-8") in ("ours", "theirs")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_key_that_a_process_made_and_died_is_on_the_disk_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KeyFile(tmp_path / "kek", "casetrail-kek/v1", "it is needed")
    keys = key_writing.make(file)
    order = on_the_disk(monkeypatch, below=tmp_path)

    assert key_writing.make(file) == keys

    assert order == ["sync ."]
