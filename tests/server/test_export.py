"""`casetrail export` from a real server: proofs for auditors, and logs that process mining reads."""

import asyncio
import csv
import hashlib
import json
import shutil
import sys
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import pytest
from pyarrow import parquet as pq

from casetrail.client import Client
from casetrail.errors import CasetrailError
from casetrail.export import jsonl, ocel, parquet, xes
from casetrail.export.selection import Selection
from casetrail.play.playback import Playback
from casetrail.play.sending import send_history
from casetrail.proof.tree import hash_leaf
from casetrail.scenario_file import load
from casetrail.v1.command_pb2 import Command
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind
from tests.play.logs import SAMPLE, SERVICENOW, plans
from tests.server.running import Running, serving

Writer = Callable[[Client, Selection, BinaryIO], Awaitable[int | jsonl.Written]]
WRITERS: dict[str, Writer] = {"jsonl": jsonl.write, "parquet": parquet.write, "xes": xes.write, "ocel": ocel.write}
SCENARIO = Path(__file__).parents[2] / "scenarios" / "system-failure.en.yaml"
ACTIVITIES = Selection(source_activities=True)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a log that holds the whole sample, and a case of today."""
    folder = tmp_path_factory.mktemp("played")

    async def play() -> None:
        async with serving(folder) as running, Client(running.address, "player-secret") as client:
            playbacks = [Playback(plan, live=False) for plan in plans(SAMPLE, SERVICENOW)]
            await send_history(client, playbacks, 16, lambda _: None)
            await running.open()

    asyncio.run(play())
    return folder


@pytest.fixture
async def running(played: Path, tmp_path: Path) -> AsyncIterator[Running]:
    """A server of a copy of that log, which is the test's own."""
    shutil.copytree(played, tmp_path, dirs_exist_ok=True)
    async with serving(tmp_path) as it:
        yield it


@pytest.fixture
async def auditor(running: Running) -> AsyncIterator[Client]:
    async with Client(running.address, "player-secret") as client:
        yield client


@pytest.fixture(scope="module")
def pm4py() -> ModuleType:
    """Loaded by whoever reads with it: that takes longer than most tests."""
    return import_module("pm4py")


async def exported(client: Client, form: str, folder: Path, selection: Selection = Selection()) -> Path:
    path = folder / f"log.{form}"
    with path.open("wb") as file:
        await WRITERS[form](client, selection, file)
    return path


async def lines(client: Client, folder: Path, selection: Selection = Selection()) -> list[dict[str, Any]]:
    path = await exported(client, "jsonl", folder, selection)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def of_kind(document: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in document if line["kind"] == kind]


# --- JSON lines -------------------------------------------------------------------------------------------------------


async def test_the_whole_log_is_there_with_its_bytes_and_hashes(auditor: Client, tmp_path: Path) -> None:
    document = await lines(auditor, tmp_path)
    events = of_kind(document, "event")
    header = document[0]

    assert (header["format"], header["scope"]) == ("casetrail-export", "log")
    assert [line["pos"] for line in events] == list(range(1, header["size"] + 1))
    for line in events:
        envelope = json.loads(line["envelope"])
        assert hash_leaf(line["envelope"].encode()).hex() == line["leaf_hash"]
        payload_hash = urlsafe_b64encode(hashlib.sha256(b64decode(line["payload"])).digest()).decode().rstrip("=")
        assert envelope["payload_hash"] == payload_hash
        assert Event.FromString(b64decode(line["payload"])).WhichOneof("body")
        assert line["event_id"] == f"{envelope['case']}:{envelope['seq']}"


async def test_the_last_line_proves_that_nothing_was_cut_off(auditor: Client, tmp_path: Path) -> None:
    path = await exported(auditor, "jsonl", tmp_path)
    *before, last = path.read_bytes().splitlines(keepends=True)

    end = json.loads(last)

    assert (end["kind"], end["lines"]) == ("end", len(before))
    assert end["sha256"] == hashlib.sha256(b"".join(before)).hexdigest()


