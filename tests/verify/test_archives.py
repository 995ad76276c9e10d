"""What was archived: in an export, where its payloads are gone, and in the folder that has them."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from casetrail_verify import Check, EvidenceError, Report, verify
from casetrail_verify.archived import Removal, _Case, _wrong
from casetrail_verify.seals import root_over
from tests.verify.archiving import (
    ARCHIVE,
    CASE,
    REMOVED,
    approval,
    archived,
    archived_and_kept,
    folder_of,
    payload_changed,
    proposal,
    restored,
    rows_of_case,
)
from tests.verify.forging import WITNESS, Draft, Key, World, proto


def judged(world: World, folder: Path) -> Report:
    return verify(world.evidence(folder))


def judged_folder(world: World, folder: Path, **differing: Any) -> Report:  # noqa: ANN401 - as of `folder_of`
    archive = folder_of(world, folder, **differing)
    return verify(replace(world.evidence(folder), export=archive, receipts=[], checkpoints=[]))


def test_payloads_of_what_was_archived_by_two_may_be_gone(tmp_path: Path) -> None:
    report = judged(archived(World().write_down()), tmp_path)

    assert report.holds, report.words
    assert report.checked["archived cases: what was agreed to, by whom, last hash"] == 1
    assert any("anna" in each and "boris" in each and "ab" * 32 in each for each in report.open)


def test_a_payload_of_another_case_may_not(tmp_path: Path) -> None:
    world = archived(World().write_down())
    world.rows[0]["payload"] = None

    report = judged(world, tmp_path)

    assert [(fault.check, fault.position, fault.times) for fault in report.faults] == [(Check.PAYLOAD_MISSING, 1, 1)]


def test_a_restored_case_must_be_listed_and_an_event_must_say_so(tmp_path: Path) -> None:
    world = archived(World().write_down())
    world.changes.append(
        lambda lines: next(line for line in lines if line["kind"] == "archived").update(restored=REMOVED)
    )

    found = {fault.check for fault in judged(world, tmp_path).faults}

    assert found == {Check.ARCHIVE_WRONG, Check.CASE_WRONG, Check.PAYLOAD_MISSING}


@pytest.mark.parametrize(
    ("said", "holds"), [((ARCHIVE, CASE), True), ((ARCHIVE, "INQ-1"), False), (("another", CASE), False)]
)
def test_a_case_that_an_event_says_was_restored_is_as_any_other(
    said: tuple[str, str], tmp_path: Path, *, holds: bool
) -> None:
    world = archived(World().write_down())
    body = proto((1, said[0]), (2, said[1]))
    world.drafts.append(Draft("@log", "CaseRestored", f"restore {CASE}", payload=proto((197, body))))
    world.write_down()  # its payloads are back
    world.changes = [restored(REMOVED + 1)]

    report = judged(world, tmp_path)

    assert [(fault.check, fault.position) for fault in report.faults] == (
        [] if holds else [(Check.ARCHIVE_WRONG, REMOVED + 1)]
    )


CASES = [
    _Case(ARCHIVE, "INQ-1", 1, 3, "ab" * 32, REMOVED, None),
    _Case(ARCHIVE, "INQ-2", 2, 4, "cd" * 32, REMOVED, None),
]
AGREED = Removal(ARCHIVE, 2, root_over((each.case_id, each.seq, each.leaf) for each in CASES), "ef", 0, "anna", "boris")


@pytest.mark.parametrize(
    ("said", "cases", "words"),
    [
        (AGREED, CASES, ""),
        (AGREED, CASES[::-1], ""),
        (None, CASES, "no event says so"),
        (AGREED, CASES[:1], "not those that were agreed to"),
        (AGREED._replace(cases=3), CASES, "not those that were agreed to"),
        (AGREED, [CASES[0], CASES[1]._replace(seq=5)], "not those that were agreed to"),
        (AGREED, [CASES[0], CASES[1]._replace(archive_id="x")], "not those that were agreed to"),
        (AGREED, [CASES[0], CASES[1]._replace(seq=-1)], "numbers that no case has"),
        (AGREED, [CASES[0], CASES[1]._replace(seq=1 << 64)], "numbers that no case has"),
        (AGREED._replace(approved_by="anna"), CASES, "not proposed by one and approved by another"),
        (AGREED._replace(approved_by=""), CASES, "not proposed by one and approved by another"),
        (AGREED._replace(proposed_by=""), CASES, "not proposed by one and approved by another"),
    ],
)
def test_what_was_archived_at_once_is_what_two_people_agreed_to(
    said: Removal | None, cases: list[_Case], words: str
) -> None:
    assert words in _wrong(said, cases)
    assert bool(words) == bool(_wrong(said, cases))


def test_a_case_may_be_restored_in_what_an_export_leaves_out(tmp_path: Path) -> None:
    """Its payloads are there again, and the event that says so is not."""
    world = World(header={"log_size": REMOVED + 1}).write_down()
    archived_and_kept(world)

    report = judged(world, tmp_path)

    assert report.holds, report.words


def test_each_of_two_archives_is_proven_by_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    world = archived(World().write_down())
    body = proto((1, "archive-2"), (2, 0), (4, root_over([])), (5, "cd" * 32), (7, 20), (8, "anna"), (9, "boris"))
    world.drafts += [
        proposal(archive="archive-2", cases=0, root=root_over([])),
        approval(archive="archive-2", cases=0, root=root_over([])),
        Draft("@log", "CasesArchived", "archive archive-2", payload=proto((196, body))),
    ]
    world.write_down()
    for row in rows_of_case(world):
        row["payload"] = None

    report = judged(world, tmp_path)

    assert report.holds, report.words


def test_an_extract_need_not_have_the_checkpoint_that_proves_an_archive(tmp_path: Path) -> None:
    world = archived(World().write_down(), proven_by=20)
    world.changes.clear()
    world.notes = world.notes[-1:]
    world.positions = [row["pos"] for row in world.rows if row["case_id"] == "@log"]
    report = judged(world, tmp_path)
    assert Check.CHECKPOINT_MISSING not in {fault.check for fault in report.faults}, report.words


def test_what_an_archive_is_named_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    report = judged(archived(World().write_down(), manifest="\x1b[2J"), tmp_path)

    assert "\x1b" not in report.words


def test_the_folder_of_an_archive_holds_by_itself(tmp_path: Path) -> None:
    report = judged_folder(World().write_down(), tmp_path)

    assert report.holds, report.words
    assert "the archive archive-1" in report.log


def test_a_witness_that_came_after_an_archive_is_told_from_one_that_was_left_out(tmp_path: Path) -> None:
    """It cannot have signed the archive's tree, and whoever forges one would say just that: so it stays a fault."""
    world = World(witnesses=[WITNESS, Key("later.example", 4, 9)]).write_down()

    (fault,) = judged_folder(world, tmp_path).faults

    assert (fault.check, fault.position) == (Check.TAIL_UNWITNESSED, 1)
    assert "later.example has not signed the tree of 40 events" in fault.message
    assert "if it came to the log later, only the whole log shows what it has seen" in fault.message


