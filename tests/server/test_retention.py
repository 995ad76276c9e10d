"""Closed cases leave for an archive and come back: over a real socket, into real files, on a real log."""

import asyncio
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pyarrow.parquet
import pysqlite3.dbapi2 as sqlite
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from audit.durable import sync_folder
from audit.log import AppendResult, Batch, ClosedCase, Log
from casetrail.v1.audit_service_pb2 import ExportLogRequest, ListEventsRequest, ReplayCaseRequest, VerifyCaseRequest
from casetrail.v1.case_service_pb2 import GetCaseRequest, ListCasesRequest
from casetrail.v1.command_pb2 import Command
from casetrail.v1.retention_service_pb2 import (
    ApproveArchiveRequest,
    Archive,
    CarryOutArchiveRequest,
    ListArchivedCasesRequest,
    ListArchivesRequest,
    ProposeArchiveRequest,
    ProposeArchiveResponse,
    RestoreCasesRequest,
    RestoreCasesResponse,
    WithdrawArchiveRequest,
)
from casetrail.v1.types_pb2 import Channel, Kind, Role
from domain import Rejected
from server import archiving
from server.exporting import ExportServicer
from server.principals import Principal
from tests.disk import on_the_disk
from tests.server.running import Refused, Running, refusal, token

LONG_AGO = 1_460_000_000  # April 2016
RECENTLY = int(time.time()) - 30 * 24 * 3600


async def imported(running: Running, case_id: str, *, at: int = LONG_AGO, closed: bool = True) -> None:
    opening = Command(case_id=case_id, request_id=f"open {case_id}".replace(" ", "-"))
    opening.at.seconds = at
    opening.open.kind = Kind.KIND_INQUIRY
    opening.open.channel = Channel.CHANNEL_EMAIL
    opening.open.source = "tickets.csv"
    opening.open.customer.customer_id = f"customer of {case_id}"
    opening.open.subject = f"secret of {case_id}"
    await running.execute(opening, caller="history")
    if closed:
        closing = Command(case_id=case_id, request_id=f"close-{case_id}")
        closing.at.seconds = at + 3600
        closing.close.SetInParent()
        await running.execute(closing, caller="history")


async def proposed(running: Running, *, by: str = "admin", **facts: object) -> ProposeArchiveResponse:
    request = ProposeArchiveRequest(**({"request_id": "p1"} | facts))  # type: ignore[arg-type] # its fields
    return await running.retention.ProposeArchive(request, metadata=token(by))


async def approved(running: Running, archive_id: str, *, by: str = "audrey") -> Archive:
    request = ApproveArchiveRequest(archive_id=archive_id)
    return (await running.retention.ApproveArchive(request, metadata=token(by))).archive


async def withdrawn(running: Running, archive_id: str, *, by: str = "admin", why: str = "Not these.") -> Archive:
    request = WithdrawArchiveRequest(archive_id=archive_id, why=why)
    return (await running.retention.WithdrawArchive(request, metadata=token(by))).archive


async def carried_out(running: Running, archive_id: str, *, by: str = "admin") -> Archive:
    request = CarryOutArchiveRequest(archive_id=archive_id)
    return (await running.retention.CarryOutArchive(request, metadata=token(by))).archive


async def restored(running: Running, archive_id: str, *case_ids: str) -> RestoreCasesResponse:
    request = RestoreCasesRequest(archive_id=archive_id, case_ids=case_ids, why="The customer asks.")
    return await running.retention.RestoreCases(request, metadata=token("audrey"))


async def archived(running: Running) -> Archive:
    archive_id = (await proposed(running)).archive.archive_id
    await approved(running, archive_id)
    return await carried_out(running, archive_id)


async def refused(call: Awaitable[object]) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return refusal(error.value)


@pytest.fixture
async def filled(running: Running) -> Running:
    """A log with two cases that may go, one that is too young, and one that is open."""
    await imported(running, "OLD-1")
    await imported(running, "OLD-2")
    await imported(running, "NEW-1", at=RECENTLY)
    await imported(running, "OPEN-1", closed=False)
    return running


