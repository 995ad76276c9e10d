"""Read an event log: a CSV file, as the cases and rows that are in it.

The whole file is read before anything is sent. What is wrong with the file itself (no such file, no such column,
another encoding) ends it at once; what is wrong with single rows is collected, so that all of it can be shown.
"""

import csv
import difflib
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from casetrail.file_problems import FileError, Problem
from casetrail.v1.mapping_pb2 import Mapping

if TYPE_CHECKING:
    import _csv

# What `ImportRow.raw` holds at most, less the room for a remark.
LONGEST_ROW = 49_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the log.

    Attributes:
        line: Where it begins in the file, from 1.
        case: The case's number in the log.
        activity: What happened.
        at: When, in unix seconds.
        opened_at: When the case was opened, as this row has it; None when it does not say.
        cells: Every cell by its column; empty where nothing is known.
        raw: The row as it is in the file, as a JSON object.
        digest: Of the row and its case, hex; equal rows of a case differ by how often they came before.
    """

    line: int
    case: str
    activity: str
    at: int
    opened_at: int | None
    cells: dict[str, str]
    raw: str
    digest: str


@dataclass(frozen=True, slots=True)
class LogCase:
    """The rows of one case in the order of time; equal times in the order of the file."""

    number: str
    rows: tuple[Row, ...]

    @property
    def opened_at(self) -> int:
        """When it opened, in unix seconds: no later than its first row."""
        first = self.rows[0]
        return first.at if first.opened_at is None else min(first.opened_at, first.at)


@dataclass(frozen=True, slots=True)
class EventLog:
    """What a file holds: its cases in the order in which they opened, and the rows that cannot be read."""

    cases: tuple[LogCase, ...]
    bad_rows: tuple[Problem, ...]


def read_log(path: Path, mapping: Mapping, columns: frozenset[str]) -> EventLog:
    """Read a file.

    Args:
        path: The file.
        mapping: What its columns mean.
        columns: Every column that the mapping asks for.

    Raises:
        FileError: The file cannot be read, or its header lacks a column.
    """
    lines = csv.reader(
        io.StringIO(_decode(path, mapping.csv.encoding or "utf-8"), newline=""),
        delimiter=mapping.csv.delimiter or ",",
        strict=True,
    )
    try:
        header = next(lines, [])
        _check_header(path, header, columns)
        reader = _RowReader(path, mapping, header)
        rows = list(reader.read(_numbered(lines)))
    except csv.Error as error:
        raise FileError([_problem(path, lines.line_num, "", f"is no CSV: {error}")]) from error
    if not rows and not reader.bad_rows:
        raise FileError([_problem(path, 0, "", "has a header and no rows")])
    by_case: dict[str, list[Row]] = {}
    for row in rows:
        by_case.setdefault(row.case, []).append(row)
    cases = [LogCase(number, tuple(sorted(rows, key=lambda row: row.at))) for number, rows in by_case.items()]
    return EventLog(tuple(sorted(cases, key=lambda case: (case.opened_at, case.number))), tuple(reader.bad_rows))


def _problem(path: Path, line: int, column: str, message: str) -> Problem:
    """What is wrong in a row: it is found by its line, and by the name of its column."""
    return Problem(str(path), line, 1 if line else 0, column, message)


def _decode(path: Path, encoding: str) -> str:
    """Read the text; bytes that are none in this encoding stay as surrogates and are found in their cell."""
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
    try:
        return path.read_bytes().decode(codec, errors="surrogateescape")
    except OSError as error:
        raise FileError([_problem(path, 0, "", f"cannot be read: {error.strerror}")]) from error
    except LookupError as error:
        raise FileError([_problem(path, 0, "", f"the mapping's csv.encoding `{encoding}` is unknown")]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = f"is not {encoding}: {error.reason}; set csv.encoding in the mapping"
        raise FileError([_problem(path, line, "", message)]) from error


def _check_header(path: Path, header: Sequence[str], columns: frozenset[str]) -> None:
    """Refuse a header that lacks a column or has one twice."""
    if not header:
        raise FileError([_problem(path, 1, "", "is empty; its first line must name the columns")])
    if not all(name.isprintable() for name in header):
        message = "is no text that names columns; if it is in another encoding, set csv.encoding in the mapping"
        raise FileError([_problem(path, 1, "", message)])
    problems = [
        _problem(path, 1, name, f"{count} columns have this name; rename all but one")
        for name, count in Counter(header).items()
        if count > 1
    ]
    for name in sorted(columns.difference(header)):
        near = difflib.get_close_matches(name, header, n=1)
        hint = f"; is it `{near[0]}`?" if near else f"; there are: {', '.join(header)[:300]}"
        problems.append(_problem(path, 1, name, f"the mapping asks for this column and the header lacks it{hint}"))
    if problems:
        raise FileError(problems)


def _numbered(lines: "_csv.Reader") -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it begins: a quoted cell may go over several."""
    line = lines.line_num + 1
    for cells in lines:
        yield line, cells
        line = lines.line_num + 1


