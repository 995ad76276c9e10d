"""What the log is asked about archived cases, and what is changed when one goes or comes back.

The same words on both databases, but for what takes payloads out of events and puts them back: in PostgreSQL the
application may not change events, and calls functions that may (`audit.postgres.store`).
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from audit.envelope import StoredEvent
from audit.group import INDEX_COLUMNS
from audit.log import LOG_ITSELF, ArchivedCase, ClosedCase
from audit.projection import findable
from audit.questions import Question, among, rows_into
from casetrail.v1.case_pb2 import Case

_ARCHIVED: Final = "SELECT archive_id, case_id, opened, seq, leaf_hash, removed, restored FROM archived"


def archive_of(case_id: str) -> Question:
    """The archive that alone has a case."""
    return Question(
        "SELECT archive_id FROM archived WHERE case_id = :case_id AND restored IS NULL", {"case_id": case_id}
    )


def archived_among(case_ids: Iterable[str]) -> Question:
    """Those of these cases that only an archive has."""
    return among("SELECT case_id FROM archived WHERE restored IS NULL AND", "case_id", case_ids)


def archived_cases(archive_id: str) -> Question:
    """All that was archived under this id."""
    return Question(f"{_ARCHIVED} WHERE archive_id = :archive_id ORDER BY case_id", {"archive_id": archive_id})


def all_archived() -> Question:
    """All that was ever archived."""
    return Question(f"{_ARCHIVED} ORDER BY archive_id, case_id", {})


def archived_as(case_id: str) -> Question:
    """Where a case was ever archived."""
    return Question(f"{_ARCHIVED} WHERE case_id = :case_id ORDER BY archive_id", {"case_id": case_id})


def closed_cases(*, opened_before: int, after_opened: int, limit: int) -> Question:
    """Closed cases of which nothing is pending, those that were opened first."""
    return Question(
        "SELECT opened, seq, leaf_hash, body FROM case_index WHERE closed = 1 "
        "AND NOT EXISTS (SELECT 1 FROM need WHERE need.opened = case_index.opened) "
        "AND opened_at < :before AND opened > :after ORDER BY opened LIMIT :limit",
        {"before": opened_before, "after": after_opened, "limit": limit},
    )


def as_json(cases: Iterable[ClosedCase]) -> str:
    """Cases as what removes them takes them."""
    return json.dumps([[each.case.case_id, each.opened, each.seq, each.leaf_hash.hex()] for each in cases])


def removal(archive_id: str, cases: Sequence[ClosedCase]) -> list[Question]:
    """What removes cases, once the event that says so has been written: for a database that lets us delete."""
    archive = {"archive_id": archive_id}
    return [
        Question(
            "INSERT INTO archived SELECT :archive_id, value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), "
            "(SELECT pos FROM event WHERE case_id = :log AND key = 'archive ' || :archive_id AND ordinal = 0), NULL "
            "FROM json_each(:cases)",
            {**archive, "cases": as_json(cases), "log": LOG_ITSELF},
        ),
        Question(
            "UPDATE event SET dek_id = '', payload = NULL WHERE case_id IN "
            "(SELECT case_id FROM archived WHERE archive_id = :archive_id AND restored IS NULL)",
            archive,
        ),
        Question(
            "DELETE FROM case_index WHERE case_id IN "
            "(SELECT case_id FROM archived WHERE archive_id = :archive_id AND restored IS NULL)",
            archive,
        ),
    ]


def restoration(archived: ArchivedCase, payloads: Iterable[Question], case: Case, body: bytes) -> list[Question]:
    """What puts a case back, once the event that says so has been written.

    Args:
        archived: Where it is.
        payloads: What puts its payloads back.
        case: The case.
        body: The case as the projection keeps it.
    """
    index = _index_row(archived, case, body)
    key = f"restore {archived.archive_id} {archived.case_id}"
    return [
        *payloads,
        Question(
            "UPDATE archived "
            "SET restored = (SELECT pos FROM event, log_head WHERE pos > size AND case_id = :log AND key = :key) "
            "WHERE archive_id = :archive_id AND case_id = :case_id",
            {"archive_id": archived.archive_id, "case_id": archived.case_id, "key": key, "log": LOG_ITSELF},
        ),
        rows_into("INSERT INTO case_index", [index]),
    ]


def payload_back(row: StoredEvent) -> Question:
    """What puts a payload back: for a database that lets us change events."""
    return Question("UPDATE event SET dek_id = :dek_id, payload = :payload WHERE pos = :pos", payload_of(row))


def payload_of(row: StoredEvent) -> dict[str, Any]:
    """A payload, and which event it belongs to."""
    return {"pos": row.position, "dek_id": row.dek_id, "payload": row.payload}


def _index_row(archived: ArchivedCase, case: Case, body: bytes) -> dict[str, Any]:
    """The projection of a closed case of which nothing is pending."""
    columns = {
        name: int(value) if isinstance(value, bool) else value for name, value in findable(case)._asdict().items()
    }
    row = {
        "opened": archived.opened,
        "case_id": archived.case_id,
        **columns,
        "seq": archived.seq,
        "leaf_hash": archived.leaf_hash,
        "body": body,
    }
    return {name: row[name] for name in INDEX_COLUMNS}
