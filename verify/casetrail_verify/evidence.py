"""What an auditor brings: the export, and what is known from elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from casetrail_verify import lines
from casetrail_verify.lines import LineError
from casetrail_verify.notes import LOG_KEY, WITNESS_KEY, NoteError, VerifierKey


class EvidenceError(Exception):
    """What was brought cannot be used at all."""


@dataclass(frozen=True)
class Evidence:
    """What is to be judged, and by what.

    Attributes:
        export: The file, or the folder of an archive.
        log_keys: Keys of the log, learnt from elsewhere than the export; the oldest first.
        witness_keys: Keys of the witnesses each of which must have seen all of the log.
        checkpoints: Files or folders of checkpoints that were kept elsewhere.
        receipts: Files of receipts that callers have kept.
        archived: Whether payloads may be gone that the log does not say were archived.
    """

    export: Path
    log_keys: Sequence[VerifierKey]
    witness_keys: Sequence[VerifierKey] = ()
    checkpoints: Sequence[Path] = ()
    receipts: Sequence[Path] = ()
    archived: bool = False

    def check_kept(self) -> None:
        """Make sure that there is something in each file of what was kept elsewhere: nothing would pass for all.

        Raises:
            EvidenceError: There is not.
            OSError: One cannot be read.
        """
        for path in self.checkpoints:
            if not any(_holds_an_entry(regular(file)) for file in notes_in(path)):
                raise EvidenceError(f"{path} holds no checkpoints")
        for path in self.receipts:
            if not _holds_an_entry(regular(path)):
                raise EvidenceError(f"{path} holds no receipts")


def keys(given: Sequence[str], kind: int) -> list[VerifierKey]:
    """Read keys.

    Args:
        given: Each a vkey, or a file of them.
        kind: Whose keys they must be.

    Raises:
        EvidenceError: One cannot be read, or is of another kind.
    """
    found = []
    for vkey, where in (each for one in given for each in _vkeys(one)):
        try:
            key = VerifierKey.parse(vkey)
        except NoteError as error:
            raise EvidenceError(f"{where}: {error}") from error
        if key.kind != kind:
            words = {LOG_KEY: "a log", WITNESS_KEY: "a witness"}
            raise EvidenceError(f"{where}: {key.short} is the key of {words[key.kind]}, not of {words[kind]}")
        found.append(key)
    return found


def regular(path: Path) -> Path:
    """A file that can be read again: what was read of a pipe is gone.

    Raises:
        EvidenceError: It is none.
    """
    if path.exists() and not path.is_file():
        raise EvidenceError(f"{path} is no regular file")
    return path


def notes_in(path: Path) -> list[Path]:
    """The files of checkpoints that a path names: itself, or all files of the folder, by name.

    Raises:
        EvidenceError: There are none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
    if not files:
        raise EvidenceError(f"{path} holds no checkpoints")
    return files


def _holds_an_entry(path: Path) -> bool:
    """Whether there is more than a line that a crash cut off."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        return line.endswith(b"\n") or bool(lines.parse(line))
    except LineError:
        return False


def _vkeys(given: str) -> Iterator[tuple[str, str]]:
    path = Path(given)
    if not path.exists() or path.is_dir():
        if "+" not in given:
            raise EvidenceError(f"{given} is neither a file nor a key (NAME+HASH+KEY)")
        yield given, "the key"
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{path} is no file of keys") from error
    named = [(line.strip(), f"{path}, line {number}") for number, line in enumerate(text.splitlines(), 1)]
    wanted = [(line, where) for line, where in named if line and not line.startswith("#")]
    if not wanted:
        raise EvidenceError(f"{path} holds no key")
    yield from wanted
