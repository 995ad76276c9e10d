"""A policy file: read, checked against the contract, and checked for what only its meaning shows to be wrong."""

import re
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

from casetrail import short_forms, yaml_messages
from casetrail.file_problems import FieldPath, FileError, Finding, unknown_name
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.policy_pb2 import (
    Authority,
    AuthorityLimit,
    Calendar,
    ClockTarget,
    EligibilityRule,
    Ladder,
    Notices,
    Policy,
    Shift,
)
from casetrail.v1.types_pb2 import Role
from casetrail.words import word_of, words_of

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLACEHOLDERS = ("case", "subject", "text")

_LONGEST_PROMISE_SECONDS = 366 * 86_400
_HINTS = {
    "casetrail.v1.Policy.policy_id": "small letters, digits, dots and dashes, for example default-2026.1",
    "casetrail.v1.Calendar.holidays": "a country's two capital letters, for example CN",
    "casetrail.v1.Shift.begins": 'a time of day such as "08:00" or "08:00:30"',
    "casetrail.v1.Shift.ends": 'a time of day such as "22:00" or "24:00"',
    "casetrail.v1.SpecialDay.date": "YYYY-MM-DD, or MM-DD for every year",
    "casetrail.v1.Authority.currency": "three capital letters, for example CNY",
    "casetrail.v1.Authority.other_currencies": "three capital letters, for example JPY",
    "casetrail.v1.EligibilityRule.rule": "small letters, digits, dots and underscores, for example return.window",
    "casetrail.v1.DetectionRule.rule": "small letters, digits, dots and underscores, for example wave.category",
}

# Rules of the contract that speak of the policy as a whole; the checks below name the place.
_CHECKED_HERE = frozenset(
    {"policy.clock_calendar", "policy.clock_ladder", "policy.target_ladder", "policy.region_calendar", "policy.notices"}
)


class PolicyError(FileError):
    """A policy that cannot come into force."""


def load(path: Path) -> Policy:
    """Read a policy.

    Raises:
        PolicyError: It is wrong somewhere; all problems, with their places.
    """
    reading = yaml_messages.read(path, Policy, hints=_HINTS, leave_out=_CHECKED_HERE)
    problems = [*reading.problems, *reading.further(_findings(reading.message))]
    if problems:
        raise PolicyError(problems)
    return reading.message


def _findings(policy: Policy) -> Iterator[Finding]:
    yield from _calendars(policy.calendars)
    for region, name in sorted(policy.region_calendars.items()):
        yield from unknown_name(name, policy.calendars, ("region_calendars", region))
    for name, ladder in sorted(policy.ladders.items()):
        yield from _ladder(ladder, ("ladders", name))
    yield from _clocks(policy)
    yield from _authority(policy.authority)
    yield from _rules(policy.returns.rules)
    yield from _closing(policy)
    yield from _notices(policy.notices)
    yield from _incidents(policy)


def _calendars(calendars: Mapping[str, Calendar]) -> Iterator[Finding]:
    for name, calendar in sorted(calendars.items()):
        here = ("calendars", name)
        if calendar.time_zone and not _zone_exists(calendar.time_zone):
            yield Finding((*here, "time_zone"), _no_such_zone(calendar.time_zone))
        if not calendar.always and not _works_for_ever(calendar):
            yield Finding(here, "never works; give it shifts on a weekday, or always: true")
        if not calendar.holidays:
            for field in ("on_holidays", "on_makeup_days"):
                if getattr(calendar, field):
                    yield Finding((*here, field), "never applies; name the country in holidays")
        for field in (*WEEKDAYS, "on_holidays", "on_makeup_days"):
            yield from _overlaps(getattr(calendar, field), (*here, field))
        yield from _special_days(calendar, here)


