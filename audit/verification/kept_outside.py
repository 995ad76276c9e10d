"""What is known of a log outside its database, held against it.

The folder of checkpoints shows when one is deleted from the database; the public keys, when one is not signed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Final

from audit import questions
from audit.checkpoint_folder import FolderRefusedError, days_in, trees_of
from audit.log import Finding, LogUnavailableError, Verification
from audit.signing import origin_of
from audit.verification.from_tables import Select
from audit.verification.signatures import Signatures, Signers
from casetrail.proof.note import TreeNote

_AT_ONCE: Final = 500
_MOST_FINDINGS: Final = 1000
_SIZE: Final = attrgetter("size")


class KeptOutside:
    """The folder as it is now, and the keys.

    A checkpoint is in the database before it is in the folder. So a log that is looked at from now on has all of these.
    """

    def __init__(self, folder: Path | None, signers: Signers | None) -> None:
        """Note how much stands in the folder.

        Args:
            folder: What the log has published is there; None where that is kept nowhere.
            signers: Whose signatures are to be there; None where they are not looked at.

        Raises:
            LogUnavailableError: The folder cannot be read.
        """
        self._folder = folder
        self._signers = signers
        try:
            self._days = [(path, path.stat().st_size) for path in days_in(folder)] if folder is not None else []
        except OSError as error:
            raise self._unreadable(error) from error

    def held_against(self, select: Select, found: Verification) -> Verification:
        """What was found in a log, and what of this it has not.

        Args:
            select: Asks the log as it was verified.
            found: By the verification.

        Raises:
            LogUnavailableError: The folder cannot be read any more.
        """
        more = list(islice(self._missing(select), _MOST_FINDINGS))
        checkpoints = 0
        if self._signers is not None:
            signatures = Signatures(select, self._signers)
            more += islice(signatures.findings(), _MOST_FINDINGS)
            checkpoints = signatures.checkpoints
        findings = tuple(sorted([*found.findings, *more], key=attrgetter("position")))
        return replace(found, checkpoints=checkpoints, findings=findings)

    def _missing(self, select: Select) -> Iterator[Finding]:
        log, end, _ = questions.head_of(list(select(questions.head())))
        for path, until in self._days:
            try:
                trees = sorted({tree for tree in trees_of(path, until) if tree.origin == origin_of(log)}, key=_SIZE)
            except FolderRefusedError as error:
                yield Finding("CHECKPOINT_MALFORMED", str(error))
                continue
            except OSError as error:
                raise self._unreadable(error) from error
            for first in range(0, len(trees), _AT_ONCE):
                yield from _not_there(select, trees[first : first + _AT_ONCE], end, path)

    def _unreadable(self, error: OSError) -> LogUnavailableError:
        return LogUnavailableError(f"the checkpoints in {self._folder} cannot be read: {error.strerror}")


def _not_there(select: Select, trees: Sequence[TreeNote], end: int, path: Path) -> Iterator[Finding]:
    roots: dict[int, bytes] = dict(select(questions.checkpoint_roots(tree.size for tree in trees)))
    for tree in trees:
        said = f"a checkpoint of {tree.size} events was published ({path})"
        if tree.size > end:
            yield Finding("LOG_SHORTENED", f"{said}, and there are {end}", end + 1)
        elif tree.size not in roots:
            yield Finding("CHECKPOINT_MISSING", f"{said}, and is gone from the database", tree.size)
        elif roots[tree.size] != tree.root:
            yield Finding("CHECKPOINT_DIFFERS", f"{said}, and the database has another one", tree.size)
