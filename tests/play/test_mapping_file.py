from pathlib import Path

import pytest

from casetrail.file_problems import FileError
from casetrail.play.mapping_file import load_mapping
from casetrail.play.plan import columns_of
from casetrail.v1.types_pb2 import Channel, Kind, Priority
from tests.play.logs import SERVICENOW, WORKSHOP


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "m.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FileError) as caught:
        load_mapping(file)
    return [str(problem).removeprefix(f"{file}") for problem in caught.value.problems]


def test_the_shipped_mapping_is_right() -> None:
    mapping = load_mapping(SERVICENOW)

    assert mapping.open.kind == Kind.KIND_INQUIRY
    assert mapping.channels["Phone"] == Channel.CHANNEL_PHONE
    assert mapping.priorities["1 - Critical"] == Priority.PRIORITY_URGENT


def test_a_mapping_asks_for_the_columns_that_its_rules_and_templates_name() -> None:
    columns = columns_of(load_mapping(SERVICENOW))

    assert {"number", "incident_state", "sys_updated_at", "opened_at", "caller_id", "assigned_to"} <= columns
    assert "made_sla" not in columns


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("kind: inquiry", "kind: picnic", ":5:", "open.kind"),
        ("kind: inquiry", "kind: return", ":5:", "open.kind"),
        ("zone: Europe/Berlin", "zone: Mars/Base", ":4:", "time.zone"),
        ("encoding: cp1252", "encoding: klingon", ":2:", "csv.encoding"),
        ("format: iso", 'format: "%Y-%Q"', ":4:", "time.format"),
        ('{ to: "{Mechaniker}" }', '{ to: "{Mechaniker" }', ":7:", "changes[0].do[0].assign.to"),
        ('{ to: "{Mechaniker}" }', '{ to: "{Mechaniker|loud}" }', ":7:", "there is no form `loud`"),
        ("resume: {}", "hand_over: {}", ":13:", "activities[1].do[0].hand_over"),
        ("resume: {}", "request_id: x", ":13:", "activities[1].do[0].request_id"),
        ("resume: {}", "sing: {}", ":13:", "activities[1].do[0].sing"),
        ("[{ resume: {} }]", "[{}]", ":13:", "has no action"),
        ("enter: [Weiter]", "entre: [Weiter]", ":13:", "entre"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_mapping_is_named_with_its_line_and_field(
    tmp_path: Path, old: str, new: str, place: str, said: str
) -> None:
    assert old in WORKSHOP

    found = problems(tmp_path, WORKSHOP.replace(old, new, 1))

    assert any(problem.startswith(place) and said in problem for problem in found), found


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = WORKSHOP.replace("Europe/Berlin", "Mars/Base").replace("{Halter}, eine", "{Halter, eine")

    assert len(problems(tmp_path, text)) == 2


def test_a_mapping_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nope\.yaml.*cannot be read"):
        load_mapping(tmp_path / "nope.yaml")
