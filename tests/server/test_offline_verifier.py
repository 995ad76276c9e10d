"""The server's exports hold before the offline verifier, which knows nothing of it but the written formats."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from audit.sealing import seal
from casetrail.client import Client
from casetrail.export import jsonl
from casetrail.export.selection import Selection
from casetrail.scenario_file import load
from casetrail.v1.audit_service_pb2 import RotateSigningKeyRequest
from casetrail.v1.types_pb2 import Kind
from casetrail_verify import Check, Evidence, Report, verify
from casetrail_verify.evidence import keys
from casetrail_verify.notes import LOG_KEY, WITNESS_KEY
from server.proving import ProofSettings
from tests.server.running import serving, token
from tests.waiting import become_true
from tests.witness.standing import Standing, listening

WHOLE = Selection()
SCENARIO = Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml"


@pytest.fixture
async def auditor(tmp_path: Path) -> AsyncIterator["Auditor"]:
    """An auditor of a log with cases, a seal, a change of key, receipts, and a witness who has seen all of it."""
    standing = Standing.begin(tmp_path / "witness")
    with listening(standing.witness()) as url:
        (tmp_path / "witnesses").write_text(f"{url} {standing.key.verifier}\n")
        (tmp_path / "checkpoints").mkdir()
        settings = ProofSettings(tmp_path / "keys", tmp_path / "checkpoints", tmp_path / "witnesses")
        async with (
            serving(tmp_path, settings) as running,
            Client(running.address, "player-secret") as client,
            Client(running.address, "shop-secret", receipts=tmp_path / "receipts.jsonl") as shop,
            Client(running.address, "chloe-secret") as lead,
        ):
            standing.trust(*running.proving.notary.keys)
            opened = [
                await shop.open(kind="inquiry", customer=f"C-{n}", channel="email", subject="Hello") for n in range(3)
            ]
            await lead.drills.start(load(SCENARIO), request_id="drill")
            await seal(running.log, date(2026, 11, 21))
            await running.proving.publisher.publish()
            await running.audit.RotateSigningKey(RotateSigningKeyRequest(request_id="r1"), metadata=token("admin"))
            standing.trust(*running.proving.notary.keys)
            await shop.note(opened[0].case.case_id, "seen")
            await running.proving.publisher.publish()
            await become_true(running.is_witnessed)
            yield Auditor(tmp_path, client, shop, standing, opened[0].case.case_id)


class Auditor:
    """Somebody who exports a log and judges it."""

    def __init__(self, folder: Path, client: Client, shop: Client, standing: Standing, case_id: str) -> None:
        self.folder = folder
        self.case_id = case_id
        self._client = client
        self._shop = shop
        self._standing = standing

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """While others write into the log, without a pause."""

        async def write() -> None:
            while True:
                await self._shop.note(self.case_id, "seen again")

        task = asyncio.create_task(write())
        try:
            yield
        finally:
            task.cancel()

    async def export(self, selection: Selection = WHOLE) -> Path:
        path = self.folder / "log.jsonl"
        with path.open("wb") as file:
            await jsonl.write(self._client, selection, file)
        return path

    def judge(self, export: Path) -> Report:
        return verify(
            Evidence(
                export=export,
                log_keys=keys([str(self.folder / "keys" / "log.vkey")], LOG_KEY),
                witness_keys=keys([str(self._standing.key.verifier)], WITNESS_KEY),
                checkpoints=[self.folder / "checkpoints"],
                receipts=[self.folder / "receipts.jsonl"],
            )
        )


async def test_the_whole_log_holds(auditor: Auditor) -> None:
    report = auditor.judge(await auditor.export())

    assert report.holds, report.words
    events, cases, _, receipts, seals, listed, folded, policies = report.checked.values()
    assert (cases, receipts, seals, listed, folded, policies) == (4, 4, 1, 4, 4, 1), "with the drill"
    assert events > 5


async def test_an_export_of_a_log_that_grows_meanwhile_holds_before_its_witness(auditor: Auditor) -> None:
    """The witness has never seen the newest event when an export begins; cases move on while they are written."""
    async with auditor.writing():
        for _ in range(3):
            report = auditor.judge(await auditor.export())
            assert {fault.check for fault in report.faults} <= {Check.LOG_SHORTER}, report.words
            # Checkpoints and receipts go on being kept while the export is judged: those are of a longer log.


@pytest.mark.parametrize(
    "selection",
    [
        Selection(kinds=(Kind.KIND_INQUIRY,)),
        Selection(kinds=(Kind.KIND_DRILL,)),
        Selection(happened_from=1_700_000_000, kinds=(Kind.KIND_INQUIRY,)),
        Selection(happened_before=1_700_000_000),
    ],
)
async def test_any_extract_holds(auditor: Auditor, selection: Selection) -> None:
    report = auditor.judge(await auditor.export(selection))

    assert report.holds, report.words


async def test_an_extract_of_one_case_holds(auditor: Auditor) -> None:
    report = auditor.judge(await auditor.export(Selection(case_ids=(auditor.case_id,))))

    assert report.holds, report.words


async def test_an_event_that_was_changed_in_the_export_is_found(auditor: Auditor) -> None:
    export = await auditor.export()
    lines = export.read_bytes().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if json.loads(line).get("pos") == 2)
    event = json.loads(lines[at])
    event["envelope"] = event["envelope"].replace('"recorded":1', '"recorded":2', 1)
    lines[at] = json.dumps(event).encode() + b"\n"
    export.write_bytes(b"".join(lines))

    report = auditor.judge(export)

    assert {fault.check: fault.position for fault in report.faults}[Check.LEAF_HASH_WRONG] == 2
