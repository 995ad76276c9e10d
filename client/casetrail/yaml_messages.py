"""A YAML file as a message of the contract, with everything that is wrong in it and where.

Fields have the names of the contract (`policy_id`, `within`), single values their short forms (see
`casetrail.short_forms`). The whole file is read before anything is said, so that its author sees all problems
at once; what only follows from another problem is left out.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from casetrail import short_forms
from casetrail.broken_rules import broken_rules
from casetrail.file_problems import FieldPath, FileError, Finding, Place, Problem, path_text
from casetrail.single_values import nothing, scalar

M = TypeVar("M", bound=Message)

_MOST_VALUES = 100_000
_MOST_BYTES = 4 << 20
_NO_HINTS: Mapping[str, str] = MappingProxyType({})
_NULL = "tag:yaml.org,2002:null"
_WRITTEN_AS_ONE_VALUE: dict[str, Callable[[str], Message]] = {
    "google.protobuf.Duration": short_forms.duration,
    "google.protobuf.Timestamp": short_forms.timestamp,
}


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """What was read of a file: the message as far as it could be understood, and what is wrong in it."""

    file: str
    message: M
    problems: tuple[Problem, ...]
    places: Mapping[FieldPath, Place]
    blamed: frozenset[FieldPath]

    def further(self, findings: Iterable[Finding]) -> list[Problem]:
        """Problems that a later check found, at their places, without what follows from an earlier one."""
        reported = {problem.path for problem in self.problems}
        return _once(
            Problem(self.file, *_nearest(self.places, finding.path), path_text(finding.path), finding.message)
            for finding in findings
            if path_text(finding.path) not in reported and not self._follows(finding)
        )

    def _follows(self, finding: Finding) -> bool:
        paths = (finding.path, *finding.rests_on)
        return any(_related(path, blamed) for path in paths for blamed in self.blamed)


def load(path: Path, message_type: type[M], *, hints: Mapping[str, str] = _NO_HINTS) -> M:
    """Read a file that has to be right.

    Raises:
        FileError: It is not.
    """
    reading = read(path, message_type, hints=hints)
    if reading.problems:
        raise FileError(reading.problems)
    return reading.message


def read(
    path: Path,
    message_type: type[M],
    *,
    hints: Mapping[str, str] = _NO_HINTS,
    leave_out: Container[str] = (),
) -> Reading[M]:
    """Read a file, check it against the contract's rules, and collect what is wrong.

    Args:
        path: The file; its name stands in the problems as it is given here.
        message_type: What it describes.
        hints: By the full name of a field with a pattern: what to write there, in words.
        leave_out: Ids of rules that the caller checks itself, more precisely.
    """
    message = message_type()
    walk = _Walk(str(path))
    try:
        root = _compose(path)
        walk.message(root, message, ())
    except FileError as error:
        return Reading(walk.file, message, error.problems, {}, frozenset({()}))
    except (RecursionError, _TooMuchError):
        size = f"is nested too deeply, or holds more than {_MOST_VALUES} values (aliases count each time)"
        problem = Problem(walk.file, 0, 0, "", size)
        return Reading(walk.file, message, (problem,), {}, frozenset({()}))
    found = Reading(walk.file, message, tuple(_once(walk.problems)), walk.places, frozenset(walk.blamed))
    broken = found.further(broken_rules(message, hints=hints, leave_out=leave_out))
    return replace(found, problems=tuple(sorted([*found.problems, *broken])))


class _TooMuchError(Exception):
    """Aliases expand the file beyond what anybody writes by hand."""


@dataclass(slots=True)
class _Walk:
    """The way through a file's nodes, along the message's descriptor."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    places: dict[FieldPath, Place] = field(default_factory=dict)
    blamed: set[FieldPath] = field(default_factory=set)
    values_left: int = _MOST_VALUES

    def report(self, node: Node, path: FieldPath, message: str, *also_blamed: FieldPath) -> None:
        """Note what is wrong at a node, and which fields cannot be judged for it."""
        # Nothing stands nowhere: the parser puts an empty value where the next thing begins.
        place = _place(node) if _shows(node) else self.places.get(path, _place(node))
        self.problems.append(Problem(self.file, *place, path_text(path), message))
        self.blamed.update((path, *also_blamed))

    def message(self, node: Node, message: Message, path: FieldPath) -> None:
        """Fill a message from a mapping."""
        fields = cast("Descriptor", message.DESCRIPTOR).fields_by_name
        chosen: dict[str, str] = {}
        for name, key, value in self._entries(node, path):
            here = (*path, name)
            if name not in fields:
                meant = short_forms.probably_meant(name, fields)
                also = [] if meant is None else [(*path, meant)]
                self.report(key, here, short_forms.unknown(name, fields), *also)
                continue
            oneof = fields[name].containing_oneof
            rival = chosen.setdefault(oneof.name, name) if oneof is not None else name
            if rival != name:
                self.report(key, here, f'cannot stand beside "{rival}"; choose one')
                continue
            self.places[here] = _place_of_entry(key, value)
            self._field(value, message, fields[name], here)

    def _field(self, node: Node, message: Message, kind: FieldDescriptor, path: FieldPath) -> None:
        if kind.message_type is not None and kind.message_type.GetOptions().map_entry:
            self._map(node, getattr(message, kind.name), kind.message_type, path)
        elif kind.is_repeated:
            self._list(node, getattr(message, kind.name), kind, path)
        elif kind.message_type is None:
            value = self._scalar(node, kind, path)
            if value is not None:
                setattr(message, kind.name, value)
        else:
            inner: Message = getattr(message, kind.name)
            inner.SetInParent()
            self._inner(node, inner, path)

    def _inner(self, node: Node, message: Message, path: FieldPath) -> None:
        read = _WRITTEN_AS_ONE_VALUE.get(message.DESCRIPTOR.full_name)
        if read is None:
            self.message(node, message, path)
            return
        value = self._text(node, path, read)
        if value is not None:
            message.CopyFrom(value)

    def _list(self, node: Node, values: Any, kind: FieldDescriptor, path: FieldPath) -> None:  # noqa: ANN401 - any message
        if not isinstance(node, SequenceNode):
            self.report(node, path, f"{_shown(node)} is not a list; write [ ] around its items")
            return
        for number, item in enumerate(node.value):
            here = (*path, number)
            self.places[here] = self._visited(item)
            if kind.message_type is not None:
                self._inner(item, values.add(), here)
                continue
            value = self._scalar(item, kind, here)
            # What could not be read keeps its place, so that the others keep their numbers.
            values.append(nothing(kind) if value is None else value)

    def _map(self, node: Node, entries: Any, entry: Descriptor, path: FieldPath) -> None:  # noqa: ANN401 - any message
        key_kind, value_kind = entry.fields_by_name["key"], entry.fields_by_name["value"]
        for name, key_node, value_node in self._entries(node, path):
            here = (*path, name)
            self.places[here] = _place_of_entry(key_node, value_node)
            key = self._scalar(key_node, key_kind, here)
            if key is None:
                continue
            if value_kind.message_type is not None:
                self._inner(value_node, entries[key], here)
                continue
            value = self._scalar(value_node, value_kind, here)
            entries[key] = nothing(value_kind) if value is None else value

    def _entries(self, node: Node, path: FieldPath) -> Iterator[tuple[str, ScalarNode, Node]]:
        """The entries of a mapping, each key once."""
        if not isinstance(node, MappingNode):
            self.report(node, path, f"{_shown(node)} is not a mapping; write its fields as name: value")
            return
        first_lines: dict[str, int] = {}
        for key, value in node.value:
            self._visited(value)
            if not isinstance(key, ScalarNode):
                self.report(key, path, "a name cannot be a list or a mapping")
            elif key.value in first_lines:
                first = first_lines[key.value]
                self.report(key, (*path, key.value), f"stands here twice; first in line {first}")
            else:
                first_lines[key.value], _ = _place(key)
                yield key.value, key, value

    def _scalar(self, node: Node, kind: FieldDescriptor, path: FieldPath) -> Any:  # noqa: ANN401 - any protobuf scalar
        return self._text(node, path, lambda text: scalar(kind, text))

    def _text(self, node: Node, path: FieldPath, read: Callable[[str], Any]) -> Any:  # noqa: ANN401 - what `read` gives
        """What a single value means; nothing where it is none, which is then reported."""
        if not isinstance(node, ScalarNode):
            self.report(node, path, f"{_shown(node)} stands where a single value belongs")
            return None
        if node.tag == _NULL and not node.style:
            self.report(node, path, "has no value; write one, or leave the name out")
            return None
        try:
            return read(node.value)
        except ValueError as error:
            self.report(node, path, str(error))
            return None

    def _visited(self, node: Node) -> Place:
        self.values_left -= 1
        if self.values_left < 0:
            raise _TooMuchError
        return _place(node)


