"""What the environment says, and what counts where it says nothing."""

from pathlib import Path

import pytest

from casetrail import environment


@pytest.mark.parametrize(
    ("said", "insecure"),
    [({}, False), *(({"CASETRAIL_INSECURE": word}, word == "1") for word in ("1", "", "0", "yes"))],
)
def test_tokens_pass_in_clear_only_where_that_is_said_with_a_1(said: dict[str, str], *, insecure: bool) -> None:
    assert environment.insecure(said) is insecure


@pytest.mark.parametrize("given", ["", "10.0.0.1:7460"])
def test_the_service_is_where_it_is_said_to_be_or_on_this_machine(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASETRAIL_ADDRESS", given)
    assert environment.address() == (given or "127.0.0.1:7460")


@pytest.mark.parametrize(("given", "kept"), [("", None), ("receipts.jsonl", Path("receipts.jsonl"))])
def test_receipts_are_kept_only_where_a_file_is_named(
    given: str, kept: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASETRAIL_RECEIPTS", given)
    assert environment.receipts() == kept


def test_a_token_is_the_one_that_is_given_or_the_one_that_the_stack_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CASETRAIL_TOKEN", raising=False)
    monkeypatch.delenv("CASETRAIL_DATA", raising=False)
    assert environment.token() == ""
    for folder in ("data", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "token").write_text(f"of-{folder}\n")
    assert environment.token() == "of-data"
    monkeypatch.setenv("CASETRAIL_DATA", str(tmp_path / "elsewhere"))
    assert environment.token() == "of-elsewhere"
    monkeypatch.setenv("CASETRAIL_TOKEN", "given")
    assert environment.token() == "given"