# What may go, and who says so


async def test_a_dry_run_lists_what_may_go_and_writes_nothing(filled: Running) -> None:
    size = await filled.log.size()
    dry = await proposed(filled, dry_run=True)
    assert [(case.case_id, case.events, case.closed_at.seconds) for case in dry.cases] == [
        (case_id, len(await filled.log.events(case_id)), LONG_AGO + 3600) for case_id in ("OLD-1", "OLD-2")
    ]
    assert (dry.archive.archive_id, dry.archive.cases, len(dry.archive.root)) == ("", 2, 64)
    assert await filled.log.size() == size


@pytest.mark.parametrize(
    ("limits", "case_ids"),
    [
        ({"closed_before": Timestamp(seconds=LONG_AGO + 3601)}, ["OLD-1", "OLD-2"]),
        ({"closed_before": Timestamp(seconds=LONG_AGO + 3600)}, []),
        ({"most_cases": 1}, ["OLD-1"]),
    ],
)
async def test_what_goes_can_be_limited(filled: Running, limits: dict[str, Any], case_ids: list[str]) -> None:
    dry = await proposed(filled, dry_run=True, **limits)
    assert [case.case_id for case in dry.cases] == case_ids


async def test_where_nothing_may_go_nothing_is_proposed(running: Running) -> None:
    assert (await refused(proposed(running))).reason == "NOTHING_TO_DO"


async def test_a_proposal_sent_twice_is_one(filled: Running) -> None:
    first = await proposed(filled)
    assert (await proposed(filled)).archive == first.archive
    assert (await refused(proposed(filled, most_cases=1))).reason == "REQUEST_ID_REUSED"
    assert len((await filled.retention.ListArchives(ListArchivesRequest(), metadata=token("admin"))).archives) == 1


@pytest.mark.parametrize("caller", ["shop", "chloe", "history"])
async def test_archives_are_for_administrators_and_auditors(filled: Running, caller: str) -> None:
    assert (await refused(proposed(filled, by=caller))).reason == "ROLE_NOT_ALLOWED"


