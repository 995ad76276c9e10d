"""Who works here: the staff directory, a YAML file that is read again when it changes.

Beside the people it lists the departments that get tasks in an incident, and by which addresses notices to users are
published:

    people:
      - {name: amy, role: agent, email: amy@staff.example}
    departments:
      - {name: technology, people: [tang], email: technology@staff.example}
    audiences:
      - {name: all users, email: all-users@notices.example}
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from casetrail.v1.types_pb2 import Role
from engine.file_mark import mark

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LISTS: Final = frozenset({"people", "departments", "audiences"})
_KEYS: Final = frozenset({"name", "role", "team", "email", "away"})
_DEPARTMENT_KEYS: Final = frozenset({"name", "people", "email"})
_AUDIENCE_KEYS: Final = frozenset({"name", "email"})


class DirectoryError(Exception):
    """The staff directory cannot be used: where, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told something.

    Attributes:
        name: The pseudonym that cases know.
        role: Where on the ladder; unspecified for whoever is only asked as one of a department.
        team: The team, or empty.
        email: Where mail goes.
        away: Not to be reached now.
    """

    name: str
    role: Role.ValueType
    team: str
    email: str
    away: bool


@dataclass(frozen=True, slots=True)
class Department:
    """Who is asked when an incident needs something done.

    Attributes:
        name: As the policy calls it, for example `technology`.
        people: Names from `people`; all of them are told.
        email: The department's own address; told as well where there is one.
    """

    name: str
    people: Sequence[str]
    email: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Through what a notice reaches some users: a status page's intake, a mailing list.

    Attributes:
        name: As notices call it; `*` publishes what no other one is for.
        email: Where the notice is sent to be published.
    """

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Roster:
    """What the file says."""

    people: Sequence[Person]
    departments: Sequence[Department] = ()
    audiences: Sequence[Audience] = ()


class Directory:
    """The people, departments and audiences of a YAML file."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            DirectoryError: It cannot be used.
        """
        self._path = path
        self._seen = mark(path)
        self._roster = read(path)

    def people(self) -> Sequence[Person]:
        """Everybody, as of now."""
        return self._now().people

    def of_department(self, name: str) -> list[Person]:
        """Whom a task of a department is told to: those of its people who are there, then its own address."""
        roster = self._now()
        department = next((each for each in roster.departments if each.name.casefold() == name.casefold()), None)
        if department is None:
            return []
        found = [person for person in roster.people if person.name in department.people and not person.away]
        if department.email:
            found.append(Person(department.name, Role.ROLE_UNSPECIFIED, "", department.email, away=False))
        return found

    def audience(self, name: str) -> Audience | None:
        """Through what a notice for these users is published; None when there is nothing for them."""
        audiences = {each.name.casefold(): each for each in self._now().audiences}
        return audiences.get(name.casefold()) or audiences.get("*")

    def named(self, name: str) -> list[Person]:
        """The person of a name who can be reached; nobody when unknown or away."""
        return [person for person in self.people() if person.name == name and not person.away]

    def of_role(self, role: Role.ValueType, team: str) -> list[Person]:
        """Everybody of a role who can be reached: of the team where it has any, else of all teams."""
        present = [person for person in self.people() if person.role == role and not person.away]
        return [person for person in present if team and person.team == team] or present

    def _now(self) -> Roster:
        """The file as of now. One that has become unusable is reported, and what it said before still holds."""
        seen = mark(self._path)
        if seen == self._seen:
            return self._roster
        self._seen = seen
        try:
            self._roster = read(self._path)
        except DirectoryError as error:
            _log.error("staff directory not read again", why=str(error))
        return self._roster


def read(path: Path) -> Roster:
    """Read a staff directory.

    Raises:
        DirectoryError: It cannot be read, or something in it is not described as agreed.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, YAMLError) as error:
        raise DirectoryError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("people"), list):
        raise DirectoryError(f"{path} must have a list `people`")
    _object(content, str(path), _LISTS)
    departments = tuple(_department(*entry) for entry in _entries(content, "departments", "department", path))
    asked = {name for department in departments for name in department.people}
    people = tuple(_person(entry, at, asked) for entry, at in _entries(content, "people", "person", path))
    if strange := sorted(asked - {person.name for person in people}):
        raise DirectoryError(f"{path}: there is nobody called {strange[0]!r}, whom a department names")
    audiences = tuple(_audience(*entry) for entry in _entries(content, "audiences", "audience", path))
    return Roster(people, departments, audiences)


def _entries(content: Mapping[str, object], name: str, one: str, path: Path) -> Iterator[tuple[object, str]]:
    """Each entry of a list of the file, and where it stands."""
    entries = content.get(name, [])
    if not isinstance(entries, list):
        raise DirectoryError(f"{path}: `{name}` must be a list")
    return ((entry, f"{path}, {one} {number}") for number, entry in enumerate(entries, 1))


def _person(entry: object, where: str, asked: AbstractSet[str]) -> Person:
    content = _object(entry, where, _KEYS)
    # Whoever is asked as one of a department need stand on no ladder.
    needed = ("name", "email") if str(content.get("name")) in asked else ("name", "role", "email")
    texts = _texts(content, where, needed=needed, more=("role", "team"))
    try:
        role = Role.Value(f"ROLE_{(texts['role'] or 'unspecified').upper()}")
    except ValueError:
        raise DirectoryError(f"{where}: there is no role {texts['role']!r}") from None
    away = content.get("away", False)
    if not isinstance(away, bool):
        raise DirectoryError(f"{where}: `away` must be true or false")
    return Person(texts["name"], role, texts["team"], texts["email"], away)


def _department(entry: object, where: str) -> Department:
    content = _object(entry, where, _DEPARTMENT_KEYS)
    texts = _texts(content, where, needed=("name",), more=("email",))
    people = content.get("people") or []
    if not isinstance(people, list) or not all(isinstance(name, str) for name in people):
        raise DirectoryError(f"{where}: `people` must be a list of names")
    if not people and not texts["email"]:
        raise DirectoryError(f"{where}: it needs `people` or an `email`")
    return Department(texts["name"], tuple(people), texts["email"])


def _audience(entry: object, where: str) -> Audience:
    texts = _texts(_object(entry, where, _AUDIENCE_KEYS), where, needed=("name", "email"))
    return Audience(texts["name"], texts["email"])


def _object(entry: object, where: str, keys: AbstractSet[str]) -> dict[str, object]:
    if not isinstance(entry, dict) or not entry.keys() <= keys:
        raise DirectoryError(f"{where}: expected an object with {', '.join(sorted(keys))}")
    return entry


def _texts(
    content: Mapping[str, object], where: str, *, needed: Sequence[str], more: Sequence[str] = ()
) -> dict[str, str]:
    texts = {key: str(content.get(key) or "") for key in (*needed, *more)}
    for key in needed:
        if not texts[key]:
            raise DirectoryError(f"{where}: `{key}` is missing")
    return texts
