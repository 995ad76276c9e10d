"""Who works here: the staff directory, a YAML file that is read again when it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from casetrail.v1.types_pb2 import Role

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_KEYS: Final = frozenset({"name", "role", "team", "email", "away"})


class DirectoryError(Exception):
    """The staff directory cannot be used: where, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told something.

    Attributes:
        name: The pseudonym that cases know.
        role: Where on the ladder.
        team: The team, or empty.
        email: Where mail goes.
        away: Not to be reached now.
    """

    name: str
    role: Role.ValueType
    team: str
    email: str
    away: bool


class Directory:
    """The people of a YAML file."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            DirectoryError: It cannot be used.
        """
        self._path = path
        self._stamp = _stamp(path)
        self._people = read(path)

    def people(self) -> Sequence[Person]:
        """Everybody, as of now. A file that has become unusable is reported, and what it said before still holds."""
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._people = read(self._path)
        except DirectoryError as error:
            _log.error("staff directory not read again", why=str(error))
        return self._people

    def named(self, name: str) -> list[Person]:
        """The person of a name who can be reached; nobody when unknown or away."""
        return [person for person in self.people() if person.name == name and not person.away]

    def of_role(self, role: Role.ValueType, team: str) -> list[Person]:
        """Everybody of a role who can be reached: of the team where it has any, else of all teams."""
        present = [person for person in self.people() if person.role == role and not person.away]
        return [person for person in present if team and person.team == team] or present


def read(path: Path) -> tuple[Person, ...]:
    """Read a staff directory.

    Raises:
        DirectoryError: It cannot be read, or a person is not described as agreed.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise DirectoryError(f"{path} cannot be read: {error}") from error
    entries = content.get("people") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise DirectoryError(f"{path} must have a list `people`")
    return tuple(_person(entry, f"{path}, person {number}") for number, entry in enumerate(entries, 1))


def _person(entry: object, where: str) -> Person:
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
        raise DirectoryError(f"{where}: expected an object with {', '.join(sorted(_KEYS))}")
    texts = {key: str(entry.get(key) or "") for key in ("name", "role", "team", "email")}
    for key in ("name", "role", "email"):
        if not texts[key]:
            raise DirectoryError(f"{where}: `{key}` is missing")
    try:
        role = Role.Value(f"ROLE_{texts['role'].upper()}")
    except ValueError:
        raise DirectoryError(f"{where}: there is no role {texts['role']!r}") from None
    away = entry.get("away", False)
    if not isinstance(away, bool):
        raise DirectoryError(f"{where}: `away` must be true or false")
    return Person(texts["name"], role, texts["team"], texts["email"], away)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise DirectoryError(f"{path} cannot be read: {error}") from error
    return status.st_mtime_ns, status.st_size
