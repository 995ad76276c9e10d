"""Checkpoints outside the database: a line each, and the newest of a log is found among others'."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.checkpoint_folder import CheckpointFolder, FolderRefusedError
from audit.log import Checkpoint
from tests.disk import on_the_disk
from tests.verify.forging import FOREIGN_KEY, LOG_KEY, leaf, note_of

PUBLISHED = 1_795_000_000_123_456


def line(size: int, origin: str = LOG_KEY.name, root: bytes | None = None) -> str:
    return json.dumps({"note": note_of(origin, size, root or leaf(bytes([size]))), "size": size}) + "\n"


def newest(folder: Path) -> int | None:
    note = CheckpointFolder(folder).newest(LOG_KEY.name)
    return None if note is None else note.tree.size


def test_a_line_has_the_checkpoint_with_its_cosignatures_and_when_it_was_published(tmp_path: Path) -> None:
    note = note_of(LOG_KEY.name, 3, leaf(b""))
    folder = CheckpointFolder(tmp_path, lambda: datetime(2026, 11, 18, tzinfo=UTC))
    for cosignatures in ((), ("— w1 AAAA\n", "— w2 BBBB\n")):
        folder.add(Checkpoint(3, leaf(b""), note, PUBLISHED, cosignatures))

    [file] = tmp_path.iterdir()
    first, second = map(json.loads, file.read_text().splitlines())
    assert first == {"note": note, "published_at": "2026-11-18T11:06:40.123456Z", "size": 3}
    assert second == first | {"note": f"{note}— w1 AAAA\n— w2 BBBB\n"}
    assert datetime.fromisoformat(first["published_at"]) == datetime.fromtimestamp(PUBLISHED / 1e6, UTC)


def test_what_is_no_folder_that_can_be_written_is_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o777)
    with pytest.raises(FolderRefusedError, match="is no folder that this process can write"):
        CheckpointFolder(file)
    tmp_path.chmod(0o555)
    with nobody(), pytest.raises(FolderRefusedError, match="is no folder that this process can write"):
        CheckpointFolder(tmp_path)


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write anything, and is nobody meanwhile."""
    before = os.geteuid()
    os.seteuid(before or 65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_is_named_by_the_day_at_which_its_lines_are_added(tmp_path: Path) -> None:
    moments = iter([datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)])
    folder = CheckpointFolder(tmp_path, lambda: next(moments))
    for size in (3, 4):
        folder.add(Checkpoint(size, leaf(b""), note_of(LOG_KEY.name, size, leaf(b"")), PUBLISHED))
    assert {path.name: len(path.read_text().splitlines()) for path in tmp_path.iterdir()} == {
        "2026-12-31.jsonl": 1,
        "2027-01-01.jsonl": 1,
    }


def test_a_line_and_the_name_of_its_file_are_on_the_disk_whoever_made_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(3, leaf(b""), note_of(LOG_KEY.name, 3, leaf(b"")), PUBLISHED)
    (tmp_path / "2026-12-31.jsonl").touch()  # by a process that died then
    folder = CheckpointFolder(tmp_path, lambda: datetime(2026, 12, 31, tzinfo=UTC))
    order = on_the_disk(monkeypatch, below=tmp_path)
    folder.add(checkpoint)
    folder.add(checkpoint)
    assert order == ["sync 2026-12-31.jsonl", "sync .", "sync 2026-12-31.jsonl"]


def test_the_largest_tree_of_the_last_day_that_has_one_is_the_newest(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    (tmp_path / "2026-11-20.jsonl").write_text(line(9))
    (tmp_path / "2026-11-21.jsonl").write_text(line(5) + line(7) + line(6) + line(7))
    (tmp_path / "2026-11-22.jsonl").write_text(line(8, FOREIGN_KEY.name))
    (tmp_path / "notes.jsonl").write_text("{}\n")
    assert newest(tmp_path) == 7


@pytest.mark.parametrize("begun", [line(6)[:40], "[]", "7"])
def test_a_line_that_a_crash_cut_off_is_passed_by(tmp_path: Path, begun: str) -> None:
    (tmp_path / "2026-11-21.jsonl").write_text(line(5) + begun + "\n" + line(7) + line(8)[:-1])
    assert newest(tmp_path) == 7


@pytest.mark.parametrize("wrong", ["{}\n", '{"note":7}\n', '{"note":"nothing"}\n', "[1}\n"])
def test_a_line_that_was_not_written_so_is_refused(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "2026-11-21.jsonl").write_text(line(5) + wrong)
    with pytest.raises(FolderRefusedError, match="line 2, is no checkpoint"):
        newest(tmp_path)


def test_two_trees_of_one_size_are_a_fork(tmp_path: Path) -> None:
    (tmp_path / "2026-11-21.jsonl").write_text(line(5) + line(5, FOREIGN_KEY.name, leaf(b"else")))
    assert newest(tmp_path) == 5
    (tmp_path / "2026-11-21.jsonl").write_text(line(5) + line(5, root=leaf(b"else")))
    with pytest.raises(FolderRefusedError, match="two roots for 5 events"):
        newest(tmp_path)
