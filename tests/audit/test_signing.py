"""The log's key: made once, kept by its owner alone, changed on record."""

import os
import stat
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from audit import signing
from audit.key_changes import change_statement
from audit.log import LOG_ITSELF, AppendResult, Batch, Checkpoint, Log, LogUnavailableError
from audit.sealing import seal
from audit.signing import KeyRefusedError, Notary, _next_key
from audit.sqlite import SqliteLog
from casetrail.proof.note import SignedNote, SigningKey, VerifierKey, keys_of
from casetrail.v1.types_pb2 import Actor, Role
from tests.audit.given import Writer, note, opening
from tests.disk import on_the_disk

ADMIN = Actor(name="ada", role=Role.ROLE_ADMIN)
ROOT = bytes(32)


@pytest_asyncio.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db")
    yield opened
    await opened.close()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


async def publish(log: Log, notary: Notary) -> None:
    head = await log.tree_head()
    await log.keep_checkpoint(Checkpoint(head.size, head.root, (await notary.sign(head.size, head.root)).note, 1))


def rights_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def signer(notary: Notary, size: int) -> VerifierKey:
    (key,) = SignedNote.parse((await notary.sign(size, ROOT)).note).signed_by(notary.keys)
    return key


async def test_a_key_is_made_at_the_first_start_and_found_at_the_next(log: SqliteLog, keys: Path) -> None:
    first = await Notary.open(log, keys)
    again = await Notary.open(log, keys)
    assert again.keys == first.keys == keys_of((keys / "log.vkey").read_text())
    assert first.keys[0].name == first.origin == f"casetrail/{(await log.tree_head()).log}"
    assert sorted(rights_in(keys)) == ["log.key", "log.vkey"]
    assert rights_in(keys)["log.key"] == 0o600
    assert rights_in(keys.parent)["keys"] == 0o700


async def test_a_tree_is_signed_once_however_many_ask(log: SqliteLog, keys: Path) -> None:
    notary = await Notary.open(log, keys)
    assert await notary.sign(3, ROOT) is await notary.sign(3, ROOT)
    assert await notary.sign(3, ROOT) is not await notary.sign(4, ROOT)
    for size in range(1000):
        await notary.sign(size, ROOT)
    assert len(notary._signed) == signing._REMEMBERED


async def test_a_log_that_was_signed_is_not_signed_with_a_new_key(log: SqliteLog, keys: Path) -> None:
    await publish(log, await Notary.open(log, keys))
    (keys / "log.key").unlink()
    with pytest.raises(KeyRefusedError, match="missing, and the log has been signed: restore it"):
        await Notary.open(log, keys)
    assert not (keys / "log.key").exists()


async def test_a_log_that_was_signed_goes_on_with_the_key_that_signed_it(log: SqliteLog, keys: Path) -> None:
    first = await Notary.open(log, keys)
    await publish(log, first)
    assert (await Notary.open(log, keys)).keys == first.keys


async def test_a_seal_changes_no_key(log: SqliteLog, keys: Path) -> None:
    first = await Notary.open(log, keys)
    await seal(log, date(2026, 11, 22))
    assert (await Notary.open(log, keys)).keys == first.keys
    await first.change_key(request_id="r1", actor=ADMIN)
    await seal(log, date(2026, 11, 23))
    assert (await Notary.open(log, keys)).keys == first.keys


async def test_a_log_whose_key_was_changed_is_not_signed_with_a_new_one_though_nothing_was_published(
    log: SqliteLog, keys: Path
) -> None:
    notary = await Notary.open(log, keys)
    await notary.change_key(request_id="r1", actor=ADMIN)
    assert await log.newest_checkpoint() is None
    (keys / "log.key").unlink()
    with pytest.raises(KeyRefusedError, match="restore it"):
        await Notary.open(log, keys)


async def test_another_key_than_the_one_that_signed_is_refused(log: SqliteLog, keys: Path) -> None:
    notary = await Notary.open(log, keys)
    await publish(log, notary)
    (keys / "log.key").write_text(SigningKey.generate(notary.origin).secret)
    with pytest.raises(KeyRefusedError, match="not the key that has signed"):
        await Notary.open(log, keys)


async def test_the_key_of_another_log_is_refused(log: SqliteLog, keys: Path, tmp_path: Path) -> None:
    other = SqliteLog(tmp_path / "other.db")
    await Notary.open(other, keys)
    await other.close()
    with pytest.raises(KeyRefusedError, match="is the key of casetrail/"):
        await Notary.open(log, keys)


