"""How the verifier reads: in pieces, in processes, envelopes of every form; and what it says besides its verdict."""

import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from casetrail_verify import Check, Evidence, Report, envelope, events, export, lines, plain, verify
from casetrail_verify.envelope import EnvelopeError
from casetrail_verify.faults import Faults
from casetrail_verify.parallel import ProcessesError, in_order
from casetrail_verify.tree import ProofError, Tree, root_by_inclusion
from tests.verify.forging import (
    LOG,
    LOG_KEY,
    NEXT_KEY,
    THIRD_KEY,
    WITNESS,
    Draft,
    Line,
    World,
    b64,
    key_change,
    leaf,
    leaves_of,
    note,
    path,
    receipt,
    root,
    sealed,
    stored,
)
from tests.verify.tampering import TAMPERINGS, Tampering, deleted_alone

VECTOR_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
VECTOR_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


Judged = dict[Check, tuple[int, int]]


def faults(report: Report) -> Judged:
    return {fault.check: (fault.position, fault.times) for fault in report.faults}


@pytest.fixture(scope="module")
def judged_in_one_piece(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Evidence, Judged]]:
    """An untouched log and all that were tampered with, each with its faults."""
    judged = []
    for tampering in (None, *TAMPERINGS):
        world = World().write_down()
        if tampering is not None:
            tampering.do(world)
        evidence = world.evidence(tmp_path_factory.mktemp("world"))
        judged.append((evidence, faults(verify(evidence))))
    return judged


