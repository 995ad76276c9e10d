"""The staff directory."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from activities.directory import Directory, DirectoryError
from casetrail.v1.types_pb2 import Role

PEOPLE = """\
people:
  - {name: amy, role: agent, team: north, email: amy@staff.example}
  - {name: ben, role: agent, team: south, email: ben@staff.example}
  - {name: chloe, role: team_lead, email: chloe@staff.example, away: true}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "staff.yaml"
    path.write_text(PEOPLE)
    return path


def _rewrite(file: Path, text: str) -> None:
    file.write_text(text)
    os.utime(file, ns=(1, 1))  # as another moment would


def test_a_role_is_its_people_of_the_team_or_else_of_all_teams(file: Path) -> None:
    directory = Directory(file)
    assert [person.name for person in directory.of_role(Role.ROLE_AGENT, "north")] == ["amy"]
    assert [person.name for person in directory.of_role(Role.ROLE_AGENT, "west")] == ["amy", "ben"]
    assert [person.name for person in directory.of_role(Role.ROLE_AGENT, "")] == ["amy", "ben"]


def test_whoever_is_away_is_nobody(file: Path) -> None:
    directory = Directory(file)
    assert directory.of_role(Role.ROLE_TEAM_LEAD, "") == []
    assert directory.named("chloe") == []


def test_a_change_of_the_file_counts_at_once(file: Path) -> None:
    directory = Directory(file)
    _rewrite(file, PEOPLE.replace("away: true", "away: false"))
    assert [person.email for person in directory.named("chloe")] == ["chloe@staff.example"]


def test_a_file_that_takes_the_place_of_one_of_the_same_size_and_time_counts_too(file: Path) -> None:
    directory = Directory(file)
    other = file.with_name("other.yaml")
    other.write_text(PEOPLE.replace("ben", "eva"))
    written = file.stat().st_mtime_ns
    os.utime(other, ns=(written, written))
    other.replace(file)
    assert [person.name for person in directory.of_role(Role.ROLE_AGENT, "south")] == ["eva"]


def test_a_file_that_breaks_is_reported_once_and_what_it_said_still_holds(file: Path) -> None:
    directory = Directory(file)
    _rewrite(file, "people: [{name: amy}]")
    with capture_logs() as lines:
        assert [person.name for person in directory.named("amy")] == ["amy"]
        assert directory.named("ben")
    assert [line["event"] for line in lines] == ["staff directory not read again"]
    assert "person 1: `role` is missing" in lines[0]["why"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("people: {", "cannot be read"),
        ("- amy", "must have a list `people`"),
        ("people: [amy]", "person 1: expected an object"),
        ("people: [{name: amy, rolle: agent}]", "person 1: expected an object"),
        ("people: [{name: amy, role: king, email: a@b.example}]", "there is no role 'king'"),
        ("people: [{name: amy, role: agent, email: a@b.example, away: perhaps}]", "`away` must be true or false"),
        ("people: [{name: amy, role: agent}]", "`email` is missing"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, text: str, what: str) -> None:
    file.write_text(text)
    with pytest.raises(DirectoryError, match=what):
        Directory(file)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="cannot be read"):
        Directory(tmp_path / "none.yaml")


DEPARTMENTS = """\
  - {name: tang, email: tang@staff.example}
departments:
  - {name: technology, people: [tang, chloe], email: technology@staff.example}
  - {name: legal, email: legal@staff.example}
audiences:
  - {name: all users, email: all-users@notices.example}
"""


def test_a_department_is_its_people_who_are_there_and_its_own_address(file: Path) -> None:
    _rewrite(file, PEOPLE + DEPARTMENTS)
    directory = Directory(file)
    asked = directory.of_department("Technology")
    assert [person.email for person in asked] == ["tang@staff.example", "technology@staff.example"]
    assert [person.name for person in directory.of_department("legal")] == ["legal"]
    assert directory.of_department("kitchen") == []


def test_whoever_is_only_asked_as_one_of_a_department_stands_on_no_ladder(file: Path) -> None:
    _rewrite(file, PEOPLE + DEPARTMENTS)
    directory = Directory(file)
    assert "tang" not in [person.name for person in directory.of_role(Role.ROLE_AGENT, "")]
    assert [person.email for person in directory.named("tang")] == ["tang@staff.example"]


def test_a_notice_is_published_where_its_audience_is_or_where_all_others_are(file: Path) -> None:
    _rewrite(file, PEOPLE + DEPARTMENTS)
    directory = Directory(file)
    assert directory.audience("all users") is directory.audience("All users")
    assert directory.audience("buyers of MUG-01") is None
    _rewrite(file, PEOPLE + DEPARTMENTS + '  - {name: "*", email: notices@notices.example}\n')
    everybody_else = directory.audience("buyers of MUG-01")
    assert everybody_else
    assert everybody_else.email == "notices@notices.example"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("departments: [{name: 2026-13-45}]\n", "cannot be read"),
        ("departments: {}\n", "`departments` must be a list"),
        ("departments: [{name: it, people: [nobody]}]\n", "there is nobody called 'nobody', whom a department names"),
        ("departments: [{name: it}]\n", "department 1: it needs `people` or an `email`"),
        ("departments: [{name: it, people: amy}]\n", "department 1: `people` must be a list of names"),
        ("audiences: [{name: all}]\n", "audience 1: `email` is missing"),
        ("audiences: [{name: all, mail: x}]\n", "audience 1: expected an object with email, name"),
        ("departements: []\n", "expected an object with audiences, departments, people"),
    ],
)
def test_what_is_wrong_with_departments_and_audiences_is_said(file: Path, more: str, what: str) -> None:
    file.write_text(PEOPLE + more)
    with pytest.raises(DirectoryError, match=what):
        Directory(file)
