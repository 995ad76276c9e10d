"""What the log is asked, and what is changed beside appending: the same words on both databases."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from audit.envelope import EVENT_COLUMNS
from audit.log import LOG_ITSELF, Checkpoint, Erasure, LogDamagedError
from audit.projection import Findable

_FROM_EVENT: Final = "FROM event"
_FROM_CASE_INDEX: Final = "FROM case_index"
_ROWS: Final = f"SELECT {EVENT_COLUMNS} {_FROM_EVENT}"
_CHECKPOINTS: Final = "SELECT size, root, note, published_at FROM checkpoint"
_COSIGNED: Final = "EXISTS (SELECT 1 FROM cosignature WHERE cosignature.size = checkpoint.size AND witness ="
_PROJECTED: Final = f"SELECT case_id, opened, seq, leaf_hash, body, {', '.join(Findable._fields)} {_FROM_CASE_INDEX}"


class Question(NamedTuple):
    """A statement, in which `:name` stands for the value of this name."""

    text: str
    values: dict[str, Any]


class Answer(NamedTuple):
    """What a statement gave.

    Attributes:
        rows: Those that it returned.
        changed: How many it changed.
    """

    rows: list[tuple[Any, ...]]
    changed: int


def among(text: str, column: str, values: Iterable[str | int], then: str = "", **others: object) -> Question:
    """A statement about the rows whose column has one of some values.

    Args:
        text: Its beginning, up to where another condition can stand.
        column: The column.
        values: Its values; one at least.
        then: Its end.
        others: What else the statement names.
    """
    named = _named(column, values)
    return Question(f"{text} {column} IN ({', '.join(f':{name}' for name in named)}) {then}", {**others, **named})


def rows_into(text: str, rows: Sequence[Mapping[str, Any]], then: str = "") -> Question:
    """A statement that writes rows, each with a value for each of the same columns.

    Args:
        text: Its beginning, up to where the columns are named.
        rows: What they hold, by column; one at least.
        then: Its end.
    """
    columns = tuple(rows[0])
    values = {f"{name}_{number}": row[name] for number, row in enumerate(rows) for name in columns}
    each = (f"({', '.join(f':{name}_{number}' for name in columns)})" for number in range(len(rows)))
    return Question(f"{text} ({', '.join(columns)}) VALUES {', '.join(each)} {then}", values)


def _named(stem: str, values: Iterable[str | int]) -> dict[str, Any]:
    """Names for values of which there can be any number."""
    return {f"{stem}_{number}": value for number, value in enumerate(values)}


# Events and cases


def case(case_id: str) -> Question:
    """Body of a case as the projection has it, or the archive that alone has it."""
    return Question(
        "SELECT body, NULL FROM case_index WHERE case_id = :case_id "
        "UNION ALL SELECT NULL, archive_id FROM archived WHERE case_id = :case_id AND restored IS NULL",
        {"case_id": case_id},
    )


def events_of_case(case_id: str, *, after_seq: int, limit: int) -> Question:
    """Rows of a case, in order."""
    return Question(
        f"{_ROWS} WHERE case_id = :case_id AND seq > :after ORDER BY seq LIMIT :limit",
        {"case_id": case_id, "after": after_seq, "limit": limit},
    )


def events_of_case_before(case_id: str, *, before_seq: int, limit: int) -> Question:
    """Rows of a case, backwards."""
    return Question(
        f"{_ROWS} WHERE case_id = :case_id AND seq < :before ORDER BY seq DESC LIMIT :limit",
        {"case_id": case_id, "before": before_seq, "limit": limit},
    )


def events_of_all(*, after_position: int, limit: int) -> Question:
    """Rows of all cases, in order."""
    return Question(f"{_ROWS} WHERE pos > :after ORDER BY pos LIMIT :limit", {"after": after_position, "limit": limit})


def events_of_cases(case_ids: Sequence[str], *, after_position: int, limit: int) -> Question:
    """Rows of these cases, in the order of the log."""
    return among(
        f"{_ROWS} WHERE pos > :after AND",
        "case_id",
        case_ids,
        "ORDER BY pos LIMIT :limit",
        after=after_position,
        limit=limit,
    )


def first_under_key(case_id: str, key: str, has_key: str = "key = :key") -> Question:
    """The first row that was written under a key.

    Args:
        case_id: The case.
        key: The key.
        has_key: How it is said of a row that it has the key, so that the database's index of keys serves.
    """
    return Question(f"{_ROWS} WHERE case_id = :case_id AND {has_key} AND ordinal = 0", {"case_id": case_id, "key": key})


def head() -> Question:
    """Id, size and frontier of the log."""
    return Question("SELECT log, size, frontier FROM log_head", {})


def head_of(rows: Sequence[tuple[Any, ...]]) -> tuple[str, int, bytes]:
    """What the head says.

    Raises:
        LogDamagedError: There is none.
    """
    if len(rows) != 1:
        raise LogDamagedError(f"the log has {len(rows)} heads instead of one: restore the newest backup")
    log, size, frontier = rows[0]
    return log, size, frontier


# Erasure


def erased_among(key_ids: Sequence[str]) -> Question:
    """Those of some keys that were destroyed."""
    return among("SELECT dek_id FROM erased_key WHERE", "dek_id", key_ids)


def erased_keys() -> Question:
    """All keys that were destroyed."""
    return Question("SELECT dek_id FROM erased_key", {})


def how_many_erased() -> Question:
    """How many keys were destroyed."""
    return Question("SELECT count(*) FROM erased_key", {})


def erase_key(key_id: str, erasure: Erasure) -> Question:
    """Note that a key is destroyed, unless a case of the customer is open."""
    return Question(
        "INSERT INTO erased_key SELECT :key_id, :request_id, :digest, :event "
        "WHERE NOT EXISTS "
        "(SELECT 1 FROM case_index WHERE customer_id = :customer_id AND customer_id <> '' AND closed = 0) "
        "ON CONFLICT DO NOTHING",
        {
            "key_id": key_id,
            "request_id": erasure.request_id,
            "digest": erasure.digest,
            "event": erasure.event.SerializeToString(deterministic=True),
            "customer_id": erasure.customer_id,
        },
    )


def unfinished_erasures() -> Question:
    """Request, digest and event of each erasure that was noted, and whose event is not in the log."""
    return Question(
        "SELECT DISTINCT request_id, digest, event FROM erased_key WHERE NOT EXISTS "
        "(SELECT 1 FROM event WHERE event.case_id = :log AND event.key = request_id AND ordinal = 0)",
        {"log": LOG_ITSELF},
    )


def any_encrypted() -> Question:
    """A row when personal fields of any event are encrypted."""
    return Question("SELECT 1 FROM event WHERE dek_id <> '' LIMIT 1", {})


# What Temporal knows


def arm(case_id: str, *, seq: int, wake: int | None, now: int | None) -> Question:
    """Note as of which event Temporal knows a case.

    Answers may overtake each other: what is known of a later event stays. A case that needs nothing has no row for it.
    """
    return Question(
        "UPDATE need SET armed_seq = :seq, armed_wake = :wake, served_at = :now "
        "WHERE opened = (SELECT opened FROM case_index WHERE case_id = :case_id) AND armed_seq <= :seq",
        {"case_id": case_id, "seq": seq, "wake": wake, "now": now},
    )


def disarm_all() -> Question:
    """Forget what Temporal knows."""
    return Question("UPDATE need SET armed_wake = NULL, served_at = NULL", {})


# Policies and facts


def keep_policy(digest: str, policy_id: str, body: bytes) -> Question:
    """Keep a policy."""
    return Question(
        "INSERT INTO policy (digest, policy_id, body) VALUES (:digest, :policy_id, :body) ON CONFLICT DO NOTHING",
        {"digest": digest, "policy_id": policy_id, "body": body},
    )


def policies() -> Question:
    """Digest, id and body of every policy, the oldest first."""
    return Question("SELECT digest, policy_id, body FROM policy ORDER BY number", {})


def fact(name: str) -> Question:
    """An operational fact."""
    return Question("SELECT value FROM fact WHERE name = :name", {"name": name})


def keep_fact(name: str, value: str) -> Question:
    """Keep an operational fact instead of what it was."""
    return Question(
        "INSERT INTO fact VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        {"name": name, "value": value},
    )


def keep_fact_unless(name: str, value: str, *, instead_of: str | None) -> Question:
    """Keep an operational fact, unless it is another one than was thought; None where there was none."""
    if instead_of is None:
        text = "INSERT INTO fact VALUES (:name, :value) ON CONFLICT DO NOTHING"
        return Question(text, {"name": name, "value": value})
    text = "UPDATE fact SET value = :value WHERE name = :name AND value = :before"
    return Question(text, {"name": name, "value": value, "before": instead_of})


# The tree, and what was published of it


def leaves(first: int, last: int) -> Question:
    """Leaf hashes by their index: from the first up to before the last."""
    return Question(
        "SELECT leaf_hash FROM event WHERE pos > :first AND pos <= :last ORDER BY pos", {"first": first, "last": last}
    )


def subtrees(level: int, first: int, last: int) -> Question:
    """Roots of complete subtrees: from the first up to before the last."""
    return Question(
        "SELECT root FROM subtree WHERE level = :level AND number >= :first AND number < :last ORDER BY number",
        {"level": level, "first": first, "last": last},
    )


def keep_checkpoint(checkpoint: Checkpoint) -> Question:
    """Keep a checkpoint unless there is one of its size."""
    return Question(
        "INSERT INTO checkpoint VALUES (:size, :root, :note, :published_at) ON CONFLICT DO NOTHING",
        {
            "size": checkpoint.size,
            "root": checkpoint.root,
            "note": checkpoint.note,
            "published_at": checkpoint.published_at,
        },
    )


def checkpoint_root(size: int) -> Question:
    """The root that was published for a size."""
    return Question("SELECT root FROM checkpoint WHERE size = :size", {"size": size})


def checkpoint_roots(sizes: Iterable[int]) -> Question:
    """Size and root of the checkpoints of some sizes."""
    return among("SELECT size, root FROM checkpoint WHERE", "size", sizes)


def keep_cosignature(size: int, witness: str, line: str) -> Question:
    """Keep a witness's signature line unless there is one."""
    return Question(
        "INSERT INTO cosignature VALUES (:size, :witness, :line) ON CONFLICT DO NOTHING",
        {"size": size, "witness": witness, "line": line},
    )


