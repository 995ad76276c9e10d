"""Ways to tamper with a log, each with the first place where that must be found.

`signed` ones have the log's key: what they write is signed anew, in the export; what the auditor keeps elsewhere stays
as it was. `trusting` ones are shown to an auditor who keeps nothing elsewhere: they leave it to one check to find them.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from casetrail_verify import Check
from tests.verify.archiving import (
    REMOVED,
    agreed_to_otherwise,
    approval,
    approval_of_another,
    approval_too_late,
    archived_and_gone_on,
    archived_and_kept,
    archived_and_listed,
    archived_by_one,
    archived_in_silence,
    archived_line,
    archived_otherwise,
    archived_with_another,
    proposal,
    proposal_of_another,
    replaced,
    withdrawn_all_the_same,
    without_the_checkpoint_that_proves_it,
    without_the_event,
)
from tests.verify.forging import (
    ABSENT,
    COSIGNING_KEY,
    FOREIGN_KEY,
    FOURTH_KEY,
    LOG,
    LOG_KEY,
    NEXT_KEY,
    OTHER_LOG,
    THIRD_KEY,
    UNDER,
    WITNESS,
    Draft,
    Key,
    Line,
    World,
    b64,
    hashed,
    key_change,
    leaf,
    leaves_of,
    listed,
    microseconds,
    note,
    note_of,
    opened,
    proto,
    root,
    rows_of,
    seal_root,
    sealed,
    story,
)

SIZE = 40
HASH = hashed(leaf(b"another event"))


class Tampering(NamedTuple):
    """What is done to a log.

    Attributes:
        name: In words.
        check: That finds it.
        position: The first that is wrong; 0 where it is no event's.
        do: It.
    """

    name: str
    check: Check
    position: int
    do: Callable[[World], None]


def column(name: str, value: Any, pos: int = 17) -> Callable[[World], None]:  # noqa: ANN401 - of any column
    def do(world: World) -> None:
        world.rows[pos - 1][name] = value

    return do


def flipped(name: str, pos: int = 17) -> Callable[[World], None]:
    """Flip a bit of a column that is bytes or text."""

    def do(world: World) -> None:
        row = world.rows[pos - 1]
        if name == "payload":
            data = bytearray(base64.b64decode(row[name]))
            data[-1] ^= 1
            row[name] = b64(bytes(data))
        else:
            text = row[name]
            last = text[-3]
            row[name] = text[:-3] + ("0" if last != "0" else "1") + text[-2:]

    return do


def rewritten(pos: int, *, signed: bool, trusting: bool = False, **changes: Any) -> Callable[[World], None]:  # noqa: ANN401 - of a draft
    """Change an event and write the whole log again, with fresh hashes."""

    def do(world: World) -> None:
        world.drafts[pos - 1] = replace(world.drafts[pos - 1], **changes)
        write_again(world, signed=signed, trusting=trusting)

    return do


def happened_otherwise(type_: str, payload: bytes) -> Callable[[World], None]:
    return rewritten(17, signed=True, trusting=True, type=type_, payload=payload)


def also(draft: Draft, more: bytes) -> Draft:
    """Say something more in a payload, which a protobuf reader merges with what stands there."""
    assert isinstance(draft.payload, bytes)
    return replace(draft, payload=draft.payload + more)


def write_again(world: World, *, signed: bool, trusting: bool = False) -> None:
    world.write_down(sign=signed, elsewhere=False)
    if trusting:
        world.kept, world.kept_receipts = [], []


def swapped(world: World) -> None:
    world.rows[10], world.rows[11] = world.rows[11], world.rows[10]


def deleted(world: World) -> None:
    del world.rows[24]
    world.header = {"size": SIZE}


def deleted_alone(world: World) -> None:
    """Nothing else in the export is made to fit, as where it was deleted in the database."""

    def change(lines: list[Line]) -> None:
        lines[:] = [line for line in lines if (line["kind"], line.get("pos")) != ("event", 25)]

    world.changes.append(change)


def inserted(world: World) -> None:
    world.rows.insert(24, world.rows[24] | {"event_id": "INQ-9:1", "case_id": "INQ-9", "seq": 1})
    world.header = {"size": SIZE}


def duplicated(world: World) -> None:
    world.rows.insert(24, world.rows[23])
    world.header = {"size": SIZE}


def last_lines_gone(world: World) -> None:
    del world.rows[-3:]
    world.header = {"size": SIZE}


def old_copy(world: World) -> None:
    """The log as it was at 30 events, with all that belongs to it."""
    world.drafts = world.drafts[:30]
    write_again(world, signed=True)
    world.kept_receipts = world.kept_receipts[:1]


def old_copy_and_receipt(world: World) -> None:
    old_copy(world)
    world.kept_receipts = [
        {"caseId": "INQ-1", "requestId": "r", "receipt": {"position": "33", "hash": "ab" * 32}},
    ]
    world.kept = []


def inserted_afresh(world: World) -> None:
    world.drafts.insert(24, Draft("INQ-2", key="later"))
    write_again(world, signed=False)


def deleted_afresh(world: World) -> None:
    del world.drafts[26]
    write_again(world, signed=True)


def edited_after_last_checkpoint(world: World) -> None:
    """Nothing of the last ten events was signed yet when they are changed."""
    world.notes, world.receipts = world.notes[:-1], []
    world.kept, world.kept_receipts = world.kept[:1], world.kept_receipts[:1]
    world.witnesses = []
    world.drafts[36] = replace(world.drafts[36], payload=b"\x82\x01\x02ho")
    write_again(world, signed=False)


def hidden_tail(world: World) -> None:
    """The last event of a case before the seal is left out; what else says so is not at hand."""
    seal = world.rows[19]
    world.drafts[19] = replace(world.drafts[19], payload=base64.b64decode(seal["payload"]))
    world.drafts[17] = Draft("INQ-3", key="other")
    write_again(world, signed=True, trusting=True)


def without_seal_line(world: World) -> None:
    world.changes.append(lambda lines: lines.remove(next(line for line in lines if line["kind"] == "seal")))


def with_seal_line(world: World) -> None:
    seal = {"kind": "seal", "position": 31, "day": "2026-11-22", "size": 30, "cases": 5, "root": "ab" * 32}
    world.changes.append(lambda lines: lines.insert(1, seal))


def with_half_a_seal_line(world: World) -> None:
    world.changes.append(lambda lines: next(line for line in lines if line["kind"] == "seal").pop("size"))


def with_two_seal_lines(world: World) -> None:
    def do(lines: list[Line]) -> None:
        at = next(n for n, line in enumerate(lines) if line["kind"] == "seal")
        lines.insert(at, lines[at] | {"cases": 7})

    world.changes.append(do)


def with_two_envelopes(world: World) -> None:
    """One is hashed, and another is there for people to read."""
    row = world.rows[16]
    world.changes.append(
        lambda lines: next(line for line in lines if line.get("pos") == row["pos"]).update(
            envelope_base64=b64(row["envelope"].encode()), envelope=row["envelope"].replace("mei", "amy")
        )
    )


def seal_without_payload(world: World) -> None:
    world.changes.append(lambda lines: next(line for line in lines if line.get("pos") == 20).update(payload=None))


def second_seal_wrong(world: World) -> None:
    """Of the first 31 events, and made of the first 30."""

    def payload(rows: list[Line]) -> bytes:
        cases, over = seal_root(rows[:30])
        return proto((192, proto((1, "2026-11-22"), (2, 31), (3, cases), (4, over))))

    world.drafts.append(Draft("@log", "LogSealed", "seal 2026-11-22", payload=payload))
    write_again(world, signed=True, trusting=True)


def sealed_with_itself(world: World) -> None:
    """The seal says that it stands in the part of the log that it seals."""
    world.drafts[19] = sealed("2026-11-21", 20)
    write_again(world, signed=True, trusting=True)


def sealed_under_another_day(world: World) -> None:
    world.drafts[19] = replace(sealed("2026-11-21", 18), key="seal 2026-11-20")
    write_again(world, signed=True, trusting=True)


def two_roots(world: World) -> None:
    """An extract cannot show which of two histories is the log's; that there are two, it can."""
    world.positions = [1, 6, 11]
    world.kept = [(30, note_of(LOG_KEY.name, 30, leaf(b"another history")))]


