"""Publishing: what the log is, told where it cannot be taken back."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
import pytest_asyncio

from audit import proofs
from audit.checkpoint_folder import CheckpointFolder, FolderRefusedError
from audit.log import Checkpoint, LogDamagedError, LogUnavailableError
from audit.publishing import Publisher, witnesses_of
from audit.signing import Notary
from audit.sqlite import SqliteLog
from audit.verification import kept_outside
from audit.verification.kept_outside import KeptOutside
from casetrail.proof.note import WITNESS_KEY, SignedNote, SigningKey, TreeNote, signed
from casetrail.proof.tree import check_consistency, check_inclusion
from tests.audit.given import Writer, note, opening
from tests.audit.past_the_guards import change_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


@pytest_asyncio.fixture
async def log(path: Path) -> AsyncIterator[SqliteLog]:
    opened = SqliteLog(path)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def notary(log: SqliteLog, tmp_path: Path) -> Notary:
    return await Notary.open(log, tmp_path / "keys")


@pytest_asyncio.fixture
async def writer(log: SqliteLog) -> Writer:
    writer = Writer(log, "INQ-1")
    await writer.write(opening(), note(), key="open")
    return writer


def lines_in(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def folder_at(path: Path) -> CheckpointFolder:
    """A folder on one day, however late it is."""
    return CheckpointFolder(path, lambda: datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC))


def copy(path: Path, to: Path) -> None:
    """Copy a database into a file, as `.backup` and `.restore` of SQLite's program do."""
    with closing(sqlite.connect(path)) as source, closing(sqlite.connect(to)) as target:
        source.backup(target)


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


