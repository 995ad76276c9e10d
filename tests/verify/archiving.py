"""A case of the forged log that was archived, as an export and the folder of its archive show it."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.verify.forging import LOG, LOG_KEY, Draft, Line, World, leaf, leaves_of, proto, root, seal_root, stored

CASE = "INQ-2"
ARCHIVE = "archive-1"
REMOVED = 43
"""Position of the event that says so, behind the story's forty, the proposal and the approval."""


def rows_of_case(world: World) -> list[Line]:
    return [row for row in world.rows if row["case_id"] == CASE]


def archived(world: World, *, proposed_by: str = "anna", approved_by: str = "boris", **said: Any) -> World:  # noqa: ANN401 - fields of the events
    """Archive a case, with events that say so; their fields can be made to say something else."""
    cases, over = seal_root(rows_of_case(world))
    fields: dict[str, Any] = {"cases": cases, "root": over, "manifest": "ab" * 32, "proven_by": 40} | said
    body = proto(
        *((1, ARCHIVE), (2, fields["cases"]), (3, 8), (4, fields["root"]), (5, fields["manifest"])),
        *((7, fields["proven_by"]), (8, proposed_by), (9, approved_by)),
    )
    world.drafts += [
        proposal(proposed_by, cases=fields["cases"], root=fields["root"]),
        approval(approved_by, cases=fields["cases"], root=fields["root"]),
    ]
    world.drafts.append(Draft("@log", "CasesArchived", f"archive {ARCHIVE}", payload=proto((196, body))))
    world.write_down()
    for row in rows_of_case(world):
        row["payload"] = None
    world.changes.append(name_it)
    return world


def proposal(actor: str = "anna", *, archive: str = ARCHIVE, cases: int = 1, root: str = "") -> Draft:
    body = proto((1, archive), (4, cases), (5, 8), (6, root))
    return Draft("@log", "ArchiveProposed", f"propose {archive}", payload=proto((194, body)), said={"actor": actor})


def approval(actor: str = "boris", *, archive: str = ARCHIVE, cases: int = 1, root: str = "") -> Draft:
    body = proto((1, archive), (2, cases), (3, root))
    return Draft("@log", "ArchiveApproved", f"approve {archive}", payload=proto((195, body)), said={"actor": actor})


def name_it(lines: list[Line]) -> None:
    """Put the line of the archived case where that of the case stands."""
    at = next(n for n, line in enumerate(lines) if line["kind"] == "case" and line["case_id"] == CASE)
    case = lines.pop(at)
    named = {"kind": "archived", "archive_id": ARCHIVE, "removed": REMOVED, "restored": None}
    behind = next(n for n, line in enumerate(lines) if line["kind"] == "checkpoint")
    lines.insert(behind, named | {name: case[name] for name in ("case_id", "opened", "seq", "leaf_hash")})


def restored(position: int | None) -> Callable[[list[Line]], None]:
    """Name it as archived once, beside the line of the case that it is again."""

    def name(lines: list[Line]) -> None:
        case = next(line for line in lines if line["kind"] == "case" and line["case_id"] == CASE)
        name_it(lines)
        next(line for line in lines if line["kind"] == "archived")["restored"] = position
        lines.insert(next(n for n, line in enumerate(lines) if line["kind"] == "case"), case)

    return name


def archived_line(**differing: Any) -> Callable[[World], None]:  # noqa: ANN401 - of any member
    def do(world: World) -> None:
        archived(world)
        world.changes.append(lambda lines: next(line for line in lines if line["kind"] == "archived").update(differing))

    return do


def archived_and_gone_on(world: World) -> None:
    """Two agreed to the case as it was before its last event."""
    agreed = rows_of_case(world)[:-1]
    archived(world, root=seal_root(agreed)[1])
    last = agreed[-1]
    world.changes.append(
        lambda lines: next(line for line in lines if line["kind"] == "archived").update(
            seq=last["seq"], leaf_hash=leaf(stored(last)).hex()
        )
    )


def archived_and_kept(world: World) -> None:
    archived(world)
    world.write_down()


def archived_and_listed(world: World) -> None:
    archived(world)
    world.changes = [restored(None)]


