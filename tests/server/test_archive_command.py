"""`casetrail archive`, as a person types it, against a real server."""

import json
from pathlib import Path

import pytest

from casetrail_verify import Evidence, verify
from casetrail_verify.evidence import keys
from casetrail_verify.notes import LOG_KEY
from tests.play.logs import SAMPLE, SERVICENOW
from tests.server.running import Running
from tests.server.test_proof_command import casetrail
from tests.server.test_retention import imported


@pytest.fixture
async def filled(running: Running) -> Running:
    await imported(running, "OLD-1")
    await imported(running, "OLD-2")
    return running


async def test_from_the_proposal_to_the_restoring(filled: Running, tmp_path: Path) -> None:
    dry = await casetrail(filled, "archive", "propose", "--dry-run", who="admin")
    assert (dry.code, dry.out.count("OLD-"), "2 cases" in dry.out) == (0, 2, True)
    proposed = await casetrail(filled, "archive", "propose", "--why", "yearly", "--json", who="admin")
    archive_id = json.loads(proposed.out)["archive"]["archiveId"]

    same = await casetrail(filled, "archive", "approve", archive_id, who="admin")
    assert (same.code, "SAME_PERSON" in same.err, "token of their own" in same.err) == (1, True, True)
    approved = await casetrail(filled, "archive", "approve", archive_id, "--json", who="audrey")
    assert json.loads(approved.out)["archive"]["approved"]["actor"] == "audrey"
    done = await casetrail(filled, "archive", "carry-out", archive_id, who="admin")
    folder = tmp_path / "archives" / archive_id
    assert (done.code, str(folder) in done.out) == (0, True)

    gone = await casetrail(filled, "get", "OLD-1")
    assert (gone.code, f"casetrail archive restore {archive_id} OLD-1" in gone.err) == (1, True)
    report = verify(Evidence(folder, log_keys=keys([str(tmp_path / "keys" / "log.vkey")], LOG_KEY)))
    assert report.holds, report.words

    unclear = await casetrail(filled, "archive", "restore", str(folder), who="audrey")
    assert (unclear.code, "say --all" in unclear.err) == (2, True)
    back = await casetrail(filled, "archive", "restore", str(folder), "OLD-1", "--why", "asked for", who="audrey")
    assert (back.code, back.out.splitlines()[0]) == (0, "OLD-1")
    assert (await casetrail(filled, "get", "OLD-1")).code == 0
    cases = await casetrail(filled, "archive", "cases", archive_id, who="audrey")
    assert [line.endswith("restored") for line in cases.out.splitlines()] == [True, False]
    told = (await casetrail(filled, "archive", "list", who="audrey")).out
    for words in ("proposed by admin", "approved by audrey", "carried out by admin", "1 of them restored"):
        assert words in told


async def test_an_export_says_how_many_archived_cases_it_leaves_out(filled: Running, tmp_path: Path) -> None:
    archive_id = await archived(filled)
    log = str(tmp_path / "log")
    for selection in (("xes",), ("ocel",), ("parquet",), ("jsonl", "--kind", "inquiry")):
        exported = await casetrail(filled, "export", log, "--format", *selection)
        assert "2 archived cases are not in it: only their archives have what they said." in exported.out
        told = await casetrail(filled, "export", log, "--format", *selection, "--json")
        assert json.loads(told.out)["archivedCases"] == 2
    whole = await casetrail(filled, "export", log, "--format", "jsonl", "--json")
    assert "archivedCases" not in json.loads(whole.out)
    await casetrail(filled, "archive", "restore", archive_id, "OLD-1", who="audrey")
    exported = await casetrail(filled, "export", log, "--format", "xes")
    assert "1 archived case is not in it: only its archive has what it said." in exported.out


async def test_a_file_whose_cases_were_archived_since_can_be_played_again(running: Running) -> None:
    file = ("play", str(SAMPLE), "--mapping", str(SERVICENOW), "--backfill")
    first = json.loads((await casetrail(running, *file, "--json", who="player")).out)
    await archived(running)

    again = json.loads((await casetrail(running, *file, "--json", who="player")).out)
    told = await casetrail(running, *file, who="player")

    assert (first["archived"], first["written"]) == (0, first["events"])
    assert again["archived"] > 0
    assert (again["cases"], again["rows"], again["written"]) == (first["cases"], first["rows"], 0)
    assert (told.code, f"{again['archived']}  cases that were archived" in told.out) == (0, True)


async def archived(running: Running) -> str:
    proposed = await casetrail(running, "archive", "propose", "--json", who="admin")
    archive_id = str(json.loads(proposed.out)["archive"]["archiveId"])
    await casetrail(running, "archive", "approve", archive_id, who="audrey")
    await casetrail(running, "archive", "carry-out", archive_id, who="admin")
    return archive_id


async def test_a_proposal_is_withdrawn_with_a_reason(filled: Running) -> None:
    proposed = await casetrail(filled, "archive", "propose", "--json", who="admin")
    archive_id = json.loads(proposed.out)["archive"]["archiveId"]
    wordless = await casetrail(filled, "archive", "withdraw", archive_id, who="admin")
    assert (wordless.code, "--why" in wordless.err) == (2, True)
    done = await casetrail(filled, "archive", "withdraw", archive_id, "--why", "not these", who="admin")
    assert (done.code, "Withdrawn" in done.out) == (0, True)
    late = await casetrail(filled, "archive", "approve", archive_id, who="audrey")
    assert (late.code, "ARCHIVE_WITHDRAWN" in late.err, "archive propose" in late.err) == (1, True, True)
    told = (await casetrail(filled, "archive", "list", who="audrey")).out
    assert "withdrawn by admin" in told
    assert "not these" in told
    events = (await casetrail(filled, "events", "@log", who="audrey")).out
    assert f"archive {archive_id} withdrawn: “not these”" in events


async def test_a_log_with_archived_cases_is_exported_and_holds(filled: Running, tmp_path: Path) -> None:
    proposed = await casetrail(filled, "archive", "propose", "--limit", "1", "--json", who="admin")
    archive_id = json.loads(proposed.out)["archive"]["archiveId"]
    await casetrail(filled, "archive", "approve", archive_id, who="audrey")
    await casetrail(filled, "archive", "carry-out", archive_id, who="admin")
    evidence = Evidence(tmp_path / "log.jsonl", log_keys=keys([str(tmp_path / "keys" / "log.vkey")], LOG_KEY))
    for restored in (False, True):
        if restored:
            await casetrail(filled, "archive", "restore", archive_id, "--all", who="admin")
        exported = await casetrail(filled, "export", "--format", "jsonl", str(evidence.export), who="audrey")
        assert exported.code == 0, exported.err
        report = verify(evidence)
        assert report.holds, report.words
        assert report.checked["archived cases: what was agreed to, by whom, last hash"] == 1
    parted = await casetrail(filled, "export", "--format", "xes", str(tmp_path / "log.xes"), who="audrey")
    assert parted.code == 0