async def test_it_takes_two(filled: Running) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    assert (await refused(carried_out(filled, archive_id))).reason == "NOT_YET"
    same = await refused(approved(filled, archive_id, by="admin"))
    assert (same.code, same.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SAME_PERSON")
    assert (await refused(carried_out(filled, archive_id))).reason == "NOT_YET"
    assert (await approved(filled, archive_id)).approved.actor == "audrey"


async def test_an_unknown_archive_is_unknown(filled: Running) -> None:
    for ask in (approved, withdrawn, carried_out, restored):
        assert (await refused(ask(filled, "archive-0"))).reason == "UNKNOWN_ARCHIVE"


# Withdrawing it


@pytest.mark.parametrize("by", ["admin", "audrey"])
@pytest.mark.parametrize("is_approved", [False, True])
async def test_what_was_withdrawn_is_never_carried_out(filled: Running, by: str, *, is_approved: bool) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    if is_approved:
        await approved(filled, archive_id)
    done = await withdrawn(filled, archive_id, by=by)
    assert (done.withdrawn.actor, done.why_withdrawn, done.HasField("approved")) == (by, "Not these.", is_approved)
    for ask in (approved, carried_out):
        answer = await refused(ask(filled, archive_id))
        assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ARCHIVE_WITHDRAWN")
    assert {row.payload is None for row in await filled.log.rows()} == {False}


async def test_withdrawing_it_again_comes_to_the_same_and_for_another_it_is_so_already(filled: Running) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    first = await withdrawn(filled, archive_id)
    assert await withdrawn(filled, archive_id) == first
    assert (await refused(withdrawn(filled, archive_id, by="audrey"))).reason == "ALREADY_SO"


async def test_what_was_carried_out_is_not_withdrawn(filled: Running) -> None:
    done = await archived(filled)
    size = await filled.log.size()
    answer = await refused(withdrawn(filled, done.archive_id))
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ARCHIVE_CARRIED_OUT")
    assert await filled.log.size() == size


async def test_a_withdrawal_says_why_and_is_an_administrators_or_auditors(filled: Running) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    assert (await refused(withdrawn(filled, archive_id, by="chloe"))).reason == "ROLE_NOT_ALLOWED"
    assert (await refused(withdrawn(filled, archive_id, why=""))).fields.keys() == {"why"}


async def test_a_withdrawal_while_the_archive_is_written_comes_first(
    filled: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    remove = archiving.Archiving._remove

    async def withdrawn_just_before(*removal: Any) -> None:  # noqa: ANN401 - as it is called
        await withdrawn(filled, archive_id, by="audrey")
        await remove(*removal)

    monkeypatch.setattr(archiving.Archiving, "_remove", withdrawn_just_before)
    assert (await refused(carried_out(filled, archive_id))).reason == "ARCHIVE_WITHDRAWN"
    assert {row.payload is None for row in await filled.log.rows()} == {False}


async def test_withdrawn_cases_can_be_proposed_again(filled: Running) -> None:
    first = (await proposed(filled)).archive.archive_id
    await withdrawn(filled, first)
    second = (await proposed(filled, request_id="p2")).archive.archive_id
    await approved(filled, second)
    assert (await carried_out(filled, second)).cases == 2
    assert (await filled.audit.VerifyCase(VerifyCaseRequest(), metadata=token("audrey"))).whole


# Carrying it out


async def test_what_is_archived_is_in_the_files_and_not_in_the_database(filled: Running, tmp_path: Path) -> None:
    done = await archived(filled)
    assert (done.cases, done.proposed.actor, done.approved.actor, done.carried_out.actor) == (
        *(2, "admin", "audrey"),
        "admin",
    )
    folder = tmp_path / "archives" / done.archive_id
    assert done.location == str(folder)
    assert (folder / "proofs.jsonl").read_bytes().count(b'"kind":"event"') == done.events
    table = pyarrow.parquet.read_table(folder / "events.parquet").to_pylist()
    assert {row["case_id"] for row in table} == {"OLD-1", "OLD-2"}
    assert any(row["dek_id"] and row["payload"] for row in table)  # encrypted, as they were
    assert not any("secret of OLD-1" in str(row) for row in table)
    left = await asyncio.to_thread(_bytes_of, filled.log.path)
    assert b"customer of NEW-1" in left
    for case_id in ("OLD-1", "OLD-2"):
        assert f"secret of {case_id}".encode() not in left
        assert f"customer of {case_id}".encode() not in left


def _bytes_of(database: Path) -> bytes:
    """All that the file holds once its write-ahead log is in it, free pages included."""
    with closing(sqlite.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.read_bytes()


async def test_the_log_verifies_before_and_after(filled: Running) -> None:
    done = await archived(filled)
    for case_id in ("", "OLD-1", "NEW-1"):
        verified = await filled.audit.VerifyCase(VerifyCaseRequest(case_id=case_id), metadata=token("audrey"))
        assert verified.whole, verified.faults
    await restored(filled, done.archive_id)
    assert (await filled.audit.VerifyCase(VerifyCaseRequest(), metadata=token("audrey"))).whole


async def test_every_step_is_an_event_of_the_log(filled: Running) -> None:
    done = await archived(filled)
    await restored(filled, done.archive_id, "OLD-2")
    events = [event for event in await filled.log.events("@log") if event.actor.name != "casetrail"]
    assert [(event.actor.name, event.WhichOneof("body")) for event in events] == [
        ("admin", "archive_proposed"),
        ("audrey", "archive_approved"),
        ("admin", "cases_archived"),
        ("audrey", "case_restored"),
    ]
    assert events[2].cases_archived.manifest_sha256 == done.manifest_sha256
    assert events[3].case_restored.why == "The customer asks."


async def test_an_archived_case_is_refused_with_the_archive_that_has_it(filled: Running) -> None:
    done = await archived(filled)
    note = Command(case_id="OLD-1", request_id="n1", at=Timestamp(seconds=RECENTLY))
    note.note.words.text = "once more"
    for call in (
        filled.cases.GetCase(GetCaseRequest(case_id="OLD-1"), metadata=token("shop")),
        filled.audit.ListEvents(ListEventsRequest(case_id="OLD-1"), metadata=token("shop")),
        filled.audit.ReplayCase(ReplayCaseRequest(case_id="OLD-1", seq=1), metadata=token("shop")),
        filled.execute(note, caller="history"),
    ):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CASE_ARCHIVED")
        assert done.archive_id in answer.message
    listed = await filled.cases.ListCases(ListCasesRequest(), metadata=token("shop"))
    assert sorted(case.case_id for case in listed.cases) == ["NEW-1", "OPEN-1"]
    everything = await filled.audit.ListEvents(ListEventsRequest(), metadata=token("shop"))
    assert {event.case_id for event in everything.events} == {"NEW-1", "OPEN-1", "@log"}


async def test_carrying_it_out_again_comes_to_the_same(filled: Running) -> None:
    done = await archived(filled)
    size = await filled.log.size()
    assert await carried_out(filled, done.archive_id) == done
    assert await filled.log.size() == size


async def test_a_case_that_changed_after_the_approval_stops_all_of_it(filled: Running, tmp_path: Path) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    await imported(filled, "NEW-2", at=RECENTLY)  # no matter
    reopening = Command(case_id="OLD-2", request_id="again", at=Timestamp(seconds=RECENTLY))
    reopening.reopen.why = "It came back."
    await filled.execute(reopening, caller="history")
    assert (await refused(carried_out(filled, archive_id))).reason == "CASES_HAVE_CHANGED"
    assert not list((tmp_path / "archives").glob("*"))
    assert len(await filled.log.events("OLD-1")) > 0


def with_commit(log: Log, order: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it noted when the log lets go of payloads."""
    archive = log.archive

    async def archived(batch: Batch, archive_id: str, cases: Sequence[ClosedCase]) -> AppendResult:
        order.append("commit")
        return await archive(batch, archive_id, cases)

    monkeypatch.setattr(log, "archive", archived)


async def test_an_archive_is_on_the_disk_with_its_name_before_the_log_lets_go_of_what_it_has(
    filled: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    order = on_the_disk(monkeypatch, below=tmp_path)
    with_commit(filled.log, order, monkeypatch)
    await carried_out(filled, archive_id)
    part = f"archives/.{archive_id}.new"
    assert order[: order.index("commit")] == [
        "sync .",  # the name of the folder of archives
        *(f"sync {part}/{name}" for name in ("proofs.jsonl", "events.parquet", "manifest.json")),
        f"sync {part}",
        f"name archives/{archive_id}",
        "sync archives",
    ]


async def test_an_archive_that_a_process_put_there_and_died_is_on_the_disk_too_before_the_log_lets_go(
    filled: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    with monkeypatch.context() as dying:
        dying.setattr("server.archive_writer.sync_folder", _dying_in(tmp_path / "archives"))
        assert (await refused(carried_out(filled, archive_id))).reason == "INTERNAL"
    assert (tmp_path / "archives" / archive_id).exists()
    order = on_the_disk(monkeypatch, below=tmp_path)
    with_commit(filled.log, order, monkeypatch)
    await carried_out(filled, archive_id)
    assert order[: order.index("commit")] == ["sync archives"]


def _dying_in(last: Path) -> Callable[[Path], None]:
    """Syncs folders until this one."""

    def sync(folder: Path) -> None:
        if folder == last:
            raise CrashedError
        sync_folder(folder)

    return sync


class CrashedError(Exception):
    """Where a test lets a process die."""


@pytest.mark.parametrize("step", ["_write", "_checked", "_remove"])
async def test_a_crash_at_any_step_leaves_all_in_the_database_and_can_be_repeated(
    filled: Running, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    with monkeypatch.context() as dying:
        dying.setattr(archiving.Archiving, step, _dying)
        assert (await refused(carried_out(filled, archive_id))).reason == "INTERNAL"
    assert {row.payload is None for row in await filled.log.rows()} == {False}
    assert (await filled.log.verify()).findings == ()
    await carried_out(filled, archive_id)
    assert (await filled.log.verify()).findings == ()


def _dying(*_: object) -> None:
    raise CrashedError


async def test_what_a_crash_left_half_written_is_not_taken_for_an_archive(
    filled: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    with monkeypatch.context() as dying:
        dying.setattr("server.archive_writer.ArchiveWriter.finish", _dying)
        assert (await refused(carried_out(filled, archive_id))).reason == "INTERNAL"
    assert list((tmp_path / "archives").iterdir()) == []
    (tmp_path / "archives" / f".{archive_id}.1.part").mkdir()  # as a process leaves it that is killed
    await carried_out(filled, archive_id)
    assert [path.name for path in (tmp_path / "archives").iterdir()] == [archive_id]


async def test_where_it_cannot_be_written_nothing_is_removed(filled: Running, tmp_path: Path) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    (tmp_path / "archives").write_text("in the way")
    assert (await refused(carried_out(filled, archive_id))).reason == "ARCHIVE_UNAVAILABLE"
    assert len(await filled.log.events("OLD-1")) > 0


# Tampering


def _first_event(lines: list[bytes]) -> int:
    return next(number for number, line in enumerate(lines) if b'"kind":"event"' in line)


def _changed_payload(folder: Path) -> None:
    lines = (folder / "proofs.jsonl").read_bytes().splitlines(keepends=True)
    number = _first_event(lines)
    event = json.loads(lines[number])
    event["payload"] = event["payload"][:-8] + "AAAA" + event["payload"][-4:]
    lines[number] = json.dumps(event).encode() + b"\n"
    (folder / "proofs.jsonl").write_bytes(b"".join(lines))


def _left_out(folder: Path) -> None:
    lines = (folder / "proofs.jsonl").read_bytes().splitlines(keepends=True)
    del lines[_first_event(lines)]
    (folder / "proofs.jsonl").write_bytes(b"".join(lines))


def _changed_table(folder: Path) -> None:
    path = folder / "events.parquet"
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.slice(1), path)


def _changed_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"version": 1', '"version":  1'))


TAMPERING: list[Callable[[Path], None]] = [_changed_payload, _left_out, _changed_table, _changed_manifest]


@pytest.mark.parametrize("tamper", TAMPERING)
async def test_from_an_archive_that_was_changed_nothing_is_restored(
    filled: Running, tmp_path: Path, tamper: Callable[[Path], None]
) -> None:
    done = await archived(filled)
    size = await filled.log.size()
    tamper(tmp_path / "archives" / done.archive_id)
    answer = await refused(restored(filled, done.archive_id))
    assert (answer.code, answer.reason) == (grpc.StatusCode.DATA_LOSS, "ARCHIVE_DAMAGED")
    assert await filled.log.size() == size


@pytest.mark.parametrize("tamper", TAMPERING[:3])
async def test_an_archive_that_was_changed_before_the_removal_stops_it(
    filled: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tamper: Callable[[Path], None]
) -> None:
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    with monkeypatch.context() as dying:
        dying.setattr(archiving.Archiving, "_remove", _dying)
        await refused(carried_out(filled, archive_id))
    tamper(tmp_path / "archives" / archive_id)
    assert (await refused(carried_out(filled, archive_id))).reason == "ARCHIVE_DAMAGED"
    assert {row.payload is None for row in await filled.log.rows()} == {False}


async def test_another_archive_in_its_place_is_refused(filled: Running, tmp_path: Path) -> None:
    first = await archived(filled)
    await imported(filled, "OLD-3")
    second = (await proposed(filled, request_id="p2")).archive
    await approved(filled, second.archive_id)
    shutil.copytree(tmp_path / "archives" / first.archive_id, tmp_path / "archives" / second.archive_id)
    assert (await refused(carried_out(filled, second.archive_id))).reason == "ARCHIVE_DAMAGED"
    shutil.rmtree(tmp_path / "archives" / second.archive_id)
    await carried_out(filled, second.archive_id)
    shutil.rmtree(tmp_path / "archives" / second.archive_id)
    shutil.copytree(tmp_path / "archives" / first.archive_id, tmp_path / "archives" / second.archive_id)
    assert (await refused(restored(filled, second.archive_id))).reason == "ARCHIVE_DAMAGED"


# Coming back


async def test_what_is_restored_is_what_it_was(filled: Running) -> None:
    case, events, rows = (
        await filled.log.read_case("OLD-1"),
        await filled.log.events("OLD-1"),
        await filled.log.rows(case_ids=["OLD-1"]),
    )
    projected = await filled.log.projection("OLD-1")
    done = await archived(filled)
    back = await restored(filled, done.archive_id, "OLD-1")
    assert (list(back.case_ids), back.events) == (["OLD-1"], len(events))
    assert await filled.log.read_case("OLD-1") == case
    assert await filled.log.events("OLD-1") == events
    assert await filled.log.rows(case_ids=["OLD-1"]) == rows
    restored_projection = await filled.log.projection("OLD-1")
    assert restored_projection is not None
    assert projected is not None
    assert restored_projection._replace(body=projected.body) == projected  # what is encrypted anew has other bytes
    cases = await filled.retention.ListArchivedCases(
        ListArchivedCasesRequest(archive_id=done.archive_id), metadata=token("audrey")
    )
    assert [(each.case_id, each.restored) for each in cases.cases] == [("OLD-1", True), ("OLD-2", False)]


async def test_restoring_again_comes_to_the_same(filled: Running) -> None:
    done = await archived(filled)
    first = await restored(filled, done.archive_id, "OLD-2")
    both = await restored(filled, done.archive_id)
    size = await filled.log.size()
    for case_ids, answer in ((["OLD-2"], first), ([], both)):
        again = await restored(filled, done.archive_id, *case_ids)
        assert (again.case_ids, again.events) == (answer.case_ids, answer.events)
    assert (list(first.case_ids), list(both.case_ids)) == (["OLD-2"], ["OLD-2", "OLD-1"])
    assert await filled.log.size() == size


async def test_a_case_that_was_archived_once_more_is_not_back(filled: Running) -> None:
    first = (await archived(filled)).archive_id
    await restored(filled, first, "OLD-1")
    second = (await proposed(filled, request_id="p2")).archive.archive_id
    await approved(filled, second)
    await carried_out(filled, second)
    assert list((await restored(filled, first)).case_ids) == ["OLD-2"]


async def test_a_case_that_is_not_in_the_archive_is_refused(filled: Running) -> None:
    done = await archived(filled)
    assert (await refused(restored(filled, done.archive_id, "NEW-1"))).reason == "UNKNOWN_CASE"


async def test_an_archive_that_is_not_there_is_said(filled: Running, tmp_path: Path) -> None:
    done = await archived(filled)
    shutil.move(tmp_path / "archives", tmp_path / "elsewhere")
    answer = await refused(restored(filled, done.archive_id))
    assert (answer.reason, "CASETRAIL_ARCHIVES" in answer.message) == ("ARCHIVE_UNAVAILABLE", True)


async def test_an_export_that_cases_go_from_or_come_back_into_meanwhile_is_refused(
    filled: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.exporting._CHUNK_BYTES", 1)  # the header comes alone
    archive_id = (await proposed(filled)).archive.archive_id
    await approved(filled, archive_id)
    exporting = ExportServicer(filled.log, filled.proving)
    auditor = Principal("audrey", frozenset({Role.ROLE_AUDITOR}), frozenset(), "")
    for move in (carried_out(filled, archive_id), restored(filled, archive_id, "OLD-1")):
        export = exporting.export_log(ExportLogRequest(), auditor)
        await anext(export)
        await move
        with pytest.raises(Rejected, match=f"(?s)went to {archive_id}, or came back.*export again") as refused:
            [chunk async for chunk in export]
        assert refused.value.code == "NOT_YET"
    assert [chunk async for chunk in exporting.export_log(ExportLogRequest(), auditor)]
