"""Makes logs and exports of them by docs/proof.md alone: with no code of the server, and none of the verifier.

A `World` is a log, what was signed about it, and what an auditor keeps elsewhere. Whoever tampers changes a world and
writes it down again, with the log's key where a test lets them have it.
"""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from casetrail_verify import Evidence
from casetrail_verify.notes import VerifierKey

LOG = "0f3c2b1a00112233445566778899aabb"
OTHER_LOG = "ffffffff00112233445566778899aabb"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICY = b"the policy"
_DAY = b"\x0a\x0a2026"  # how a seal's body begins
ABSENT = object()
"""Instead of a member's value: there is none."""

Line = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def hashed(data: bytes) -> str:
    """A hash as an envelope of version 2 writes it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    """A private key, with the name and type that its vkey has."""

    def __init__(self, name: str, kind: int, seed: int) -> None:
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        data = bytes([kind]) + self.private.public_key().public_bytes_raw()
        self.hash = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        self.vkey = f"{name}+{self.hash.hex()}+{b64(data)}"

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey.parse(self.vkey)

    def line(self, body: str) -> str:
        return f"— {self.name} {b64(self.hash + self.private.sign(body.encode()))}\n"

    def cosign(self, body: str, seconds: int = 1_790_000_000) -> str:
        signature = self.private.sign(f"cosignature/v1\ntime {seconds}\n{body}".encode())
        return f"— {self.name} {b64(self.hash + seconds.to_bytes(8, 'big') + signature)}\n"


LOG_KEY = Key(f"casetrail/{LOG}", 1, 1)
NEXT_KEY = Key(f"casetrail/{LOG}", 1, 2)
FOREIGN_KEY = Key(f"casetrail/{OTHER_LOG}", 1, 3)
WITNESS = Key("witness.example", 4, 4)
THIRD_KEY = Key(f"casetrail/{LOG}", 1, 5)
FOURTH_KEY = Key(f"casetrail/{LOG}", 1, 7)
COSIGNING_KEY = Key(f"casetrail/{LOG}", 4, 6)


@dataclass
class Draft:
    """An event before it has a place.

    Attributes:
        payload: Its bytes, or what makes them from the rows before it.
        said: Members of the envelope that are to differ.
        columns: Columns that are to differ.
        stored: Changes the envelope's bytes.
        version: Of the envelope.
    """

    case: str
    type: str = "NoteAdded"
    key: str = ""
    ordinal: int = 0
    payload: bytes | Callable[[list[Line]], bytes] = b"\x82\x01\x02hi"
    said: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    stored: Callable[[bytes], bytes] | None = None
    version: int = 2


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1, as it is written there."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return [*path(index, leaves[:k]), root(leaves[k:])]
    return [*path(index - k, leaves[k:]), root(leaves[:k])]


def proto(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A protobuf message."""
    made = b""
    for number, value in fields:
        if isinstance(value, int):
            made += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            made += varint(number << 3 | 2) + varint(len(data)) + data
    return made


def varint(number: int) -> bytes:
    made = b""
    while number > 0x7F:
        made += bytes([number & 0x7F | 0x80])
        number >>= 7
    return made + bytes([number])


def seal_root(rows: Sequence[Line]) -> tuple[int, str]:
    last = {row["case_id"]: row for row in rows if row["case_id"] != "@log"}
    leaves = [
        leaf(case.encode() + b"\0" + row["seq"].to_bytes(8, "big") + leaf(stored(row)))
        for case, row in sorted(last.items())
    ]
    return len(leaves), root(leaves).hex()


def sealed(day: str, size: int) -> Draft:
    def payload(rows: list[Line]) -> bytes:
        cases, over = seal_root(rows[:size])
        return proto((192, proto((1, day), (2, size), (3, cases), (4, over))))

    return Draft("@log", "LogSealed", f"seal {day}", payload=payload)


def key_change(old: Key, new: Key, *, signed_by: Key | None = None, agreed_by: Key | None = None) -> Draft:
    statement = f"casetrail/key-change/v1\n{old.name}\n{old.vkey}\n{new.vkey}\n".encode()
    body = proto(
        (1, old.vkey),
        (2, new.vkey),
        (3, (agreed_by or old).private.sign(statement)),
        (4, (signed_by or new).private.sign(statement)),
    )
    return Draft("@log", "SigningKeyChanged", f"key {new.hash.hex()}", payload=proto((193, body)))


