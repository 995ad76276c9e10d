"""Business time: working seconds between two instants, and the instant at which so many have passed.

A `WorkCalendar` compiles each year that it is asked about, once, to sorted intervals of Unix seconds with
running totals. After that, both questions are a binary search.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from casetrail.v1.policy_pb2 import Calendar, Shift
from domain.instants import Instant, from_datetime, to_datetime

DaySpan = tuple[int, int]
"""A stretch of work in seconds of the wall clock since midnight: begin, end."""

HORIZON_YEARS: Final = 400
"""How far apart two instants may be: a whole cycle of the Gregorian calendar."""

_SECONDS_PER_YEAR: Final = 31_556_952
_ONE_DAY: Final = timedelta(days=1)

# Where the government's yearly notice counts the weekend inside a public holiday as part of it, as from 1 to
# 8 October 2025. The library leaves it out because it is a weekend anyway.
_HOLIDAYS_SPAN_WEEKENDS: Final = frozenset({"CN"})


class WorkCalendar:
    """When people work, to the second, in one time zone.

    Which shifts a day has is decided by the first of these that speaks of it: a special day with a year, a
    special day of every year, a make-up working day (where these have shifts of their own), a public holiday,
    the weekday.

    Shifts are times on the wall. What the wall clock skips is not worked; where it repeats an hour, a shift
    begins and ends at the first of the two, so that one which covers the repeated hour is an hour longer.
    """

    def __init__(self, calendar: Calendar, name: str = "") -> None:
        """Prepare a calendar of the policy.

        Args:
            calendar: What the policy says.
            name: What the policy calls it, for error messages.

        Raises:
            ValueError: The time zone or the holidays' country is unknown, or nobody would ever work.
        """
        self._label = f"calendar {name!r}" if name else "the calendar"
        self._always = calendar.always
        self._years: dict[int, _Year] = {}
        if self._always:
            return
        self._zone = _time_zone(calendar.time_zone, self._label)
        self._days = _DayPlan(calendar, self._label)
        if not self._days.recur:
            raise ValueError(f"{self._label} never works: give it shifts on a weekday")

    def add(self, start: Instant, seconds: int) -> Instant:
        """The instant at which so many working seconds have passed since `start`.

        This is the end of the last of these seconds: what takes until the end of the shift is due at 22:00,
        not at 08:00 of the next day. `add(start, 0)` is `start`, at night too, and always
        `between(start, add(start, n)) == n`.

        Raises:
            ValueError: `seconds` is negative, or the instant lies beyond the horizon.
        """
        if seconds < 0:
            raise ValueError(f"{seconds} s of working time cannot be counted backwards")
        if self._always or not seconds:
            return start + seconds
        year = self._year_of(start)
        wanted = year.worked_until(start) + seconds
        horizon = year.number + HORIZON_YEARS
        while wanted > year.total:
            wanted -= year.total
            if year.number >= horizon:
                raise ValueError(f"{self._label}: {seconds} s of work take more than {HORIZON_YEARS} years")
            year = self._year(year.number + 1)
        return year.when_worked(wanted)

    def between(self, start: Instant, end: Instant) -> int:
        """The working seconds from `start` to `end`; negative when `end` is the earlier one.

        Raises:
            ValueError: They lie further apart than the horizon.
        """
        if self._always:
            return end - start
        if end < start:
            return -self.between(end, start)
        first, last = self._year_of(start), self._year_of(end)
        if last.number - first.number > HORIZON_YEARS:
            raise ValueError(f"{self._label}: {start} and {end} are more than {HORIZON_YEARS} years apart")
        whole_years = sum(self._year(number).total for number in range(first.number, last.number))
        return whole_years + last.worked_until(end) - first.worked_until(start)

    def _year_of(self, at: Instant) -> "_Year":
        year = self._year(1970 + at // _SECONDS_PER_YEAR)  # right, or beside it around New Year
        while at < year.begin:
            year = self._year(year.number - 1)
        while at >= year.end:
            year = self._year(year.number + 1)
        return year

    def _year(self, number: int) -> "_Year":
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = self._compile(number)
        return year

    def _compile(self, number: int) -> "_Year":
        spans = [
            (_on_the_wall(day, begin, self._zone), _on_the_wall(day, end, self._zone))
            for day, shifts in self._days.of_year(number)
            for begin, end in shifts
        ]
        return _Year.of(
            number,
            begin=_on_the_wall(date(number, 1, 1), 0, self._zone),
            end=_on_the_wall(date(number + 1, 1, 1), 0, self._zone),
            spans=spans,
        )


@dataclass(frozen=True, slots=True)
class _Year:
    """A year's work: sorted, disjoint intervals, with the seconds worked before each.

    An interval is empty where the wall clock skipped the whole of a shift.
    """

    number: int
    begin: Instant
    end: Instant
    starts: list[Instant]
    ends: list[Instant]
    before: list[int]
    total: int

    @classmethod
    def of(cls, number: int, begin: Instant, end: Instant, spans: list[tuple[Instant, Instant]]) -> "_Year":
        starts = [start for start, _ in spans]
        ends = [end for _, end in spans]
        totals = list(accumulate((stop - start for start, stop in spans), initial=0))
        return cls(number, begin, end, starts, ends, before=totals[:-1], total=totals[-1])

    def worked_until(self, at: Instant) -> int:
        """Working seconds from the beginning of the year until `at`, an instant of the year."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.before[index] + min(at, self.ends[index]) - self.starts[index]

    def when_worked(self, seconds: int) -> Instant:
        """The instant at which so many of the year's working seconds, at least one, are over."""
        index = bisect_left(self.before, seconds) - 1
        return self.starts[index] + seconds - self.before[index]


