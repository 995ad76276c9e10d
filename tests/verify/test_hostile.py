"""Whatever stands in a file, the verifier comes to a verdict: nothing that is written there can make it stumble."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from casetrail_verify import Evidence, verify
from tests.verify.archiving import archived, folder_of
from tests.verify.forging import Line, World, b64, proto

ANYTHING: list[Any] = [
    *(None, True, -1, 0, 2**63 - 1, 2**63, 2**64, 10**400, 1.5, "", "a", "\ud800", "@log", "=", "ab" * 32, "9" * 30),
    *([], {}, [[]], [None], ["", 0, ""], {"a": 1}, b64(bytes(32)), b64(b"\x0a\xff"), "casetrail/x\n7\n=\n"),
]
EVENTS = {
    "CaseOpened": 20,
    "Prioritized": 30,
    "DecisionRequested": 60,
    "PolicyChanged": 124,
    "LogSealed": 192,
    "SigningKeyChanged": 193,
    "ArchiveProposed": 194,
    "ArchiveApproved": 195,
    "CasesArchived": 196,
    "CaseRestored": 197,
    "ArchiveWithdrawn": 199,
}


def changed(line: Line, chance: random.Random) -> Iterator[Line]:
    """The line with each of its members, and of theirs, as something else."""
    for name, value in line.items():
        if isinstance(value, dict):
            yield from (line | {name: inner} for inner in changed(value, chance))
        for instead in chance.sample(ANYTHING, 2):
            yield line | {name: instead}


def of_each_kind(lines: list[Line]) -> Iterator[int]:
    """Where a line of each kind stands."""
    kinds = [line.get("kind") for line in lines]
    yield from (kinds.index(kind) for kind in dict.fromkeys(kinds))


def written(lines: list[Line]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def judge(evidence: Evidence) -> None:
    report = verify(evidence)
    assert report.words
    assert json.loads(report.json)["holds"] == report.holds


@pytest.mark.parametrize("extract", [False, True])
def test_any_member_of_a_line_may_be_anything(tmp_path: Path, *, extract: bool) -> None:
    world = archived(World().write_down())
    if extract:
        world.positions, world.changes = [1, 6, 11, 43], []
    evidence = world.evidence(tmp_path)
    lines = world.lines()
    chance = random.Random(1)
    for at in of_each_kind(lines):
        for line in changed(lines[at], chance):
            body = written([*lines[:at], line, *lines[at + 1 :]])
            end = {"kind": "end", "lines": len(lines), "sha256": sha256(body).hexdigest()}
            evidence.export.write_bytes(body + written([end]))
            judge(evidence)


@pytest.mark.parametrize("name", ["receipts.jsonl", "checkpoints/2026-11-22.jsonl"])
def test_what_was_kept_may_be_anything(name: str, tmp_path: Path) -> None:
    evidence = World().write_down().evidence(tmp_path)
    (kept, *_) = [json.loads(line) for line in (tmp_path / name).read_bytes().splitlines()]
    for line in changed(kept, random.Random(1)):
        (tmp_path / name).write_bytes(written([line]))
        judge(evidence)


def test_any_member_of_a_manifest_may_be_anything(tmp_path: Path) -> None:
    world = World().write_down()
    archive = folder_of(world, tmp_path)
    manifest = json.loads((archive / "manifest.json").read_text())
    evidence = replace(world.evidence(tmp_path), export=archive, receipts=[], checkpoints=[])
    for line in changed(manifest, random.Random(1)):
        (archive / "manifest.json").write_bytes(written([line]))
        judge(evidence)


@pytest.mark.parametrize("type_", EVENTS)
def test_what_an_event_says_may_be_anything(type_: str, tmp_path: Path) -> None:
    chance = random.Random(type_)
    said: list[int | bytes | str] = [
        0,
        1,
        2**63,
        2**64 - 1,
        "",
        "a",
        b"\xff",
        proto((1, "a"), (2, "ab" * 32)),
        proto((1, 7)),
        bytes(64),
    ]
    for _ in range(5):
        world = World()
        for draft in (world.drafts[16], world.drafts[30]):
            fields = [(chance.randrange(1, 18), chance.choice(said)) for _ in range(chance.randrange(8))]
            body = proto(*dict(fields).items())
            draft.type, draft.payload = type_, proto((EVENTS[type_], body[: len(body) - chance.choice([0, 0, 1])]))
            draft.case = chance.choice([draft.case, "@log"])
        judge(world.write_down().evidence(tmp_path))
