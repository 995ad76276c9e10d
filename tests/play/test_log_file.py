import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from casetrail.file_problems import FileError
from tests.play.logs import SAMPLE, SERVICENOW, WORKSHOP_HEADER, read, workshop


def row(case: str, activity: str, time: str, mechanic: str = "") -> tuple[str, ...]:
    return (case, activity, time, mechanic, "Jürgen", "Käfer")


def test_a_log_with_other_columns_delimiter_encoding_and_times_is_read(tmp_path: Path) -> None:
    file, mapping = workshop(
        tmp_path, [row("A 1", "Annahme", "2026-06-18T08:00:00"), row("A 1", "Rückfrage", "2026-06-18T06:30:00Z")]
    )

    log = read(file, mapping)[1]

    [case] = log.cases
    assert [one.activity for one in case.rows] == ["Annahme", "Rückfrage"]
    # The first is Berlin's summer time, the second names its zone itself.
    assert [one.at for one in case.rows] == [
        datetime(2026, 6, 18, 6, 0, tzinfo=UTC).timestamp(),
        datetime(2026, 6, 18, 6, 30, tzinfo=UTC).timestamp(),
    ]
    assert case.rows[0].cells["Halter"] == "Jürgen"


def test_rows_of_a_case_are_in_the_order_of_time_and_equal_times_in_the_order_of_the_file(tmp_path: Path) -> None:
    file, mapping = workshop(
        tmp_path,
        [
            row("A", "Fertig", "2026-06-18T10:00"),
            row("B", "Annahme", "2026-06-18T07:00"),
            row("A", "Annahme", "2026-06-18T08:00"),
            row("A", "Rückfrage", "2026-06-18T08:00"),
        ],
    )

    cases = read(file, mapping)[1].cases

    assert [case.number for case in cases] == ["B", "A"]
    assert [one.activity for one in cases[1].rows] == ["Annahme", "Rückfrage", "Fertig"]


def test_a_case_opens_no_later_than_its_first_row() -> None:
    cases = {case.number: case for case in read(SAMPLE, SERVICENOW)[1].cases}

    early, late = cases["INC0000130"], cases["INC0000045"]
    assert early.rows[0].opened_at is not None
    assert early.opened_at == early.rows[0].at < early.rows[0].opened_at
    assert late.opened_at == late.rows[0].opened_at
    assert late.opened_at < late.rows[0].at


def test_a_row_is_known_by_what_it_says_and_not_by_where_it_stands(tmp_path: Path) -> None:
    rows = [
        row("A", "Annahme", "2026-06-18T08:00"),
        row("A", "Fertig", "2026-06-18T09:00"),
        row("B", "Annahme", "2026-06-18T08:30"),
    ]
    digests = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        file, mapping = workshop(tmp_path / place, rows)
        digests.append({one.digest for case in read(file, mapping)[1].cases for one in case.rows})
        random.Random(1).shuffle(rows)

    assert digests[0] == digests[1]
    assert len(digests[0]) == 3


def test_equal_rows_are_different_rows(tmp_path: Path) -> None:
    file, mapping = workshop(tmp_path, [row("A", "Annahme", "2026-06-18T08:00")] * 3)

    [case] = read(file, mapping)[1].cases

    assert len({one.digest for one in case.rows}) == 3


def test_a_cell_may_go_over_several_lines(tmp_path: Path) -> None:
    file, mapping = workshop(
        tmp_path,
        [("A", "Annahme", "2026-06-18T08:00", "", "Frau\nMüller", "Käfer"), row("A", "Fertig", "2026-06-18T09:00")],
    )

    [case] = read(file, mapping)[1].cases

    assert [one.line for one in case.rows] == [2, 4]


def test_an_utf8_mark_at_the_beginning_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    marked = tmp_path / "marked.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + SAMPLE.read_bytes())

    assert len(read(marked, SERVICENOW)[1].cases) == 16


@pytest.mark.parametrize(
    ("bad", "column", "said"),
    [
        (("A", "Annahme", "18.06.2026", "", "J", "K"), "Zeitpunkt", "`18.06.2026` is no time of the form `iso`"),
        (("", "Annahme", "2026-06-18T08:00", "", "J", "K"), "Auftrag", "empty"),
        (("A", "", "2026-06-18T08:00", "", "J", "K"), "Vorgang", "empty"),
        (("A", "Annahme"), "", "2 fields where the header has 6"),
        (("A", "Annahme", "2026-06-18T08:00", "", "J", "K" * 60_000), "", "60"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_with_line_and_column_and_the_others_are_read(
    tmp_path: Path, bad: tuple[str, ...], column: str, said: str
) -> None:
    file, mapping = workshop(
        tmp_path, [row("B", "Annahme", "2026-06-18T08:00"), bad, row("B", "Fertig", "2026-06-18T09:00")]
    )

    log = read(file, mapping)[1]

    [problem] = log.bad_rows
    assert (problem.line, problem.path) == (3, column)
    assert said in problem.message
    assert sum(len(case.rows) for case in log.cases) == 2


def test_bytes_of_another_encoding_are_found_in_their_cell(tmp_path: Path) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes(SAMPLE.read_bytes().replace(b"Caller 2403", "Müller".encode("latin-1"), 1))

    [problem] = read(file, SERVICENOW)[1].bad_rows

    assert (problem.line, problem.path) == (2, "caller_id")
    assert "csv.encoding" in problem.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "its first line must name the columns"),
        (b"\x00\x1b[2J\xff\xfe", "no text that names columns"),
        (";".join(WORKSHOP_HEADER).encode("cp1252"), "no rows"),
        (b"Auftrag;Vorgang;Zeitpunt;Mechaniker;Halter;Fahrzeug\n", r"Zeitpunkt.*is it `Zeitpunt`"),
        (b"Auftrag;Auftrag;Vorgang;Zeitpunkt;Mechaniker;Halter;Fahrzeug\n", "2 columns have this name"),
        (";".join(WORKSHOP_HEADER).encode("cp1252") + b'\n"A;B\n', "no CSV"),
    ],
)
def test_a_file_that_is_no_log_of_this_mapping_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file, mapping = workshop(tmp_path, [])
    file.write_bytes(content)

    with pytest.raises(FileError, match=said):
        read(file, mapping)


def test_a_missing_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read: No such file"):
        read(tmp_path / "nope.csv", SERVICENOW)
