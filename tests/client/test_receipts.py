"""Receipts that are kept: each holds by itself, by the log's key, or is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from casetrail.proof.note import VerifierKey
from casetrail.proof.receipts import ReceiptError, check, kept_in
from casetrail.receipts import ReceiptFile
from casetrail.v1.case_service_pb2 import Receipt
from tests.verify.forging import FOREIGN_KEY, LOG_KEY, NEXT_KEY, World, b64, receipt

KEYS = [VerifierKey.parse(key.vkey) for key in (NEXT_KEY, LOG_KEY)]


def written(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    line = receipt(World().write_down().rows, 7, 12)
    change(line["receipt"])
    path = folder / "receipts.jsonl"
    path.write_text(json.dumps(line) + "\n")
    return path


def test_a_receipt_of_the_logs_key_holds(tmp_path: Path) -> None:
    [kept] = kept_in(written(tmp_path))
    assert (kept.place, kept.case_id, kept.request_id) == (f"{tmp_path}/receipts.jsonl, line 1", "INQ-2", "r")
    check(kept, KEYS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda given: given.pop("signature"), "it is not signed"),
        (lambda given: given.update(keyId="00000000"), "a key of casetrail/.* that was not given"),
        (lambda given: given.update(origin=FOREIGN_KEY.name), f"a key of {FOREIGN_KEY.name} that was not given"),
        (lambda given: given.update(keyId=NEXT_KEY.hash.hex()), "signature"),
        (lambda given: given.update(signature=b64(bytes(64))), "signature"),
        (lambda given: given.update(treeSize="13"), "signature"),
        (lambda given: given.update(root="xy"), "the root is no hash"),
        (lambda given: given.update(hash="xy"), "line 1: "),
        (lambda given: given.update(hash="ab" * 32), "line 1: "),
        (lambda given: given.update(position="8"), "line 1: "),
        (lambda given: given.update(position="13"), "has no leaf 12"),
        (lambda given: given.update(position="0"), "has no leaf -1"),
        (lambda given: given["inclusion"].pop(), "line 1: "),
        (lambda given: given["inclusion"].append(b64(bytes(32))), "line 1: "),
    ],
    ids=range(14),
)
def test_a_receipt_that_does_not_hold_is_refused(
    change: Callable[[dict[str, Any]], object], words: str, tmp_path: Path
) -> None:
    [kept] = kept_in(written(tmp_path, change))
    with pytest.raises(ReceiptError, match=words):
        check(kept, KEYS)


@pytest.mark.parametrize(
    "line", ["", "7", "[]", "{}", '{"receipt":{}}', '{"receipt":{"position":"x"},"caseId":"c","requestId":"r"}']
)
def test_a_line_that_is_no_receipt_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(ReceiptError, match=r"receipts\.jsonl, line 1 is no receipt"):
        list(kept_in(path))


def test_what_is_kept_is_appended_and_a_write_without_a_receipt_leaves_no_line(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    for position in (7, 0, 8):
        with ReceiptFile(path) as file:
            file.keep("INQ-1", "r", Receipt(position=position))
    assert [kept.receipt.position for kept in kept_in(path)] == [7, 8]