@pytest.mark.parametrize("size", [1, 3_000, 8_000])
def test_pieces_that_are_checked_apart_are_judged_as_one(
    size: int, judged_in_one_piece: list[tuple[Evidence, Judged]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_AT_ONCE", size)

    apart = [faults(verify(evidence)) for evidence, _ in judged_in_one_piece]

    assert [found.keys() for found in apart] == [found.keys() for _, found in judged_in_one_piece]
    assert apart[0] == judged_in_one_piece[0][1] == {}


@pytest.mark.parametrize(
    "tampering", [each for each in TAMPERINGS if each.name in {"column payload", "an event deleted", "the file is cut"}]
)
def test_several_processes_find_what_one_finds(tampering: Tampering, tmp_path: Path) -> None:
    world = World().write_down()
    tampering.do(world)
    evidence = world.evidence(tmp_path)

    assert verify(evidence, processes=2) == verify(evidence, processes=1)


def test_a_process_that_dies_is_no_verdict() -> None:
    with pytest.raises(ProcessesError, match="one of its processes has ended"):
        list(in_order(os._exit, [1, 1], 2))


def test_the_tree_is_that_of_the_published_vectors() -> None:
    leaves = [leaf(bytes.fromhex(each)) for each in VECTOR_LEAVES]

    tree = Tree(b"".join(leaves))

    assert [tree.root(size).hex() for size in range(1, 9)] == VECTOR_ROOTS


def test_every_size_of_a_larger_tree_has_the_root_of_the_definition() -> None:
    leaves = [leaf(bytes([each])) for each in range(200)]

    tree = Tree(b"".join(leaves))

    assert [tree.root(size) for size in range(201)] == [root(leaves[:size]) for size in range(201)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13])
def test_an_inclusion_proof_leads_to_the_root_from_its_own_place_only(size: int) -> None:
    leaves = [leaf(bytes([each])) for each in range(size)]
    for index in range(size):
        proof = path(index, leaves)
        assert root_by_inclusion(leaves[index], index, size, proof) == root(leaves)
        for wrong in [proof[:-1], [*proof, leaf(b"x")]]:
            if wrong != proof:
                with pytest.raises(ProofError):
                    root_by_inclusion(leaves[index], index, size, wrong)
        for place in range(-2, 2 * size + 2):
            with suppress(ProofError):
                assert root_by_inclusion(leaves[index], place, size, proof) != root(leaves) or place == index


@pytest.mark.parametrize("index", [-1, 1, 2])
def test_a_tree_has_no_leaf_outside_of_it(index: int) -> None:
    with pytest.raises(ProofError, match="has none"):
        root_by_inclusion(leaf(b""), index, 1, [])


FIRST, OF_VERSION_2 = 0, 10
"""Rows of the story: the first is of version 1."""


@given(
    st.fixed_dictionaries(
        {name: st.none() | st.text(max_size=6) for name in ("actor", "role", "via", "correlation")}
        | {name: st.text(max_size=6) for name in ("case", "key", "type")}
    )
)
def test_an_envelope_of_version_1_is_read_whatever_its_texts(texts: dict[str, str | None]) -> None:
    said = json.loads(stored(World().write_down().rows[FIRST])) | texts | {"id": f"{texts['case']}:1"}

    read = envelope.read(rfc8785.dumps(said).decode())

    assert (read.version, read.case_id, read.key, read.type) == (1, said["case"], said["key"], said["type"])


@given(
    st.fixed_dictionaries(
        {name: st.text(min_size=1, max_size=6) for name in ("case", "key", "type")},
        optional={name: st.text(min_size=1, max_size=6) for name in ("actor", "role", "via", "drill")},
    )
)
def test_an_envelope_of_version_2_is_read_whatever_its_texts(texts: dict[str, str]) -> None:
    said = json.loads(stored(World().write_down().rows[OF_VERSION_2])) | texts

    read = envelope.read(rfc8785.dumps(said).decode())

    assert (read.version, read.case_id, read.key, read.type) == (2, said["case"], said["key"], said["type"])


@pytest.mark.parametrize("row", [FIRST, OF_VERSION_2])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(":", ": ", 1),
        lambda text: text.replace('"mei"', r'"\u006dei"'),
        lambda text: text + "\n",
        lambda text: text.replace('{"actor":"mei",', '{"actor":"eve","actor":"mei",'),
        lambda text: text.replace('"seq":', '"seq": '),
        lambda text: "{" + ",".join(reversed(text[1:-1].split(","))) + "}",
        lambda text: text.replace('"v":', '"v":0.1e'),
        lambda text: text.replace('"pos":1', '"pos":1.0'),
    ],
)
def test_any_other_way_to_write_an_envelope_is_refused(change: Callable[[str], str], row: int) -> None:
    text = stored(World().write_down().rows[row]).decode()

    with pytest.raises(EnvelopeError):
        envelope.read(change(text))


@pytest.mark.parametrize("row", [FIRST, OF_VERSION_2])
def test_a_number_that_json_may_round_is_text_and_no_other_is(row: int) -> None:
    said = json.loads(stored(World().write_down().rows[row]))
    for number in (1, 2**53 - 1, "9007199254740992", "9223372036854775807"):
        assert envelope.read(rfc8785.dumps(said | {"pos": number}).decode()).pos == int(number)
    for wrong in (
        *(0, -1, True, 1.5, None, "", "7", "1e20", "9007199254740991", "09007199254740993", "-9007199254740993"),
        *(2**53, "\uff19007199254740993", " 9007199254740993", "9" * 5000),
    ):
        with pytest.raises(EnvelopeError):
            envelope.read(json.dumps(said | {"pos": wrong}, sort_keys=True, separators=(",", ":")))


def test_an_envelope_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    world = World().write_down()
    row = world.rows[1]
    stands = b64(stored(row).replace(b"mei", b"m\xffi"))

    def change(lines: list[Line]) -> None:
        line = next(line for line in lines if line.get("pos") == row["pos"])
        line["envelope_base64"] = stands
        del line["envelope"]

    world.changes.append(change)

    assert faults(verify(world.evidence(tmp_path)))[Check.ENVELOPE_MALFORMED] == (2, 1)