UNDER = proto((1, "p"), (2, hashlib.sha256(POLICY).hexdigest()))


def opened(*, kind: int = 1, under: bytes = UNDER) -> bytes:
    """The payload of an inquiry's first event, by chat, about an order."""
    return proto((20, proto((1, kind), (2, 1), (3, 2), (4, "order"), (10, under))))


def listed(case: str, rows: Sequence[Line], **differing: int) -> bytes:
    """A case as the projection has it, folded from its rows."""
    at = proto((1, int(NOON.timestamp())))
    if rows[0]["type"] != "CaseOpened":
        return proto((1, case), (4, rows[-1]["seq"]), (6, at), (38, proto((3, len(rows)))))
    notes = len(rows) - 1  # nothing else follows
    stage, kind = differing.get("stage", 1), differing.get("kind", 1)
    return proto(
        *((1, case), (2, kind), (3, stage), (4, rows[-1]["seq"]), (5, at), (6, at), (7, 1), (8, 2), (9, "order")),
        *((16, UNDER), (18, 1), (38, proto((2, 1), (3, differing.get("notes", notes))))),
    )


def story() -> list[Draft]:
    """Forty events of five cases, the first ten in envelopes of version 1; sealed at position 20, as of 18 events."""
    drafts = []
    for index in range(39):
        case = f"INQ-{index * 7 % 5}"
        draft = Draft(case, key=f"request-{index // 10}-{case}", ordinal=index // 5 % 2, version=1 if index < 10 else 2)
        if index < 5:
            draft.type, draft.payload = "CaseOpened", opened()
        drafts.append(draft)
    drafts.insert(19, sealed("2026-11-21", 18))
    return drafts


def rows_of(drafts: Sequence[Draft], log: str = LOG) -> list[Line]:
    """Give each its place, envelope and hash."""
    rows: list[Line] = []
    last: dict[str, Line] = {}
    for pos, draft in enumerate(drafts, 1):
        before = last.get(draft.case)
        seq = before["seq"] + 1 if before else 1
        payload = draft.payload(rows) if callable(draft.payload) else draft.payload
        common = {"pos": pos, "case": draft.case, "seq": seq, "type": draft.type, "actor": "mei", "role": "AGENT"}
        previous = leaf(stored(before)) if before else None
        recorded = NOON + timedelta(milliseconds=pos)
        made = of_version_1 if draft.version == 1 else of_version_2
        said = common | made(draft, log, seq, previous, payload, recorded) | draft.said
        said = {name: value for name, value in said.items() if value is not ABSENT}
        envelope = rfc8785.dumps(said)
        if draft.stored is not None:
            envelope = draft.stored(envelope)
        row = {
            "kind": "event",
            "pos": said["pos"],
            "case_id": said["case"],
            "seq": said["seq"],
            "key": said["key"],
            "ordinal": draft.ordinal,
            "event_id": f"{said['case']}:{said['seq']}",
            "type": said["type"],
            "recorded_at": microseconds(said["recorded"]),
            "dek_id": None,
            "leaf_hash": leaf(envelope).hex(),
            "payload": b64(payload),
            "envelope": envelope.decode(),
        } | draft.columns
        rows.append(row)
        last[draft.case] = row
    return rows


def of_version_1(
    draft: Draft, log: str, seq: int, previous: bytes | None, payload: bytes, recorded: datetime
) -> dict[str, Any]:
    return {
        "v": 1,
        "log": log,
        "prev": previous.hex() if previous else None,
        "id": f"{draft.case}:{seq}",
        "schema": "casetrail.v1",
        "at": f"{NOON:%Y-%m-%dT%H:%M:%SZ}",
        "due": None,
        "via": None,
        "key": draft.key,
        "cause": f"request:{hashlib.sha256(draft.key.encode()).hexdigest()}",
        "correlation": draft.key,
        "payload_hash": hashlib.sha256(payload).hexdigest(),
        "recorded": f"{recorded:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def of_version_2(
    draft: Draft, log: str, _seq: int, previous: bytes | None, payload: bytes, recorded: datetime
) -> dict[str, Any]:
    return {
        "v": 2,
        **({"prev": hashed(previous)} if previous else {"log": log}),
        "at": int(NOON.timestamp()),
        "key": draft.key,
        **({"digest": hashed(hashlib.sha256(draft.key.encode()).digest())} if draft.ordinal == 0 else {}),
        "payload_hash": hashed(hashlib.sha256(payload).digest()),
        "recorded": microseconds(f"{recorded:%Y-%m-%dT%H:%M:%S.%fZ}"),
    }


def microseconds(moment: str | int) -> int:
    if isinstance(moment, int):
        return moment
    try:
        return (datetime.fromisoformat(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except ValueError:
        return 0


def stored(row: Line) -> bytes:
    return str(row["envelope"]).encode()


def leaves_of(rows: Sequence[Line]) -> list[bytes]:
    return [leaf(stored(row)) for row in rows]


def note(rows: Sequence[Line], size: int, *signers: Key, key: Key = LOG_KEY, origin: str = LOG_KEY.name) -> str:
    """A checkpoint of the first events, co-signed by these."""
    return note_of(origin, size, root(leaves_of(rows[:size])), *signers, key=key)


def note_of(origin: str, size: int, over: bytes, *signers: Key, key: Key = LOG_KEY) -> str:
    body = f"{origin}\n{size}\n{b64(over)}\n"
    return f"{body}\n{key.line(body)}{''.join(signer.cosign(body) for signer in signers)}"


def receipt(rows: Sequence[Line], position: int, size: int, *, key: Key = LOG_KEY) -> Line:
    leaves = leaves_of(rows[:size])
    over = root(leaves)
    body = f"{LOG_KEY.name}\n{size}\n{b64(over)}\n"
    return {
        "caseId": rows[position - 1]["case_id"],
        "requestId": "r",
        "receipt": {
            "position": str(position),
            "hash": leaves[position - 1].hex(),
            "treeSize": str(size),
            "root": over.hex(),
            "signature": b64(key.private.sign(body.encode())),
            "keyId": key.hash.hex(),
            "origin": LOG_KEY.name,
            "inclusion": [b64(each) for each in path(position - 1, leaves)],
        },
    }


@dataclass
class World:
    """A log and all that is known about it.

    Attributes:
        drafts: Its events, before they are written.
        rows: Its events.
        notes: The checkpoints of the export: size and text.
        receipts: The receipts of the export.
        kept: Checkpoints that the auditor keeps elsewhere.
        kept_receipts: Receipts likewise.
        changes: What is done to the lines of the export, in turn.
        log: Id that its events name.
        header: Members of the header that are to differ.
        separators: Between members, and after their names: none is how Casetrail writes an export.
    """

    drafts: list[Draft] = field(default_factory=story)
    rows: list[Line] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    receipts: list[Line] = field(default_factory=list)
    kept: list[tuple[int, str]] = field(default_factory=list)
    kept_receipts: list[Line] = field(default_factory=list)
    changes: list[Callable[[list[Line]], None]] = field(default_factory=list)
    log: str = LOG
    header: Line = field(default_factory=dict)
    separators: tuple[str, str] = (",", ":")
    log_keys: list[Key] = field(default_factory=lambda: [LOG_KEY])
    witnesses: list[Key] = field(default_factory=lambda: [WITNESS])
    positions: list[int] | None = None
    end: Callable[[bytes], bytes] = lambda text: text

    def write_down(self, *, sign: bool = True, elsewhere: bool = True) -> "World":
        """Write the events, and sign them and what is kept elsewhere, where the log's key is at hand."""
        self.rows = rows_of(self.drafts, self.log)
        if sign:
            self.sign()
        if elsewhere:
            self.kept = [self.notes[1], self.notes[-1]]
            self.kept_receipts = [receipt(self.rows, 7, 12), receipt(self.rows, 33, 35)]
        return self

    def sign(self, *, key: Key = LOG_KEY) -> None:
        size = len(self.rows)
        self.notes = [
            (at, note(self.rows, at, *([WITNESS] if at in (20, size) else []), key=key))
            for at in (5, 12, 20, 30, 40)
            if at < size
        ]
        self.notes.append((size, note(self.rows, size, WITNESS, key=key)))
        self.receipts = [receipt(self.rows, 9, 10, key=key)]

    def lines(self) -> list[Line]:
        rows, size = self.rows, len(self.rows)
        leaves = leaves_of(rows)
        header = {
            "kind": "header",
            "format": "casetrail-export",
            "version": 1,
            "log": LOG,
            "origin": LOG_KEY.name,
            "size": size,
            "scope": "log" if self.positions is None else "extract",
            "root": root(leaves).hex(),
            "keys": [LOG_KEY.vkey],
            "witnesses": [WITNESS.vkey],
            "exported_at": "2026-11-22T13:00:00Z",
        } | self.header
        events = [dict(row) for row in rows]
        if self.positions is not None:
            events = [
                events[pos - 1] | {"inclusion": [b64(each) for each in path(pos - 1, leaves)]} for pos in self.positions
            ]
        lines = [
            header,
            *[{"kind": "seal", "position": row["pos"], **announced(row)} for row in rows if is_sealed(row)],
            *events,
            {"kind": "policy", "digest": hashlib.sha256(POLICY).hexdigest(), "policy_id": "p", "body": b64(POLICY)},
            *case_lines(events),
            *[
                {"kind": "checkpoint", "size": at, "note": text, "published_at": "2026-11-22T13:00:00.000000Z"}
                for at, text in self.notes
            ],
            *[{"kind": "receipt", **each} for each in self.receipts],
        ]
        for change in self.changes:
            change(lines)
        return lines

    def written(self, line: Line) -> bytes:
        """A line as it stands in the file."""
        return json.dumps(line, ensure_ascii=False, separators=self.separators).encode()

    def evidence(self, folder: Path) -> Evidence:
        """Write all of it into files."""
        text = b"".join(self.written(line) + b"\n" for line in self.lines())
        end = {"kind": "end", "lines": text.count(b"\n"), "sha256": hashlib.sha256(text).hexdigest()}
        export = folder / "export.jsonl"
        export.write_bytes(self.end(text + json.dumps(end).encode() + b"\n"))
        kept = folder / "checkpoints"
        kept.mkdir(exist_ok=True)
        lines = [json.dumps({"note": text, "published_at": "2026-11-22", "size": size}) for size, text in self.kept]
        (kept / "2026-11-22.jsonl").write_text("".join(f"{line}\n" for line in lines))
        receipts = folder / "receipts.jsonl"
        receipts.write_text("".join(f"{json.dumps(each)}\n" for each in self.kept_receipts))
        return Evidence(
            export=export,
            log_keys=[key.verifier for key in self.log_keys],
            witness_keys=[key.verifier for key in self.witnesses],
            checkpoints=[kept] if self.kept else [],
            receipts=[receipts] if self.kept_receipts else [],
        )


def case_lines(events: Sequence[Line]) -> list[Line]:
    cases: dict[str, list[Line]] = {}
    for row in events:
        cases.setdefault(row["case_id"], []).append(row)
    return [
        {
            "kind": "case",
            "case_id": case,
            "opened": rows[0]["pos"],
            "seq": rows[-1]["seq"],
            "leaf_hash": leaf(stored(rows[-1])).hex(),
            "body": b64(listed(case, rows)),
            "columns": {"kind": "KIND_INQUIRY"},
        }
        for case, rows in sorted(cases.items())
        if case != "@log"
    ]


def is_sealed(row: Line) -> bool:
    """Whether it is a seal that `sealed` made."""
    return row["type"] == "LogSealed" and _DAY in base64.b64decode(row["payload"])


def announced(row: Line) -> Line:
    """What a seal says, read back."""
    payload = base64.b64decode(row["payload"])
    found: dict[int, Any] = {}
    at = payload.index(_DAY)
    body = payload[at:]
    while body:
        number, wire = body[0] >> 3, body[0] & 7
        length, body = body[1], body[2:]
        if wire == 0:
            found[number] = length
        else:
            found[number], body = body[:length].decode(), body[length:]
    return {"day": found[1], "size": found[2], "cases": found[3], "root": found[4]}


def copy(drafts: Sequence[Draft]) -> list[Draft]:
    return [dataclasses.replace(draft, said=dict(draft.said), columns=dict(draft.columns)) for draft in drafts]