class _DayPlan:
    """Which shifts the calendar gives to each day."""

    def __init__(self, calendar: Calendar, label: str) -> None:
        self._country = calendar.holidays
        if self._country and self._country not in holidays.list_supported_countries():
            raise ValueError(f"{label}: nobody has collected the public holidays of {self._country!r}")
        self._weekdays = [
            _spans(shifts)
            for shifts in (
                calendar.monday,
                calendar.tuesday,
                calendar.wednesday,
                calendar.thursday,
                calendar.friday,
                calendar.saturday,
                calendar.sunday,
            )
        ]
        self._on_holidays = _spans(calendar.on_holidays)
        self._on_makeup_days = _spans(calendar.on_makeup_days)
        self._special = {day.date: _spans(day.shifts) for day in calendar.special_days}

    @property
    def recur(self) -> bool:
        """Whether there is work in the far future, with no known holiday and no dated special day left."""
        leap_year = (date(2024, 1, 1) + timedelta(days=n) for n in range(366))
        return any(self._special.get(f"{day:%m-%d}", any(self._weekdays)) for day in leap_year)

    def of_year(self, number: int) -> Iterator[tuple[date, list[DaySpan]]]:
        """Every day of a year, in order, with its shifts."""
        free, makeup = _public_holidays(self._country, number) if self._country else (frozenset(), frozenset())
        day = date(number, 1, 1)
        while day.year == number:
            yield day, self._shifts(day, free, makeup)
            day += _ONE_DAY

    def _shifts(self, day: date, free: frozenset[date], makeup: frozenset[date]) -> list[DaySpan]:
        written = day.isoformat()
        for special in (written, written.removeprefix(f"{day.year:04}-")):
            if special in self._special:
                return self._special[special]
        if day in makeup and self._on_makeup_days:
            return self._on_makeup_days
        if day in free:
            return self._on_holidays
        return self._weekdays[day.weekday()]


def _public_holidays(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """The public holidays of a year, and its make-up working days.

    A year whose substitutions are not published yet has its statutory holidays and no make-up day.
    """
    known = holidays.country_holidays(country, years=year)
    makeup = frozenset(day for day in known.weekend_workdays if day.year == year)
    free = frozenset(day for day in known if day.year == year)
    if country in _HOLIDAYS_SPAN_WEEKENDS and makeup:
        free |= frozenset(_enclosed_weekends(free, makeup))
    return free, makeup


def _enclosed_weekends(free: frozenset[date], makeup: frozenset[date]) -> Iterator[date]:
    """Saturdays and Sundays with a holiday both before and behind the weekend."""
    for day in free:
        weekend = []
        following = day + _ONE_DAY
        while following.weekday() >= 5 and following not in free | makeup:  # noqa: PLR2004 - Saturday
            weekend.append(following)
            following += _ONE_DAY
        if following in free:
            yield from weekend


def _spans(shifts: Iterable[Shift]) -> list[DaySpan]:
    """Shifts of one day, sorted, with those that touch or overlap joined."""
    joined: list[DaySpan] = []
    for begin, end in sorted((_seconds(shift.begins), _seconds(shift.ends)) for shift in shifts):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _seconds(time_of_day: str) -> int:
    """Seconds since midnight of `HH:MM` or `HH:MM:SS`; 86,400 for 24:00."""
    hours, minutes, seconds = (*map(int, time_of_day.split(":")), 0)[:3]
    return hours * 3600 + minutes * 60 + seconds


def _time_zone(name: str, label: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones
        raise ValueError(f"{label}: there is no time zone {name!r}") from error


def _on_the_wall(day: date, seconds: int, zone: tzinfo) -> Instant:
    """The instant at which a wall clock that started at midnight shows so many seconds.

    The first of the two when the hour is repeated; the jump itself when the time is skipped.
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(seconds=seconds)
    at = from_datetime(wall)
    if to_datetime(at).astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return at
    return _jump(from_datetime(wall.replace(fold=1)), at, zone)


def _jump(before: Instant, after: Instant, zone: tzinfo) -> Instant:
    """The first instant in (before, after] at which the zone's offset is that of `after`."""
    new_offset = to_datetime(after).astimezone(zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if to_datetime(middle).astimezone(zone).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return after
