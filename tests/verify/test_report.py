"""The verdict in words: what was checked, what was not, what is wrong and where it begins."""

import json
from pathlib import Path

import pytest

from casetrail_verify import Check, Report, verify
from casetrail_verify.faults import Fault, Faults
from casetrail_verify.report import counted
from tests.verify.forging import LOG_KEY, NEXT_KEY, World, b64, leaf, listed, receipt, stored

MISSING = Fault(Check.POSITION_WRONG, "position 7 is missing", 7)
BROKEN = Fault(Check.CHAIN_BROKEN, "`prev` is wrong", 9, "INQ-1", 1200)
CUT = Fault(Check.EXPORT_TRUNCATED, "it was cut off")


def test_a_log_that_holds_is_told_with_what_was_checked_and_what_was_not() -> None:
    assert Report("casetrail/1", {"events": 1200}, (), ["the truth"]).words.split("\n") == [
        "casetrail/1",
        "",
        "Checked",
        "         1,200  events",
        "",
        "Not covered",
        "  - the truth",
        "",
        "The log holds: nothing that was checked is wrong.",
    ]


def test_faults_are_told_with_their_places_and_how_often() -> None:
    words = Report("casetrail/1", {}, (CUT, MISSING, BROKEN), []).words

    assert words.split("\n")[5:] == [
        "",
        "Faults: of each kind the first",
        "  the export: EXPORT_TRUNCATED",
        "    it was cut off",
        "  position 7: POSITION_WRONG",
        "    position 7 is missing",
        "  position 9, case INQ-1: CHAIN_BROKEN, 1,200 times",
        "    `prev` is wrong",
        "",
        "THE LOG DOES NOT HOLD: 3 kinds of fault, the first at position 7.",
    ]


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (CUT, "THE LOG DOES NOT HOLD: 1 kind of fault."),
        (MISSING, "THE LOG DOES NOT HOLD: 1 kind of fault, the first at position 7."),
    ],
)
def test_the_verdict_names_a_position_where_there_is_one(fault: Fault, verdict: str) -> None:
    assert Report("casetrail/1", {}, (fault,), []).words.endswith(f"\n{verdict}")


def test_programs_are_told_the_same() -> None:
    said = json.loads(Report("casetrail/1", {"events": 3}, (CUT, BROKEN), ["the truth"]).json)

    assert said == {
        "holds": False,
        "log": "casetrail/1",
        "checked": {"events": 3},
        "faults": [
            {
                "reason": "EXPORT_TRUNCATED",
                "position": None,
                "caseId": None,
                "message": "it was cut off",
                "times": 1,
            },
            {
                "reason": "CHAIN_BROKEN",
                "position": 9,
                "caseId": "INQ-1",
                "message": "`prev` is wrong",
                "times": 1200,
            },
        ],
        "notCovered": ["the truth"],
    }


def test_of_each_kind_of_fault_the_first_is_kept_and_all_are_counted() -> None:
    found = Faults()
    found.add(Check.CHAIN_BROKEN, "later", position=9)
    found.merge([Fault(Check.CHAIN_BROKEN, "first", 7, "INQ-1", 3), Fault(Check.CHAIN_BROKEN, "also", 7)])
    found.add(Check.EXPORT_TRUNCATED, "cut")

    assert found.in_order() == (
        Fault(Check.EXPORT_TRUNCATED, "cut"),
        Fault(Check.CHAIN_BROKEN, "first", 7, "INQ-1", 5),
    )
    assert found.positions() == [0, 7]


def test_of_a_whole_log_with_all_evidence_only_what_no_file_shows_is_left_open(tmp_path: Path) -> None:
    report = verify(World().write_down().evidence(tmp_path))

    assert [each.split(" (")[0] for each in report.open] == [
        "whether what was written was true",
        "whether the cases' clocks, settlements, parcels, … are their fold",
        "members that are there for reading only, as `columns`: payload and envelope count",
    ]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    world = World().write_down()
    del world.rows[24:26]
    world.header = {"size": 40}

    fault = next(each for each in verify(world.evidence(tmp_path)).faults if each.check is Check.POSITION_WRONG)

    assert fault.message == "positions 25 to 26 are missing"


