import pytest
from hypothesis import given
from hypothesis import strategies as st

from casetrail.play.templates import TemplateError, fill_texts, parse, slug
from casetrail.v1.command_pb2 import Command

CELLS = {"caller_id": "Caller 2403", "brand new": "yes", "empty": ""}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("{caller_id}", "Caller 2403"),
        ("{caller_id|slug}@example.test", "caller-2403@example.test"),
        ("a {brand new} day", "a yes day"),
        ("[{empty}]", "[]"),
        ("{{caller_id}}", "{caller_id}"),
    ],
)
def test_cells_are_put_into_a_text(text: str, filled: str) -> None:
    assert parse(text).fill(CELLS) == filled


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a|b|c}", "{a|loud}", "a}b"])
def test_a_brace_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse(text)


@given(st.text())
def test_any_text_can_be_written_with_its_braces_doubled(text: str) -> None:
    assert parse(text.replace("{", "{{").replace("}", "}}")).fill({}) == text


@given(st.text())
def test_what_a_cell_holds_is_never_taken_for_a_template(text: str) -> None:
    assert parse("<{cell}>").fill({"cell": text}) == f"<{text}>"


@given(st.text())
def test_a_slug_fits_into_an_address(text: str) -> None:
    made = slug(text)
    assert made == slug(made)
    assert all(sign.isascii() and (sign.isalnum() or sign == "-") for sign in made)


def test_every_text_of_an_action_is_a_template() -> None:
    command = Command()
    command.wait.party = "{caller_id}"
    command.wait.why = "{empty}"

    fill_texts(command.wait, CELLS)

    assert (command.wait.party, command.wait.why) == ("Caller 2403", "")