def test_a_log_whose_key_was_changed_holds_by_its_first_key_alone(tmp_path: Path) -> None:
    world = World()
    world.drafts.append(key_change(LOG_KEY, NEXT_KEY))
    world.write_down()
    size = len(world.rows)
    world.notes[-1] = (size, note(world.rows, size, *world.witnesses, key=NEXT_KEY))
    world.kept, world.kept_receipts = [world.notes[-1]], [receipt(world.rows, 33, size, key=NEXT_KEY)]

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words


def test_each_of_the_keys_of_a_log_signs_from_its_change_to_the_next(tmp_path: Path) -> None:
    world = World()
    world.drafts += [key_change(LOG_KEY, NEXT_KEY), Draft("INQ-1", key="note"), key_change(NEXT_KEY, THIRD_KEY)]
    world.write_down()
    signers = [(0, LOG_KEY), (40, LOG_KEY), (41, NEXT_KEY), (42, NEXT_KEY), (43, THIRD_KEY)]
    world.notes = [(size, note(world.rows, size, WITNESS, key=key)) for size, key in signers]
    world.kept = []

    report = verify(world.evidence(tmp_path))
    assert report.holds, report.words
    for size, signer in signers:
        for other in (key for key in (LOG_KEY, NEXT_KEY, THIRD_KEY) if key is not signer):
            world.kept = [(size, note(world.rows, size, WITNESS, key=other))]
            assert faults(verify(world.evidence(tmp_path))) == {Check.CHECKPOINT_UNSIGNED: (size, 1)}


def test_a_log_that_says_nothing_of_a_change_has_signed_with_its_first_key(tmp_path: Path) -> None:
    world = World().write_down()
    world.log_keys = [LOG_KEY, NEXT_KEY]
    assert verify(world.evidence(tmp_path)).holds
    world.kept = [(30, note(world.rows, 30, key=NEXT_KEY))]

    assert faults(verify(world.evidence(tmp_path))) == {Check.CHECKPOINT_UNSIGNED: (30, 1)}


@pytest.mark.parametrize(("header", "words"), [({"size": -1}, "no log has -1 events"), ({"scope": "part"}, "'part'")])
def test_a_header_that_no_export_has_is_refused(header: dict[str, Any], words: str, tmp_path: Path) -> None:
    world = World().write_down()
    world.header = header

    [fault] = verify(world.evidence(tmp_path)).faults

    assert fault.check is Check.EXPORT_MALFORMED
    assert words in fault.message


def test_an_extract_that_has_the_change_of_key_holds_by_either_key(tmp_path: Path) -> None:
    world = World()
    world.drafts.append(key_change(LOG_KEY, NEXT_KEY))
    world.write_down()
    world.positions = [41]
    world.notes = [(41, note(world.rows, 41, WITNESS, key=NEXT_KEY))]
    world.kept = [(41, note(world.rows, 41, WITNESS, key=LOG_KEY))]

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words


def test_an_extract_that_has_one_of_two_changes_of_key_holds_by_the_keys_that_are_known(tmp_path: Path) -> None:
    """Its own events are not all there: that the first key is in none of them says nothing."""
    world = World(log_keys=[LOG_KEY, NEXT_KEY])
    world.drafts += [key_change(LOG_KEY, NEXT_KEY), key_change(NEXT_KEY, THIRD_KEY)]
    world.write_down()
    world.positions = [42]
    world.notes, world.receipts = [(42, note(world.rows, 42, WITNESS, key=THIRD_KEY))], []
    world.kept, world.kept_receipts = [], []

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words


def test_the_seals_of_several_days_are_each_recomputed(tmp_path: Path) -> None:
    world = World()
    world.drafts += [sealed("2026-11-22", 30), Draft("INQ-1", key="later"), sealed("2026-11-23", 42)]

    report = verify(world.write_down().evidence(tmp_path))

    assert report.holds, report.words
    assert report.checked["seals, recomputed"] == 3


