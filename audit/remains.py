"""What a log leaves outside its database. Where that is there and the database is empty, a log was lost.

Then nobody begins a new one unasked: it would answer callers as if nothing had ever happened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from audit.checkpoint_folder import days_in
from audit.log import LogDamagedError, LogUnavailableError
from casetrail.proof.note import NoteError, keys_of


@dataclass(frozen=True, slots=True)
class Remains:
    """Where they would be.

    Attributes:
        keys: CASETRAIL_KEYS, the folder of the log's signing key; `keys` in the data folder when left out.
        checkpoints: CASETRAIL_CHECKPOINTS, the folder of what it has published; none when left out.
    """

    keys: Path
    checkpoints: Path | None

    @classmethod
    def read(cls, environment: Mapping[str, str], data: Path) -> Self:
        """Read the settings."""
        checkpoints = environment.get("CASETRAIL_CHECKPOINTS")
        return cls(Path(environment.get("CASETRAIL_KEYS") or data / "keys"), Path(checkpoints) if checkpoints else None)

    def found(self) -> list[str]:
        """What shows that there was a log, in words.

        Raises:
            LogUnavailableError: It cannot be looked at.
        """
        public, found = self.keys / "log.vkey", []
        try:
            if public.exists() or (self.keys / "log.key").exists():
                found.append(f"{self.keys} has the signing key of {_named(public)}")
            if self.checkpoints is not None and self.checkpoints.exists():
                published = [path for path in days_in(self.checkpoints) if path.stat().st_size]
                found += [f"{self.checkpoints} has what a log has published"] if published else []
        except OSError as error:
            raise LogUnavailableError(
                f"whether there was a log before cannot be seen: {error.filename}: {error.strerror}"
            ) from error
        return found


def refuse_to_begin(log: str, remains: Sequence[str]) -> None:
    """Refuse to begin a log where one was lost.

    Args:
        log: What errors call it.
        remains: What shows that there was one.

    Raises:
        LogDamagedError: There was.
    """
    if remains:
        raise LogDamagedError(
            f"the log {log} is gone: its database is empty, but {', and '.join(remains)}. Restore the newest backup of "
            "the database. Only if a new log is to begin there, move or rename that first, and keep it"
        )


def _named(public: Path) -> str:
    """The log whose public keys these are."""
    try:
        return keys_of(public.read_text(encoding="utf-8"))[0].name
    except (OSError, UnicodeDecodeError, NoteError, IndexError):
        return "a log"
