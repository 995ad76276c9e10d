"""The demo shop's carriers: parcels that are scanned by hand or travel by themselves, stall and arrive."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from embedded.database import Database
from embedded.serving import Refusal

Json = dict[str, Any]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS parcels (
    carrier TEXT, tracking_no TEXT, handed_over_at TEXT NOT NULL, at_rest INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (carrier, tracking_no));
CREATE TABLE IF NOT EXISTS scans (
    carrier TEXT NOT NULL, tracking_no TEXT NOT NULL, at TEXT NOT NULL, place TEXT NOT NULL,
    status TEXT NOT NULL, automatic INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS inquiries (
    reference TEXT PRIMARY KEY, carrier TEXT NOT NULL, tracking_no TEXT NOT NULL, question TEXT NOT NULL,
    at TEXT NOT NULL);
"""

_JOURNEY: Final = (
    (timedelta(0), "广州 仓库", "picked_up"),
    (timedelta(hours=8), "广州 转运中心", "in_transit"),
    (timedelta(hours=22), "上海 转运中心", "in_transit"),
    (timedelta(hours=30), "上海 浦东", "out_for_delivery"),
    (timedelta(hours=34), "上海 浦东", "delivered"),
)
_BEFORE_DELIVERY: Final = 4


@dataclass(frozen=True, slots=True)
class Scan:
    """One sign of life of a parcel."""

    at: datetime
    place: str
    status: str


class Parcels:
    """All parcels and what was asked about them."""

    def __init__(self, database: Database, clock: Callable[[], datetime], scan_scale: float | None) -> None:
        """Let parcels travel by themselves at a time scale (60: an hour takes a minute), or not."""
        self._db = database
        self._clock = clock
        self._scan_scale = scan_scale

    def hand_over(self, carrier: str, tracking_no: str, at: datetime | None = None) -> Json:
        """Give the carrier a parcel, for example a customer's return; one that it has stays as it is."""
        handed_over_at = (at or self._clock()).isoformat()
        self._db.run(
            "INSERT OR IGNORE INTO parcels (carrier, tracking_no, handed_over_at) VALUES (?, ?, ?)",
            (carrier, tracking_no, handed_over_at),
        )
        return {"carrier": carrier, "tracking_no": tracking_no}

    def scans(self, carrier: str, tracking_no: str) -> Json:
        """Return a parcel's scans, oldest first."""
        with self._db.transaction():
            self._travel(self._known(carrier, tracking_no), self._clock())
        rows = self._db.rows(
            "SELECT at, place, status FROM scans WHERE carrier = ? AND tracking_no = ? ORDER BY at, rowid",
            (carrier, tracking_no),
        )
        return {"scans": [dict(row) for row in rows]}

    def scan(self, carrier: str, tracking_no: str, scan: Scan) -> Json:
        """Scan a parcel by hand; one that nobody has seen yet is handed over first."""
        with self._db.transaction():
            self.hand_over(carrier, tracking_no, scan.at)
            self._scan(carrier, tracking_no, scan, automatic=False)
        return self.scans(carrier, tracking_no)

    def stall(self, carrier: str, tracking_no: str) -> Json:
        """Lose sight of a parcel: from now on it does not travel by itself."""
        scans = self.scans(carrier, tracking_no)
        self._rest(carrier, tracking_no)
        return scans

    def ask(self, carrier: str, tracking_no: str, question: str) -> Json:
        """Note a question to the carrier, also about a parcel that it has not seen."""
        inquiries = self._db.number("SELECT COUNT(*) FROM inquiries")
        reference = f"Q{inquiries + 1:06d}"
        self._db.run(
            "INSERT INTO inquiries VALUES (?, ?, ?, ?, ?)",
            (reference, carrier, tracking_no, question, self._clock().isoformat()),
        )
        return {"reference": reference}

    def inquiries(self) -> list[Json]:
        """Return all questions that carriers were asked."""
        return [dict(row) for row in self._db.rows("SELECT * FROM inquiries ORDER BY reference")]

    def tell_past(self, carrier: str, tracking_no: str, start: datetime, delivered_at: datetime | None) -> None:
        """Enter the journey of a parcel that left in the past; not delivered, it stalls half-way."""
        self.hand_over(carrier, tracking_no, start)
        for offset, place, status in _JOURNEY[: _BEFORE_DELIVERY if delivered_at else _BEFORE_DELIVERY - 1]:
            if start + offset <= self._clock():
                self._scan(carrier, tracking_no, Scan(start + offset, place, status), automatic=True)
        if delivered_at:
            _, place, status = _JOURNEY[_BEFORE_DELIVERY]
            self._scan(carrier, tracking_no, Scan(delivered_at, place, status), automatic=True)
        elif start + _JOURNEY[_BEFORE_DELIVERY - 1][0] <= self._clock():
            self._rest(carrier, tracking_no)

    def _known(self, carrier: str, tracking_no: str) -> sqlite3.Row:
        row = self._db.row("SELECT * FROM parcels WHERE carrier = ? AND tracking_no = ?", (carrier, tracking_no))
        if row is None:
            raise Refusal(404, "PARCEL_UNKNOWN", f"{carrier} has not seen a parcel {tracking_no!r}")
        return row

    def _travel(self, parcel: sqlite3.Row, now: datetime) -> None:
        """Enter the scans that the journey owes by now."""
        if self._scan_scale is None or parcel["at_rest"]:
            return
        carrier, tracking_no = parcel["carrier"], parcel["tracking_no"]
        [seen] = self._db.rows(
            "SELECT COUNT(*) AS steps, MAX(at) AS at FROM scans WHERE carrier = ? AND tracking_no = ? AND automatic",
            (carrier, tracking_no),
        )
        at = datetime.fromisoformat(seen["at"] or parcel["handed_over_at"])
        for step in range(seen["steps"], len(_JOURNEY)):
            offset, place, status = _JOURNEY[step]
            at += (offset - _JOURNEY[max(step - 1, 0)][0]) / self._scan_scale
            if at > now:
                return
            self._scan(carrier, tracking_no, Scan(at, place, status), automatic=True)

    def _rest(self, carrier: str, tracking_no: str) -> None:
        """Let a parcel travel no further by itself."""
        self._db.run("UPDATE parcels SET at_rest = 1 WHERE carrier = ? AND tracking_no = ?", (carrier, tracking_no))

    def _scan(self, carrier: str, tracking_no: str, scan: Scan, *, automatic: bool) -> None:
        at = scan.at.isoformat()
        self._db.run(
            "INSERT INTO scans VALUES (?, ?, ?, ?, ?, ?)",
            (carrier, tracking_no, at, scan.place, scan.status, automatic),
        )
        if scan.status == "delivered":
            self._rest(carrier, tracking_no)
            self._db.run(
                "UPDATE orders SET state = 'delivered', delivered_at = ?"
                " WHERE carrier = ? AND tracking_no = ? AND state = 'dispatched'",
                (at, carrier, tracking_no),
            )