def archived_with_another(world: World) -> None:
    """A case that has no events is named beside it."""
    archived(world)

    def name_another(lines: list[Line]) -> None:
        at = next(n for n, line in enumerate(lines) if line["kind"] == "archived")
        lines.insert(at, lines[at] | {"case_id": "INQ-9"})

    world.changes.append(name_another)


def archived_in_silence(world: World) -> None:
    archived(world)
    world.rows[REMOVED - 1]["payload"] = None


def agreed_to_otherwise(change: Callable[[World], object]) -> Callable[[World], None]:
    """Archive a case, and change what stands before it, as one who has the log's key."""

    def do(world: World) -> None:
        archived(world)
        change(world)
        world.write_down()
        for row in rows_of_case(world):
            row["payload"] = None

    return do


def replaced(world: World, at: int, draft: Draft) -> None:
    world.drafts[at] = draft


def proposal_of_another(world: World) -> None:
    replaced(world, -3, proposal(archive="archive-2"))


def approval_of_another(world: World) -> None:
    replaced(world, -2, approval(archive="archive-2"))


def approval_too_late(world: World) -> None:
    late = world.drafts[-2]
    approval_of_another(world)
    world.drafts.append(late)


def archived_by_one(world: World) -> None:
    archived(world, approved_by="anna")


def withdrawn_all_the_same(world: World) -> None:
    """Withdraw what was archived, under another key than the service would."""
    archived(world)
    withdrawal = proto((199, proto((1, ARCHIVE), (2, "not this one"))))
    world.drafts.append(Draft("@log", "ArchiveWithdrawn", f"withdraw {ARCHIVE}", payload=withdrawal))
    world.write_down()
    for row in rows_of_case(world):
        row["payload"] = None


def without_the_checkpoint_that_proves_it(world: World) -> None:
    archived(world, proven_by=20)
    world.notes = [(size, text) for size, text in world.notes if size != 20]


def archived_otherwise(world: World) -> None:
    archived(world, root="cd" * 32)


def without_the_event(world: World) -> None:
    archived(world)
    world.drafts.pop()
    world.write_down(elsewhere=False)
    for row in rows_of_case(world):
        row["payload"] = None


def folder_of(
    world: World,
    folder: Path,
    *,
    of: Sequence[str] = (CASE,),
    begun_late: Sequence[str] = (),
    **differing: Any,  # noqa: ANN401 - members of the manifest
) -> Path:
    """An archive's folder with an extract of some cases, of some without their first events."""
    rows = [row for row in world.rows if row["case_id"] in of and (row["seq"] > 1 or row["case_id"] not in begun_late)]
    last = {row["case_id"]: row for row in rows}
    world.positions = [row["pos"] for row in rows]
    archive = folder / ARCHIVE
    archive.mkdir()
    (archive / "proofs.jsonl").write_bytes(world.evidence(folder).export.read_bytes())
    (archive / "events.parquet").write_bytes(b"PAR1")
    manifest = {
        "format": "casetrail-archive",
        "version": 1,
        "archive_id": ARCHIVE,
        "log": LOG,
        "origin": LOG_KEY.name,
        "size": len(world.rows),
        "root": root(leaves_of(world.rows)).hex(),
        "cases": len(of),
        "events": len(rows),
        "cases_root": seal_root(rows)[1],
        "files": {name: _described(archive / name) for name in ("proofs.jsonl", "events.parquet")},
        "case_list": [[each, last[each]["seq"], leaf(stored(last[each])).hex()] for each in of],
    } | differing
    (archive / "manifest.json").write_text(json.dumps(manifest))
    return archive


def _described(path: Path) -> Line:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def payload_changed(archive: Path) -> None:
    """Change a payload, and the manifest with it."""
    path = archive / "proofs.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"kind":"event"' in line)
    event = json.loads(lines[at])
    event["payload"] = base64.b64encode(b"\x82\x01\x02ho").decode()
    lines[at] = json.dumps(event).encode() + b"\n"
    body = b"".join(lines[:-1])
    lines[-1] = json.dumps(
        {"kind": "end", "lines": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    ).encode()
    path.write_bytes(body + lines[-1] + b"\n")
    manifest = json.loads((archive / "manifest.json").read_text())
    manifest["files"]["proofs.jsonl"] = _described(path)
    (archive / "manifest.json").write_text(json.dumps(manifest))