async def test_a_key_that_others_can_read_is_refused(log: SqliteLog, keys: Path) -> None:
    await Notary.open(log, keys)
    (keys / "log.key").chmod(0o640)
    with pytest.raises(KeyRefusedError, match="can be read by others"):
        await Notary.open(log, keys)


async def test_a_broken_key_is_refused_without_being_quoted(log: SqliteLog, keys: Path) -> None:
    await Notary.open(log, keys)
    secret = (keys / "log.key").read_text()
    (keys / "log.key").write_text(secret[:-9])
    with pytest.raises(KeyRefusedError) as refused:
        await Notary.open(log, keys)
    assert secret.rpartition("+")[2][:10] not in str(refused.value)


async def test_a_folder_that_cannot_be_used_is_said(log: SqliteLog, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyRefusedError, match="cannot be used"):
        await Notary.open(log, tmp_path / "file")


def put_a_file_in_place_of(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.touch()


async def test_a_folder_that_cannot_be_used_any_more_is_said(log: SqliteLog, keys: Path) -> None:
    notary = await Notary.open(log, keys)
    put_a_file_in_place_of(keys)
    with pytest.raises(KeyRefusedError, match="cannot be used"):
        await notary.sign(1, b"r" * 32)


# Changing it


async def test_a_change_is_an_event_that_both_keys_have_signed(log: SqliteLog, keys: Path) -> None:
    await Writer(log, "INQ-1").write(opening(), key="open")
    notary = await Notary.open(log, keys)
    (old,) = notary.keys
    event = await notary.change_key(request_id="r1", actor=ADMIN)
    change = event.signing_key_changed
    (written,) = await log.events(LOG_ITSELF)
    assert (written.signing_key_changed, written.actor, written.key) == (change, ADMIN, "r1")
    assert change.old_key == str(old)
    statement = change_statement(notary.origin, old, VerifierKey.parse(change.new_key))
    old.check(change.signature, statement)
    VerifierKey.parse(change.new_key).check(change.new_signature, statement)


async def test_trees_from_the_change_on_are_signed_with_the_new_key(log: SqliteLog, keys: Path) -> None:
    await Writer(log, "INQ-1").write(opening(), note(), key="open")
    notary = await Notary.open(log, keys)
    event = await notary.change_key(request_id="r1", actor=ADMIN)
    old, new = notary.keys
    assert event.position == 3
    assert [await signer(notary, size) for size in (2, 3, 4)] == [old, new, new]
    reopened = await Notary.open(log, keys)
    assert reopened.keys == [old, new]
    assert await signer(reopened, 3) == new
    assert keys_of((keys / "log.vkey").read_text()) == [old, new]


async def test_the_old_key_is_gone(log: SqliteLog, keys: Path) -> None:
    notary = await Notary.open(log, keys)
    secret = (keys / "log.key").read_text()
    await notary.change_key(request_id="r1", actor=ADMIN)
    assert secret not in (keys / "log.key").read_text()
    assert sorted(rights_in(keys)) == ["log.key", "log.vkey"]


async def test_the_same_request_changes_the_key_once(log: SqliteLog, keys: Path) -> None:
    notary = await Notary.open(log, keys)
    first = await notary.change_key(request_id="r1", actor=ADMIN)
    again = await notary.change_key(request_id="r1", actor=ADMIN)
    assert (again, len(notary.keys)) == (first, 2)
    await notary.change_key(request_id="r2", actor=ADMIN)
    assert len((await Notary.open(log, keys)).keys) == 3


async def test_the_old_key_of_a_changed_log_is_refused(log: SqliteLog, keys: Path) -> None:
    notary = await Notary.open(log, keys)
    old = (keys / "log.key").read_text()
    await notary.change_key(request_id="r1", actor=ADMIN)
    (keys / "log.key").write_text(old)
    with pytest.raises(KeyRefusedError, match="not the key that the log was changed to last"):
        await Notary.open(log, keys)


async def test_a_change_that_could_not_be_written_changes_nothing(log: SqliteLog, keys: Path) -> None:
    other = SqliteLog(log.path)
    notary = await Notary.open(other, keys)
    await other.close()
    with pytest.raises(LogUnavailableError):
        await notary.change_key(request_id="r1", actor=ADMIN)
    reopened = await Notary.open(log, keys)
    assert reopened.keys == notary.keys
    assert await signer(notary, 10) == await signer(reopened, 10) == notary.keys[0]


async def test_a_change_that_ended_after_its_event_is_finished_at_the_next_start(
    log: SqliteLog, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notary = await Notary.open(log, keys)

    def power_fails(folder: Path) -> None:
        raise OSError(5, "the power failed")

    monkeypatch.setattr(signing, "_promote", power_fails)
    with pytest.raises(KeyRefusedError, match="the next start needs it"):
        await notary.change_key(request_id="r1", actor=ADMIN)
    assert (keys / "log.key.next").exists()
    monkeypatch.undo()
    reopened = await Notary.open(log, keys)
    ((event),) = await log.events(LOG_ITSELF)
    assert str(reopened.keys[-1]) == event.signing_key_changed.new_key
    assert await signer(reopened, event.position) == reopened.keys[-1]
    assert not (keys / "log.key.next").exists()


async def test_servers_that_share_the_folder_change_the_key_together(log: SqliteLog, keys: Path) -> None:
    one, two = [await Notary.open(log, keys) for _ in range(2)]
    await Writer(log, "INQ-1").write(opening(), note(), key="open")
    assert await signer(two, 2) == two.keys[0]
    event = await one.change_key(request_id="r1", actor=ADMIN)
    assert event.position == 3
    assert [await signer(two, size) for size in (2, 3)] == one.keys == two.keys
    again = await two.change_key(request_id="r1", actor=ADMIN)
    assert again == event
    await two.change_key(request_id="r2", actor=ADMIN)
    assert await signer(one, 4) == one.keys[-1] == two.keys[-1]
    assert len(one.keys) == 3


async def test_a_tree_with_the_event_is_signed_with_the_new_key_even_before_the_change_is_over(
    log: SqliteLog, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for those whose writes share the commit with the change, or who are served by another server."""
    one, two = [await Notary.open(log, keys) for _ in range(2)]
    seen = []
    settle = one._settle

    async def looking_on() -> None:
        seen.extend([await signer(one, 1), await signer(two, 1), await signer(two, 0)])
        await settle()

    monkeypatch.setattr(one, "_settle", looking_on)
    await one.change_key(request_id="r1", actor=ADMIN)
    old, new = one.keys
    assert seen == [new, new, old]


async def test_a_tree_from_before_a_change_that_has_not_happened_is_signed_with_the_old_key(
    log: SqliteLog, keys: Path
) -> None:
    one, two = [await Notary.open(log, keys) for _ in range(2)]
    signing._next_key(keys, one.origin)
    assert await signer(two, 5) == one.keys[0]


async def test_a_change_that_was_begun_is_left_to_who_began_it_and_forgotten_when_it_is_abandoned(
    log: SqliteLog, keys: Path
) -> None:
    (first,) = (await Notary.open(log, keys)).keys
    begun = signing._next_key(keys, first.name)
    await Notary.open(log, keys)
    assert "log.key.next" in rights_in(keys)
    os.utime(keys / "log.key.next", (0, 0))
    assert (await Notary.open(log, keys)).keys == [first] != [begun.verifier]
    assert "log.key.next" not in rights_in(keys)


# A loss of power


async def test_a_key_is_on_the_disk_before_anything_is_signed_with_it_whoever_made_it(
    log: SqliteLog, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = on_the_disk(monkeypatch, below=keys.parent)
    published = ["sync keys/log.vkey.new", "name keys/log.vkey", "sync keys"]
    await Notary.open(log, keys)
    assert order == ["sync .", "sync keys/log.key.new", "name keys/log.key", "sync keys", "sync keys", *published]
    order.clear()
    await Notary.open(log, keys)
    assert order == ["sync keys", *published]


@pytest.mark.parametrize("begun", [False, True])
async def test_the_next_key_is_on_the_disk_before_the_log_names_it_and_the_old_one_goes_after_that(
    log: SqliteLog, keys: Path, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    notary = await Notary.open(log, keys)
    if begun:
        _next_key(keys, notary.origin)
    order = on_the_disk(monkeypatch, below=keys.parent)
    append = log.append

    async def appended(batch: Batch) -> AppendResult:
        result = await append(batch)
        order.append("commit")
        return result

    monkeypatch.setattr(log, "append", appended)
    await notary.change_key(request_id="r1", actor=ADMIN)

    made = [] if begun else ["sync keys/log.key.next.new", "name keys/log.key.next", "sync keys"]
    assert order == [
        *made,
        "sync keys",
        "commit",
        "name keys/log.key",
        "sync keys",
        "sync keys/log.vkey.new",
        "name keys/log.vkey",
        "sync keys",
    ]
