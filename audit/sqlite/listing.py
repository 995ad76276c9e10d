"""Finding cases: by filter for people, by need for the sweep, and counted for the gauges."""

from datetime import datetime
from typing import Any, Final

from audit.log import CasePage, Unserved
from audit.paging import page_start, page_token
from audit.projection import milliseconds, moment
from audit.sqlite.file import Connection
from audit.sqlite.reading import case_of
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.types_pb2 import Stage

_WAKE_GRACE: Final = 5.0  # seconds, for the gauge
_EFFECT_GRACE: Final = 60.0

# Three indexed looks instead of one over all open cases. A case that was served is late only again after its grace.
_UNSERVED = """
  SELECT opened FROM case_index WHERE unarmed = 1
  UNION
  SELECT opened FROM case_index
  WHERE next_wake IS NOT NULL AND next_wake < :late_wake AND coalesce(served_at, 0) < :late_wake
  UNION
  SELECT opened FROM case_index
  WHERE effects_since IS NOT NULL AND effects_since < :late_effect AND coalesce(served_at, 0) < :late_effect
"""

_GAUGES = {
    "events": "SELECT size FROM log_head",
    # Drills are no real work; what of them is unserved is.
    "open_cases": "SELECT count(*) FROM case_index WHERE closed = 0 AND drill_id = ''",
    "running_clocks": "SELECT coalesce(sum(running), 0) FROM case_index WHERE closed = 0 AND drill_id = ''",
    "overdue_clocks": "SELECT coalesce(sum(overdue), 0) FROM case_index WHERE closed = 0 AND drill_id = ''",
    "unserved_cases": f"SELECT count(*) FROM ({_UNSERVED})",  # noqa: S608 - a constant
}


def list_cases(connection: Connection, case_filter: CaseFilter, *, page_size: int, token: str) -> CasePage:
    """One page of the cases that fit, the newest first.

    Raises:
        ValueError: The token is of another filter, or no token.
    """
    conditions, values = _conditions(case_filter)
    start = page_start(case_filter, token)
    if start is not None:
        conditions.append("opened < ?")
        values.append(start)
    rows = connection.execute(
        "SELECT opened, body FROM case_index "  # noqa: S608 - our own column names and question marks
        f"WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY opened DESC LIMIT ?",
        [*values, page_size + 1],
    ).fetchall()
    page = rows[:page_size]
    more = len(rows) > page_size
    return CasePage(
        cases=[case_of(body) for _, body in page],
        next_token=page_token(case_filter, page[-1][0]) if more else "",
    )


def _conditions(case_filter: CaseFilter) -> tuple[list[str], list[Any]]:
    """What the filter asks of the columns."""
    conditions: list[str] = []
    values: list[Any] = []
    for column, wanted in (
        ("kind", case_filter.kinds),
        ("stage", case_filter.stages),
        ("priority", case_filter.priorities),
    ):
        if wanted:
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    for column in ("owner", "team", "customer_id", "order_id", "category"):
        if text := getattr(case_filter, column):
            conditions.append(f"{column} = ?")
            values.append(text)
    conditions += _of_drills(case_filter, values)
    if case_filter.HasField("opened_from"):
        conditions.append("opened_at >= ?")
        values.append(case_filter.opened_from.seconds + (case_filter.opened_from.nanos > 0))
    if case_filter.HasField("opened_before"):
        conditions.append("opened_at < ?")
        values.append(case_filter.opened_before.seconds + (case_filter.opened_before.nanos > 0))
    # Stages without CLOSED mean open cases: said aloud, it lets the database pass by the many closed ones.
    if case_filter.open or (case_filter.stages and Stage.STAGE_CLOSED not in case_filter.stages):
        conditions.append("closed = 0")
    if case_filter.overdue:
        conditions.append("overdue > 0")
    return conditions, values


def _of_drills(case_filter: CaseFilter, values: list[Any]) -> list[str]:
    """Cases of drills only where they are asked for."""
    if case_filter.drill_id:
        values.append(case_filter.drill_id)
        # Said twice, so that the index of drills' cases can serve.
        return ["drill_id = ? AND drill_id <> ''"]
    return [] if case_filter.include_drills else ["drill_id = ''"]


def unserved(
    connection: Connection, *, now: datetime, wake_grace: float, effect_grace: float, limit: int
) -> list[Unserved]:
    """Cases that Temporal does not know to wake in time, or has not woken; the most urgent first.

    That is a case with an earlier wake or a newer effect than Temporal knows of; an open one that it does not know at
    all, unless real time does not move it; and one whose wake or effect has waited for longer than its grace (seconds).
    """
    rows = connection.execute(
        "SELECT case_id, kind, next_wake, effects FROM case_index "  # noqa: S608 - a constant
        f"WHERE opened IN ({_UNSERVED}) ORDER BY coalesce(effects_since, next_wake, 0), opened LIMIT :limit",
        {**_lateness(now, wake_grace, effect_grace), "limit": limit},
    ).fetchall()
    return [Unserved(case_id, kind, moment(wake), bool(effects)) for case_id, kind, wake, effects in rows]


def gauges(connection: Connection, *, now: datetime) -> dict[str, int]:
    """How much there is, is open, runs, is late and is unserved."""
    lateness = _lateness(now, _WAKE_GRACE, _EFFECT_GRACE)
    return {name: connection.execute(query, lateness).fetchall()[0][0] for name, query in _GAUGES.items()}


def _lateness(now: datetime, wake_grace: float, effect_grace: float) -> dict[str, int]:
    present = milliseconds(now) or 0
    return {
        "late_wake": present - int(wake_grace * 1000),
        "late_effect": present - int(effect_grace * 1000),
    }
