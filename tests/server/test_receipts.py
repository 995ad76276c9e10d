"""Every acknowledged write has a receipt: steps of archives, erasures, changes of key and imported history too."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pool import Default

from casetrail.cli.kept_receipts import check_all
from casetrail.client import Client
from casetrail.export import jsonl
from casetrail.export.selection import Selection
from casetrail.proof.receipts import Kept, kept_in
from casetrail.v1.case_service_pb2 import Receipt
from casetrail_verify import Evidence, verify
from casetrail_verify.evidence import keys
from casetrail_verify.notes import LOG_KEY
from server import serving
from tests.play.logs import SAMPLE, SERVICENOW
from tests.server.running import Running
from tests.server.test_proof_command import casetrail
from tests.server.test_retention import RECENTLY, imported

Step = Callable[[], Awaitable[Any]]


def has_receipt(answer: Descriptor, *, deep: int = 3) -> bool:
    parts = [field.message_type for field in answer.fields if field.message_type is not None]
    return Receipt.DESCRIPTOR in parts or (deep > 0 and any(has_receipt(part, deep=deep - 1) for part in parts))


def test_whatever_does_not_only_read_gives_a_receipt() -> None:
    services = [Default().FindServiceByName(name) for name in serving._NAMES[1:]]
    without: list[MethodDescriptor] = [
        method for service in services for method in service.methods if not has_receipt(method.output_type)
    ]
    reading = ("Get", "List", "Watch", "Replay", "Verify", "Prove", "Export", "WhatIf", "CrossCheck", "Simulate")
    others = {method.name for method in without if not method.name.startswith(reading)}
    # What is scheduled is at Temporal, not in the log.
    assert others == {"ScheduleDrill", "PauseDrillSchedule", "TriggerDrillSchedule", "DeleteDrillSchedule"}


async def hold(running: Running, file: Path) -> None:
    """Hold kept receipts against the log: as it answers now, and as an export of it is judged offline."""
    await running.proving.publisher.publish()
    vkeys, count = [str(key) for key in running.proving.notary.keys], len(list(kept_in(file)))
    export = file.with_name("log.jsonl")
    async with Client(running.address, "admin-secret") as client:
        assert (await check_all(client, file, vkeys)).receipts == count
        with export.open("wb") as lines:
            await jsonl.write(client, Selection(), lines)
    report = verify(Evidence(export, log_keys=keys(vkeys, LOG_KEY), receipts=[file]))
    assert report.holds, report.words
    assert report.checked["receipts: signatures, roots, events"] == count


@dataclass
class Keeping:
    """Two people who keep their receipts in one file."""

    running: Running
    admin: Client
    audrey: Client
    file: Path

    @property
    def kept(self) -> list[Kept]:
        return list(kept_in(self.file))


@pytest.fixture
async def keeping(running: Running, tmp_path: Path) -> AsyncIterator[Keeping]:
    file = tmp_path / "receipts.jsonl"
    for case_id in ("OLD-1", "OLD-2"):
        await imported(running, case_id)
    async with (
        Client(running.address, "admin-secret", receipts=file) as admin,
        Client(running.address, "audrey-secret", receipts=file) as audrey,
    ):
        yield Keeping(running, admin, audrey, file)


async def first_and_again(keeping: Keeping, step: Step) -> Any:  # noqa: ANN401 - each step has an answer of its own
    """Send it twice: both answers have the receipt of one event, and both are kept."""
    first, log = await step(), keeping.running.log
    await imported(keeping.running, f"NEW-{await log.size()}", at=RECENTLY)
    again = await step()
    assert first.receipt.position == again.receipt.position > 0
    assert first.receipt.tree_size < again.receipt.tree_size == await log.size()
    (row,) = await log.rows(after_position=first.receipt.position - 1, limit=1)
    assert [(each.case_id, each.request_id, each.receipt) for each in keeping.kept[-2:]] == [
        (row.case_id, row.key, first.receipt),
        (row.case_id, row.key, again.receipt),
    ]
    assert (row.case_id, row.leaf_hash.hex()) == ("@log", first.receipt.hash)
    return first


async def test_each_step_of_an_archive_has_a_receipt_also_when_it_is_repeated(keeping: Keeping) -> None:
    admin, audrey = keeping.admin.archives, keeping.audrey.archives
    dry = await admin.propose(dry_run=True)
    assert (dry.HasField("receipt"), keeping.kept) == (False, [])
    refused = (await first_and_again(keeping, lambda: admin.propose(most_cases=1, request_id="p1"))).archive.archive_id
    await first_and_again(keeping, lambda: admin.withdraw(refused, why="not this one"))
    archive_id = (await admin.propose(request_id="p2")).archive.archive_id
    await first_and_again(keeping, lambda: audrey.approve(archive_id))
    await first_and_again(keeping, lambda: admin.carry_out(archive_id))
    await first_and_again(keeping, lambda: audrey.restore(archive_id, ["OLD-2"]))
    await first_and_again(keeping, lambda: audrey.restore(archive_id))
    await hold(keeping.running, keeping.file)


async def test_an_erasure_and_a_change_of_the_key_have_receipts_also_when_they_are_repeated(keeping: Keeping) -> None:
    admin = keeping.admin
    await first_and_again(keeping, lambda: admin.erase_customer("customer of OLD-1", why="a letter", request_id="e1"))
    await first_and_again(keeping, lambda: admin.rotate_signing_key(request_id="r1"))
    await hold(keeping.running, keeping.file)


async def test_what_is_played_leaves_a_receipt_for_each_acknowledged_command(running: Running, tmp_path: Path) -> None:
    file = tmp_path / "receipts.jsonl"
    words = ("play", str(SAMPLE), "--mapping", str(SERVICENOW), "--backfill", "--json")
    played = await casetrail(running, *words, "--keep-receipts", str(file), who="player")
    assert (played.code, played.err) == (0, "")
    first = list(kept_in(file))
    requests = {(row.case_id, row.key) for row in await running.log.rows(limit=1000) if b'"digest":' in row.envelope}
    assert {(each.case_id, each.request_id) for each in first} == requests
    assert len(first) > 109

    assert (await casetrail(running, *words, who="player", CASETRAIL_RECEIPTS=str(file))).code == 0
    openings = {each.case_id: each.receipt.hash for each in reversed(first)}
    again = list(kept_in(file))[len(first) :]
    assert {each.case_id: each.receipt.hash for each in again} == openings

    await hold(running, file)


async def test_a_receipt_that_cannot_be_kept_ends_the_playing_which_can_go_on(running: Running) -> None:
    words = ("play", str(SAMPLE), "--mapping", str(SERVICENOW), "--backfill", "--json", "--limit", "1")
    ended = await casetrail(running, *words, "--keep-receipts", "/dev/full", who="player")
    assert (ended.code, ended.err.splitlines()) == (
        1,
        [
            "Failed: /dev/full: No space left on device; what was asked for is done, and only its receipt is not kept.",
            "What was played is kept: the same command goes on from there.",
        ],
    )
    assert (await casetrail(running, *words, who="player")).code == 0


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("archive", "propose", "--json"), "propose archive-"),
        (("erase", "customer of OLD-1", "--why", "a letter", "--yes", "--request-id", "e1"), "e1"),
        (("proof", "rotate-key", "--request-id", "r1"), "r1"),
    ],
    ids=lambda given: "",
)
async def test_whoever_writes_to_the_log_itself_may_keep_the_receipt(
    keeping: Keeping, words: tuple[str, ...], key: str
) -> None:
    file = ("--keep-receipts", str(keeping.file))
    done = await casetrail(keeping.running, *words, *file, who="admin")
    assert (done.code, done.err) == (0, "")
    (kept,) = keeping.kept
    assert (kept.case_id, kept.request_id.startswith(key)) == ("@log", True)