async def test_policies_cases_and_checkpoints_go_with_it(auditor: Client, tmp_path: Path) -> None:
    document = await lines(auditor, tmp_path)

    kinds = [line["kind"] for line in document]
    order = ["header", "event", "policy", "case", "checkpoint", "end"]
    assert list(dict.fromkeys(kinds)) == order
    assert len(of_kind(document, "case")) == 17
    [policy] = of_kind(document, "policy")
    assert hashlib.sha256(b64decode(policy["body"])).hexdigest() == policy["digest"]
    newest = of_kind(document, "checkpoint")[-1]
    assert newest["size"] == document[0]["size"]
    assert newest["note"].startswith(f"{document[0]['origin']}\n{newest['size']}\n")


async def test_an_extract_proves_each_of_its_events(auditor: Client, tmp_path: Path) -> None:
    document = await lines(auditor, tmp_path, Selection(case_ids=("INC0000045",)))
    events = of_kind(document, "event")

    assert document[0]["scope"] == "extract"
    assert {line["case_id"] for line in events} == {"INC0000045"}
    assert [line["case_id"] for line in of_kind(document, "case")] == ["INC0000045"]
    for line in events:
        assert _root(line, document[0]["size"]) == document[0]["root"]


def _root(line: dict[str, Any], size: int) -> str:
    """RFC 9162, 2.1.3.2, in the test's own words."""
    index, last, found = line["pos"] - 1, size - 1, bytes.fromhex(line["leaf_hash"])
    for node in map(b64decode, line["inclusion"]):
        if index % 2 or index == last:
            found = hashlib.sha256(b"\x01" + node + found).digest()
            while not index % 2 and index:
                index, last = index >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + node).digest()
        index, last = index >> 1, last >> 1
    assert last == 0
    return found.hex()


@pytest.mark.parametrize("selection", [Selection(), Selection(case_ids=("INC0000045",))])
async def test_the_offline_verifier_finds_nothing_wrong(auditor: Client, tmp_path: Path, selection: Selection) -> None:
    path = await exported(auditor, "jsonl", tmp_path, selection)

    verifier = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "casetrail_verify", str(path), "--log-key", str(tmp_path / "keys" / "log.vkey")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await verifier.communicate()

    assert verifier.returncode == 0, said.decode()


async def test_receipts_go_with_it_and_what_is_none_is_refused(auditor: Client, tmp_path: Path) -> None:
    kept = tmp_path / "receipts.jsonl"
    kept.write_text('{"caseId":"INQ-1","receipt":{"position":"1"},"requestId":"r-1"}\n')
    with (tmp_path / "log.jsonl").open("wb") as file:
        await jsonl.write(auditor, Selection(), file, kept)
    document = [json.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert document[-2] == {"kind": "receipt", "caseId": "INQ-1", "receipt": {"position": "1"}, "requestId": "r-1"}

    kept.write_text("not a receipt\n")
    with (tmp_path / "log.jsonl").open("wb") as file, pytest.raises(ValueError, match=r"receipts.jsonl:1: this is no"):
        await jsonl.write(auditor, Selection(), file, kept)


@pytest.mark.parametrize("form", WRITERS)
async def test_an_unknown_case_is_refused(auditor: Client, tmp_path: Path, form: str) -> None:
    with pytest.raises(CasetrailError, match="UNKNOWN_CASE"):
        await exported(auditor, form, tmp_path, Selection(case_ids=("INQ-NOPE",)))


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["jsonl", "parquet", "xes", "ocel"])
async def test_all_formats_take_the_same_events(auditor: Client, tmp_path: Path, form: str) -> None:
    march = int(datetime(2016, 3, 1, tzinfo=UTC).timestamp())
    everything = [event async for event in auditor.events()]
    imported = [event for event in everything if event.at.seconds < 1_600_000_000]
    for selection, expected in (
        (Selection(), len(everything)),
        (Selection(kinds=(Kind.KIND_INQUIRY,)), len(everything)),
        (Selection(kinds=(Kind.KIND_RETURN,)), 0),
        (Selection(happened_before=march), sum(event.at.seconds < march for event in imported)),
        (
            Selection(happened_from=march, case_ids=("INC0000045",)),
            sum(event.at.seconds >= march and event.case_id == "INC0000045" for event in imported),
        ),
    ):
        with (tmp_path / "log").open("wb") as file:
            written = await WRITERS[form](auditor, selection, file)
            assert getattr(written, "events", written) == expected