def test_cases_of_which_an_extract_has_a_part_are_counted(tmp_path: Path) -> None:
    world = World().write_down()
    rows = [row for row in world.rows if row["case_id"] == "INQ-0"]
    whole = {"seq": len(rows), "leaf_hash": leaf(stored(rows[-1])).hex(), "body": b64(listed("INQ-0", rows))}
    world.positions = [1, 6, 11]
    world.changes.append(lambda lines: next(line for line in lines if line["kind"] == "case").update(whole))

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words
    assert "1 case of which the extract has not all events" in report.open
    world.positions = [row["pos"] for row in rows]
    assert not any("has not all events" in each for each in verify(world.evidence(tmp_path)).open)


def test_a_case_whose_beginning_an_extract_leaves_out_is_not_folded(tmp_path: Path) -> None:
    world = World().write_down()
    rows = [row for row in world.rows if row["case_id"] == "INQ-0"]
    world.positions = [row["pos"] for row in rows[2:]]
    whole = {"opened": 1, "body": b64(listed("INQ-0", rows))}
    world.changes.append(lambda lines: next(line for line in lines if line["kind"] == "case").update(whole))

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words
    assert report.checked["cases folded: kind, stage, times, owner, policy, round, counters and the like"] == 0


def test_receipts_that_show_less_are_counted(tmp_path: Path) -> None:
    """A receipt of a server that signed none; those of trees that the extract is not of."""
    world = World().write_down()
    unsigned, unrooted, alone = (receipt(world.rows, *of) for of in ((6, 12), (6, 35), (1, 1)))
    unsigned["receipt"] = {name: unsigned["receipt"][name] for name in ("position", "hash")}
    del unrooted["receipt"]["inclusion"]
    world.receipts, world.kept_receipts = [], [unsigned, unrooted, alone, receipt(world.rows, 6, 40)]
    world.positions = [1, 6, 11]

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words
    assert report.checked["receipts: signatures, roots, events"] == 4
    assert "1 receipt without a signature: only the events were compared" in report.open
    assert "2 receipts whose tree or event only the whole log can show" in report.open


def test_receipts_of_events_that_an_extract_has_not_are_shown_by_their_proof_alone(tmp_path: Path) -> None:
    """Whoever has a checkpoint can write a receipt without a proof, for anything: its signature says nothing of it."""
    world = World(positions=[1, 6, 11]).write_down()
    proven, invented, unsigned = (receipt(world.rows, 25, 40) for _ in range(3))
    invented["receipt"] |= {"hash": "ab" * 32, "inclusion": []}
    unsigned["receipt"] = {name: unsigned["receipt"][name] for name in ("position", "hash")}
    world.receipts = []
    for kept, unshown in (([proven], 0), ([proven, invented], 1), ([proven, invented, unsigned], 2)):
        world.kept_receipts = kept

        report = verify(world.evidence(tmp_path))

        assert report.holds, report.words
        said = f"{counted(unshown, 'receipt')} whose tree or event only the whole log can show"
        assert (said in report.open) == bool(unshown)


def test_keys_that_a_log_never_had_are_named(tmp_path: Path) -> None:
    """It may be from before its change of key, or written again by whoever holds the key of before."""
    world = World(log_keys=[LOG_KEY, NEXT_KEY]).write_down()

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words
    never = f"whether an older key has written the log again: it never had {NEXT_KEY.verifier.short}"
    assert never in report.open
    world.positions = [1, 6, 11]
    of_an_extract = verify(world.evidence(tmp_path)).open
    assert never not in of_an_extract
    assert any("an extract is believed by any" in each for each in of_an_extract)
