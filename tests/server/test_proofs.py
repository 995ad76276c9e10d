"""AuditService proves: receipts, checkpoints, inclusion, consistency, the change of key, and witnesses."""

import asyncio
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path

import grpc
import pysqlite3.dbapi2 as sqlite
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from audit.log import LogDamagedError
from audit.signing import Notary
from audit.sqlite import SqliteLog
from audit.sqlite.file import DatabaseFile
from casetrail.cli.kept_receipts import check_all
from casetrail.client import Client
from casetrail.proof import ProofError
from casetrail.proof.note import SignedNote, TreeNote, VerifierKey
from casetrail.proof.receipts import Kept, ReceiptError, check, kept_in
from casetrail.proof.tree import check_consistency, check_inclusion
from casetrail.scenario_file import load
from casetrail.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetCheckpointResponse,
    ListCheckpointsRequest,
    ProveConsistencyRequest,
    ProveInclusionRequest,
    RotateSigningKeyRequest,
    VerifyCaseRequest,
)
from casetrail.v1.case_service_pb2 import BatchExecuteRequest, ListCasesRequest, Receipt
from casetrail.v1.command_pb2 import Command, ConfirmNature
from casetrail.v1.inject_pb2 import Inject, MessageInject
from server.proving import ProofSettings, Proving
from server.witnessed import Ending, ending
from tests.programs import CASETRAIL
from tests.server.running import Running, refusal, serving, token
from tests.waiting import become_true, until
from tests.witness.standing import Standing, listening

SCENARIO = Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml"


async def checkpoint(running: Running, position: int = 0) -> GetCheckpointResponse:
    return await running.audit.GetCheckpoint(GetCheckpointRequest(position=position), metadata=token("shop"))


def holds(receipt: Receipt, keys: list[VerifierKey], *, case_id: str = "") -> None:
    check(Kept("here", case_id, "r", receipt), keys)


# Receipts


async def test_every_write_has_a_receipt_that_holds_by_itself(running: Running) -> None:
    keys = running.proving.notary.keys
    opened = await running.open()
    holds(opened.receipt, keys)
    noted = await running.note(opened.case.case_id, 1)
    holds(noted.receipt, keys)
    assert (noted.receipt.position, noted.receipt.hash) == (noted.events[-1].position, noted.events[-1].hash)
    commands = [Command(case_id=opened.case.case_id, request_id=f"b{n}") for n in range(3)]
    for command in commands:
        command.note.words.text = "seen"
    batch = await running.cases.BatchExecute(BatchExecuteRequest(commands=commands), metadata=token("shop"))
    for result in batch.results:
        holds(result.done.receipt, keys)


async def test_writes_of_one_commit_share_a_signature(running: Running) -> None:
    with DatabaseFile(running.log.path, busy_timeout=5.0).nobody_writing():
        opening = [asyncio.create_task(running.open(f"open-{n}")) for n in range(60)]
        await running.cases.ListCases(ListCasesRequest(), metadata=token("shop"))  # answered after all have arrived
    opened = await asyncio.gather(*opening)
    assert len({each.receipt.signature for each in opened}) < 60
    for each in opened:
        holds(each.receipt, running.proving.notary.keys)


async def test_a_repeated_request_gets_the_same_event_in_todays_tree(running: Running) -> None:
    first = await running.open()
    await running.note(first.case.case_id, 1)
    again = await running.open()
    assert (again.receipt.position, again.receipt.hash) == (first.receipt.position, first.receipt.hash)
    assert again.receipt.tree_size == await running.log.size() > first.receipt.tree_size
    holds(again.receipt, running.proving.notary.keys)