def _zone_exists(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
        return False
    return True


def _no_such_zone(name: str) -> str:
    lower_case = {zone.lower(): zone for zone in zoneinfo.available_timezones()}
    meant = lower_case.get(short_forms.probably_meant(name, lower_case) or "", "Asia/Shanghai")
    return f'"{name}" is no time zone; write one as in "{meant}"'


def _works_for_ever(calendar: Calendar) -> bool:
    """Whether there is work in years of which no holiday is known and which no dated special day is in."""
    ordinary = any(getattr(calendar, day) for day in WEEKDAYS)
    yearly = {day.date: bool(day.shifts) for day in calendar.special_days}
    return any(yearly.get(day, ordinary) for day in _days_of_a_leap_year())


def _days_of_a_leap_year() -> list[str]:
    return [f"{date(2024, 1, 1) + timedelta(days=number):%m-%d}" for number in range(366)]


def _overlaps(shifts: Iterable[Shift], path: FieldPath) -> Iterator[Finding]:
    earlier: list[Shift] = []
    for number, shift in enumerate(shifts):
        for other in earlier:
            if shift.begins < other.ends and other.begins < shift.ends:
                yield Finding((*path, number), f"overlaps the shift from {other.begins} to {other.ends}")
        earlier.append(shift)


def _special_days(calendar: Calendar, here: FieldPath) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, day in enumerate(calendar.special_days):
        path = (*here, "special_days", number)
        if not _day_exists(day.date):
            yield Finding((*path, "date"), f'"{day.date}" is not in the calendar')
        elif day.date in seen:
            yield Finding((*path, "date"), f"{day.date} stands here twice")
        seen.add(day.date)
        yield from _overlaps(day.shifts, (*path, "shifts"))


def _day_exists(written: str) -> bool:
    leap_year = "2024-"
    try:
        date.fromisoformat(written if len(written) > len("MM-DD") else leap_year + written)
    except ValueError:
        return False
    return True


def _ladder(ladder: Ladder, here: FieldPath) -> Iterator[Finding]:
    below = 0
    for number, step in enumerate(ladder.steps):
        path = (*here, "steps", number)
        if number and step.after.seconds <= 0:
            yield Finding((*path, "after"), "must say how long after the step before it, for example 30m")
        if not number and step.HasField("after"):
            yield Finding((*path, "after"), "cannot stand at the first step, which comes with the breach")
        if step.role <= below:
            message = f"{_role(step.role)} does not stand above {_role(below)}; a ladder climbs"
            yield Finding((*path, "role"), message)
        below = max(below, step.role)


def _clocks(policy: Policy) -> Iterator[Finding]:
    for name, clock in sorted(policy.clocks.items()):
        here = ("clocks", name)
        yield from unknown_name(clock.ladder, policy.ladders, (*here, "ladder"))
        catch_all: int | None = None
        for number, target in enumerate(clock.targets):
            path = (*here, "targets", number)
            yield from unknown_name(target.calendar, policy.calendars, (*path, "calendar"))
            yield from unknown_name(target.ladder, policy.ladders, (*path, "ladder"))
            yield from _promise(target, path)
            if catch_all is not None:
                message = f"is never reached; targets[{catch_all}] has no condition and fits every case"
                yield Finding(path, message, rests_on=((*here, "targets", catch_all),))
            elif not _narrowed(target):
                catch_all = number


def _narrowed(target: ClockTarget) -> bool:
    for_customers = target.kinds or target.channels or target.priorities or target.categories
    return bool(for_customers or target.levels or target.crises)


def _promise(target: ClockTarget, path: FieldPath) -> Iterator[Finding]:
    if target.within.seconds > _LONGEST_PROMISE_SECONDS:
        yield Finding((*path, "within"), "is longer than a year")
    for field in ("warn_before", "flag_after"):
        if target.HasField(field) and getattr(target, field).seconds <= 0:
            yield Finding((*path, field), "must be at least 1s; leave it out for never")


def _authority(authority: Authority) -> Iterator[Finding]:
    here: FieldPath = ("authority",)
    yield from _limits(authority.limits, (*here, "limits"))
    for code, other in sorted(authority.other_currencies.items()):
        path = (*here, "other_currencies", code)
        if code == authority.currency:
            yield Finding(path, f"{code} is the currency of authority.limits; write its limits there")
        yield from _limits(other.limits, (*path, "limits"))


def _limits(limits: Iterable[AuthorityLimit], here: FieldPath) -> Iterator[Finding]:
    role, most = 0, 0
    unlimited: FieldPath | None = None
    for number, limit in enumerate(limits):
        path = (*here, number)
        if limit.role <= role:
            message = f"{_role(limit.role)} does not stand above {_role(role)}; write them from below"
            yield Finding((*path, "role"), message)
        if unlimited is not None:
            message = f"{_role(limit.role)} stands above {_role(role)}, whose authority has no limit already"
            yield Finding(path, message, rests_on=(unlimited,))
        elif limit.HasField("max_minor") and limit.max_minor < most:
            message = f"{limit.max_minor} is less than {_role(role)} may decide, {most}"
            yield Finding((*path, "max_minor"), message)
        role, most = max(role, limit.role), max(most, limit.max_minor)
        unlimited = None if limit.HasField("max_minor") else path


def _role(number: int) -> str:
    return word_of(Role.DESCRIPTOR, number)


def _rules(rules: Iterable[EligibilityRule]) -> Iterator[Finding]:
    seen: set[str] = set()
    catch_all: FieldPath | None = None
    for number, rule in enumerate(rules):
        path: FieldPath = ("returns", "rules", number)
        if rule.rule in seen:
            yield Finding((*path, "rule"), f"{rule.rule} stands here twice; the log could not tell them apart")
        seen.add(rule.rule)
        rejects = rule.verdict == EligibilityRule.VERDICT_REJECT
        if rejects and not rule.alternatives:
            message = "is missing; a customer who is rejected is offered something else"
            yield Finding((*path, "alternatives"), message)
        if rule.alternatives and not rejects:
            yield Finding((*path, "alternatives"), "is offered only with verdict: reject")
        if rule.HasField("within") and rule.beyond.seconds >= rule.within.seconds:
            yield Finding(path, "never fits; beyond is not shorter than within")
        if catch_all is not None:
            message = f"is never reached; rules[{catch_all[-1]}] has no condition and fits every return"
            yield Finding(path, message, rests_on=(catch_all,))
        elif not _conditions(rule):
            catch_all = path


def _conditions(rule: EligibilityRule) -> bool:
    windows = rule.HasField("within") or rule.HasField("beyond")
    return windows or bool(rule.categories or rule.reasons or rule.item_states or rule.order_states)


def _closing(policy: Policy) -> Iterator[Finding]:
    if "follow_up" not in policy.clocks:
        return
    earliest = policy.closing.callback_not_before.seconds
    for number, target in enumerate(policy.clocks["follow_up"].targets):
        if 0 < target.within.seconds <= earliest:
            path: FieldPath = ("clocks", "follow_up", "targets", number, "within")
            after = short_forms.duration_text(earliest)
            yield Finding(path, f"ends before the call may be made, {after} after the result")


def _incidents(policy: Policy) -> Iterator[Finding]:
    here: FieldPath = ("incidents",)
    yield from _stands_once(((*here, "levels", i, "level"), r.level) for i, r in enumerate(policy.incidents.levels))
    yield from _stands_once(
        ((*here, "crises", i, "crisis"), word_of(CrisisClass.DESCRIPTOR, r.crisis))
        for i, r in enumerate(policy.incidents.crises)
    )
    detection = policy.incidents.detection
    yield from _stands_once(((*here, "detection", i, "rule"), r.rule) for i, r in enumerate(detection))
    for number, rule in enumerate(detection):
        path: FieldPath = (*here, "detection", number)
        yield from unknown_name(rule.breach_rate.clock, policy.clocks, (*path, "breach_rate", "clock"))
        for name in re.findall(r"\{(\w+)\}", rule.subject):
            if name != "what":
                yield Finding((*path, "subject"), f"{{{name}}} stands for nothing; there is {{what}}")


def _stands_once(entries: Iterable[tuple[FieldPath, object]]) -> Iterator[Finding]:
    seen: set[object] = set()
    for path, value in entries:
        if value in seen:
            yield Finding(path, f"{value} stands here twice")
        seen.add(value)


def _notices(notices: Mapping[str, Notices]) -> Iterator[Finding]:
    purposes = words_of(Purpose.DESCRIPTOR)
    if "en" not in notices:
        yield Finding(("notices",), "lacks en, which stands in for every other language")
    for locale, texts in sorted(notices.items()):
        seen: set[str] = set()
        for number, notice in enumerate(texts.notices):
            path: FieldPath = ("notices", locale, "notices", number)
            purpose = word_of(Purpose.DESCRIPTOR, notice.purpose)
            if purpose in seen:
                yield Finding((*path, "purpose"), f"{purpose} stands here twice")
            seen.add(purpose)
            yield from _placeholders(notice.subject, (*path, "subject"))
            yield from _placeholders(notice.text, (*path, "text"))
        missing = [purpose for purpose in purposes if purpose not in seen]
        if locale == "en" and missing:
            yield Finding(("notices", locale, "notices"), f"lacks {', '.join(missing)}")


def _placeholders(text: str, path: FieldPath) -> Iterator[Finding]:
    for name in re.findall(r"\{(\w+)\}", text):
        if name not in PLACEHOLDERS:
            yield Finding(path, f"{{{name}}} stands for nothing; there are {{case}}, {{subject}} and {{text}}")