def _compose(path: Path) -> Node:
    """The file's nodes.

    Raises:
        FileError: It cannot be read, or is no YAML.
    """

    def failure(message: str, line: int = 0, column: int = 0) -> FileError:
        return FileError([Problem(str(path), line, column, "", message)])

    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise failure(f"cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise failure(f"has more than {_MOST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except UnicodeDecodeError as error:
        raise failure("is not UTF-8 text", *_end_of(content[: error.start].decode())) from error
    except ReaderError as error:
        raise failure(f"is no YAML: {error.reason}", *_end_of(text[: error.position])) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise failure(f"is no YAML: {_why(error)}", mark.line + 1, mark.column + 1) from error
    except RecursionError as error:
        raise failure("is nested too deeply") from error
    if root is None:
        raise failure("is empty")
    return root


def _end_of(text: str) -> Place:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _why(error: MarkedYAMLError) -> str:
    return ", ".join(str(part) for part in (error.context, error.problem) if part)


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _place_of_entry(key: Node, value: Node) -> Place:
    """Where a single value stands; for a longer one, and for none, where its name stands."""
    return _place(value if isinstance(value, ScalarNode) and _shows(value) else key)


def _shows(node: Node) -> bool:
    return bool(node.value or getattr(node, "style", None))


def _shown(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return short_forms.quoted(node.value) if node.value else "an empty value"
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without what an alias only repeats."""
    first: dict[tuple[Place, str], Problem] = {}
    for problem in problems:
        first.setdefault(((problem.line, problem.column), problem.message), problem)
    return list(first.values())


def _nearest(places: Mapping[FieldPath, Place], path: FieldPath) -> Place:
    """The place of a field, or of the innermost thing around it that the file has."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return 1, 1


def _related(one: FieldPath, other: FieldPath) -> bool:
    """Whether one of two fields holds the other, or they are the same."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]
