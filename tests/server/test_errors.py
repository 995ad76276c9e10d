from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest

from audit.log import LogDamagedError, LogUnavailableError
from audit.signing import KeyRefusedError
from casetrail.v1.errors_pb2 import RefusalReason
from domain import Rejected
from server.errors import CODES, InvalidRequest, Violation, explain


def test_every_reason_of_the_contract_has_a_status_code() -> None:
    assert set(CODES) == set(RefusalReason.values())


def test_no_reason_is_told_as_success() -> None:
    assert grpc.StatusCode.OK not in CODES.values()


def test_the_codes_are_those_that_the_contract_names() -> None:
    """Each reason's comment in errors.proto begins with its code."""
    proto = (Path(__file__).parents[2] / "proto/casetrail/v1/errors.proto").read_text().splitlines()
    named = {
        line.split("=")[0].strip(): proto[n - 1].strip(" /").split(":")[0]
        for n, line in enumerate(proto)
        if line.strip().startswith("REFUSAL_REASON_") and " = 0;" not in line
    }
    assert {RefusalReason.Name(reason): code.name for reason, code in CODES.items() if reason} == named


def test_a_rejection_is_told_with_its_reason_and_words() -> None:
    told = explain(Rejected(RefusalReason.REFUSAL_REASON_WRONG_STAGE, "not now"))

    assert (told.code, told.reason, told.message) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STAGE", "not now")
    assert not told.violations


def test_a_rejection_that_names_a_field_is_told_with_it() -> None:
    told = explain(Rejected(RefusalReason.REFUSAL_REASON_STALE_SEQ, "it has 3", "command.expected_seq"))

    assert told.violations == [Violation("command.expected_seq", "it has 3")]


def test_an_invalid_request_is_told_with_all_that_is_wrong() -> None:
    told = explain(InvalidRequest([Violation("a", "too long"), Violation("b", "missing")]))

    assert told.code == grpc.StatusCode.INVALID_ARGUMENT
    assert told.message == "a: too long, and 1 more"
    assert [each.field for each in told.violations] == ["a", "b"]
    assert explain(InvalidRequest([Violation("a", "too long")])).message == "a: too long"
    assert (
        explain(InvalidRequest([Violation("", "no message"), Violation("b", "x")])).message == "no message, and 1 more"
    )


def test_a_log_that_cannot_be_written_is_told_as_worth_another_try() -> None:
    told = explain(LogUnavailableError("the disk is full"))

    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE")
    assert "the disk is full" in told.message
    assert "same request id" in told.message


def test_of_a_log_that_cannot_be_used_nobody_says_that_nothing_has_happened() -> None:
    """A connection may break during a commit: then only the same request id tells."""
    assert "nothing has happened" not in explain(LogUnavailableError("the connection broke")).message


def test_a_signing_key_that_cannot_be_used_is_told_as_worth_another_try() -> None:
    told = explain(KeyRefusedError("the key of this tree is gone"))

    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE")
    assert "the key of this tree is gone" in told.message
    assert "same request id" in told.message


def test_a_damaged_log_is_told_as_such() -> None:
    assert explain(LogDamagedError("page 3")).code == grpc.StatusCode.DATA_LOSS


def test_a_fault_of_ours_tells_nothing_from_inside() -> None:
    told = explain(KeyError("Ms Wang, 12 Fuxing Road"))

    assert (told.code, told.reason, told.unexpected) == (grpc.StatusCode.INTERNAL, "INTERNAL", True)
    assert "Wang" not in told.message


@pytest.mark.parametrize("text", ["x" * 100_000, "漢" * 100_000])
def test_a_status_fits_into_the_trailers_that_peers_take(text: str) -> None:
    told = explain(InvalidRequest([Violation(f"commands[{n}].open.subject", text) for n in range(1000)]))

    ((_, status),) = told.trailers
    assert len(quote(told.message)) + len(b64encode(status)) < 8 * 1024
