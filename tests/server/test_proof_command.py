"""`casetrail proof`, as a person types it, against a real server."""

import asyncio
import json
from pathlib import Path

import pytest

from casetrail.proof.note import SignedNote, SigningKey
from casetrail.proof.receipts import kept_in
from tests.programs import CASETRAIL, ROOT, Ran
from tests.server.running import Running


async def casetrail(running: Running, *words: str, who: str = "shop", **environment: str) -> Ran:
    ours = {"CASETRAIL_ADDRESS": running.address, "CASETRAIL_TOKEN": f"{who}-secret"}
    return await asyncio.to_thread(CASETRAIL.run, *words, folder=ROOT, **ours, **environment)


async def test_a_checkpoint_is_shown_as_it_was_published(running: Running) -> None:
    await running.open()
    published = await running.proving.publisher.publish() or await running.log.newest_checkpoint()
    assert published is not None
    shown = await casetrail(running, "proof", "checkpoint")
    assert shown.code == 0
    assert shown.out.startswith(published.note)
    assert f"key       {running.proving.notary.keys[0]}" in shown.out
    listed = await casetrail(running, "proof", "checkpoints", "--json")
    assert [json.loads(line)["size"] for line in listed.out.splitlines()] == [str(published.size)]


async def test_a_line_that_a_crash_cut_off_is_no_receipt(running: Running, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    await casetrail(running, "open", "inquiry", "--customer", "C-1", "--subject", "Hello", "--keep-receipts", str(kept))
    kept.write_text(f'{kept.read_text()}{{"caseId":"INQ')
    await running.proving.publisher.publish()
    assert (await casetrail(running, "proof", "receipts", str(kept))).out.startswith("1 receipt holds; the log of ")


async def test_a_log_without_checkpoint_says_so(running: Running) -> None:
    shown = await casetrail(running, "proof", "checkpoint")
    assert (shown.code, "UNKNOWN_CHECKPOINT" in shown.err) == (1, True)


async def test_proofs_are_checked_where_they_are_asked_for(running: Running) -> None:
    case_id = (await running.open()).case.case_id
    for n in range(4):
        await running.note(case_id, n)
    head = await running.log.tree_head()
    included = await casetrail(running, "proof", "inclusion", "2")
    assert (included.code, head.root.hex() in included.out) == (0, True)
    follows = await casetrail(running, "proof", "consistency", "3")
    assert (follows.code, "with events added at its end" in follows.out) == (0, True)
    beyond = await casetrail(running, "proof", "inclusion", "99")
    assert (beyond.code, "does not hold position 99" in beyond.err) == (1, True)


async def test_receipts_are_kept_when_asked_for_and_checked_later(running: Running, tmp_path: Path) -> None:
    kept, vkey = tmp_path / "receipts.jsonl", str(running.proving.notary.keys[0])
    words = ("open", "inquiry", "--customer", "C-1", "--subject", "Hello")
    assert (await casetrail(running, *words, "--keep-receipts", str(kept))).code == 0
    assert (await casetrail(running, *words, CASETRAIL_RECEIPTS=str(kept))).code == 0
    assert (await casetrail(running, *words)).code == 0
    assert len(list(kept_in(kept))) == 2
    await running.proving.publisher.publish()
    checked = await casetrail(running, "proof", "receipts", str(kept), "--log-key", vkey)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith("2 receipts hold")
    on_its_word = await casetrail(running, "proof", "receipts", str(kept))
    assert "the log's own word" in on_its_word.out
    key_file = str(tmp_path / "keys" / "log.vkey")
    as_json = await casetrail(running, "proof", "receipts", str(kept), "--log-key", key_file, "--json")
    assert json.loads(as_json.out) == {"receipts": 2, "size": await running.log.size()}
    stranger = str(SigningKey.generate(running.proving.notary.origin).verifier)
    refused = await casetrail(running, "proof", "receipts", str(kept), "--log-key", stranger)
    assert (refused.code, "signed by none of the keys" in refused.err) == (1, True)


@pytest.mark.parametrize(
    "content",
    [
        *(b"nonsense\n", b"\xff\xfe\x00\n", b"{}\n", b"[" * 100_000 + b"\n"),
        *(b'{"receipt":{},"caseId":"a","requestId":"b"}\n', b'{"receipt":NaN,"caseId":"a","requestId":"b"}\n'),
    ],
)
async def test_what_is_no_receipt_is_named_by_its_line(running: Running, tmp_path: Path, content: bytes) -> None:
    await running.open()
    await running.proving.publisher.publish()
    path = tmp_path / "receipts.jsonl"
    path.write_bytes(content)
    checked = await casetrail(running, "proof", "receipts", str(path))
    assert (checked.code, f"{path}, line 1" in checked.err.replace("\n", " ")) == (1, True)
    assert "should not have happened" not in checked.err


async def test_what_is_no_file_of_receipts_is_not_exported(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    exported = await casetrail(running, "export", "--format", "jsonl", "--receipts", str(path), str(tmp_path / "log"))
    assert (exported.code, exported.err) == (1, f"Failed: {path}:1: this is no line of a receipts file\n")
    assert not (tmp_path / "log").exists()


async def test_a_log_to_which_nothing_has_happened_has_no_events_of_its_own(running: Running) -> None:
    assert await casetrail(running, "events", "@log") == Ran(0, "", "")


async def test_the_key_is_changed_on_record(running: Running) -> None:
    await running.open()
    assert "ROLE_NOT_ALLOWED" in (await casetrail(running, "proof", "rotate-key")).err
    changed = await casetrail(running, "proof", "rotate-key", "--request-id", "r1", who="admin")
    assert changed.code == 0
    assert str(running.proving.notary.keys[1]) in changed.out
    again = await casetrail(running, "proof", "rotate-key", "--request-id", "r1", "--json", who="admin")
    assert json.loads(again.out)["newKey"] == str(running.proving.notary.keys[1])
    told = await casetrail(running, "events", "@log")
    assert (told.code, "the log signs from here on with" in told.out) == (0, True)
    await running.proving.publisher.publish()
    newest = await running.log.newest_checkpoint()
    assert newest is not None
    assert SignedNote.parse(newest.note).signed_by([running.proving.notary.keys[1]])