async def test_a_receipt_that_was_changed_does_not_hold(running: Running) -> None:
    await running.open("open-0")
    receipt = (await running.open()).receipt
    keys = running.proving.notary.keys
    other = Notary.__name__.encode().ljust(32)
    changes: dict[str, object] = {
        "position": receipt.position - 1,
        "hash": other.hex(),
        "tree_size": receipt.tree_size + 1,
        "root": other.hex(),
        "signature": bytes(64),
        "key_id": "00000000",
        "origin": "casetrail/other",
        "inclusion": [],
    }
    for field, value in changes.items():
        changed = Receipt()
        changed.CopyFrom(receipt)
        changed.ClearField(field)  # type: ignore[arg-type] # a name of a field
        changed.MergeFrom(Receipt(**{field: value}))  # type: ignore[arg-type] # likewise
        with pytest.raises(ReceiptError):
            holds(changed, keys)
    with pytest.raises(ReceiptError, match="not signed"):
        holds(Receipt(position=1, hash=receipt.hash), keys)


# Checkpoints


async def test_the_newest_checkpoint_follows_the_log(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await checkpoint(running)
    assert refusal(refused.value).reason == "UNKNOWN_CHECKPOINT"
    position = (await running.open()).receipt.position
    await become_true(lambda: has_checkpoint(running, position))
    found = await checkpoint(running)
    note = SignedNote.parse(found.checkpoint.note)
    assert note.signed_by([VerifierKey.parse(key) for key in found.keys]) == running.proving.notary.keys
    assert note.tree == TreeNote(found.origin, found.checkpoint.size, bytes.fromhex(found.checkpoint.root))
    assert note.tree.size == await running.log.size()


async def has_checkpoint(running: Running, position: int) -> bool:
    newest = await running.log.newest_checkpoint()
    return newest is not None and newest.size >= position


async def test_checkpoints_are_listed_page_by_page(running: Running) -> None:
    sizes = []
    case_id = (await running.open()).case.case_id
    for n in range(5):
        await running.note(case_id, n)
        await running.proving.publisher.publish()
        sizes.append(await running.log.size())
    request = ListCheckpointsRequest(page_size=2, after_size=sizes[0])
    found = []
    while True:
        page = await running.audit.ListCheckpoints(request, metadata=token("shop"))
        found += [each.size for each in page.checkpoints]
        assert len(page.checkpoints) <= 2
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == sorted(set(found))
    assert set(sizes[1:]) <= set(found)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await running.audit.ListCheckpoints(ListCheckpointsRequest(page_token="x"), metadata=token("shop"))
    assert refusal(refused.value).reason == "BAD_PAGE_TOKEN"


async def test_what_was_written_last_is_published_when_the_server_stops(tmp_path: Path) -> None:
    async with serving(tmp_path) as running:
        await running.open()
        size = await running.log.size()
    log = SqliteLog(tmp_path / "casetrail.db")
    newest = await log.newest_checkpoint()
    assert newest is not None
    assert newest.size == size
    await log.close()


# Proofs


async def test_inclusion_and_consistency_are_proved(running: Running) -> None:
    case_id = (await running.open()).case.case_id
    for n in range(10):
        await running.note(case_id, n)
    size = await running.log.size()
    for position in (1, 5, size):
        proved = await running.audit.ProveInclusion(ProveInclusionRequest(position=position), metadata=token("shop"))
        root, leaf = bytes.fromhex(proved.root), bytes.fromhex(proved.hash)
        assert proved.tree_size == size
        check_inclusion(leaf, position - 1, size, root, proved.proof)
    head = await running.log.tree_head()
    for old in (0, 1, 4, size):
        consistent = await running.audit.ProveConsistency(
            ProveConsistencyRequest(old_size=old, size=size), metadata=token("shop")
        )
        assert bytes.fromhex(consistent.root) == head.root
        check_consistency(old, bytes.fromhex(consistent.old_root), size, head.root, consistent.proof)


async def test_what_cannot_be_proved_is_refused_with_the_field(running: Running) -> None:
    await running.open()
    size = await running.log.size()
    for request, field in (
        (ProveInclusionRequest(position=size + 1), "position"),
        (ProveInclusionRequest(position=1, tree_size=size + 1), "tree_size"),
        (ProveInclusionRequest(), "position"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await running.audit.ProveInclusion(request, metadata=token("shop"))
        assert (refusal(refused.value).reason, list(refusal(refused.value).fields)) == ("INVALID", [field])
    for asked, field in (
        (ProveConsistencyRequest(old_size=size + 1), "old_size"),
        (ProveConsistencyRequest(size=size + 1), "size"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await running.audit.ProveConsistency(asked, metadata=token("shop"))
        assert (refusal(refused.value).reason, list(refusal(refused.value).fields)) == ("INVALID", [field])


# The change of key


async def test_only_an_administrator_changes_the_key(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await running.audit.RotateSigningKey(RotateSigningKeyRequest(request_id="r1"), metadata=token("shop"))
    assert refusal(refused.value).reason == "ROLE_NOT_ALLOWED"
    assert len(running.proving.notary.keys) == 1


async def test_receipts_from_before_and_after_a_change_of_key_hold(running: Running) -> None:
    opened = await running.open()
    changed = await running.audit.RotateSigningKey(RotateSigningKeyRequest(request_id="r1"), metadata=token("admin"))
    noted = await running.note(opened.case.case_id, 1)
    old, new = VerifierKey.parse(changed.old_key), VerifierKey.parse(changed.new_key)
    assert changed.position == opened.receipt.position + 1
    holds(opened.receipt, [old])
    holds(noted.receipt, [new])
    with pytest.raises(ReceiptError, match="was not given"):
        holds(noted.receipt, [old])
    found = await running.log.verify()
    assert found.findings == ()


async def test_a_checkpoint_that_the_folder_has_and_the_database_has_not_is_found_by_verifying(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    async with serving(tmp_path, ProofSettings(tmp_path / "keys", checkpoints=outside)) as running:
        await running.open()
        published = await running.proving.publisher.publish() or await running.log.newest_checkpoint()
        assert published is not None
        whole = await running.audit.VerifyCase(VerifyCaseRequest(), metadata=token("admin"))
        with closing(sqlite.connect(tmp_path / "casetrail.db", isolation_level=None)) as other:
            other.execute("DROP TRIGGER checkpoint_undeletable")
            other.execute("DELETE FROM checkpoint")
        found = await running.audit.VerifyCase(VerifyCaseRequest(), metadata=token("admin"))
    assert (whole.whole, whole.checkpoints) == (True, 1)
    assert ("CHECKPOINT_MISSING", published.size) in [(fault.reason, fault.position) for fault in found.faults]


async def test_a_published_checkpoint_that_the_log_has_not_signed_is_found_by_verifying(tmp_path: Path) -> None:
    async with serving(tmp_path, ProofSettings(tmp_path / "keys")) as running:
        await running.open()
        published = await running.proving.publisher.publish() or await running.log.newest_checkpoint()
        assert published is not None
        with closing(sqlite.connect(tmp_path / "casetrail.db", isolation_level=None)) as other:
            other.execute("DROP TRIGGER checkpoint_unchangeable")
            other.execute("UPDATE checkpoint SET note = replace(note, '— ', '— x')")
        found = await running.audit.VerifyCase(VerifyCaseRequest(), metadata=token("admin"))
    assert [(fault.reason, fault.position) for fault in found.faults] == [("CHECKPOINT_UNSIGNED", published.size)]


# Kept receipts


async def test_receipts_that_a_client_keeps_hold_against_the_log(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    async with Client(running.address, "shop-secret", receipts=path) as client:
        opened = await client.open(kind="inquiry", customer="C-1", channel="email", subject="Hello")
        case_id = opened.case.case_id
        await client.note(case_id, "seen")
        many = [Command(case_id=case_id) for _ in range(3)]
        for command in many:
            command.note.words.text = "seen"
        await client.batch(many)
        await running.proving.publisher.publish()
        kept = list(kept_in(path))
        assert [each.case_id for each in kept] == [case_id] * 5
        assert len({each.request_id for each in kept}) == 5
        vkeys = [str(key) for key in running.proving.notary.keys]
        checked = await check_all(client, path, vkeys)
        assert (checked.receipts, checked.size) == (5, await running.log.size())
        path.write_text(path.read_text().replace(kept[2].receipt.hash, "00" * 32))
        with pytest.raises(ReceiptError, match="line 3: the leaf is not in the tree"):
            await check_all(client, path, vkeys)
        path.write_text("")
        with pytest.raises(ReceiptError, match="holds no receipts"):
            await check_all(client, path, vkeys)


async def test_receipts_of_incidents_and_drills_are_kept_as_those_of_cases(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    async with Client(running.address, "chloe-secret", receipts=path) as lead:
        incident = (await lead.incidents.declare(subject="Paying fails", request_id="r1")).case.case_id
        await lead.incidents.lead(incident, ConfirmNature(nature="The gateway is down"), request_id="r2")
        drill = (await lead.drills.start(load(SCENARIO), request_id="r3")).drill.case_id
        press = Inject(id="press", title="The press", message=MessageInject(to="outage", text="Well?", sender="press"))
        await lead.drills.inject(drill, press, request_id="r4")
        await lead.drills.remark(drill, problem="Nobody knew the number", request_id="r5")
        await lead.drills.abort(drill, "enough", request_id="r6")
        await running.proving.publisher.publish()

        kept = [(each.case_id, each.request_id) for each in kept_in(path)]
        assert kept == [(incident, "r1"), (incident, "r2"), *((drill, f"r{number}") for number in (3, 4, 5, 6))]
        await check_all(lead, path, [str(key) for key in running.proving.notary.keys])


async def test_a_log_that_was_rewritten_does_not_continue_what_receipts_say(tmp_path: Path) -> None:
    """An old copy restored and continued, with the log's own key: receipts still give it away."""
    path = tmp_path / "receipts.jsonl"
    async with serving(tmp_path) as running:
        await running.open()
    shutil.copy(tmp_path / "casetrail.db", tmp_path / "old.db")
    async with serving(tmp_path) as running, Client(running.address, "shop-secret", receipts=path) as client:
        await client.open(kind="inquiry", customer="C-1", channel="email", subject="Hello")
    (tmp_path / "casetrail.db").write_bytes((tmp_path / "old.db").read_bytes())
    async with serving(tmp_path) as running, Client(running.address, "shop-secret") as client:
        await running.open("another")
        await running.note((await running.open("another-2")).case.case_id, 1)
        await running.proving.publisher.publish()
        with pytest.raises(ProofError, match="does not continue what it says"):
            await check_all(client, path, [])


async def test_a_receipt_file_that_cannot_be_written_is_said_before_anything_happens(
    running: Running, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        async with Client(running.address, "shop-secret", receipts=tmp_path / "nowhere" / "r.jsonl") as client:
            await client.open(kind="inquiry", customer="C-1", channel="email", subject="Hello")
    assert await running.log.size() == 0


# Witnesses


def settings(folder: Path, url: str, standing: Standing) -> ProofSettings:
    witnesses = folder / "witnesses"
    witnesses.write_text(f"# ours\n{url} {standing.key.verifier}\n")
    (folder / "checkpoints").mkdir(exist_ok=True)
    return ProofSettings(folder / "keys", folder / "checkpoints", witnesses)


async def test_a_witness_co_signs_what_the_log_publishes(tmp_path: Path) -> None:
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
            standing.trust(*running.proving.notary.keys)
            case_id = (await running.open()).case.case_id
            await running.proving.publisher.publish()
            await become_true(running.is_witnessed)
            await running.note(case_id, 1)
            await become_true(running.is_witnessed)
            found = await checkpoint(running)
            (cosigned,) = SignedNote.parse(found.checkpoint.note).cosigned_by([standing.key.verifier])
            assert cosigned.witness.name == "w1.example"
            assert list(found.checkpoint.witnesses) == ["w1.example"]
            assert [(each.size, each.trouble) for each in found.witnesses] == [(await running.log.size(), "")]
    published = "".join(path.read_text() for path in (tmp_path / "checkpoints").iterdir())
    assert "w1.example" in published


async def test_a_witness_that_is_down_stops_nobody_and_is_seen_until_it_is_back(tmp_path: Path) -> None:
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        port = int(url.rpartition(":")[2])
    async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
        standing.trust(*running.proving.notary.keys)
        await running.open()
        await running.proving.publisher.publish()
        (witness,) = running.proving.witnesses
        await until(lambda: "does not answer" in witness.trouble)
        assert "does not answer" in (await checkpoint(running)).witnesses[0].trouble
        await running.open("open-2")
        with listening(standing.witness(), port):
            await become_true(running.is_witnessed)
            await until(lambda: not witness.trouble)  # said after the signature was kept


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b""),
        (200, b"nonsense\n"),
        (200, b"\xff\xfe\n"),
        (200, b"\xe2\x80\x94 w1.example AAAAAAAA\n"),
        (200, bytes(100_000)),
        (409, b"99999999\n"),
        (409, b"0\n"),
        (409, b"9" * 5000),
        (500, b"\xff"),
        (302, b""),
    ],
)
async def test_a_witness_that_answers_anything_else_does_no_harm(tmp_path: Path, status: int, answer: bytes) -> None:
    standing = Standing.begin(tmp_path / "witness")

    async def lie(_: web.Request) -> web.Response:
        return web.Response(status=status, body=answer)

    app = web.Application()
    app.router.add_post("/add-checkpoint", lie)
    async with (
        TestServer(app) as liar,
        serving(tmp_path, settings(tmp_path, str(liar.make_url("")), standing)) as running,
    ):
        await running.open()
        await running.proving.publisher.publish()
        (witness,) = running.proving.witnesses
        await until(lambda: bool(witness.trouble))
        await running.open("more")
        newest = await checkpoint(running)
        assert list(newest.checkpoint.witnesses) == []


async def test_a_signature_that_comes_in_pieces_is_taken(tmp_path: Path) -> None:
    standing = Standing.begin(tmp_path / "witness")
    witness = standing.witness()

    async def in_pieces(request: web.Request) -> web.StreamResponse:
        answer = witness.add_checkpoint(await request.text())
        response = web.StreamResponse(status=answer.status)
        await response.prepare(request)
        for piece in (answer.text[:20], answer.text[20:]):
            await response.write(piece.encode())
            await asyncio.sleep(0.05)
        return response

    app = web.Application()
    app.router.add_post("/add-checkpoint", in_pieces)
    async with (
        TestServer(app) as slow,
        serving(tmp_path, settings(tmp_path, str(slow.make_url("")).rstrip("/"), standing)) as running,
    ):
        standing.trust(*running.proving.notary.keys)
        await running.open()
        await running.proving.publisher.publish()
        await become_true(running.is_witnessed)


async def a_log_and_its_copy(folder: Path, standing: Standing) -> tuple[Path, Path]:
    """The folders of a log that the witness trusts, and of what somebody made of it."""
    one, two = folder / "one", folder / "two"
    one.mkdir()
    async with serving(one) as running:
        await running.open()
        standing.trust(*running.proving.notary.keys)
    shutil.copytree(one, two)
    return one, two


async def test_two_views_of_one_log_are_not_both_witnessed(tmp_path: Path) -> None:
    """A copy of the log, with its key, goes on beside it: the witness signs one of them."""
    standing = Standing.begin(tmp_path / "witness")
    one, two = await a_log_and_its_copy(tmp_path, standing)
    with listening(standing.witness()) as url:
        async with (
            serving(one, settings(one, url, standing)) as first,
            serving(two, settings(two, url, standing)) as second,
        ):
            await first.open("first")
            await first.proving.publisher.publish()
            await become_true(first.is_witnessed)
            await second.open("second")
            await second.open("third")
            await second.proving.publisher.publish()
            (witness,) = second.proving.witnesses
            await until(lambda: "422" in witness.trouble)
            newest = await second.log.newest_checkpoint()
            assert newest is not None
            assert newest.cosignatures == ()
            assert standing.folder.joinpath("evidence.jsonl").exists()


async def test_a_log_that_was_cut_off_is_told_by_its_witness(tmp_path: Path) -> None:
    standing = Standing.begin(tmp_path / "witness")
    one, two = await a_log_and_its_copy(tmp_path, standing)
    with listening(standing.witness()) as url:
        async with serving(one, settings(one, url, standing)) as running:
            for n in range(5):
                await running.open(f"more-{n}")
            await running.proving.publisher.publish()
            await become_true(running.is_witnessed)
        async with serving(two, settings(two, url, standing)) as running:
            await running.open("other")
            await running.proving.publisher.publish()
            (witness,) = running.proving.witnesses
            await until(lambda: "was cut off" in witness.trouble)


async def test_two_servers_of_one_log_share_a_witness_without_false_alarm(tmp_path: Path) -> None:
    """Each has others' checkpoints signed behind its back: the witness is ahead of what either remembers."""
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        async with (
            serving(tmp_path, settings(tmp_path, url, standing)) as first,
            serving(tmp_path, settings(tmp_path, url, standing)) as second,
        ):
            standing.trust(*first.proving.notary.keys)
            await first.open("first")
            await first.proving.publisher.publish()
            await become_true(first.is_witnessed)
            early = await first.log.newest_checkpoint()
            await second.open("second")
            await second.proving.publisher.publish()
            await become_true(second.is_witnessed)
            assert early is not None
            (witness,) = first.proving.witnesses
            witness.tell(early)
            await first.open("third")
            await first.proving.publisher.publish()
            await become_true(first.is_witnessed)
            assert [each.trouble for each in (*first.proving.witnesses, *second.proving.witnesses)] == ["", ""]


# How far an export goes


async def test_an_export_waits_until_the_witnesses_have_signed_what_it_has(tmp_path: Path) -> None:
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
            standing.trust(*running.proving.notary.keys)
            await running.open()
            end = await ending(running.log, running.proving)
            signed = await running.log.newest_checkpoint(witnesses=["w1.example"])
            assert signed is not None
            assert end == Ending(signed.size, signed.size, witnessed=True)
            assert end.size == await running.log.size()


async def test_what_a_silent_witness_has_not_signed_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
            standing.trust(*running.proving.notary.keys)
            await running.open()
            await running.proving.publisher.publish()
            await become_true(running.is_witnessed)
            signed = await running.log.size()
    async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
        await running.open("unseen")
        there = await running.log.size()
        (witness,) = running.proving.witnesses
        assert witness.size == signed, "a server begins with what the log knows of its witnesses"
        await running.proving.publisher.publish()
        await until(lambda: bool(witness.trouble))

        end = await ending(running.log, running.proving, patience=0.2)
        everything = await ending(running.log, running.proving, patience=0)

        assert (end.size, end.there, end.witnessed) == (signed, there, True)
        assert "does not answer" in end.trouble[0]
        assert everything == Ending(there, there)


async def test_the_command_says_how_far_witnesses_vouch_for_an_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.exporting.PATIENCE", 0.5)
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
            standing.trust(*running.proving.notary.keys)
            await running.open()
            await running.proving.publisher.publish()
            await become_true(running.is_witnessed)
            size = await running.log.size()
            assert f"All witnesses of the log have signed it, up to position {size}." in await export(running, tmp_path)
    async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
        await running.open("unseen")
        await running.proving.publisher.publish()
        there = await running.log.size()
        said = await export(running, tmp_path)
        assert f"ends at position {size}, the last that all witnesses have signed" in said
        assert f"{there - size} later events of the log are not in it" in said
        assert f"{there} events written" in await export(running, tmp_path, "--unwitnessed")


async def test_an_export_says_what_it_leaves_out_because_its_checkpoints_are_gone(
    running: Running, tmp_path: Path
) -> None:
    await running.open()
    await running.proving.publisher.publish()
    with closing(sqlite.connect(running.log.path, isolation_level=None)) as administrator:
        administrator.execute("DROP TRIGGER checkpoint_undeletable")
        administrator.execute("DELETE FROM checkpoint")

    said = await export(running, tmp_path)

    assert "It ends at position 0, the last of which there is a checkpoint." in said
    assert f"{await running.log.size()} later events of the log are not in it: there is no checkpoint of them" in said


async def test_a_full_disk_leaves_no_half_export(running: Running, tmp_path: Path) -> None:
    for n in range(5):
        await running.open(f"open-{n}")
    # Not in a function of this process's own fork: gRPC may crash there.
    with_small_files = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
os.execv(sys.argv[1], sys.argv[1:])
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", with_small_files),
        *(CASETRAIL.installed, "export", "log.jsonl", "--format", "jsonl"),
        cwd=tmp_path,
        env={**os.environ, "CASETRAIL_ADDRESS": running.address, "CASETRAIL_TOKEN": "shop-secret"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()

    assert (process.returncode, said) == (1, b"Failed: log.jsonl cannot be written: File too large\n")
    assert not [name for name in os.listdir(tmp_path) if name.startswith("log.jsonl")]  # noqa: PTH208 - async


async def export(running: Running, folder: Path, *more: str) -> str:
    """What `casetrail export` says."""
    ours = {"CASETRAIL_ADDRESS": running.address, "CASETRAIL_TOKEN": "shop-secret", "COLUMNS": "200"}
    words = ("export", "log.jsonl", "--format", "jsonl", *more)
    ran = await asyncio.to_thread(CASETRAIL.run, *words, folder=folder, **ours)
    assert ran.code == 0, ran.err
    return ran.out + ran.err


async def test_an_export_of_a_log_that_no_witness_has_signed_has_all_of_it_and_says_so(tmp_path: Path) -> None:
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        pass
    async with serving(tmp_path, settings(tmp_path, url, standing)) as running:
        await running.open()
        end = await ending(running.log, running.proving, patience=0.2)
        assert (end.size, end.witnessed, len(end.trouble)) == (await running.log.size(), False, 1)


# At the start


async def test_a_server_does_not_begin_with_a_log_that_lacks_what_was_published(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    proofs = ProofSettings(tmp_path / "keys", tmp_path / "checkpoints")
    async with serving(tmp_path, proofs) as running:
        await running.open()
    shutil.copy(tmp_path / "casetrail.db", tmp_path / "old.db")
    async with serving(tmp_path, proofs) as running:
        await running.open("more")
    log = SqliteLog(tmp_path / "old.db")
    with pytest.raises(LogDamagedError, match="cut off, or restored from an old copy"):
        async with Proving.open(log, proofs):
            pass
    await log.close()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("http://127.0.0.1:1", "line 1 .* is not `URL VKEY`"),
        ("http://127.0.0.1:1 nonsense", "line 1 .* is not `URL VKEY`"),
        ("http://127.0.0.1:1 {log}", "the key of a witness"),
        ("127.0.0.1:1 {witness}", r"an http\(s\) address"),
    ],
)
async def test_a_wrong_file_of_witnesses_is_refused(tmp_path: Path, line: str, why: str) -> None:
    log = SqliteLog(tmp_path / "casetrail.db")
    notary = await Notary.open(log, tmp_path / "keys")
    standing = Standing.begin(tmp_path / "witness")
    witnesses = tmp_path / "witnesses"
    witnesses.write_text(line.format(log=notary.keys[0], witness=standing.key.verifier) + "\n")
    with pytest.raises(ValueError, match=why):
        async with Proving.open(log, ProofSettings(tmp_path / "keys", witnesses=witnesses)):
            pass
    with pytest.raises(ValueError, match="CASETRAIL_WITNESSES cannot be read"):
        async with Proving.open(log, ProofSettings(tmp_path / "keys", witnesses=tmp_path / "nowhere")):
            pass
    await log.close()
