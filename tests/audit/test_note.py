"""Keys, notes and signatures, against examples that others have published."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from casetrail.proof.note import (
    LOG_KEY,
    WITNESS_KEY,
    NoteError,
    SignedNote,
    SigningKey,
    TreeNote,
    VerifierKey,
    keys_of,
    signed,
)

# The pair of Go's package golang.org/x/mod/sumdb/note, with its message and signature.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETERS_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

ORIGIN = "casetrail/00112233445566778899aabbccddeeff"
TREE = TreeNote(ORIGIN, 7, bytes(range(32)))


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate(ORIGIN)


@pytest.fixture(scope="module")
def witness() -> SigningKey:
    return SigningKey.generate("witness.example/w1", WITNESS_KEY)


def test_keys_are_written_as_go_writes_them() -> None:
    key = SigningKey.parse(PETERS_SECRET)
    assert (str(key.verifier), key.secret, key.verifier.kind) == (PETER, PETERS_SECRET, LOG_KEY)
    assert VerifierKey.parse(PETER) == key.verifier


def test_a_note_is_signed_as_go_signs_it() -> None:
    assert SigningKey.parse(PETERS_SECRET).line(PETERS_TEXT) == PETERS_LINE


def test_a_checkpoint_is_three_lines_and_reads_back() -> None:
    assert TREE.body == f"{ORIGIN}\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    extended = TreeNote(ORIGIN, 0, TREE.root, ("more", "and more"))
    for tree in (TREE, extended):
        assert SignedNote.parse(signed(tree, [PETERS_LINE])).tree == tree


def test_a_signature_holds_for_its_key_and_text_alone(key: SigningKey) -> None:
    note = SignedNote.parse(signed(TREE, [key.line(TREE.body)]))
    assert note.signed_by([key.verifier]) == [key.verifier]
    assert note.signed_by([SigningKey.generate(ORIGIN).verifier]) == []
    other = SignedNote.parse(signed(TreeNote(ORIGIN, 8, TREE.root), [key.line(TREE.body)]))
    with pytest.raises(NoteError, match=f"the signature of {ORIGIN} is wrong"):
        other.signed_by([key.verifier])


def test_a_cosignature_carries_its_time_and_holds_for_it_alone(witness: SigningKey) -> None:
    line = witness.cosign(TREE.body, 1_679_315_147)
    note = SignedNote.parse(signed(TREE, [line]))
    (cosigned,) = note.cosigned_by([witness.verifier])
    assert (cosigned.witness, cosigned.seconds) == (witness.verifier, 1_679_315_147)
    data = bytearray(b64decode(line.split()[2]))
    assert bytes(data[4:12]) == (1_679_315_147).to_bytes(8, "big")
    assert len(data) == 4 + 8 + 64
    data[11] ^= 1
    late = SignedNote.parse(signed(TREE, [f"— {witness.verifier.name} {b64encode(data).decode()}\n"]))
    with pytest.raises(NoteError, match="is wrong"):
        late.cosigned_by([witness.verifier])


def test_a_cosignature_is_no_signature_of_a_log(witness: SigningKey) -> None:
    note = SignedNote.parse(signed(TREE, [witness.cosign(TREE.body, 1)]))
    assert note.signed_by([witness.verifier]) == []


def test_a_key_file_has_a_key_a_line(key: SigningKey) -> None:
    text = f"# ours\n\n{key.verifier}\n  {PETER}  \n"
    assert keys_of(text) == [key.verifier, VerifierKey.parse(PETER)]


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("+ARpc", "+AhpC"),
        PETER[:-4],
        f"{PETER}====",
        "PeterNeumann+c74f20a3+@@@",
        str(VerifierKey("two words", LOG_KEY, bytes(32))),
        str(VerifierKey("w1", 3, bytes(32))),
        str(VerifierKey("w1", LOG_KEY, bytes(31))),
    ],
)
def test_what_is_no_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


def test_a_refused_private_key_is_not_quoted() -> None:
    for secret in (
        PETERS_SECRET[:-8],
        PETERS_SECRET.replace("c74f20a3", "c74f20a4"),
        PETERS_SECRET.lower(),
        PETERS_SECRET.removeprefix("PRIVATE+KEY+"),
    ):
        with pytest.raises(NoteError) as refused:
            SigningKey.parse(secret)
        assert "AYEKFAL" not in str(refused.value)


def test_a_private_key_of_another_kind_is_refused() -> None:
    with pytest.raises(NoteError, match="no private Ed25519 key of a log or a witness"):
        SigningKey.parse(SigningKey("w1", 3, Ed25519PrivateKey.generate()).secret)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "tab\tbed"])
def test_a_name_has_no_space_and_no_plus(name: str) -> None:
    with pytest.raises(NoteError):
        SigningKey.generate(name)


BODY = TREE.body


@pytest.mark.parametrize(
    "text",
    [
        "",
        BODY,
        f"{BODY}\n",
        f"{BODY}\nno line\n",
        f"{BODY}\n{PETERS_LINE.replace('—', '-')}",
        f"{BODY}\n{PETERS_LINE.replace('PeterNeumann', 'Peter+Neumann')}",
        f"{BODY}\nmore\n\n{PETERS_LINE}",
        f"{ORIGIN}\n7\n{b64encode(bytes(31)).decode()}\n\n{PETERS_LINE}",
        f"{BODY}\n— name\n",
        f"{BODY}\n— name AAAA\n",
        f"{BODY}\n— name AAAAAA==\n",
        f"{BODY}\n{PETERS_LINE}"[:-1],
        f"{ORIGIN}\n7\n\n{PETERS_LINE}",
        BODY.replace("\n7\n", "\n07\n") + f"\n{PETERS_LINE}",
        BODY.replace("\n7\n", "\n-7\n") + f"\n{PETERS_LINE}",
        BODY.replace("\n7\n", "\n\u0667\n") + f"\n{PETERS_LINE}",
        BODY.replace("AAEC", "AA") + f"\n{PETERS_LINE}",
        BODY.replace("Hh8=", "Hh9=") + f"\n{PETERS_LINE}",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        SignedNote.parse(text)
