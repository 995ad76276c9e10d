"""The verifier reads a signed note only as it must be written; only signatures of the key in question count."""

import hashlib
from collections.abc import Callable

import pytest

from casetrail.proof.note import NoteError as ClientError
from casetrail.proof.note import VerifierKey as ClientKey
from casetrail_verify.notes import Checkpoint, NoteError, VerifierKey, unbase64
from tests.verify.forging import LOG_KEY, NEXT_KEY, WITNESS, b64, leaf, note_of

ROOT = leaf(b"a tree")
NOTE = note_of(LOG_KEY.name, 20, ROOT, WITNESS)
BODY = NOTE[: NOTE.index("\n\n") + 1]
SIGNATURES = NOTE[len(BODY) + 1 :]


def test_a_checkpoint_says_what_is_signed() -> None:
    checkpoint = Checkpoint.parse(NOTE)

    assert (checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.body) == (LOG_KEY.name, 20, ROOT, BODY)
    assert [name for name, _, _ in checkpoint.signatures] == [LOG_KEY.name, WITNESS.name]


def test_a_checkpoint_may_say_more_below_its_root() -> None:
    assert Checkpoint.parse(f"{BODY}more\nand more\n\n{SIGNATURES}").body == f"{BODY}more\nand more\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: BODY,
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note[:-1],
        lambda note: note[:-1] + "x",
        lambda note: note.replace(LOG_KEY.name, "", 1),
        lambda note: note.replace("\n20\n", "\n020\n"),
        lambda note: note.replace("\n20\n", "\n-20\n"),
        lambda note: note.replace("\n20\n", "\n\u0662\u0660\n"),
        lambda note: note.replace("\n20\n", f"\n{10**19}\n"),
        lambda note: note.replace(b64(ROOT), b64(ROOT[:-1])),
        lambda note: note.replace(b64(ROOT), b64(ROOT).rstrip("=")),
        lambda note: note.replace(b64(ROOT), ""),
        lambda note: note.replace("\n\n", "\n\nmore\n\n"),
        lambda note: note.replace("\n\n", "\n\n\n"),
        lambda note: note.replace("—", "-", 1),
        lambda note: note.replace(f"— {WITNESS.name}", "— a+b"),
        lambda note: note.replace(f"— {WITNESS.name} ", "— "),
        lambda note: f"{note}\n",
        lambda note: f"{note}— name {b64(b'four')}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(change(NOTE))


def test_the_signatures_of_a_key_are_neither_those_of_its_name_nor_those_of_its_hash() -> None:
    of_next = note_of(LOG_KEY.name, 20, ROOT, key=NEXT_KEY).split("\n")[-2]
    of_hash = f"— else.example {b64(LOG_KEY.hash + bytes(64))}"

    checkpoint = Checkpoint.parse(f"{NOTE}{of_next}\n{of_hash}\n")

    assert [len(list(checkpoint.by(key.verifier))) for key in (LOG_KEY, NEXT_KEY, WITNESS)] == [1, 1, 1]
    assert LOG_KEY.verifier.signed(BODY.encode(), next(checkpoint.by(LOG_KEY.verifier)))
    assert NEXT_KEY.verifier.signed(BODY.encode(), next(checkpoint.by(NEXT_KEY.verifier)))
    assert WITNESS.verifier.cosigned(BODY, next(checkpoint.by(WITNESS.verifier)))


def vkey(name: str, data: bytes) -> str:
    """A key of any form, whose hash fits."""
    key_hash = hashlib.sha256(f"{name}\n".encode() + data).digest()[:4]
    return f"{name}+{key_hash.hex()}+{b64(data)}"


@pytest.mark.parametrize("parse", [VerifierKey.parse, ClientKey.parse], ids=["verifier", "client"])
def test_a_key_is_of_a_log_or_a_witness_and_of_its_length(parse: Callable[[str], VerifierKey | ClientKey]) -> None:
    public = bytes(32)
    assert [parse(vkey("log", bytes([kind]) + public)).kind for kind in (1, 4)] == [1, 4]
    for data in (b"\x02" + public, b"\x01" + public[1:], b"\x01" + public + b"x", b"\x01", b""):
        with pytest.raises((NoteError, ClientError)):
            parse(vkey("log", data))
    with pytest.raises((NoteError, ClientError)):
        parse(vkey("log", b"\x01" + public).replace("+", "+0", 1))


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YQ==\n", "YR==", "Y_==", "é", "=", " YQ=="])
def test_only_one_way_to_write_base64_is_read(text: str) -> None:
    assert unbase64("YQ==") == b"a"
    assert unbase64(text) == b""