def test_a_column_that_was_changed_is_named(tmp_path: Path) -> None:
    world = World().write_down()
    world.rows[16]["type"] = "Replied"

    (fault,) = verify(world.evidence(tmp_path)).faults

    assert fault.message == "type is 'Replied', and the envelope says 'NoteAdded'"


def test_what_begins_like_no_export_is_not_said_to_be_cut_off(tmp_path: Path) -> None:
    world = World().write_down()
    world.end = lambda _: b"rumour"

    assert faults(verify(world.evidence(tmp_path))) == {Check.EXPORT_MALFORMED: (0, 1)}


def test_an_empty_log_holds(tmp_path: Path) -> None:
    world = World(drafts=[], witnesses=[])
    world.rows, world.notes = [], [(0, note([], 0))]

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words


def test_a_checkpoint_that_the_new_key_signed_too_early_is_refused(tmp_path: Path) -> None:
    world = World()
    world.drafts.append(key_change(LOG_KEY, NEXT_KEY))
    world.write_down()
    world.sign(key=NEXT_KEY)
    world.kept, world.kept_receipts, world.receipts = [], [], []

    assert Check.CHECKPOINT_UNSIGNED in faults(verify(world.evidence(tmp_path)))


def test_an_extract_holds_and_says_what_it_leaves_open(tmp_path: Path) -> None:
    world = World().write_down()
    world.positions = [1, 6, 11]

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words
    assert any("extract" in each for each in report.open)


def test_a_receipt_for_an_event_that_is_not_there_is_refused_unless_it_is_an_extract(tmp_path: Path) -> None:
    world = World().write_down()
    world.kept_receipts = [receipt(world.rows, 25, len(world.rows))]
    world.positions = [1, 6, 11]
    assert verify(world.evidence(tmp_path)).holds
    world.positions = None
    deleted_alone(world)

    (wrong,) = (each for each in verify(world.evidence(tmp_path)).faults if each.check is Check.RECEIPT_WRONG)

    assert (wrong.position, wrong.times) == (25, 1)
    assert wrong.message.endswith("the event it was given for is not there")


def test_a_receipt_of_another_log_is_refused_though_its_tree_is_the_same(tmp_path: Path) -> None:
    world = World().write_down()
    given = receipt(world.rows, 25, len(world.rows))
    given["receipt"]["origin"] = "casetrail/another"
    world.kept_receipts = [given]

    (wrong,) = verify(world.evidence(tmp_path)).faults

    assert (wrong.check, wrong.position) == (Check.RECEIPT_WRONG, 25)
    assert "it is of the log 'casetrail/another', not of" in wrong.message


@pytest.mark.parametrize("number", ["", "1_0", " 25", "-25", "٢٥", "1" * 19, 25, None])
@pytest.mark.parametrize("name", ["position", "treeSize"])
def test_a_receipt_with_a_number_that_is_none_is_malformed(tmp_path: Path, name: str, number: object) -> None:
    world = World().write_down()
    given = receipt(world.rows, 25, len(world.rows))
    given["receipt"][name] = number
    world.kept_receipts = [given]
    assert faults(verify(world.evidence(tmp_path))) == {Check.RECEIPT_MALFORMED: (0, 1)}


@pytest.mark.parametrize(("last", "words"), [(25, "position 25 is missing"), (27, "positions 25 to 27 are missing")])
def test_what_is_missing_is_named(tmp_path: Path, last: int, words: str) -> None:
    world = World(header={"size": 40}).write_down()
    del world.rows[24:last]
    assert words in verify(world.evidence(tmp_path)).words


@pytest.mark.parametrize("member", ["digest", "policy_id", "body"])
def test_a_policy_that_cannot_be_read_is_malformed(tmp_path: Path, member: str) -> None:
    world = World().write_down()
    world.changes.append(lambda lines: next(line for line in lines if line["kind"] == "policy").pop(member))
    assert Check.EXPORT_MALFORMED in faults(verify(world.evidence(tmp_path)))


