"""The file of witnesses: who is asked, and whose signature counts."""

from pathlib import Path

import pytest

from audit.witness_file import WitnessAddress, witnesses_in
from casetrail.proof.note import WITNESS_KEY, SigningKey

W1, W2 = (SigningKey.generate(name, WITNESS_KEY).verifier for name in ("w1", "w2"))
LOG = SigningKey.generate("casetrail/1").verifier


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "witnesses"


def test_there_is_one_a_line_among_empty_lines_and_comments(path: Path) -> None:
    path.write_text(f"# ours\n\nhttps://w1.example/ {W1}\n #http://w3.example\n http://w2.example:7\t{W2}")
    assert witnesses_in(path) == [WitnessAddress("https://w1.example", W1), WitnessAddress("http://w2.example:7", W2)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("https://w1.example", "is not `URL VKEY`"),
        (f"https://w1.example {W1} more", "is not `URL VKEY`"),
        ("https://w1.example w1+what+is+this", "is not `URL VKEY`"),
        (f"https://w1.example {LOG}", "the key of a witness are needed"),
        (f"ftp://w1.example {W1}", "the key of a witness are needed"),
    ],
    ids=["no key", "more than that", "no key, but words", "the log's key", "no address of the web"],
)
def test_a_line_that_names_no_witness_is_refused_by_its_number(path: Path, line: str, words: str) -> None:
    path.write_text(f"# ours\n\n{line}\n")
    with pytest.raises(ValueError, match=f"line 3 of the witnesses.*{words}"):
        witnesses_in(path)


def test_a_file_that_cannot_be_read_is_named(path: Path) -> None:
    with pytest.raises(ValueError, match=r"CASETRAIL_WITNESSES cannot be read: No such file or directory: .*witnesses"):
        witnesses_in(path)