def checkpoints(*, after_size: int, limit: int) -> Question:
    """Checkpoints by size."""
    return Question(
        f"{_CHECKPOINTS} WHERE size > :after ORDER BY size LIMIT :limit",
        {"after": after_size, "limit": limit},
    )


def newest_checkpoint(witnesses: Sequence[str]) -> Question:
    """The checkpoint of the largest tree; of those that all of these witnesses have signed."""
    values = _named("witness", witnesses)
    signed = " AND ".join(f"{_COSIGNED} :{name})" for name in values)
    return Question(
        f"{_CHECKPOINTS} WHERE {signed or 'true'} ORDER BY size DESC LIMIT 1",
        values,
    )


def cosignatures(first: int, last: int) -> Question:
    """Size and line of the co-signatures of the checkpoints of these sizes."""
    return Question(
        "SELECT size, line FROM cosignature WHERE size BETWEEN :first AND :last ORDER BY witness",
        {"first": first, "last": last},
    )


def case_ends(size: int) -> Question:
    """Case, seq and leaf hash of the last event of each case among the first events."""
    return Question(
        "SELECT case_id, seq, leaf_hash FROM event WHERE pos IN "
        "(SELECT max(pos) FROM event WHERE pos <= :size AND case_id <> :log GROUP BY case_id) ORDER BY case_id",
        {"size": size, "log": LOG_ITSELF},
    )