def test_what_the_log_had_besides_is_not_covered(tmp_path: Path) -> None:
    world = World(header={"log_size": 42}).write_down()

    report = verify(world.evidence(tmp_path))

    assert report.holds
    assert "the 2 newest events that the log says it had, which the export leaves out" in report.open


def test_an_extract_that_leaves_out_an_event_between_two_is_refused(tmp_path: Path) -> None:
    world = World().write_down()
    world.positions = [1, 11]

    assert faults(verify(world.evidence(tmp_path))) == {Check.SEQ_WRONG: (11, 1)}


def test_payloads_of_archived_cases_may_be_gone_when_the_auditor_says_so(tmp_path: Path) -> None:
    world = World().write_down()
    world.rows[16]["payload"] = None
    evidence = world.evidence(tmp_path)

    report = verify(replace(evidence, archived=True))

    assert not verify(evidence).holds
    assert report.holds
    assert any("1 event without payload" in each for each in report.open)


def test_what_is_wrong_outside_of_it_does_not_blur_where_a_log_was_rewritten(tmp_path: Path) -> None:
    world = World().write_down()
    world.drafts[16] = replace(world.drafts[16], payload=b"\x82\x01\x02ho")
    world.write_down(sign=False, elsewhere=False)
    for position in (3, 30):
        world.rows[position - 1]["dek_id"] = "k"
    world.rows[30]["leaf_hash"] = "ab" * 32

    found = faults(verify(world.evidence(tmp_path)))

    assert (found[Check.ROOT_WRONG][0], found[Check.COLUMN_CHANGED]) == (13, (3, 2))
    assert found[Check.LEAF_HASH_WRONG] == (31, 1)


def test_text_that_needs_escapes_is_no_fault(tmp_path: Path) -> None:
    world = World()
    world.drafts[0] = Draft("INQ-0", key='a "quoted" \\ key', said={"actor": "李雷"})
    world.drafts[5].ordinal = 0
    world.write_down()

    report = verify(world.evidence(tmp_path))

    assert report.holds, report.words


def test_the_last_line_of_a_folder_that_a_crash_cut_off_does_not_count(tmp_path: Path) -> None:
    evidence = World().write_down().evidence(tmp_path)
    with (tmp_path / "checkpoints" / "2026-11-22.jsonl").open("a") as file:
        file.write('{"note":"casetr')

    assert verify(evidence).holds


@pytest.mark.parametrize(
    ("file", "check"),
    [("checkpoints/2026-11-22.jsonl", Check.CHECKPOINT_MALFORMED), ("receipts.jsonl", Check.RECEIPT_MALFORMED)],
)
def test_a_line_that_cannot_be_read_is_a_fault_where_others_follow(file: str, check: Check, tmp_path: Path) -> None:
    evidence = World().write_down().evidence(tmp_path)
    kept = tmp_path / file
    kept.write_bytes(b'{"note":"casetr\n' + kept.read_bytes())

    report = verify(evidence)

    assert faults(report) == {check: (0, 1)}
    assert f"{kept}, line 1: it is no JSON" in report.faults[0].message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"kind":"event"}', "line 56 ('event') stands behind the events"),
        (b'{"kind":"seal"}', "line 56 ('seal') stands behind the events"),
        (b'{"kind":"rumour"}', "line 56 ('rumour') is of an unknown kind"),
        (b'{"kind":"policy"}', "line 56 ('policy') stands behind lines that follow it"),
        (b"rumour", "line 56: it is no JSON"),
    ],
)
def test_a_line_that_does_not_belong_behind_the_events_is_told_by_its_number(
    line: bytes, words: str, tmp_path: Path
) -> None:
    world = World().write_down()
    world.end = lambda text: text + line + b"\n"

    report = verify(world.evidence(tmp_path))

    assert words in next(fault.message for fault in report.faults if fault.check is Check.EXPORT_MALFORMED)