@pytest.mark.parametrize("form", ["parquet", "xes", "ocel"])
async def test_a_drill_is_no_work_for_customers_and_left_out_unless_it_is_asked_for(
    running: Running, auditor: Client, tmp_path: Path, form: str
) -> None:
    real = [event async for event in auditor.events()]
    async with Client(running.address, "chloe-secret") as lead:
        drill = (await lead.drills.start(load(SCENARIO), request_id="drill")).drill
    for selection, expected in (
        (Selection(), len(real)),
        (Selection(drills=True), len(real) + drill.seq),
        (Selection(kinds=(Kind.KIND_DRILL,)), drill.seq),
        (Selection(case_ids=(drill.case_id,)), drill.seq),
    ):
        with (tmp_path / "log").open("wb") as file:
            assert await WRITERS[form](auditor, selection, file) == expected


# --- tables and process mining ----------------------------------------------------------------------------------------


async def test_parquet_has_every_event_with_its_hash(auditor: Client, tmp_path: Path) -> None:
    table = pq.read_table(await exported(auditor, "parquet", tmp_path)).to_pylist()

    everything = [event async for event in auditor.events()]
    assert [(row["position"], row["hash"]) for row in table] == [(event.position, event.hash) for event in everything]
    assert table[0]["at"] == everything[0].at.ToDatetime(UTC)
    assert json.loads(table[0]["body"])["kind"] == "KIND_INQUIRY"


def dfg_of_the_input() -> Counter[tuple[str, str]]:
    """Which activity follows which, straight from the file."""
    rows: dict[str, list[tuple[datetime, str]]] = {}
    with SAMPLE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.strptime(row["sys_updated_at"], "%d-%m-%Y %H:%M").replace(tzinfo=UTC)
            rows.setdefault(row["number"], []).append((at, row["incident_state"]))
    follows: Counter[tuple[str, str]] = Counter()
    for case in rows.values():
        names = [name for _, name in sorted(case, key=lambda row: row[0])]
        follows.update(pairwise(names))
    return follows


async def test_the_directly_follows_graph_of_the_source_is_that_of_its_file(
    auditor: Client, tmp_path: Path, pm4py: ModuleType
) -> None:
    log = pm4py.read_xes(str(await exported(auditor, "xes", tmp_path, ACTIVITIES)))

    graph, starts, ends = pm4py.discover_dfg(log)

    assert Counter(graph) == dfg_of_the_input()
    assert sum(starts.values()) == sum(ends.values()) == 16


async def test_xes_has_every_event_of_every_case(auditor: Client, tmp_path: Path, pm4py: ModuleType) -> None:
    log = pm4py.read_xes(str(await exported(auditor, "xes", tmp_path)))

    everything = [event async for event in auditor.events()]
    assert Counter(log["case:concept:name"]) == Counter(event.case_id for event in everything)
    assert set(log["casetrail:hash"]) == {event.hash for event in everything}


async def test_ocel_has_every_event_with_its_case_and_customer(
    auditor: Client, tmp_path: Path, pm4py: ModuleType
) -> None:
    log = pm4py.read_ocel2_json(str(await exported(auditor, "ocel", tmp_path)))

    everything = [event async for event in auditor.events()]
    assert set(log.events["ocel:eid"]) == {event.event_id for event in everything}
    assert Counter(log.objects["ocel:type"]) == {"case": 17, "customer": 17}
    of_cases = log.relations[log.relations["ocel:type"] == "case"]
    assert len(of_cases) == len(everything)


async def test_ocel_of_the_source_has_a_row_of_its_file_each(
    auditor: Client, tmp_path: Path, pm4py: ModuleType
) -> None:
    log = pm4py.read_ocel2_json(str(await exported(auditor, "ocel", tmp_path, ACTIVITIES)))

    with SAMPLE.open(encoding="utf-8") as file:
        rows = Counter(row["incident_state"] for row in csv.DictReader(file))
    assert Counter(log.events["ocel:activity"]) == rows


async def test_a_text_that_xml_cannot_hold_is_replaced(
    running: Running, auditor: Client, tmp_path: Path, pm4py: ModuleType
) -> None:
    case_id = (await running.open("odd")).case.case_id
    command = Command(case_id=case_id, request_id="odd-1", source_activity='\x01 <&">')
    command.note.words.text = "seen"
    await running.execute(command)

    log = pm4py.read_xes(
        str(await exported(auditor, "xes", tmp_path, Selection(case_ids=(case_id,), source_activities=True)))
    )

    assert list(log["concept:name"]) == ['� <&">']
