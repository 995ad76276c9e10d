"""Working time against values worked out by hand, and against a clock that ticks minute by minute."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casetrail.v1.policy_pb2 import Calendar, Shift, SpecialDay
from domain.calendars import WorkCalendar
from domain.instants import Instant, from_datetime, to_datetime

HOUR = 3600
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHANGHAI = "Asia/Shanghai"
BERLIN = "Europe/Berlin"


def shifts(*spans: str) -> list[Shift]:
    return [Shift(begins=span.split("-")[0], ends=span.split("-")[1]) for span in spans]


def calendar(zone: str, week: Sequence[str], weekend: Sequence[str] = (), **more: object) -> Calendar:
    made = Calendar(time_zone=zone, **more)  # type: ignore[arg-type] # the message checks them itself
    for number, day in enumerate(DAYS):
        getattr(made, day).extend(shifts(*(week if number < 5 else weekend)))
    return made


def special(day: str, *spans: str) -> SpecialDay:
    return SpecialDay(date=day, shifts=shifts(*spans))


OFFICE_HOURS = ("09:00-12:00", "13:00-18:00")
OFFICE = calendar(SHANGHAI, OFFICE_HOURS, holidays="CN", on_makeup_days=shifts(*OFFICE_HOURS))
DESK = calendar(
    SHANGHAI,
    ["08:00-22:00"],
    ["08:00-22:00"],
    holidays="CN",
    on_holidays=shifts("08:00-24:00"),
    special_days=[special("11-11", "08:00-24:00"), special("2025-10-02", "10:00-11:00"), special("10-02")],
)
NIGHT = Calendar(time_zone=SHANGHAI, monday=shifts("22:00-24:00"), tuesday=shifts("00:00-06:00", "23:59:30-24:00"))
NO_LEAP_DAY = calendar(SHANGHAI, ["09:00-17:00"], ["09:00-17:00"], special_days=[special("02-29")])
SUNDAY_NIGHT = calendar(BERLIN, [], ["01:00-05:00"])
SUNDAY_SPLIT_IN_THE_GAP = calendar(BERLIN, [], ["00:00-02:30", "02:30-06:00"])


def at(written: str, zone: str = SHANGHAI) -> Instant:
    return from_datetime(datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone)))


@pytest.mark.parametrize(
    ("days", "start", "seconds", "end"),
    [
        pytest.param(DESK, "2025-09-15 21:50", 600, "2025-09-15 22:00", id="due when the shift ends"),
        pytest.param(DESK, "2025-09-15 21:50", 601, "2025-09-16 08:00:01", id="a second over goes to the morning"),
        pytest.param(DESK, "2025-09-15 23:17:42", 30, "2025-09-16 08:00:30", id="begun at night"),
        pytest.param(DESK, "2025-09-15 23:17:42", 0, "2025-09-15 23:17:42", id="nothing to do moves nothing"),
        pytest.param(OFFICE, "2025-09-15 11:50", 1200, "2025-09-15 13:10", id="over the lunch break"),
        pytest.param(OFFICE, "2025-09-15 12:30", 60, "2025-09-15 13:01", id="begun in the lunch break"),
        pytest.param(OFFICE, "2025-09-19 17:00", 2 * HOUR, "2025-09-22 10:00", id="over the weekend"),
        pytest.param(OFFICE, "2025-09-26 17:30", HOUR, "2025-09-28 09:30", id="to the Sunday that makes up"),
        pytest.param(OFFICE, "2025-09-30 17:30", HOUR, "2025-10-09 09:30", id="over National Day 2025"),
        pytest.param(OFFICE, "2025-10-10 17:30", HOUR, "2025-10-11 09:30", id="to the Saturday that makes up"),
        pytest.param(OFFICE, "2025-01-27 17:00", 2 * HOUR, "2025-02-05 10:00", id="over Spring Festival 2025"),
        pytest.param(OFFICE, "2025-12-31 17:00", 2 * HOUR, "2026-01-04 10:00", id="over New Year, to a Sunday"),
        pytest.param(OFFICE, "2024-02-28 17:00", 2 * HOUR, "2024-02-29 10:00", id="to the leap day"),
        pytest.param(NO_LEAP_DAY, "2024-02-28 16:00", 2 * HOUR, "2024-03-01 10:00", id="over a free leap day"),
        pytest.param(DESK, "2025-10-01 23:30", 600, "2025-10-01 23:40", id="to 24:00 on a holiday"),
        pytest.param(DESK, "2025-10-04 23:30", 600, "2025-10-04 23:40", id="the weekend in a holiday is part of it"),
        pytest.param(DESK, "2025-10-11 21:55", 600, "2025-10-12 08:05", id="without shifts a make-up day is a weekday"),
        pytest.param(DESK, "2025-11-11 23:55", 600, "2025-11-12 08:05", id="to 24:00 on a promotion day"),
        pytest.param(DESK, "2025-10-02 00:00", HOUR, "2025-10-02 11:00", id="a dated day beats the yearly one"),
        pytest.param(DESK, "2026-10-01 23:59:59", 2, "2026-10-03 08:00:01", id="a yearly day beats the holiday"),
        pytest.param(NIGHT, "2025-09-15 23:59:50", 20, "2025-09-16 00:00:10", id="through midnight"),
        pytest.param(NIGHT, "2025-09-16 12:00", 31, "2025-09-22 22:00:01", id="a shift to the second"),
        pytest.param(OFFICE, "2035-10-01 10:00", 60, "2035-10-04 09:01", id="an unpublished year: statutory days"),
    ],
)
def test_working_time_ends_where_the_calendar_says(days: Calendar, start: str, seconds: int, end: str) -> None:
    work = WorkCalendar(days)
    assert to_datetime(work.add(at(start), seconds)) == to_datetime(at(end))
    assert work.between(at(start), at(end)) == seconds
    assert work.between(at(end), at(start)) == -seconds


@pytest.mark.parametrize(
    ("days", "start", "end", "hours"),
    [
        pytest.param(OFFICE, "2025-09-26 18:00", "2025-10-12 00:00", 6 * 8, id="28–30 September, 9–11 October"),
        pytest.param(OFFICE, "2025-01-01 00:00", "2026-01-01 00:00", 248 * 8, id="248 working days in 2025"),
        pytest.param(DESK, "2025-02-01 00:00", "2025-02-06 00:00", 4 * 16 + 14, id="Spring Festival to its 8th day"),
        pytest.param(NIGHT, "2025-09-15 12:00", "2025-09-16 12:00", 8, id="one night"),
        pytest.param(OFFICE, "2025-09-20 10:00", "2025-09-21 20:00", 0, id="a weekend"),
    ],
)
def test_working_hours_between_two_instants(days: Calendar, start: str, end: str, hours: int) -> None:
    assert WorkCalendar(days).between(at(start), at(end)) == hours * HOUR


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2025-03-23", 4), ("2025-03-30", 3), ("2025-10-26", 5), ("2025-11-02", 4)],
)
def test_a_shift_over_the_change_of_the_clocks_is_an_hour_shorter_or_longer(day: str, hours: int) -> None:
    start = at(f"{day} 00:00", BERLIN)
    work = WorkCalendar(SUNDAY_NIGHT)
    assert work.between(start, start + 24 * HOUR) == hours * HOUR
    assert work.add(start, hours * HOUR) == at(f"{day} 05:00", BERLIN)


@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 5), ("2025-10-26", 7)])
def test_shifts_that_meet_in_a_skipped_or_repeated_hour_leave_no_hole(day: str, hours: int) -> None:
    start = at(f"{day} 00:00", BERLIN)
    assert WorkCalendar(SUNDAY_SPLIT_IN_THE_GAP).between(start, start + hours * HOUR) == hours * HOUR


def test_a_shift_ends_at_the_jump_when_its_end_is_skipped() -> None:
    start = at("2025-03-30 00:00", BERLIN)
    work = WorkCalendar(calendar(BERLIN, [], ["00:00-02:30"]))
    assert work.between(start, start + 24 * HOUR) == 2 * HOUR


def test_a_day_that_the_zone_skipped_has_no_working_time() -> None:
    # Samoa went from 29 to 31 December 2011.
    work = WorkCalendar(calendar("Pacific/Apia", ["09:00-17:00"], ["09:00-17:00"]))
    assert work.between(at("2011-12-29 12:00", "Pacific/Apia"), at("2011-12-31 12:00", "Pacific/Apia")) == 8 * HOUR


def test_around_the_clock_counts_every_second() -> None:
    work = WorkCalendar(Calendar(time_zone=BERLIN, always=True))
    assert work.add(at("2025-03-30 00:00"), 24 * HOUR) == at("2025-03-30 00:00") + 24 * HOUR
    assert work.between(5, 17) == 12


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (Calendar(time_zone=SHANGHAI), "calendar 'desk' never works: give it shifts on a weekday"),
        (
            Calendar(time_zone=SHANGHAI, special_days=[special("2025-11-11", "08:00-24:00")]),
            "calendar 'desk' never works: give it shifts on a weekday",
        ),
        (
            Calendar(time_zone=SHANGHAI, special_days=[special("02-30", "08:00-24:00")]),
            "calendar 'desk' never works: give it shifts on a weekday",
        ),
        (
            calendar(
                SHANGHAI,
                ["09:00-17:00"],
                special_days=[special(f"{date(2024, 1, 1) + timedelta(days=n):%m-%d}") for n in range(366)],
            ),
            "calendar 'desk' never works: give it shifts on a weekday",
        ),
        (calendar("Europe", ["09:00-17:00"]), "calendar 'desk': there is no time zone 'Europe'"),
        (
            calendar(SHANGHAI, ["09:00-17:00"], holidays="XX"),
            "calendar 'desk': nobody has collected the public holidays of 'XX'",
        ),
    ],
)
def test_a_calendar_that_cannot_be_counted_on_is_refused_by_name(days: Calendar, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        WorkCalendar(days, "desk")


def test_work_that_would_take_centuries_is_refused() -> None:
    work = WorkCalendar(Calendar(time_zone=SHANGHAI, special_days=[special("02-29", "09:00-09:01")]))
    assert work.add(at("2025-01-01 00:00"), 60) == at("2028-02-29 09:01")
    with pytest.raises(ValueError, match="take more than 400 years"):
        work.add(at("2025-01-01 00:00"), 100 * 60)
    with pytest.raises(ValueError, match="more than 400 years apart"):
        work.between(at("2025-01-01 00:00"), at("2525-01-01 00:00"))


def test_working_time_is_not_counted_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        WorkCalendar(OFFICE).add(at("2025-01-01 00:00"), -1)


# Laws, for calendars that nobody would think of.

ZONES = (SHANGHAI, BERLIN, "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
FIRST, LAST = at("2011-01-01 00:00"), at("2028-01-01 00:00")
CHANGES = [
    at(written, zone)
    for written, zone in [
        ("2025-03-30 00:00", BERLIN),
        ("2025-10-26 00:00", BERLIN),
        ("2025-03-08 20:00", "America/Havana"),
        ("2025-11-01 20:00", "America/Havana"),
        ("2025-04-05 20:00", "Australia/Lord_Howe"),
        ("2025-10-04 20:00", "Australia/Lord_Howe"),
        ("2011-12-29 12:00", "Pacific/Apia"),
        ("2025-09-30 12:00", SHANGHAI),
        ("2024-12-31 12:00", SHANGHAI),
    ]
]
instants = st.integers(FIRST, LAST) | st.builds(
    lambda change, off: change + off, st.sampled_from(CHANGES), st.integers(-86_400, 86_400)
)
amounts = st.integers(0, 40 * 86_400)


def time_of_day(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def shifts_at(boundaries: list[int]) -> list[Shift]:
    pairs = zip(boundaries[::2], boundaries[1::2], strict=False)
    return [Shift(begins=time_of_day(begin), ends=time_of_day(end)) for begin, end in pairs]


day_shifts = st.lists(st.integers(0, 1440), min_size=0, max_size=6, unique=True).map(sorted).map(shifts_at)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    made = Calendar(time_zone=draw(st.sampled_from(ZONES)))
    for day in DAYS:
        getattr(made, day).extend(draw(day_shifts))
    if not made.monday:
        made.monday.add(begins="08:00", ends="09:30")
    for day in draw(st.lists(st.sampled_from(["2025-03-30", "03-30", "10-26", "02-29", "12-30"]), unique=True)):
        made.special_days.add(date=day, shifts=draw(day_shifts))
    return made


@given(calendars(), instants, amounts)
def test_between_counts_what_was_added(days: Calendar, start: Instant, seconds: int) -> None:
    work = WorkCalendar(days)
    end = work.add(start, seconds)
    assert work.between(start, end) == seconds
    # It is the earliest such instant.
    assert seconds == 0 or work.between(start, end - 1) == seconds - 1


@given(calendars(), instants, instants, instants)
def test_stretches_add_up(days: Calendar, first: Instant, second: Instant, third: Instant) -> None:
    work = WorkCalendar(days)
    assert work.between(first, third) == work.between(first, second) + work.between(second, third)


@given(calendars(), instants, amounts, amounts)
def test_adding_in_two_steps_is_adding_at_once(days: Calendar, start: Instant, one: int, other: int) -> None:
    work = WorkCalendar(days)
    assert work.add(work.add(start, one), other) == work.add(start, one + other)


@given(calendars(), instants, st.integers(0, 10 * 86_400), amounts)
def test_who_begins_later_ends_no_sooner(days: Calendar, start: Instant, later: int, seconds: int) -> None:
    work = WorkCalendar(days)
    assert work.add(start, seconds) <= work.add(start + later, seconds)
    assert 0 <= work.between(start, start + later) <= later


@settings(max_examples=60)
@given(calendars(), instants, st.integers(0, 3 * 1440))
def test_it_agrees_with_a_clock_that_ticks_minute_by_minute(days: Calendar, about: Instant, minutes: int) -> None:
    start = about - about % 60
    end = start + minutes * 60
    ticks = sum(60 for minute in range(start, end, 60) if at_work(days, minute))
    assert WorkCalendar(days).between(start, end) == ticks


def at_work(days: Calendar, minute: Instant) -> bool:
    zone = ZoneInfo(days.time_zone)
    wall = datetime.fromtimestamp(minute, UTC).astimezone(zone)
    while wall.fold:  # a repeated hour: the clock has been at the hour's end before
        minute -= 60
        wall = datetime.fromtimestamp(minute, UTC).astimezone(zone)
    special_days = {day.date: day.shifts for day in days.special_days}
    written = wall.date().isoformat()
    of_day = special_days.get(written, special_days.get(written[5:], getattr(days, DAYS[wall.date().weekday()])))
    return any(shift.begins <= f"{wall:%H:%M}" < shift.ends for shift in of_day)