class _RowReader:
    """Makes rows of lists of cells, and collects what cannot be made one."""

    def __init__(self, path: Path, mapping: Mapping, header: Sequence[str]) -> None:
        self.bad_rows: list[Problem] = []
        self._path = path
        self._columns = mapping.columns
        self._header = header
        self._missing = {"", *mapping.missing}
        self._read_time = _time_reader(mapping.time.format, ZoneInfo(mapping.time.zone))
        self._time_format = mapping.time.format
        self._seen: Counter[str] = Counter()

    def read(self, lines: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
        for line, values in lines:
            if not values:
                continue  # an empty line, as many files end with
            try:
                yield self._row(line, values)
            except _BadCellError as bad:
                self.bad_rows.append(_problem(self._path, line, bad.column, str(bad)))

    def _row(self, line: int, values: Sequence[str]) -> Row:
        if len(values) != len(self._header):
            raise _BadCellError(
                "", f"{len(values)} fields where the header has {len(self._header)}; is a quote missing?"
            )
        raw = dict(zip(self._header, values, strict=True))
        for column, value in raw.items():
            if any("\ud800" <= sign <= "\udfff" for sign in value):
                raise _BadCellError(column, "bytes that are no text in this encoding; see csv.encoding in the mapping")
        cells = {column: "" if value.strip() in self._missing else value.strip() for column, value in raw.items()}
        columns = self._columns
        text = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
        if len(text) > LONGEST_ROW:
            raise _BadCellError("", f"the row has {len(text)} characters; at most {LONGEST_ROW} can be kept")
        return Row(
            line=line,
            case=self._filled(cells, columns.case),
            activity=self._filled(cells, columns.activity),
            at=self._time(cells, columns.time),
            opened_at=self._time(cells, columns.opened_at) if cells.get(columns.opened_at) else None,
            cells=cells,
            raw=text,
            digest=self._digest(raw),
        )

    def _digest(self, raw: dict[str, str]) -> str:
        """Name the row by what it says, so that it is found again in a longer or differently sorted file."""
        content = json.dumps(raw, sort_keys=True)
        self._seen[content] += 1
        return hashlib.sha256(f"{self._seen[content]}:{content}".encode()).hexdigest()

    @staticmethod
    def _filled(cells: dict[str, str], column: str) -> str:
        if not cells[column]:
            raise _BadCellError(column, "the cell is empty; without it the row belongs nowhere")
        return cells[column]

    def _time(self, cells: dict[str, str], column: str) -> int:
        value = self._filled(cells, column)
        try:
            return self._read_time(value)
        except (ValueError, OverflowError) as error:
            raise _BadCellError(column, f"`{value[:60]}` is no time of the form `{self._time_format}`") from error


class _BadCellError(Exception):
    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def _time_reader(form: str, zone: ZoneInfo) -> Callable[[str], int]:
    """Read a time of the log as unix seconds; case time counts whole ones."""

    def read(text: str) -> int:
        time = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007 - below
        return math.floor((time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC).timestamp())

    return read