def two_checkpoints_of_one_size(world: World) -> None:
    world.kept.append((30, note_of(LOG_KEY.name, 30, leaf(b"another history"))))


def checkpoint(at: int, text: Callable[[World], str]) -> Callable[[World], None]:
    """Replace the export's checkpoint of a size."""

    def do(world: World) -> None:
        world.notes = [(size, text(world) if size == at else kept) for size, kept in world.notes]

    return do


def torn_note(world: World) -> str:
    return note(world.rows, 20).removesuffix("\n")


def with_a_wrong_cosignature(world: World) -> str:
    right = note(world.rows, 20)
    return right + note_of(LOG_KEY.name, 20, leaf(b"else"), *world_witnesses(world)).split("\n")[-2] + "\n"


def at_another_time(world: World) -> str:
    """A day later than the witness saw it."""
    signed = note(world.rows, 20)
    _, name, encoded = WITNESS.cosign(body_of(signed)).split()
    data = base64.b64decode(encoded)
    later = int.from_bytes(data[4:12], "big") + 86_400
    return f"{signed}— {name} {b64(data[:4] + later.to_bytes(8, 'big') + data[12:])}\n"


def at_no_time(world: World) -> str:
    """As the witness would sign if it were a log."""
    signed = note(world.rows, 20)
    return signed + WITNESS.line(body_of(signed))


def body_of(signed: str) -> str:
    return signed.partition("\n\n")[0] + "\n"


def witnessed_by_another(world: World) -> None:
    world.notes[-1] = (SIZE, note(world.rows, SIZE, Key(WITNESS.name, 4, 9)))
    world.kept = []


def world_witnesses(world: World) -> list[Any]:
    return list(world.witnesses)


def unwitnessed(world: World) -> None:
    world.notes[-1] = (SIZE, note(world.rows, SIZE))
    world.kept = []


def stolen_key(world: World) -> None:
    """Rewrite everything with the log's key; the witness does not sign, and the auditor keeps nothing elsewhere."""
    world.drafts[8] = replace(world.drafts[8], payload=b"\x82\x01\x02ho")
    write_again(world, signed=True, trusting=True)
    world.notes = [(size, note(world.rows, size)) for size, _ in world.notes]


def foreign_lines(world: World) -> None:
    other = rows_of(story(), OTHER_LOG)
    world.changes.append(lambda lines: lines.__setitem__(slice(2 + 24, 2 + 27), other[24:27]))


def foreign_log_under_our_name(world: World) -> None:
    world.log = OTHER_LOG
    world.header = {"log": OTHER_LOG}
    write_again(world, signed=True, trusting=True)


def foreign_checkpoint(world: World) -> None:
    world.kept.append((30, note(world.rows, 30, key=FOREIGN_KEY, origin=FOREIGN_KEY.name)))


def second_header(world: World) -> None:
    world.changes.append(lambda lines: lines.append(lines[0]))


def unknown_line(world: World) -> None:
    world.changes.append(lambda lines: lines.append({"kind": "rumour"}))


def policies_last(world: World) -> None:
    def do(lines: list[Line]) -> None:
        policy = next(line for line in lines if line["kind"] == "policy")
        lines.remove(policy)
        lines.insert(next(n for n, line in enumerate(lines) if line["kind"] == "checkpoint"), policy)

    world.changes.append(do)


def late_event(world: World) -> None:
    world.changes.append(lambda lines: lines.append(lines[5]))