# All of it, for verification


def all_places() -> Question:
    """Of every event where it stands, when it was recorded, and its hash, in the order of the log."""
    return Question("SELECT pos, case_id, seq, recorded_at, leaf_hash FROM event ORDER BY pos", {})


def case_sizes() -> Question:
    """Of every case how many events it has, by its id."""
    return Question("SELECT case_id, seq FROM case_index ORDER BY case_id", {})


def all_events(after: str | None, last: str | None) -> Question:
    """Every row of the cases between two, by case and in order."""
    return _between(_ROWS, after, last, "case_id, seq")


def all_events_of(case_id: str) -> Question:
    """Every row of a case."""
    return Question(f"{_ROWS} WHERE case_id = :case_id ORDER BY seq", {"case_id": case_id})


def all_projected(after: str | None, last: str | None) -> Question:
    """The projection of the cases between two."""
    return _between(_PROJECTED, after, last, "case_id")


def _between(select: str, after: str | None, last: str | None, order: str) -> Question:
    """Of the cases behind one, up to and with another."""
    bounds = {"after": ("case_id > :after", after), "last": ("case_id <= :last", last)}
    given = {name: (words, value) for name, (words, value) in bounds.items() if value is not None}
    where = f"WHERE {' AND '.join(words for words, _ in given.values())}" if given else ""
    return Question(f"{select} {where} ORDER BY {order}", {name: value for name, (_, value) in given.items()})


def projected(case_id: str) -> Question:
    """A case in the projection."""
    return Question(f"{_PROJECTED} WHERE case_id = :case_id", {"case_id": case_id})


def all_subtrees() -> Question:
    """All that is stored of the tree."""
    return Question("SELECT level, number, root FROM subtree", {})


def all_checkpoints() -> Question:
    """Size, root and note of every checkpoint, by size."""
    return Question("SELECT size, root, note FROM checkpoint ORDER BY size", {})


def cosigned_alone() -> Question:
    """Sizes of which there are co-signatures, and no checkpoint."""
    return Question(
        "SELECT DISTINCT size FROM cosignature "
        "WHERE NOT EXISTS (SELECT 1 FROM checkpoint WHERE checkpoint.size = cosignature.size) ORDER BY size",
        {},
    )