@pytest.mark.parametrize(
    "differing",
    [
        {"size": 39},
        {"root": "ab" * 32},
        {"log": "0" * 32},
        {"cases": 2},
        {"events": 7},
        {"cases_root": "ab" * 32},
        {"case_list": [["INQ-1", 8, "ab" * 32]]},
    ],
    ids=lambda differing: next(iter(differing)),
)
def test_a_manifest_of_something_else_is_refused(differing: dict[str, object], tmp_path: Path) -> None:
    report = judged_folder(World().write_down(), tmp_path, **differing)

    assert [fault.check for fault in report.faults] == [Check.ARCHIVE_WRONG]


@pytest.mark.parametrize(("begun_late", "holds"), [((), True), ((CASE,), False), (("INQ-1", CASE), False)])
def test_an_archive_that_lacks_the_beginning_of_a_case_is_refused(
    begun_late: tuple[str, ...], tmp_path: Path, *, holds: bool
) -> None:
    report = judged_folder(World().write_down(), tmp_path, of=("INQ-1", CASE), begun_late=begun_late)

    assert report.holds == holds, report.words
    assert ("the manifest's beginning of each case differs" in report.words) != holds


def _cut(archive: Path) -> None:
    (archive / "events.parquet").write_bytes(b"PAR")


def _changed(archive: Path) -> None:
    path = archive / "proofs.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"mei', b'"amy'))


@pytest.mark.parametrize(
    ("tamper", "check"),
    [(_cut, Check.EXPORT_ALTERED), (_changed, Check.EXPORT_ALTERED), (payload_changed, Check.PAYLOAD_CHANGED)],
)
def test_a_folder_that_was_changed_is_refused(tamper: Callable[[Path], None], check: Check, tmp_path: Path) -> None:
    world = World().write_down()
    archive = folder_of(world, tmp_path)
    tamper(archive)

    report = verify(replace(world.evidence(tmp_path), export=archive, receipts=[], checkpoints=[]))

    assert check in {fault.check for fault in report.faults}


@pytest.mark.parametrize(
    "differing",
    [
        {"version": 2},
        {"format": "zip"},
        {"archive_id": None},
        {"case_list": 1},
        {"case_list": [["INQ-2", 8, "xy"]]},
        {"case_list": [["INQ-2", 8]]},
        {"case_list": [["INQ-2", 8.5, "ab" * 32]]},
        {"case_list": [["INQ-2", float("inf"), "ab" * 32]]},
        {"case_list": [["INQ-2", "8", "ab" * 32]]},
        {"case_list": [[2, 8, "ab" * 32]]},
        {"case_list": [["INQ-2", 8, "AB" * 32]]},
        {"case_list": [["INQ-2", -1, "ab" * 32]]},
        {"case_list": [["INQ-2", 2**64, "ab" * 32]]},
    ],
)
def test_what_is_no_archive_is_said_to_be_none(differing: dict[str, object], tmp_path: Path) -> None:
    report = judged_folder(World().write_down(), tmp_path, **differing)

    assert [fault.check for fault in report.faults] == [Check.EXPORT_MALFORMED]


@pytest.mark.parametrize("name", ["manifest.json", "proofs.jsonl", "events.parquet"])
def test_a_file_of_an_archive_that_never_ends_is_not_waited_for(name: str, tmp_path: Path) -> None:
    world = World().write_down()
    archive = folder_of(world, tmp_path)
    (archive / name).unlink()
    os.mkfifo(archive / name)

    with pytest.raises(EvidenceError, match=f"{name} is no regular file"):
        verify(replace(world.evidence(tmp_path), export=archive))
