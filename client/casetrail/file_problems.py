"""What can be wrong in a file that a person wrote, and where."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from casetrail import short_forms

FieldPath = tuple[str | int, ...]
"""Where a value stands in the message: names of fields, keys of maps and numbers of list items."""

Place = tuple[int, int]
"""Line and column, from 1."""


class Finding(NamedTuple):
    """What a check of a message found, before it has a place in a file.

    Attributes:
        path: The field that it is about.
        message: What is wrong and what to write instead.
        rests_on: Other fields that it concludes from. Where one of these could not be read, it may be wrong.
    """

    path: FieldPath
    message: str
    rests_on: tuple[FieldPath, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file.

    Attributes:
        file: As the reader named it.
        line: From 1; 0 where it is about the file as a whole.
        column: From 1; 0 likewise.
        path: The field, for example `clocks.first_response.targets[0].within`; empty for the whole.
        message: What is wrong and what to write instead.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """One line, in the form that editors jump to."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        about = f"{self.path}: " if self.path else ""
        return f"{place} {about}{self.message}"


class FileError(Exception):
    """A file that cannot be used.

    Attributes:
        problems: What is wrong in it, from its top to its end.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Refuse a file for these problems."""
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


def unknown_name(name: str, known: Iterable[str], path: FieldPath) -> Iterator[Finding]:
    """That a name is none of those that are known, where there is one."""
    if name and name not in known:
        yield Finding(path, short_forms.unknown(name, sorted(known)))


def path_text(path: FieldPath) -> str:
    """A path as people write it."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[\w-]+", step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text