async def test_a_checkpoint_is_kept_in_the_database_and_outside_it(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    published = await Publisher(log, notary, folder_at(outside)).publish()
    assert published is not None
    head = await log.tree_head()
    assert (published.size, published.root) == (head.size, head.root)
    assert await log.newest_checkpoint() == published
    note = SignedNote.parse(published.note)
    assert note.signed_by(notary.keys) == notary.keys
    (line,) = lines_in(outside)
    assert (line["note"], line["size"]) == (published.note, 2)
    assert only_file(outside).name == "2026-11-22.jsonl"


async def test_what_has_not_grown_is_not_published_again(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    publisher = Publisher(log, notary, folder_at(outside))
    await publisher.publish()
    assert await publisher.publish() is None
    await writer.write(note(), key="more")
    await publisher.publish()
    assert [line["size"] for line in lines_in(outside)] == [2, 3]
    assert [each.size for each in await log.checkpoints()] == [2, 3]


async def test_an_empty_log_is_not_published(log: SqliteLog, notary: Notary) -> None:
    assert await Publisher(log, notary).publish() is None


async def test_two_servers_publish_the_same(log: SqliteLog, notary: Notary, outside: Path, writer: Writer) -> None:
    publishers = [Publisher(log, notary, folder_at(outside)) for _ in range(2)]
    first, second = await asyncio.gather(*(publisher.publish() for publisher in publishers))
    assert first is not None
    assert second is not None
    assert first.note == second.note
    assert len(await log.checkpoints()) == 1


async def test_a_folder_that_cannot_be_written_stops_nobody_and_is_said(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    publisher = Publisher(log, notary, folder_at(outside))
    away = shutil.move(outside, outside.with_name("away"))
    assert await publisher.publish() is not None
    assert "cannot be written" in publisher.trouble
    await writer.write(note(), key="more")
    shutil.move(away, outside)
    await publisher.publish()
    assert publisher.trouble == ""
    assert [line["size"] for line in lines_in(outside)] == [3]


async def test_the_newest_checkpoint_is_kept_outside_when_that_can_be_done_again_though_nothing_grows(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    publisher = Publisher(log, notary, folder_at(outside))
    away = shutil.move(outside, outside.with_name("away"))
    await publisher.publish()
    assert (publisher.kept, publisher.trouble != "") == (0, True)
    await publisher.publish()
    shutil.move(away, outside)
    for _ in range(2):
        assert await publisher.publish() is None
    assert (publisher.kept, publisher.trouble) == (2, "")
    assert [line["size"] for line in lines_in(outside)] == [2]


async def test_a_key_that_cannot_be_used_any_more_stops_nobody(
    log: SqliteLog, notary: Notary, tmp_path: Path, writer: Writer
) -> None:
    publisher = Publisher(log, notary)
    keys = (tmp_path / "keys").rename(tmp_path / "away")
    (tmp_path / "keys").touch()
    await publisher.attempt()
    assert await log.newest_checkpoint() is None
    (tmp_path / "keys").unlink()
    keys.rename(tmp_path / "keys")
    await publisher.attempt()
    assert await log.newest_checkpoint() is not None


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderRefusedError, match="make it"):
        CheckpointFolder(tmp_path / "nowhere")


# At the start


async def test_a_log_that_holds_what_was_published_is_accepted(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    publisher = Publisher(log, notary, folder_at(outside))
    await publisher.check()
    await publisher.publish()
    await writer.write(note(), key="more")
    await publisher.check()


async def test_an_old_copy_is_found_by_what_stands_outside(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer, path: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    copy(path, old)
    await writer.write(note(), key="more")
    await Publisher(log, notary, folder_at(outside)).publish()
    restored = SqliteLog(old)
    with pytest.raises(LogDamagedError, match=r"of 3 events was published .*, and the log has 2: it was cut off"):
        await Publisher(restored, notary, folder_at(outside)).check()
    await Writer(restored, "INQ-2").write(opening(), key="open")
    with pytest.raises(LogDamagedError, match="the first 3 events are not those of the checkpoint"):
        await Publisher(restored, notary, folder_at(outside)).check()
    await restored.close()


async def test_a_log_that_was_cut_off_is_found_by_its_own_checkpoint(
    log: SqliteLog, notary: Notary, writer: Writer
) -> None:
    await log.keep_checkpoint(Checkpoint(5, bytes(32), (await notary.sign(5, bytes(32))).note, 1))
    with pytest.raises(LogDamagedError, match=r"\(the database\), and the log has 2"):
        await Publisher(log, notary).check()
    (finding,) = (await log.verify()).findings
    assert (finding.reason, finding.position) == ("LOG_SHORTENED", 3)


async def test_an_older_copy_that_was_continued_is_not_published_by_who_published_more(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer, path: Path, tmp_path: Path
) -> None:
    publisher, old = Publisher(log, notary, folder_at(outside)), tmp_path / "old.db"
    copy(path, old)
    await writer.write(note(), key="more")
    await publisher.publish()
    copy(old, path)
    with pytest.raises(LogDamagedError, match=r"of 3 events was published \(by this process\), and the log has 2"):
        await publisher.publish()
    by_another_process = SqliteLog(path)
    await Writer(by_another_process, "INQ-2").write(opening(), note(), key="open")
    await by_another_process.close()
    with pytest.raises(LogDamagedError, match="the first 3 events are not those of the checkpoint"):
        await publisher.publish()
    assert [line["size"] for line in lines_in(outside)] == [3]


async def test_two_roots_of_one_size_are_a_fork(log: SqliteLog, notary: Notary, outside: Path, writer: Writer) -> None:
    await Publisher(log, notary, folder_at(outside)).publish()
    folder_at(outside).add(Checkpoint(2, bytes(32), (await notary.sign(2, bytes(32))).note, 1))
    with pytest.raises(FolderRefusedError, match="two roots for 2 events"):
        await Publisher(log, notary, folder_at(outside)).check()


async def test_checkpoints_of_another_log_in_the_folder_do_not_count(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer, tmp_path: Path
) -> None:
    other = SqliteLog(tmp_path / "other.db")
    await Writer(other, "INQ-1").write(opening(), *[note()] * 9, key="open")
    await Publisher(other, await Notary.open(other, tmp_path / "other-keys"), folder_at(outside)).publish()
    await other.close()
    await Publisher(log, notary, folder_at(outside)).check()


async def test_a_line_that_a_crash_cut_off_does_no_harm(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    publisher = Publisher(log, notary, folder_at(outside))
    await publisher.publish()
    path = only_file(outside)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-30])
    await publisher.check()
    await writer.write(note(), key="more")
    await publisher.publish()
    await publisher.check()
    assert len(path.read_bytes().splitlines()) == 3
    newest = folder_at(outside).newest(notary.origin)
    assert newest is not None
    assert newest.tree.size == 3


async def test_a_line_that_was_changed_is_refused(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    publisher = Publisher(log, notary, folder_at(outside))
    await publisher.publish()
    path = only_file(outside)
    path.write_text('{"size":2}\n')
    with pytest.raises(FolderRefusedError, match="line 1, is no checkpoint"):
        await publisher.check()


async def test_a_checkpoint_that_only_the_folder_has_is_put_back(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer, path: Path
) -> None:
    """As after a backup was restored that was made between a commit and its checkpoint."""
    publisher = Publisher(log, notary, folder_at(outside))
    published = await publisher.publish()
    assert published is not None
    change_file(path, "DELETE FROM checkpoint")
    await writer.write(note(), key="more")
    await publisher.check()
    (kept,) = await log.checkpoints()
    assert (kept.size, kept.root, kept.note) == (published.size, published.root, published.note)
    assert (await log.verify(outside=KeptOutside(outside, None))).findings == ()


async def test_a_checkpoint_that_only_the_folder_has_and_the_log_did_not_sign_is_not_put_back(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    head = await log.tree_head()
    body = TreeNote(notary.origin, head.size, head.root).body
    stranger = SigningKey.generate("somebody")
    folder_at(outside).add(Checkpoint(head.size, head.root, f"{body}\n{stranger.line(body)}", 1))
    with pytest.raises(FolderRefusedError, match="of 2 events, is not signed by the log's key"):
        await Publisher(log, notary, folder_at(outside)).check()
    assert await log.checkpoints() == []


# A crash


async def test_what_was_acknowledged_before_a_kill_is_published_after_it(path: Path, tmp_path: Path) -> None:
    """`kill -9` between a commit and its checkpoint."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.audit.signing_process", str(path), str(tmp_path / "keys")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    receipts = [json.loads(await process.stdout.readline()) for _ in range(10)]
    process.kill()
    await process.wait()
    log = SqliteLog(path)
    assert await log.checkpoints() == []
    notary = await Notary.open(log, tmp_path / "keys")
    publisher = Publisher(log, notary)
    await publisher.check()
    published = await publisher.publish()
    assert published is not None
    assert published.size >= 10
    for receipt in receipts:
        signed = SignedNote.parse(receipt["note"])
        assert signed.signed_by(notary.keys) == notary.keys
        proof = await proofs.consistency(log, signed.tree.size, published.size)
        check_consistency(signed.tree.size, signed.tree.root, published.size, published.root, proof)
        leaf, inclusion = bytes.fromhex(receipt["hash"]), [bytes.fromhex(each) for each in receipt["inclusion"]]
        check_inclusion(leaf, receipt["position"] - 1, signed.tree.size, signed.tree.root, inclusion)
    await log.close()


# Verification inside


async def rewritten(path: Path, *statements: str) -> list[tuple[str, int]]:
    """What verification finds after somebody who owns the file has changed it."""
    change_file(path, *statements)
    log = SqliteLog(path)
    found = [(finding.reason, finding.position) for finding in (await log.verify()).findings]
    await log.close()
    return found


async def test_a_tree_that_is_not_over_the_events_is_found(
    log: SqliteLog, notary: Notary, writer: Writer, path: Path, tmp_path: Path
) -> None:
    await writer.write(*[note()] * 300, key="many")
    await Publisher(log, notary).publish()
    await log.close()
    changes = {
        "UPDATE log_head SET frontier = zeroblob(length(frontier))": [("TREE_WRONG", 302)],
        "UPDATE subtree SET root = zeroblob(32)": [("TREE_WRONG", 1)],
        "DELETE FROM subtree": [("TREE_WRONG", 1)],
        "INSERT INTO subtree VALUES (1, 1, zeroblob(32))": [("TREE_WRONG", 257)],
        "UPDATE checkpoint SET root = zeroblob(32)": [("CHECKPOINT_DIFFERS", 302)],
        "UPDATE checkpoint SET size = 303": [("LOG_SHORTENED", 303)],
    }
    for number, (statement, expected) in enumerate(changes.items()):
        copy = tmp_path / f"copy-{number}.db"
        shutil.copy(path, copy)
        assert await rewritten(copy, statement) == expected, statement


@pytest.mark.parametrize("at_once", [1, 500])
async def test_what_is_kept_outside_and_not_in_the_database_is_found(
    log: SqliteLog,
    notary: Notary,
    outside: Path,
    writer: Writer,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setattr(kept_outside, "_AT_ONCE", at_once)
    publisher = Publisher(log, notary, folder_at(outside))
    for number in range(3):
        published = await publisher.publish()
        assert published is not None
        await publisher.keep_outside(published)  # again, as with a witness's signature
        await writer.write(note(), key=f"k{number}")
    before = KeptOutside(outside, None)
    assert (await log.verify(outside=before)).findings == ()
    await publisher.publish()
    change_file(path, "DELETE FROM checkpoint WHERE size IN (3, 5)")
    assert (await log.verify()).findings == ()
    assert await found_outside(log, before) == [("CHECKPOINT_MISSING", 3)]
    assert await found_outside(log, KeptOutside(outside, None)) == [
        ("CHECKPOINT_MISSING", 3),
        ("CHECKPOINT_MISSING", 5),
    ]


async def test_what_was_published_of_another_tree_or_a_longer_log_is_found(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    folder = folder_at(outside)
    await Publisher(log, notary, folder).publish()
    for size in (2, 9):
        folder.add(Checkpoint(size, bytes(32), (await notary.sign(size, bytes(32))).note, 1))
    assert await found_outside(log, KeptOutside(outside, None)) == [("CHECKPOINT_DIFFERS", 2), ("LOG_SHORTENED", 3)]
    only_file(outside).write_text('{"size":2}\n')
    assert await found_outside(log, KeptOutside(outside, None)) == [("CHECKPOINT_MALFORMED", 0)]


async def test_what_another_log_has_published_beside_it_says_nothing_of_this_one(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    await Publisher(log, notary, folder_at(outside)).publish()
    theirs = SigningKey.generate("casetrail/theirs")
    tree = TreeNote("casetrail/theirs", 9, bytes(32))
    folder_at(outside).add(Checkpoint(9, bytes(32), signed(tree, [theirs.line(tree.body)]), 1))
    assert await found_outside(log, KeptOutside(outside, None)) == []


async def test_a_folder_that_is_gone_before_it_was_read_is_an_error_and_no_clean_bill(
    log: SqliteLog, notary: Notary, outside: Path, writer: Writer
) -> None:
    await Publisher(log, notary, folder_at(outside)).publish()
    kept = KeptOutside(outside, None)
    only_file(outside).unlink()
    with pytest.raises(LogUnavailableError, match="checkpoints cannot be read: No such file or directory"):
        await log.verify(outside=kept)


async def found_outside(log: SqliteLog, outside: KeptOutside) -> list[tuple[str, int]]:
    return [(finding.reason, finding.position) for finding in (await log.verify(outside=outside)).findings]


# Co-signatures


def test_witnesses_are_named_by_their_lines() -> None:
    key, witness = SigningKey.generate("casetrail/1"), SigningKey.generate("w1", WITNESS_KEY)
    body = f"casetrail/1\n1\n{'A' * 43}=\n"
    signed = f"{body}\n{key.line(body)}"
    assert witnesses_of(Checkpoint(1, bytes(32), signed, 1)) == []
    assert witnesses_of(Checkpoint(1, bytes(32), signed, 1, (witness.cosign(body, 5),))) == ["w1"]