def torn_event(world: World) -> None:
    def do(lines: list[Line]) -> None:
        del lines[18]["key"]

    world.changes.append(do)


def second_end(world: World) -> None:
    def end(text: bytes) -> bytes:
        said = {"kind": "end", "lines": text.count(b"\n"), "sha256": hashlib.sha256(text).hexdigest()}
        return text + json.dumps(said).encode() + b"\n"

    world.end = end


def no_end(world: World) -> None:
    world.end = lambda text: text[: text.index(b'{"kind": "end"')]


def wrong_end(world: World) -> None:
    world.end = lambda text: text.replace(b'"subject"', b'"Subject"').replace(b'"KIND_INQUIRY"', b'"KIND_COMPLAINT"', 1)


def cut(world: World) -> None:
    """The file was not copied whole."""
    world.end = lambda text: text[: len(text) * 2 // 3]


def skipped_position(world: World) -> None:
    world.drafts[-1].said["pos"] = SIZE + 1
    write_again(world, signed=True, trusting=True)


def more_than_announced(world: World) -> None:
    """One event stands behind the tree that the header speaks of, and nothing that was signed is of as many."""
    world.header = {"size": SIZE - 1, "root": root(leaves_of(world.rows[: SIZE - 1])).hex()}
    world.notes[-1] = (SIZE - 1, note(world.rows, SIZE - 1, *world.witnesses))
    world.kept = []


def time_backwards(world: World) -> None:
    world.drafts[24].said["recorded"] = microseconds("2026-11-22T11:00:00.000000Z")
    write_again(world, signed=True, trusting=True)


def skipped_seq(world: World) -> None:
    last = world.rows[-1]
    seq = last["seq"] + 1
    world.drafts[-1].said["seq"] = seq
    write_again(world, signed=True, trusting=True)


def begun_late(world: World) -> None:
    world.drafts.append(Draft("INQ-9", key="late", said={"seq": 2, "prev": HASH, "log": ABSENT}))
    write_again(world, signed=True, trusting=True)


def said(name: str, value: Any, pos: int = 17) -> Callable[[World], None]:  # noqa: ANN401 - of any member
    """Have an envelope say something else, with everything else made and signed to fit."""

    def do(world: World) -> None:
        world.drafts[pos - 1].said[name] = value
        write_again(world, signed=True, trusting=True)

    return do


def begun_again(world: World) -> None:
    world.drafts[16].said |= {"prev": ABSENT, "log": LOG}
    write_again(world, signed=True, trusting=True)


def along_with_itself(world: World) -> None:
    draft = world.drafts[17]
    draft.said |= {"cause": "time", "digest": ABSENT, "correlation": draft.key}
    write_again(world, signed=True, trusting=True)


def changed_from_an_old_key(world: World) -> None:
    """Whoever holds a key that the log has changed twice since changes it to one of their own."""
    world.drafts += [key_change(LOG_KEY, NEXT_KEY), key_change(NEXT_KEY, THIRD_KEY), key_change(NEXT_KEY, FOURTH_KEY)]
    write_again(world, signed=True, trusting=True)
    world.notes[-1] = (43, note(world.rows, 43, *world.witnesses, key=THIRD_KEY))


def gone_on_from_an_old_key(world: World) -> None:
    """Whoever holds the first key, which the log has changed since, changes it to one of their own instead."""
    changed_key(key_change(LOG_KEY, THIRD_KEY))(world)
    world.notes[-1] = (41, note(world.rows, 41, *world.witnesses, key=THIRD_KEY))
    world.log_keys = [LOG_KEY, NEXT_KEY]


def changed_key(draft: Draft) -> Callable[[World], None]:
    """Write down a change of key, and go on with the old one."""

    def do(world: World) -> None:
        world.drafts.append(draft)
        write_again(world, signed=True, trusting=True)

    return do


def changed_key_in_silence(world: World) -> None:
    changed_key(key_change(LOG_KEY, NEXT_KEY))(world)
    world.rows[40]["payload"] = None


def old_key_after_change(world: World) -> None:
    """Whoever holds the key that the log no longer signs with signs with it all the same."""
    world.drafts.append(key_change(LOG_KEY, NEXT_KEY))
    write_again(world, signed=True, trusting=True)
    world.notes = [(size, note(world.rows, size, *world.witnesses, key=LOG_KEY)) for size, _ in world.notes]


def kept_receipt(change: Callable[[Line], None]) -> Callable[[World], None]:
    def do(world: World) -> None:
        change(world.kept_receipts[0])

    return do


def claim_of_case(receipt: Line) -> None:
    receipt["caseId"] = "INQ-9"


def receipt_without_number(receipt: Line) -> None:
    receipt["receipt"]["position"] = 7


def receipt_of_other_event(receipt: Line) -> None:
    receipt["receipt"] = {"position": "7", "hash": "ab" * 32}


def receipt_by_nobody(receipt: Line) -> None:
    receipt["receipt"]["signature"] = b64(bytes(64))


def receipt_of_other_key(receipt: Line) -> None:
    receipt["receipt"]["keyId"] = NEXT_KEY.hash.hex()


def receipt_without(name: str) -> Callable[[Line], None]:
    return lambda receipt: receipt["receipt"].pop(name)


def receipt_of_smaller_tree(world: World) -> None:
    """A signature that stands under an earlier receipt, and no proof."""
    signed, later = (each["receipt"] for each in world.kept_receipts)
    of_tree = {name: signed[name] for name in ("treeSize", "root", "signature", "keyId", "origin")}
    later |= of_tree | {"inclusion": []}


def receipt_with_other_proof(receipt: Line) -> None:
    receipt["receipt"]["inclusion"][0] = b64(bytes(32))


def listed_case(change: dict[str, Any]) -> Callable[[World], None]:
    def do(world: World) -> None:
        world.changes.append(
            lambda lines: next(
                line for line in lines if line.get("case_id") == "INQ-2" and line["kind"] == "case"
            ).update(change)
        )

    return do


def listed_as_it_once_was(world: World) -> None:
    rows = [row for row in world.rows if row["case_id"] == "INQ-2"][:3]
    listed_case({"seq": 3, "leaf_hash": rows[-1]["leaf_hash"], "body": b64(listed("INQ-2", rows))})(world)


def folded_otherwise(**differing: int) -> Callable[[World], None]:
    """List a case with something that its events do not make of it."""

    def do(world: World) -> None:
        def change(lines: list[Line]) -> None:
            rows = [line for line in lines if line.get("case_id") == "INQ-2" and line["kind"] == "event"]
            case = next(line for line in lines if line.get("case_id") == "INQ-2" and line["kind"] == "case")
            case["body"] = b64(listed("INQ-2", rows, **differing))

        world.changes.append(change)

    return do


def listed_twice(world: World) -> None:
    def do(lines: list[Line]) -> None:
        at = next(n for n, line in enumerate(lines) if line.get("case_id") == "INQ-2" and line["kind"] == "case")
        lines.insert(at, lines[at])

    world.changes.append(do)


def listed_log(world: World) -> None:
    row = world.rows[19]
    case = {"kind": "case", "case_id": "@log", "opened": 20, "seq": 1, "leaf_hash": row["leaf_hash"]}
    body = b64(listed("@log", [row]))

    def do(lines: list[Line]) -> None:
        at = next(n for n, line in enumerate(lines) if line["kind"] == "case")
        lines.insert(at, case | {"body": body, "columns": {}})

    world.changes.append(do)


def listed_without_events(world: World) -> None:
    def do(lines: list[Line]) -> None:
        at = next(n for n, line in enumerate(lines) if line["kind"] == "case")
        body = b64(proto((1, "INQ-9"), (4, 1)))
        lines.insert(at, lines[at] | {"case_id": "INQ-9", "opened": 41, "seq": 1, "body": body})

    world.changes.append(do)


def unlisted_case(world: World) -> None:
    world.changes.append(
        lambda lines: lines.remove(
            next(line for line in lines if line["kind"] == "case" and line["case_id"] == "INQ-2")
        )
    )


def changed_policy(world: World) -> None:
    world.changes.append(
        lambda lines: next(line for line in lines if line["kind"] == "policy").update(body=b64(b"milder"))
    )


def missing_policy(world: World) -> None:
    world.changes.append(lambda lines: lines.remove(next(line for line in lines if line["kind"] == "policy")))


def missing_former_policy(world: World) -> None:
    """A case began under a policy that is taken out, and went on under another."""
    world.drafts[1] = replace(world.drafts[1], payload=opened(under=proto((1, "q"), (2, "ab" * 32))))
    happened_otherwise("PolicyChanged", proto((124, proto((1, UNDER)))))(world)
    notes = sum(row["case_id"] == "INQ-2" for row in world.rows) - 2
    folded_otherwise(notes=notes)(world)


def sealed_and_more(world: World) -> None:
    seal = base64.b64decode(world.rows[19]["payload"])
    world.drafts[19] = replace(world.drafts[19], payload=seal + proto((193, b"")))
    write_again(world, signed=True, trusting=True)


def archived_by_two_names(world: World) -> None:
    """A reader that joins the two reads that one person did both."""
    agreed_to_otherwise(lambda world: replaced(world, -1, also(world.drafts[-1], proto((196, proto((9, "anna")))))))(
        world
    )


def wrong_inclusion(world: World) -> None:
    world.positions = [1, 6, 11]

    def do(lines: list[Line]) -> None:
        lines[3]["inclusion"][0] = b64(bytes(32))

    world.changes.append(do)


def half_an_inclusion(world: World) -> None:
    world.positions = [1, 6, 11]
    world.changes.append(lambda lines: lines[3]["inclusion"].pop())


def begun_elsewhere(world: World) -> None:
    """The first event of a case says that one stands before it."""
    said("prev", "ab" * 32, 2)(world)
    world.positions = [2]


def wrong_header_root(world: World) -> None:
    world.header = {"root": root(leaves_of(world.rows[:39])).hex()}


def repeated_in_an_extract(world: World) -> None:
    world.positions = [1, 6, 6, 11]


def unsigned_extract(world: World) -> None:
    """An extract of a log that nobody has signed: its proofs lead to a root that is nobody's word."""
    world.positions = [1, 6, 11]
    world.notes, world.kept, world.witnesses = world.notes[:-1], [], []


TAMPERINGS = [
    # Single columns
    Tampering("column pos", Check.POSITION_WRONG, 16, column("pos", 16)),
    Tampering("column pos of the last", Check.POSITION_WRONG, 40, column("pos", 41, SIZE)),
    Tampering("column case_id", Check.COLUMN_CHANGED, 17, flipped("case_id")),
    Tampering("column seq", Check.COLUMN_CHANGED, 17, column("seq", 9)),
    Tampering("column seq below any", Check.EXPORT_MALFORMED, 0, column("seq", -1)),
    Tampering("column seq beyond any", Check.EXPORT_MALFORMED, 0, column("seq", 1 << 64)),
    Tampering("column key", Check.COLUMN_CHANGED, 17, flipped("key")),
    Tampering("column ordinal", Check.ORDINAL_WRONG, 17, column("ordinal", 2)),
    Tampering("column ordinal of the first", Check.ORDINAL_WRONG, 2, column("ordinal", 1, 2)),
    Tampering("column ordinal beyond any", Check.EXPORT_MALFORMED, 0, column("ordinal", (1 << 63) - 1)),
    Tampering("column event_id", Check.COLUMN_CHANGED, 17, flipped("event_id")),
    Tampering("column type", Check.COLUMN_CHANGED, 17, flipped("type")),
    Tampering("column recorded_at", Check.COLUMN_CHANGED, 17, column("recorded_at", 1_795_348_800_017_001)),
    Tampering("column dek_id", Check.COLUMN_CHANGED, 17, column("dek_id", "k")),
    Tampering("column leaf_hash", Check.LEAF_HASH_WRONG, 17, flipped("leaf_hash")),
    Tampering("column payload", Check.PAYLOAD_CHANGED, 17, flipped("payload")),
    Tampering("payload removed", Check.PAYLOAD_MISSING, 17, column("payload", None)),
    # Archives
    Tampering("archived by one alone", Check.ARCHIVE_WRONG, REMOVED, archived_by_one),
    Tampering("archived, approved by nobody", Check.ARCHIVE_WRONG, REMOVED, agreed_to_otherwise(approval_of_another)),
    Tampering("archived, proposed by nobody", Check.ARCHIVE_WRONG, REMOVED, agreed_to_otherwise(proposal_of_another)),
    Tampering("archived, approved too late", Check.ARCHIVE_WRONG, REMOVED, agreed_to_otherwise(approval_too_late)),
    Tampering(
        *("archived, approved before it was proposed", Check.ARCHIVE_WRONG, REMOVED),
        agreed_to_otherwise(lambda world: world.drafts.insert(-1, world.drafts.pop(-3))),
    ),
    Tampering(
        *("archived, approved by another than it says", Check.ARCHIVE_WRONG, REMOVED),
        agreed_to_otherwise(lambda world: world.drafts[-2].said.update(actor="clara")),
    ),
    Tampering(
        *("archived, proposed by another than it says", Check.ARCHIVE_WRONG, REMOVED),
        agreed_to_otherwise(lambda world: world.drafts[-3].said.update(actor="clara")),
    ),
    Tampering(
        *("archived, approved something else", Check.ARCHIVE_WRONG, REMOVED),
        agreed_to_otherwise(lambda world: replaced(world, -2, approval(root="cd" * 32))),
    ),
    Tampering(
        *("archived, proposed something else", Check.ARCHIVE_WRONG, REMOVED),
        agreed_to_otherwise(lambda world: replaced(world, -3, proposal(root="cd" * 32))),
    ),
    Tampering("archived, and who approved it is said twice", Check.ARCHIVE_WRONG, REMOVED, archived_by_two_names),
    Tampering("archived what was not agreed to", Check.ARCHIVE_WRONG, REMOVED, archived_otherwise),
    Tampering("archived though it was withdrawn", Check.ARCHIVE_WRONG, REMOVED, withdrawn_all_the_same),
    Tampering(
        "archived, and its checkpoint deleted", Check.CHECKPOINT_MISSING, 20, without_the_checkpoint_that_proves_it
    ),
    Tampering("archived without an event", Check.ARCHIVE_WRONG, REMOVED, without_the_event),
    Tampering("an archived case with another end", Check.ARCHIVE_WRONG, REMOVED, archived_line(seq=3)),
    Tampering("an archived case with another beginning", Check.ARCHIVE_WRONG, REMOVED, archived_line(opened=3)),
    Tampering("an archived case that has gone on", Check.ARCHIVE_WRONG, REMOVED, archived_and_gone_on),
    Tampering("an archived case whose payloads are still there", Check.ARCHIVE_WRONG, REMOVED, archived_and_kept),
    Tampering("an archived case that is still listed", Check.ARCHIVE_WRONG, REMOVED, archived_and_listed),
    Tampering("an archived case that there never was", Check.ARCHIVE_WRONG, REMOVED, archived_with_another),
    Tampering("an archived case with an end in words", Check.EXPORT_MALFORMED, 0, archived_line(seq="four")),
    Tampering("an archived case of which the event says nothing", Check.ARCHIVE_WRONG, REMOVED, archived_in_silence),
    Tampering("an archived case of another archive", Check.ARCHIVE_WRONG, REMOVED, archived_line(archive_id="x")),
    Tampering(
        "envelope, a value",
        Check.LEAF_HASH_WRONG,
        17,
        lambda world: world.rows[16].update(envelope=world.rows[16]["envelope"].replace('"mei"', '"amy"')),
    ),
    Tampering(
        "envelope, a value, of the last event before a checkpoint",
        Check.ROOT_WRONG,
        30,
        lambda world: world.rows[29].update(envelope=world.rows[29]["envelope"].replace('"mei"', '"amy"')),
    ),
    Tampering(
        "envelope, a brace",
        Check.ENVELOPE_MALFORMED,
        17,
        lambda world: world.rows[16].update(envelope=world.rows[16]["envelope"][:-1]),
    ),
    Tampering("an envelope in two ways", Check.EXPORT_MALFORMED, 0, with_two_envelopes),
    # Rows
    Tampering("two events swapped", Check.POSITION_WRONG, 11, swapped),
    Tampering("an event deleted", Check.POSITION_WRONG, 25, deleted),
    Tampering("an event deleted, the list of cases as it was", Check.POSITION_WRONG, 25, deleted_alone),
    Tampering("an event inserted", Check.POSITION_WRONG, 25, inserted),
    Tampering("an event duplicated", Check.POSITION_WRONG, 24, duplicated),
    Tampering("the last events cut off", Check.POSITION_WRONG, 38, last_lines_gone),
    Tampering("an old copy restored", Check.LOG_SHORTER, 31, old_copy),
    Tampering("an old copy restored, a receipt kept", Check.LOG_SHORTER, 31, old_copy_and_receipt),
    # Rewritten with fresh hashes
    Tampering(
        "rewritten without the key", Check.ROOT_WRONG, 13, rewritten(17, signed=False, payload=b"\x82\x01\x02ho")
    ),
    Tampering("rewritten with the key", Check.ROOT_WRONG, 13, rewritten(17, signed=True, payload=b"\x82\x01\x02ho")),
    Tampering("rewritten with the key, no witness", Check.TAIL_UNWITNESSED, 1, stolen_key),
    Tampering("inserted, without the key", Check.ROOT_WRONG, 21, inserted_afresh),
    Tampering("deleted, with the key", Check.ROOT_WRONG, 13, deleted_afresh),
    Tampering("edited after the last checkpoint", Check.TAIL_UNSIGNED, 31, edited_after_last_checkpoint),
    Tampering("the tail of a case hidden, with the key", Check.SEAL_WRONG, 20, hidden_tail),
    Tampering(
        "an envelope not canonical, with the key",
        Check.ENVELOPE_NOT_CANONICAL,
        17,
        rewritten(17, signed=True, trusting=True, stored=lambda data: data.replace(b'","', b'", "')),
    ),
    Tampering("an envelope with a member more, with the key", Check.ENVELOPE_MALFORMED, 2, said("note", "x", 2)),
    Tampering("an envelope with an id, with the key", Check.ENVELOPE_MALFORMED, 17, said("id", "INQ-2:4")),
    Tampering("an envelope with a null, with the key", Check.ENVELOPE_MALFORMED, 17, said("via", None)),
    Tampering("an envelope with an empty text, with the key", Check.ENVELOPE_MALFORMED, 17, said("via", "")),
    Tampering("an envelope of an unknown version, with the key", Check.ENVELOPE_MALFORMED, 17, said("v", 3)),
    Tampering(
        "an envelope of a version that is no number, with the key", Check.ENVELOPE_MALFORMED, 7, said("v", True, 7)
    ),
    Tampering(
        "an envelope due in the year 10000, with the key", Check.ENVELOPE_MALFORMED, 17, said("due", 253402300800)
    ),
    Tampering("an envelope with a time in words, with the key", Check.ENVELOPE_MALFORMED, 17, said("at", "noon")),
    Tampering("an envelope of the year 10000, with the key", Check.ENVELOPE_MALFORMED, 17, said("at", 253402300800)),
    Tampering("a hash in hex, with the key", Check.ENVELOPE_MALFORMED, 17, said("prev", "ab" * 32)),
    Tampering("a hash with padding, with the key", Check.ENVELOPE_MALFORMED, 17, said("prev", f"{HASH}=")),
    Tampering("a hash with bits to spare, with the key", Check.ENVELOPE_MALFORMED, 17, said("prev", f"{HASH[:-1]}B")),
    Tampering(
        "a hash of the common alphabet, with the key", Check.ENVELOPE_MALFORMED, 17, said("prev", f"+{HASH[1:]}")
    ),
    Tampering("the log named twice over, with the key", Check.ENVELOPE_MALFORMED, 17, said("log", LOG)),
    Tampering("neither log nor chain, with the key", Check.ENVELOPE_MALFORMED, 17, said("prev", ABSENT)),
    Tampering(
        "a request that came along with itself, with the key", Check.ENVELOPE_MALFORMED, 17, said("correlation", "x")
    ),
    Tampering("a correlation that is the key, with the key", Check.ENVELOPE_MALFORMED, 18, along_with_itself),
    Tampering("brought by time and a request, with the key", Check.ENVELOPE_MALFORMED, 11, said("cause", "time", 11)),
    Tampering("a cause in words, with the key", Check.ENVELOPE_MALFORMED, 17, said("cause", "request")),
    Tampering("a request without its digest, with the key", Check.DIGEST_MISPLACED, 11, said("digest", ABSENT, 11)),
    Tampering("a request with two digests, with the key", Check.DIGEST_MISPLACED, 17, said("digest", HASH)),
    Tampering("a chain that leads elsewhere, with the key", Check.CHAIN_BROKEN, 17, said("prev", HASH)),
    Tampering("a chain that begins again, with the key", Check.CHAIN_BROKEN, 17, begun_again),
    Tampering(
        "version 1: an envelope without a schema, with the key", Check.ENVELOPE_MALFORMED, 7, said("schema", None, 7)
    ),
    Tampering(
        "version 1: an envelope without a member that has no value, with the key",
        Check.ENVELOPE_MALFORMED,
        7,
        said("via", ABSENT, 7),
    ),
    Tampering(
        "version 1: an envelope in local time, with the key",
        Check.ENVELOPE_MALFORMED,
        7,
        said("at", "2026-11-22T12:00:00+08:00", 7),
    ),
    Tampering(
        "version 1: a day that there is not, with the key",
        Check.ENVELOPE_MALFORMED,
        7,
        said("at", "2026-02-30T12:00:00Z", 7),
    ),
    Tampering("version 1: an id of another event, with the key", Check.ID_WRONG, 7, said("id", "INQ-2:1", 7)),
    Tampering(
        "version 1: a chain that leads elsewhere, with the key", Check.CHAIN_BROKEN, 7, said("prev", "ab" * 32, 7)
    ),
    Tampering("version 1: a chain that begins again, with the key", Check.CHAIN_BROKEN, 7, said("prev", None, 7)),
    Tampering(
        "version 1: a first event with one before it, with the key", Check.CHAIN_BROKEN, 2, said("prev", "ab" * 32, 2)
    ),
    Tampering("a number of a case skipped, with the key", Check.SEQ_WRONG, 40, skipped_seq),
    Tampering("a case that begins with its second event, with the key", Check.SEQ_WRONG, 41, begun_late),
    Tampering("a position skipped, with the key", Check.POSITION_WRONG, 40, skipped_position),
    Tampering("an event more than the header says, with the key", Check.POSITION_WRONG, SIZE, more_than_announced),
    Tampering("time turned back, with the key", Check.TIME_BACKWARDS, 25, time_backwards),
    # Another log
    Tampering("an event of another log, with the key", Check.EVENT_FOREIGN, 20, said("log", OTHER_LOG, 20)),
    Tampering("version 1: an event of another log, with the key", Check.EVENT_FOREIGN, 7, said("log", OTHER_LOG, 7)),
    Tampering("events of another log mixed in", Check.CHAIN_BROKEN, 25, foreign_lines),
    Tampering("another log under our name, with the key", Check.LOG_FOREIGN, 0, foreign_log_under_our_name),
    Tampering("a checkpoint of another log", Check.CHECKPOINT_FOREIGN, 0, foreign_checkpoint),
    Tampering("the wrong key", Check.LOG_FOREIGN, 0, lambda world: world.log_keys.__setitem__(0, FOREIGN_KEY)),
    # Checkpoints, keys, witnesses
    Tampering("two checkpoints of one size", Check.ROOT_WRONG, 13, two_checkpoints_of_one_size),
    Tampering("two checkpoints of one size, of which an extract shows neither", Check.TWO_ROOTS, 30, two_roots),
    Tampering(
        "a checkpoint of another tree",
        Check.ROOT_WRONG,
        13,
        checkpoint(20, lambda _: note_of(LOG_KEY.name, 20, leaf(b"else"))),
    ),
    Tampering("the header's root", Check.ROOT_WRONG, 0, wrong_header_root),
    Tampering(
        "a checkpoint signed by another key",
        Check.CHECKPOINT_UNSIGNED,
        20,
        checkpoint(20, lambda world: note(world.rows, 20, key=NEXT_KEY)),
    ),
    Tampering("a checkpoint whose end is cut", Check.CHECKPOINT_MALFORMED, 0, checkpoint(20, torn_note)),
    Tampering(
        "a checkpoint whose last line has no end",
        Check.CHECKPOINT_MALFORMED,
        0,
        checkpoint(20, lambda world: torn_note(world) + "x"),
    ),
    Tampering(
        "a checkpoint called one of another size",
        Check.CHECKPOINT_MALFORMED,
        0,
        lambda world: world.notes.__setitem__(2, (21, world.notes[2][1])),
    ),
    Tampering(
        "a co-signature of something else", Check.WITNESS_SIGNATURE_WRONG, 20, checkpoint(20, with_a_wrong_cosignature)
    ),
    Tampering("a co-signature of another time", Check.WITNESS_SIGNATURE_WRONG, 20, checkpoint(20, at_another_time)),
    Tampering("a co-signature that says no time", Check.WITNESS_SIGNATURE_WRONG, 20, checkpoint(20, at_no_time)),
    Tampering("somebody else in the name of the witness", Check.TAIL_UNWITNESSED, 21, witnessed_by_another),
    Tampering(
        "a checkpoint that the log has signed twice",
        Check.CHECKPOINT_UNSIGNED,
        20,
        checkpoint(20, lambda world: note(world.rows, 20) + note(world.rows, 20).split("\n")[-2] + "\n"),
    ),
    Tampering("no witness has seen the end", Check.TAIL_UNWITNESSED, 21, unwitnessed),
    Tampering(
        "a change of key that the new key did not sign",
        Check.KEY_CHANGE_WRONG,
        41,
        changed_key(key_change(LOG_KEY, NEXT_KEY, signed_by=FOREIGN_KEY)),
    ),
    Tampering(
        "a change of key that the old key did not sign",
        Check.KEY_CHANGE_WRONG,
        41,
        changed_key(key_change(LOG_KEY, NEXT_KEY, agreed_by=FOREIGN_KEY)),
    ),
    Tampering(
        "a change from a key that the log never had",
        Check.KEY_CHANGE_WRONG,
        41,
        changed_key(key_change(NEXT_KEY, THIRD_KEY)),
    ),
    Tampering(
        "a change of key that names two new ones",
        Check.KEY_CHANGE_WRONG,
        41,
        changed_key(also(key_change(LOG_KEY, NEXT_KEY), proto((193, proto((2, FOURTH_KEY.vkey)))))),
    ),
    Tampering("a change of key of which nothing is said", Check.KEY_CHANGE_WRONG, 41, changed_key_in_silence),
    Tampering("a change from a key that the log has no more", Check.KEY_CHANGE_WRONG, 43, changed_from_an_old_key),
    Tampering(
        "a change to another log's key", Check.KEY_CHANGE_WRONG, 41, changed_key(key_change(LOG_KEY, FOREIGN_KEY))
    ),
    Tampering(
        "a change to a witness's key", Check.KEY_CHANGE_WRONG, 41, changed_key(key_change(LOG_KEY, COSIGNING_KEY))
    ),
    Tampering(
        "an old key goes on to a third where the second is known",
        Check.KEY_CHANGE_WRONG,
        41,
        gone_on_from_an_old_key,
    ),
    Tampering("the old key after its change", Check.CHECKPOINT_UNSIGNED, 41, old_key_after_change),
    Tampering("an extract of a log that nobody signed", Check.TAIL_UNSIGNED, 1, unsigned_extract),
    Tampering("an extract of a case with something before its beginning", Check.CHAIN_BROKEN, 2, begun_elsewhere),
    Tampering("an extract that has an event twice", Check.POSITION_WRONG, 6, repeated_in_an_extract),
    Tampering("an extract with half a proof", Check.INCLUSION_WRONG, 6, half_an_inclusion),
    Tampering("an extract with another proof", Check.INCLUSION_WRONG, 6, wrong_inclusion),
    # Receipts
    Tampering("a receipt for another case", Check.RECEIPT_WRONG, 7, kept_receipt(claim_of_case)),
    Tampering("a receipt for another event", Check.RECEIPT_WRONG, 7, kept_receipt(receipt_of_other_event)),
    Tampering("a receipt with another proof", Check.RECEIPT_WRONG, 7, kept_receipt(receipt_with_other_proof)),
    Tampering("a receipt that nobody signed", Check.RECEIPT_UNSIGNED, 7, kept_receipt(receipt_by_nobody)),
    Tampering("a receipt that names another key", Check.RECEIPT_UNSIGNED, 7, kept_receipt(receipt_of_other_key)),
    Tampering("a receipt without its signature", Check.RECEIPT_UNSIGNED, 7, kept_receipt(receipt_without("signature"))),
    Tampering("a receipt without its tree", Check.RECEIPT_UNSIGNED, 7, kept_receipt(receipt_without("treeSize"))),
    Tampering("a receipt of a tree that cannot hold its event", Check.RECEIPT_WRONG, 33, receipt_of_smaller_tree),
    Tampering("a receipt that is none", Check.RECEIPT_MALFORMED, 0, kept_receipt(lambda each: each.update(receipt=7))),
    Tampering("a receipt of no position", Check.RECEIPT_MALFORMED, 0, kept_receipt(receipt_without("position"))),
    Tampering("a receipt of another form", Check.RECEIPT_MALFORMED, 0, kept_receipt(receipt_without_number)),
    # What was made of the events
    Tampering("a seal that is not announced", Check.SEAL_UNANNOUNCED, 20, without_seal_line),
    Tampering("a seal that seals itself, with the key", Check.SEAL_WRONG, 20, sealed_with_itself),
    Tampering("a seal under another day's key, with the key", Check.SEAL_WRONG, 20, sealed_under_another_day),
    Tampering("a seal of which the payload is gone", Check.SEAL_WRONG, 20, seal_without_payload),
    Tampering("a seal that is a change of key besides, with the key", Check.SEAL_WRONG, 20, sealed_and_more),
    Tampering("the second of two seals of another number, with the key", Check.SEAL_WRONG, 41, second_seal_wrong),
    Tampering("a seal that is announced in part", Check.EXPORT_MALFORMED, 0, with_half_a_seal_line),
    Tampering("a seal that is announced twice", Check.SEAL_UNANNOUNCED, 20, with_two_seal_lines),
    Tampering("a seal that is announced only", Check.SEAL_UNANNOUNCED, 31, with_seal_line),
    Tampering("a case listed with fewer events", Check.CASE_WRONG, 2, listed_case({"seq": 3})),
    Tampering("a case listed as it once was", Check.CASE_WRONG, 2, listed_as_it_once_was),
    Tampering("a case listed with another hash", Check.CASE_WRONG, 2, listed_case({"leaf_hash": "ab" * 32})),
    Tampering("a case listed with another beginning", Check.CASE_WRONG, 2, listed_case({"opened": 3})),
    Tampering("a case listed with another's body", Check.CASE_WRONG, 2, listed_case({"body": b64(b"\x0a\x01x")})),
    Tampering("a case listed as closed", Check.FOLD_WRONG, 2, folded_otherwise(stage=17)),
    Tampering("a case listed as of another kind", Check.FOLD_WRONG, 2, folded_otherwise(kind=2)),
    Tampering("a case listed with a note less", Check.FOLD_WRONG, 2, folded_otherwise(notes=2)),
    Tampering(
        "what happened is not of its type, with the key",
        Check.PAYLOAD_UNREADABLE,
        2,
        rewritten(2, signed=True, trusting=True, payload=b"\x82\x01\x02ho"),
    ),
    Tampering(
        "a decision is asked for in what is no message, with the key",
        Check.PAYLOAD_UNREADABLE,
        17,
        happened_otherwise("DecisionRequested", proto((60, proto((1, b"\xff"))))),
    ),
    Tampering(
        "a case is put under what is no policy, with the key",
        Check.PAYLOAD_UNREADABLE,
        17,
        happened_otherwise("PolicyChanged", proto((124, proto((1, b"\xff"))))),
    ),
    Tampering(
        "what happened is said twice, with the key",
        Check.PAYLOAD_UNREADABLE,
        2,
        rewritten(2, signed=True, trusting=True, payload=proto((20, proto((1, 2)))) + opened()),
    ),
    Tampering(
        "a field of what happened is said twice, with the key",
        Check.PAYLOAD_UNREADABLE,
        17,
        happened_otherwise("Prioritized", proto((30, proto((1, 2), (1, 1))))),
    ),
    Tampering(
        "another thing happened besides, with the key",
        Check.PAYLOAD_UNREADABLE,
        2,
        rewritten(2, signed=True, trusting=True, payload=opened() + proto((26, proto((2, 1))))),
    ),
    Tampering("a case listed twice", Check.CASE_WRONG, 2, listed_twice),
    Tampering("a case that is listed and has no events", Check.CASE_WRONG, 41, listed_without_events),
    Tampering("the log itself listed as a case", Check.CASE_WRONG, 20, listed_log),
    Tampering("a case that is not listed", Check.CASE_WRONG, 2, unlisted_case),
    Tampering("a policy changed", Check.POLICY_CHANGED, 0, changed_policy),
    Tampering("a policy taken out", Check.POLICY_MISSING, 1, missing_policy),
    Tampering("a policy taken out that was in force once", Check.POLICY_MISSING, 2, missing_former_policy),
    # The file
    Tampering("two exports in one file", Check.EXPORT_MIXED, 0, second_header),
    Tampering("a line of an unknown kind", Check.EXPORT_MALFORMED, 0, unknown_line),
    Tampering("a case before the policies", Check.EXPORT_MALFORMED, 0, policies_last),
    Tampering("an event behind the others", Check.EXPORT_MALFORMED, 0, late_event),
    Tampering("an event without a column", Check.EXPORT_MALFORMED, 0, torn_event),
    Tampering("a second end", Check.EXPORT_MALFORMED, 0, second_end),
    Tampering("the last line is missing", Check.EXPORT_TRUNCATED, 0, no_end),
    Tampering("the file is cut", Check.EXPORT_TRUNCATED, 0, cut),
    Tampering("the file was changed after it was written", Check.EXPORT_ALTERED, 0, wrong_end),
]