def test_a_hostile_export_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    world = World().write_down()
    world.rows[3]["case_id"] = "\x1b[2J"

    assert "\x1b" not in verify(world.evidence(tmp_path)).words


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Half a character can be named in JSON, and nothing that has it can be signed."""
    world = World(header={"origin": "origin"}).write_down()
    world.end = lambda text: text.replace(b'"origin":"origin"', rb'"origin":"\ud800"')

    assert faults(verify(world.evidence(tmp_path))) == {Check.EXPORT_MALFORMED: (0, 1)}


@pytest.mark.parametrize("at", [0, 3, 60])
def test_a_line_without_an_end_is_not_held_in_memory(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_LONGEST", 1 << 16)
    monkeypatch.setattr(export, "_AT_ONCE", 1 << 12)
    world = World().write_down()

    def end(text: bytes) -> bytes:
        whole = text.splitlines(keepends=True)
        return b"".join([*whole[:at], b"{" * (1 << 17), *whole[at:]])

    world.end = end

    report = verify(world.evidence(tmp_path))

    assert "is longer than any that there is" in next(
        fault.message for fault in report.faults if fault.check is Check.EXPORT_MALFORMED
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_a_line_that_is_nested_deeply_is_refused_by_any_process(processes: int, tmp_path: Path) -> None:
    world = World().write_down()
    world.end = lambda text: text + b'{"kind":' + b"[" * 900 + b"]" * 900 + b"}\n"

    report = verify(world.evidence(tmp_path), processes=processes)

    assert report.faults[0].message == "line 56: it is nested too deeply"


@pytest.mark.parametrize("seed", range(8))
def test_no_byte_of_an_export_can_change_unnoticed(seed: int, tmp_path: Path) -> None:
    evidence = World().write_down().evidence(tmp_path)
    untouched = evidence.export.read_bytes()
    chance = random.Random(seed)

    for _ in range(12):
        changed = bytearray(untouched)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        evidence.export.write_bytes(changed)
        assert not verify(evidence).holds


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    verify(World().write_down().evidence(tmp_path))

    assert list(temporary.iterdir()) == []


def test_the_auditors_page_explains_every_reason() -> None:
    page = (Path(__file__).parents[2] / "docs" / "auditors.md").read_text(encoding="utf-8")

    assert [check for check in Check if f"`{check}`" not in page] == []


@given(
    st.fixed_dictionaries(
        {name: st.text(min_size=1, max_size=6) for name in ("actor", "case", "key", "type", "via")}
        | {"at": st.integers(-(10**12), 10**12)}
    )
)
def test_an_event_is_read_the_short_way_as_the_long_way_reads_it(texts: dict[str, Any]) -> None:
    world, found = World(), Faults()
    world.drafts = [Draft("INQ-1", said=texts)]
    world.write_down(sign=False, elsewhere=False)
    line = world.written(world.rows[0])

    short = plain.read(line, tree_of(world))

    at = texts.pop("at")
    no_date = not -62_135_596_800 <= at <= 253_402_300_799
    escaped = any(character in '"\\' or character < " " for character in "".join(texts.values()))
    assert (short is None) == (escaped or no_date)
    assert short in (None, events.check(lines.parse(line), tree_of(world), found))
    assert bool(found.in_order()) == no_date


@pytest.mark.parametrize("seed", range(8))
def test_no_fault_of_an_event_is_passed_over_on_the_short_way(seed: int) -> None:
    world = World().write_down()
    untouched = world.written(world.rows[OF_VERSION_2 + 3])
    chance = random.Random(seed)
    assert plain.read(untouched, tree_of(world)) is not None

    for _ in range(200):
        changed = bytearray(untouched)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        short, found = plain.read(bytes(changed), tree_of(world)), Faults()
        if short is not None:
            assert short == events.check(lines.parse(bytes(changed)), tree_of(world), found)
            assert not found.in_order()


def tree_of(world: World) -> events.Tree:
    return events.Tree(LOG, len(world.rows), root(leaves_of(world.rows)), whole=True)
