"""docs/proof.md is what others write verifiers from: it says what the code does."""

import re
from pathlib import Path

import pytest

from audit import facts
from casetrail.v1.case_service_pb2 import Receipt
from casetrail.v1.event_pb2 import Event, LogSealed, SigningKeyChanged
from casetrail_verify import folding

DOCUMENT = (Path(__file__).parents[2] / "docs" / "proof.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next one."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def members(text: str) -> list[str]:
    """The first column of a table."""
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_the_envelope_has_the_members_of_the_document() -> None:
    assert set(members(section("Envelope"))) == facts.MEMBERS
    assert set(members(section("Envelopes of version 1"))) == facts.MEMBERS_1 | {"drill"}


def test_a_receipt_has_the_members_of_the_document() -> None:
    assert members(section("Receipts")) == [field.json_name for field in Receipt.DESCRIPTOR.fields]


@pytest.mark.parametrize(
    ("title", "field", "body"),
    [("Seals", "log_sealed", LogSealed), ("Change of key", "signing_key_changed", SigningKeyChanged)],
)
def test_events_of_the_log_itself_have_the_numbers_of_the_document(
    title: str, field: str, body: type[LogSealed | SigningKeyChanged]
) -> None:
    text = " ".join(section(title).split())
    assert f"(field {Event.DESCRIPTOR.fields_by_name[field].number} of `Event`)" in text
    for each in body.DESCRIPTOR.fields:
        assert f"{each.number} `{each.name}`" in text


def test_the_fold_of_the_document_is_that_of_the_verifier() -> None:
    said = set(re.findall(r"`([A-Z][A-Za-z]+)`", section("The fold")))

    assert said - {"Case"} == set(folding.TYPES)
