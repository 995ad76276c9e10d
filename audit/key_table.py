"""The tables of keys: how a subject's keys stand in the database, and all that is asked of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from audit.questions import Answer, Question, among, rows_into

_AT_ONCE: Final = 100  # keys that are asked for with one statement

T = TypeVar("T")

Run = Callable[[Question], Answer]
"""Asks or changes something within a transaction."""


class KekChangedError(Exception):
    """The key-encryption key in force is another one than was thought."""


class Kept(NamedTuple):
    """A key as it is kept.

    Attributes:
        renewed: How many keys of the subject were destroyed.
    """

    key_id: str
    subject: str
    kek_id: str
    wrapped: bytes | None
    renewed: int = 0

    @property
    def about(self) -> str:
        """What its wrapping is bound to."""
        return f"{self.key_id} {self.subject}"


_IN_FORCE: Final = "SELECT kek_id FROM kek"
_KEPT_WHERE: Final = (
    "SELECT dek_id, subject_ref, kek_id, wrapped, (SELECT count(*) FROM subject_key AS gone "
    "WHERE gone.subject_ref = subject_key.subject_ref AND gone.destroyed_at IS NOT NULL) FROM subject_key WHERE"
)


def kek_in_force(run: Run) -> str:
    """The key-encryption key in force; empty where there is none yet."""
    rows = run(Question(_IN_FORCE, {})).rows
    return str(rows[0][0]) if rows else ""


def put_in_force_first(run: Run, kek_id: str) -> str:
    """Put a key-encryption key in force where there is none; returns the one that is."""
    run(Question("INSERT INTO kek VALUES (1, :kek_id) ON CONFLICT DO NOTHING", {"kek_id": kek_id}))
    return kek_in_force(run)


def hold_in_force(run: Run) -> str:
    """The key-encryption key in force, which nobody else changes until the end of the transaction."""
    run(Question("UPDATE kek SET kek_id = kek_id", {}))
    return kek_in_force(run)


def put_in_force(run: Run, kek_id: str) -> None:
    """Put another key-encryption key in force."""
    run(Question("UPDATE kek SET kek_id = :kek_id", {"kek_id": kek_id}))


def settle(run: Run, made: Sequence[Kept], kek_id: str, holding: str) -> list[Kept]:
    """Keep keys of subjects that have none; returns the keys of all.

    Raises:
        KekChangedError: They are wrapped with a key that is not in force any more.
    """
    ((in_force,),) = run(Question(f"{_IN_FORCE}{holding}", {})).rows
    if in_force != kek_id:
        raise KekChangedError(in_force)
    settled: list[Kept] = []
    for some in _some(made):
        subjects = [each.subject for each in some]
        active = among(f"{_KEPT_WHERE} destroyed_at IS NULL AND", "subject_ref", subjects)
        there = {row[1] for row in run(active).rows}
        if missing := [each for each in some if each.subject not in there]:
            _insert(run, missing)
        settled += (Kept(*row) for row in run(active).rows)
    return settled


def _insert(run: Run, kept: Sequence[Kept]) -> None:
    rows = [
        {"dek_id": each.key_id, "subject_ref": each.subject, "kek_id": each.kek_id, "wrapped": each.wrapped}
        for each in kept
    ]
    run(rows_into("INSERT INTO subject_key", rows, "ON CONFLICT DO NOTHING"))


def found(run: Run, key_ids: Sequence[str]) -> list[Kept]:
    """Keys by their ids."""
    asked = (run(among(_KEPT_WHERE, "dek_id", some)) for some in _some(key_ids))
    return [Kept(*row) for answer in asked for row in answer.rows]


def active_ids(run: Run, subject: str) -> list[str]:
    """Ids of the keys of a subject that were not destroyed."""
    question = Question(
        "SELECT dek_id FROM subject_key WHERE subject_ref = :subject AND destroyed_at IS NULL", {"subject": subject}
    )
    return [key_id for (key_id,) in run(question).rows]


def destroy(run: Run, key_ids: Sequence[str], now: int) -> None:
    """Destroy keys, now; those that are destroyed stay as they are."""
    for some in _some(key_ids):
        destroy = "UPDATE subject_key SET wrapped = NULL, destroyed_at = :now WHERE destroyed_at IS NULL AND"
        run(among(destroy, "dek_id", some, now=now))


def all_kept(run: Run) -> list[Kept]:
    """Every key that there ever was."""
    question = Question("SELECT dek_id, subject_ref, kek_id, wrapped FROM subject_key", {})
    return [Kept(*row) for row in run(question).rows]


def keep_wrapped(run: Run, kept: Kept) -> None:
    """Keep a key as it is wrapped now."""
    run(
        Question(
            "UPDATE subject_key SET kek_id = :kek_id, wrapped = :wrapped WHERE dek_id = :key_id",
            {"kek_id": kept.kek_id, "wrapped": kept.wrapped, "key_id": kept.key_id},
        )
    )


def _some(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
