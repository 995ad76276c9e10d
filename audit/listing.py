"""Finding cases: by filter for people, by need for the sweep, and counted for the gauges.

The questions are the same on both databases; how one is asked, the database's own module knows.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from audit.log import CasePage, Unserved
from audit.paging import page_start, page_token
from audit.projection import case_of, milliseconds, moment
from audit.questions import Question
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.types_pb2 import Kind, Stage

_WAKE_GRACE: Final = 5.0  # seconds, for the gauge
_EFFECT_GRACE: Final = 60.0

# What may be late is found by its index. A case that was served is late only again after its grace.
UNSERVED: Final = """
  SELECT opened, next_wake, effects_since FROM need WHERE late_from < :late AND (
    late_from = 0
    OR (next_wake < :late_wake AND served_at < :late_wake)
    OR (effects_since < :late_effect AND served_at < :late_effect)
  )
"""

_WITH_UNSERVED = f"WITH unserved AS ({UNSERVED})"

_MOST_URGENT = (
    "SELECT case_id, kind, next_wake, effects_since IS NOT NULL FROM unserved JOIN case_index USING (opened) "
    "ORDER BY CASE kind WHEN :incident THEN 0 ELSE 1 END, coalesce(effects_since, next_wake, 0), opened LIMIT :limit"
)

_GAUGES = {
    "events": "(SELECT size FROM log_head)",
    "open_cases": "count(*)",
    "running_clocks": "coalesce(sum(running), 0)",
    "overdue_clocks": "coalesce(sum(overdue), 0)",
    "unserved_cases": "(SELECT count(*) FROM unserved)",
}
# Drills are no real work; what of them is unserved is.
_OF_REAL_WORK = "FROM case_index WHERE closed = 0 AND drill_id = ''"

MOST_BYTES: Final = 3 * 1024 * 1024
"""Of one page: gRPC's clients take messages of up to 4 MiB unless they are told otherwise."""

_CASES = "SELECT opened, body FROM case_index"


def which_cases(case_filter: CaseFilter, *, page_size: int, token: str) -> Question:
    """Ask for one page of the cases that fit, the newest first, and one case more.

    Raises:
        ValueError: The token is of another filter, or no token.
    """
    conditions, values = _conditions(case_filter)
    start = page_start(case_filter, token)
    if start is not None:
        conditions.append("opened < :start")
        values["start"] = start
    return Question(
        f"{_CASES} WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY opened DESC LIMIT :limit",
        {**values, "limit": page_size + 1},
    )


def page_of(rows: Sequence[tuple[int, bytes]], case_filter: CaseFilter, *, page_size: int) -> CasePage:
    """The page that was asked for, cut earlier where cases are large; it has one at least."""
    sizes = accumulate(len(body) for _, body in rows[:page_size])
    page = rows[: max(1, sum(size <= MOST_BYTES for size in sizes))]
    more = len(rows) > len(page)
    return CasePage(
        cases=[case_of(body) for _, body in page],
        next_token=page_token(case_filter, page[-1][0]) if more else "",
    )


def _conditions(case_filter: CaseFilter) -> tuple[list[str], dict[str, Any]]:
    """What the filter asks of the columns."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for column, wanted in (
        ("kind", case_filter.kinds),
        ("stage", case_filter.stages),
        ("priority", case_filter.priorities),
    ):
        if wanted:
            some = {f"{column}{number}": value for number, value in enumerate(wanted)}
            conditions.append(f"{column} IN ({', '.join(f':{name}' for name in some)})")
            values |= some
    for column in ("owner", "team", "customer_id", "order_id", "category", "drill_id"):
        if text := getattr(case_filter, column):
            # Said twice, so that an index of the cases that have one can serve.
            conditions.append(f"{column} = :{column} AND {column} <> ''")
            values[column] = text
    if not (case_filter.drill_id or case_filter.include_drills):
        conditions.append("drill_id = ''")
    if case_filter.HasField("opened_from"):
        conditions.append("opened_at >= :opened_from")
        values["opened_from"] = case_filter.opened_from.seconds + (case_filter.opened_from.nanos > 0)
    if case_filter.HasField("opened_before"):
        conditions.append("opened_at < :opened_before")
        values["opened_before"] = case_filter.opened_before.seconds + (case_filter.opened_before.nanos > 0)
    # Stages without CLOSED mean open cases: said aloud, it lets the database pass by the many closed ones.
    if case_filter.open or (case_filter.stages and Stage.STAGE_CLOSED not in case_filter.stages):
        conditions.append("closed = 0")
    if case_filter.overdue:
        conditions.append("overdue > 0")
    return conditions, values


def which_unserved(*, now: datetime, wake_grace: float, effect_grace: float, limit: int) -> Question:
    """Ask for cases that Temporal does not know to wake in time, or has not woken; incidents first, then by urgency.

    That is a case with an earlier wake or a newer effect than Temporal knows of; an open one that it does not know at
    all, unless real time does not move it; and one whose wake or effect has waited for longer than its grace (seconds).
    """
    return Question(
        f"{_WITH_UNSERVED} {_MOST_URGENT}",
        {**_lateness(now, wake_grace, effect_grace), "incident": Kind.KIND_INCIDENT, "limit": limit},
    )


def unserved_of(rows: Iterable[tuple[str, int, int | None, int]]) -> list[Unserved]:
    """The unserved cases that were asked for."""
    return [Unserved(case_id, kind, moment(wake), bool(effects)) for case_id, kind, wake, effects in rows]


def how_much(*, now: datetime) -> Question:
    """Ask how much there is, is open, runs, is late and is unserved: one row."""
    return Question(
        f"{_WITH_UNSERVED} SELECT {', '.join(_GAUGES.values())} {_OF_REAL_WORK}",
        _lateness(now, _WAKE_GRACE, _EFFECT_GRACE),
    )


def gauges_of(rows: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """The gauges that were asked for, by name."""
    (counts,) = rows
    return dict(zip(_GAUGES, map(int, counts), strict=True))


def _lateness(now: datetime, wake_grace: float, effect_grace: float) -> dict[str, int]:
    present = milliseconds(now) or 0
    late_wake, late_effect = present - int(wake_grace * 1000), present - int(effect_grace * 1000)
    return {"late": max(late_wake, late_effect), "late_wake": late_wake, "late_effect": late_effect}
