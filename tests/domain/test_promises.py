"""Promises that change under way: another priority, another policy, another clock to live by."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.command_pb2 import Command
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Cause, Priority
from casetrail.words import value_of
from domain import Rejected, Rulebook
from domain.case_time import case_now, command_time, real_time
from domain.instants import LATEST, from_datetime, timestamp
from domain.rulebook import Target
from tests.domain.story import OPENED, RULES, Story, refused, rules_with

HOUR = 3600


def urgent_in(within: int, *, calendar: str = "always") -> Rulebook:
    """A policy under which urgent inquiries are solved sooner."""

    def change(policy: Policy) -> None:
        target = policy.clocks["resolution"].targets.add()
        target.CopyFrom(policy.clocks["resolution"].targets[0])
        target.within.seconds = within
        target.calendar = calendar
        target.ClearField("warn_before")
        target.priorities.append(Priority.PRIORITY_URGENT)
        targets = list(policy.clocks["resolution"].targets)
        del policy.clocks["resolution"].targets[:]
        policy.clocks["resolution"].targets.extend([targets[-1], *targets[:-1]])

    return rules_with(change)


# --- priority ---


def test_another_priority_keeps_what_has_elapsed(story: Story) -> None:
    story.rules = urgent_in(8 * HOUR)
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    assert story.at("+3h").agent().prioritize("urgent") == ["Prioritized", "ClockRebased"]
    assert story.due("resolution") == "8h"
    rebased = story.last("ClockRebased")
    assert (rebased.clock.elapsed_seconds, rebased.old_target_seconds) == (3 * HOUR, 24 * HOUR)
    story.at("+4h").agent().prioritize("normal")
    assert story.due("resolution") == "1d"


def test_another_priority_keeps_what_was_paused(story: Story) -> None:
    story.rules = urgent_in(8 * HOUR)
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+1h").agent().wait("customer")
    story.at("+5h").agent().resume()
    story.at("+6h").agent().prioritize("urgent")
    assert story.due("resolution") == "12h"
    assert {entry.cause: entry.seconds for entry in story.find("resolution").paused} == {1: 4 * HOUR}


def test_a_priority_that_changes_during_a_pause_counts_when_the_clock_goes_on(story: Story) -> None:
    story.rules = urgent_in(8 * HOUR)
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+1h").agent().wait("customer")
    story.at("+2h").agent().prioritize("urgent")
    assert story.clock("resolution") == "paused"
    story.at("+5h").agent().resume()
    assert story.due("resolution") == "12h"
    assert {entry.cause: entry.seconds for entry in story.find("resolution").paused} == {1: 4 * HOUR}


def test_a_promise_that_the_new_priority_makes_overdue_is_broken_at_that_moment(story: Story) -> None:
    story.rules = urgent_in(2 * HOUR)
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    types = story.at("+3h").agent().prioritize("urgent")
    assert types == ["Prioritized", "ClockRebased", "ClockBreached", "EscalationStepped", "StaffAlerted"]
    assert story.times("ClockBreached", "resolution") == ["3h"], "not at a time when nobody had promised it"


@pytest.mark.parametrize("calendar", ["always", "business"])
def test_a_promise_that_is_made_overdue_while_it_stands_is_broken_at_that_moment_too(
    story: Story, calendar: str
) -> None:
    story.rules = urgent_in(2 * HOUR, calendar=calendar)
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+3h").agent().wait("customer", at_most="2h")
    types = story.at("+4h").agent().prioritize("urgent")
    assert types == ["Prioritized", "ClockRebased", "ClockBreached", "EscalationStepped", "StaffAlerted"]
    assert (story.clock("resolution"), story.last("ClockBreached").clock.elapsed_seconds) == ("paused", 3 * HOUR)
    story.at("+6h").agent().resolve("Done")
    assert story.times("WaitEnded") == ["5h"]
    assert story.last("ClockMetLate").late_seconds == 2 * HOUR


def test_a_broken_promise_is_not_mended_by_a_gentler_priority(story: Story) -> None:
    story.rules = urgent_in(2 * HOUR)
    story.open("inquiry", priority="urgent")
    story.at("+10s").agent().reply("Hello")
    story.at("+3h").agent().prioritize("low")
    assert story.find("resolution").breached
    story.at("+4h").agent().resolve("Done")
    assert story.last("ClockMetLate").late_seconds == 2 * HOUR


def test_time_is_counted_on_the_calendar_that_held_while_it_passed(story: Story) -> None:
    story.rules = urgent_in(8 * HOUR, calendar="business")
    story.now += 10 * HOUR  # 20:00; the desk closes at 22:00
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+6h").agent().prioritize("urgent")  # 02:00: six hours have passed around the clock
    assert story.last("ClockRebased").clock.elapsed_seconds == 6 * HOUR
    assert story.due("resolution") == "14h"  # two more business hours, from 08:00


def test_nothing_happens_to_a_clock_whose_promise_stays_the_same(story: Story) -> None:
    story.open("inquiry")
    assert story.agent().prioritize("urgent") == ["Prioritized"]
    with refused("ALREADY_SO"):
        story.agent().prioritize("urgent")


@pytest.mark.parametrize(("category", "priority"), [("refund", 3), ("logistics", 3), ("gossip", 2)])
def test_a_case_without_a_priority_has_that_of_its_category(story: Story, category: str, priority: int) -> None:
    story.open("inquiry", category=category)
    assert story.case.priority == priority


# --- policy ---


def test_a_new_policy_changes_an_open_case_only_by_command(story: Story) -> None:
    story.open("inquiry")
    story.rules = urgent_in(2 * HOUR)
    story.at("+10s").agent().reply("Hello")
    assert (story.due("resolution"), story.case.policy) == ("1d", RULES.ref)


def test_a_new_policy_is_named_with_what_it_changes(story: Story) -> None:
    def sooner(policy: Policy) -> None:
        policy.clocks["resolution"].targets[0].within.seconds = 8 * HOUR

    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    rules = rules_with(sooner)
    story.at("+1h")
    assert story.change_policy(rules) == ["PolicyChanged", "ClockRebased"]
    assert (story.case.policy, story.due("resolution")) == (rules.ref, "8h")
    with refused("ALREADY_SO"):
        story.change_policy(rules)


def test_hours_before_a_new_policy_are_counted_as_they_were_then(story: Story) -> None:
    def half_days(policy: Policy) -> None:
        for day in ("monday", "tuesday", "wednesday"):
            getattr(policy.calendars["business"], day)[0].ends = "12:00"

    story.open("return")
    story.at("+20s").agent().accept("We look")  # review: four business hours from 10:00:20
    story.at("+3h20s")  # 13:00:20
    story.change_policy(rules_with(half_days))
    assert story.last("ClockRebased").clock.elapsed_seconds == 3 * HOUR, "the same calendar's name, but other hours"
    assert story.due("review") == "23h"  # one more hour, from 08:00 of the next day


def test_a_clock_that_the_new_policy_does_not_ask_for_ends(story: Story) -> None:
    def without(policy: Policy) -> None:
        del policy.clocks["resolution"]

    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    assert story.change_policy(rules_with(without)) == ["PolicyChanged", "ClockCancelled"]


def test_a_broken_promise_goes_on_under_a_policy_without_its_ladder_and_calendar(story: Story) -> None:
    def renamed(policy: Policy) -> None:
        policy.calendars["desk"].CopyFrom(policy.calendars["business"])
        policy.ladders["quick"].CopyFrom(policy.ladders["response"])
        for rule in policy.clocks.values():
            rule.ladder = rule.ladder.replace("response", "quick")
            for target in rule.targets:
                target.calendar = target.calendar.replace("business", "desk")
        del policy.calendars["business"]
        del policy.ladders["response"]

    story.open("inquiry")
    story.at("+1m")
    story.change_policy(rules_with(renamed))
    story.wait("10m")
    assert story.times("EscalationStepped", "first_response") == ["30s", "10m30s"]
    story.at("+12m").agent().reply("Sorry")
    assert story.last("ClockMetLate").late_seconds == 11 * 60 + 30


def test_a_wait_stops_the_clocks_that_the_new_policy_says(story: Story) -> None:
    def otherwise(policy: Policy) -> None:
        policy.clocks["resolution"].pauses_for[:] = [Cause.CAUSE_VENDOR]
        policy.clocks["first_response"].pauses_for[:] = [Cause.CAUSE_CUSTOMER]

    story.open("inquiry", channel="email")
    story.agent().wait("customer")
    assert (story.clock("resolution"), story.clock("first_response")) == ("paused", "running")
    story.change_policy(rules_with(otherwise))
    assert (story.clock("resolution"), story.clock("first_response")) == ("running", "paused")


@pytest.mark.parametrize(
    ("stood_for", "stands_for", "stands"), [("customer", "vendor", "running"), ("vendor", "customer", "paused")]
)
def test_a_policy_that_makes_a_promise_overdue_breaks_it_whether_it_starts_or_stops_its_clock(
    story: Story, stood_for: str, stands_for: str, stands: str
) -> None:
    def pausing(cause: str, within: int) -> Callable[[Policy], None]:
        def change(policy: Policy) -> None:
            policy.clocks["resolution"].pauses_for[:] = [value_of(Cause, cause)]
            policy.clocks["resolution"].targets[0].calendar = "business"
            policy.clocks["resolution"].targets[0].within.seconds = within

        return change

    story.rules = rules_with(pausing(stood_for, 10 * HOUR))
    story.open("inquiry")
    story.at("+10s").agent().reply("Hello")
    story.at("+3h").agent().wait("customer")
    story.at("+4h")
    story.change_policy(rules_with(pausing(stands_for, 2 * HOUR), "sooner-1"))
    assert story.clock("resolution") == stands
    assert story.times("ClockBreached", "resolution") == story.times("EscalationStepped", "resolution") == ["4h"]
    story.at("+5h").agent().resume()
    assert story.find("resolution").breached


def test_a_wait_that_the_new_policy_treats_alike_goes_on_as_it_was(story: Story) -> None:
    story.open("inquiry")
    story.agent().wait("customer")
    types = story.change_policy(rules_with(lambda _: None))
    assert not {"ClockPaused", "ClockResumed"} & set(types)
    assert (story.clock("resolution"), story.clock("first_response")) == ("paused", "running")


@pytest.mark.parametrize(("waits_for", "review"), [("customer", "paused"), ("vendor", "4h10s")])
def test_a_promise_that_begins_during_a_wait_stands_where_that_stops_it(
    story: Story, waits_for: str, review: str
) -> None:
    story.open("return")
    story.agent().wait(waits_for)
    before = story.clocks()
    story.at("+10s").agent().accept()
    del before["acceptance"]
    assert story.clocks() == before | {"review": review}
    story.at("+1h10s").agent().resume()
    assert story.due("review") == ("5h10s" if review == "paused" else review)


def _promising(within: int, calendar: str, pauses_for: list[Cause.ValueType]) -> Rulebook:
    def change(policy: Policy) -> None:
        policy.clocks["resolution"].pauses_for[:] = pauses_for
        policy.clocks["resolution"].targets[0].calendar = calendar
        policy.clocks["resolution"].targets[0].within.seconds = within

    return rules_with(change, f"{calendar}-{within}")


_POLICIES = (
    _promising(24 * HOUR, "always", [Cause.CAUSE_CUSTOMER, Cause.CAUSE_VENDOR]),
    _promising(10 * HOUR, "business", [Cause.CAUSE_VENDOR]),
    _promising(2 * HOUR, "business", [Cause.CAUSE_CUSTOMER]),
    _promising(3 * HOUR, "always", []),
)
_happenings = st.one_of(
    st.just(("resume", None)),
    st.tuples(st.just("wait"), st.sampled_from(["customer", "vendor", "department"])),
    st.tuples(st.just("change_policy"), st.sampled_from(_POLICIES)),
    st.just(("look", None)),
)


@settings(max_examples=200)
@given(
    first=st.sampled_from(_POLICIES),
    course=st.lists(st.tuples(st.integers(0, 9 * HOUR) | st.sampled_from([0, 2 * HOUR, 3 * HOUR]), _happenings)),
    looked_at=st.booleans(),
)
def test_a_promise_is_broken_in_the_second_in_which_what_counted_comes_to_what_is_asked(
    first: Rulebook, course: list[tuple[int, tuple[str, Any]]], looked_at: bool
) -> None:
    """However it was paused, moved to other hours and given other targets, and whoever looked meanwhile."""
    story = Story(first)
    story.open("inquiry")
    counted, broken_at, waits_for = 0, None, 0
    for pause, (happening, what) in course:
        calendar, target = story.rules.calendar(_asked(story).calendar), _asked(story).seconds
        counting = waits_for not in _asked(story).pauses_for
        if counting and broken_at is None and counted + calendar.between(story.now, story.now + pause) >= target:
            broken_at = calendar.add(story.now, target - counted)
        counted += calendar.between(story.now, story.now + pause) if counting else 0
        story.wait(f"{pause}s") if looked_at else story.at(f"{story.now + pause - story.opened}s")
        with suppress(Rejected):
            if happening == "change_policy":
                story.change_policy(what)
            elif happening == "wait":
                story.agent().wait(what)
                waits_for = value_of(Cause, what)
            elif happening == "resume":
                story.agent().resume()
                waits_for = 0
        if broken_at is None and counted >= _asked(story).seconds:
            broken_at = story.now
    story.agent().resolve("Done")
    clock = story.find("resolution")
    assert clock.elapsed_seconds == counted
    assert (clock.breached_at.seconds or None) == broken_at
    assert story.clock("resolution") == ("met" if broken_at is None else "late")


def _asked(story: Story) -> Target:
    target = story.rules.target("resolution", story.case)
    assert target is not None
    return target


def test_a_promise_is_named_by_its_event_which_says_what_was_looked_at(story: Story) -> None:
    story.open("inquiry", channel="email", category="order")
    started = [event for event in story.events if event.HasField("clock_started")]
    assert [event.clock_started.clock.clock_id for event in started] == [
        f"{event.clock_started.clock.name}#{event.seq}" for event in started
    ]
    assert [dict(event.reason.inputs) for event in started] == [
        {"kind": "inquiry", "channel": "email", "priority": "high", "category": "order"}
    ] * len(started)


def test_a_longer_target_warns_and_flags_later(story: Story) -> None:
    def twice_as_long(policy: Policy) -> None:
        for clock in ("first_response", "resolution"):
            for target in policy.clocks[clock].targets:
                target.within.seconds *= 2
                for field in ("warn_before", "flag_after"):
                    if target.HasField(field):
                        getattr(target, field).seconds *= 2

    story.open("inquiry")
    before = {clock.name: (clock.warn_at.seconds, clock.flag_at.seconds) for clock in story.case.clocks}
    story.change_policy(rules_with(twice_as_long))
    after = {clock.name: (clock.warn_at.seconds, clock.flag_at.seconds) for clock in story.case.clocks}
    for name, marks in before.items():
        for was, is_now in zip(marks, after[name], strict=True):
            assert is_now - story.opened == 2 * (was - story.opened) if was else is_now == 0
    assert before["first_response"][1] > 0
    assert before["resolution"][0] > 0


def test_a_promise_that_is_over_has_nothing_to_come(story: Story) -> None:
    story.open("return")
    story.at("+10s").agent().wait("customer")
    story.wait("2h")
    story.agent().accept()
    story.customer().withdraw()
    assert story.wake is None
    for clock in story.case.clocks:
        assert [field.name for field, _ in clock.ListFields() if field.name in ("warn_at", "flag_at")] == []
        assert not clock.climb.HasField("next_at")
        assert not clock.pause_cause


# --- import ---


@pytest.fixture
def imported(story: Story) -> Story:
    story.open("inquiry", by="importer", source="INC1", silent=True)
    story.at("+10s").importer().reply("Hello")
    return story


def test_between_rows_time_owes_what_it_always_owes(imported: Story) -> None:
    types = imported.at("+30h").importer().import_row("row 7")
    assert types == [
        "ClockWarned",
        "ClockBreached",
        "EscalationStepped",
        "EscalationStepped",
        "EscalationStepped",
        "RowImported",
    ]
    assert imported.times("ClockBreached") == ["1d"]
    assert not imported.pending()


def test_the_source_closes_what_it_had_closed(imported: Story) -> None:
    imported.importer().resolve("Done")
    imported.importer().inform("result")
    assert not imported.case.alarms, "the source says how the case ended, not our clock"
    assert imported.importer().close() == ["CaseClosed"]
    assert imported.case.closure.how == imported.case.closure.HOW_IMPORTED


def test_only_an_imported_case_is_closed_by_its_source(story: Story) -> None:
    story.open("inquiry")
    with refused("WRONG_TIME"):
        story.importer().close()
    with refused("ALREADY_SO"):
        story.importer().hand_over()


def test_a_handed_over_case_books_its_sleep_and_breaks_no_promise(imported: Story) -> None:
    types = imported.at("+3650d").importer().hand_over()
    assert types == ["ClockPaused", "HandedOver", "ClockResumed"]
    assert imported.due("resolution") == "3650d23h59m50s"
    assert {entry.cause: entry.seconds for entry in imported.find("resolution").paused} == {5: 3650 * 86_400 - 10}
    assert imported.last("HandedOver").slept_seconds == 3650 * 86_400 - 10
    assert imported.case.silent, "nobody is written to unless that is asked for"


def test_the_sleep_of_a_clock_that_stood_already_is_not_booked_on_the_customer(imported: Story) -> None:
    imported.at("+1h").importer().wait("customer", at_most="10h")
    imported.at("+2h").importer().note("still waiting")
    imported.at("+3650d").importer().hand_over()
    assert imported.clock("resolution") == "paused"
    imported.at("+87601h").agent().resume()
    assert {entry.cause: entry.seconds for entry in imported.find("resolution").paused} == {
        1: HOUR + HOUR,
        5: 87_598 * HOUR,
    }


def test_what_time_had_in_store_is_as_far_ahead_after_the_sleep(imported: Story) -> None:
    imported.at("+1h").importer().wait("customer", at_most="10h")
    imported.at("+3650d").importer().hand_over()
    assert imported.case.waiting.until.seconds == imported.now + 10 * HOUR
    imported.wait("10h")
    assert not imported.case.HasField("waiting")


def test_only_a_result_that_was_told_is_confirmed_by_silence_after_the_sleep(imported: Story) -> None:
    imported.at("+3650d").importer().hand_over()
    assert not imported.case.alarms


def test_a_call_that_is_owed_is_as_far_ahead_after_the_sleep(story: Story) -> None:
    story.open("complaint", by="importer", source="CMP1")
    for action in ("accept", "investigate", "resolve"):
        getattr(story.importer(), action)()
    story.importer().inform("result")
    [pending] = story.pending("callback")
    ahead = [story.case.callback.not_before.seconds, story.case.callback.due_at.seconds]
    story.at("+3650d").importer().hand_over()
    asleep = story.last("HandedOver").slept_seconds
    [later] = story.pending("callback")
    assert asleep > 3649 * 86_400
    for call, known in ((story.case.callback, ahead), (later.callback, ahead)):
        assert [call.not_before.seconds, call.due_at.seconds] == [each + asleep for each in known]
    assert later.effect_id == pending.effect_id


def test_an_escalation_sleeps_with_its_case(imported: Story) -> None:
    imported.at("+25h").importer().note("late")
    imported.at("+3650d").importer().hand_over()
    assert len(imported.types("EscalationStepped")) == 1
    imported.wait("1h")
    assert len(imported.types("EscalationStepped")) == 2


def test_a_handed_over_case_comes_to_its_end_by_itself(imported: Story) -> None:
    imported.importer().resolve("Done")
    imported.importer().inform("result")
    imported.at("+3650d").importer().hand_over()
    assert imported.wake == "3653d"
    imported.wait("72h")
    assert imported.stage == "closed"
    assert imported.case.closure.how == imported.case.closure.HOW_UNRATED


def test_a_confirmed_case_is_asked_when_it_is_handed_over_to_speak(imported: Story) -> None:
    imported.importer().resolve("Done")
    imported.importer().confirm()
    assert imported.stage == "confirmed"
    types = imported.at("+3650d").importer().hand_over(speak=True)
    assert types == ["HandedOver", "SurveySent", "NotificationRequested"]


def test_a_silent_case_that_lives_ends_without_a_survey(story: Story) -> None:
    story.open("inquiry", silent=True)
    story.agent().resolve("Done")
    story.customer().confirm()
    assert (story.stage, story.types("SurveySent")) == ("closed", [])


# --- time ---


def living(mode: TimeBase.Mode.ValueType = TimeBase.MODE_LIVE) -> Case:
    return Case(case_id="CASE-1", updated_at=timestamp(OPENED), time_base=TimeBase(mode=mode))


NOW = datetime(2026, 4, 13, 12, 0, tzinfo=UTC)


def test_scaled_time_runs_from_its_origin() -> None:
    base = TimeBase(mode=TimeBase.MODE_SCALED, origin=timestamp(from_datetime(NOW)), scale=3600)
    assert case_now(base, NOW + timedelta(seconds=24)) == from_datetime(NOW) + 86_400
    assert case_now(base, NOW + timedelta(milliseconds=1)) == from_datetime(NOW) + 3


@pytest.mark.parametrize("scale", [2, 60, 3600, 86_400, 1_000_000])
@pytest.mark.parametrize("later", [1, 29, 30, 86_399, 86_400, 10_000_000])
def test_waiting_until_a_real_moment_is_never_a_second_short(scale: float, later: int) -> None:
    base = TimeBase(mode=TimeBase.MODE_SCALED, origin=timestamp(OPENED), scale=scale)
    moment = real_time(base, OPENED + later)
    assert moment is not None
    assert OPENED + later <= case_now(base, moment) <= OPENED + later + scale / 1_000_000 + 1


def test_what_is_due_after_the_end_of_time_wakes_nobody() -> None:
    base = TimeBase(mode=TimeBase.MODE_SCALED, origin=timestamp(OPENED), scale=1_000_000)
    assert real_time(base, LATEST) is not None
    assert real_time(base, LATEST + 1) is None


def test_real_time_never_moves_an_imported_case() -> None:
    assert real_time(TimeBase(mode=TimeBase.MODE_IMPORTED), OPENED) is None


def test_time_never_runs_backwards() -> None:
    early = NOW - timedelta(days=30)
    assert command_time(living(), Command(), early) == OPENED
    with refused("WRONG_TIME", match="backwards"):
        command_time(living(TimeBase.MODE_IMPORTED), Command(at=timestamp(OPENED - 1)), NOW)
    assert command_time(living(TimeBase.MODE_IMPORTED), Command(at=timestamp(OPENED)), NOW) == OPENED


def test_an_imported_case_takes_its_time_from_its_rows_and_no_other_does() -> None:
    with refused("WRONG_TIME", match="importer's clock"):
        command_time(living(TimeBase.MODE_IMPORTED), Command(), NOW)
    with refused("WRONG_TIME", match="real time"):
        command_time(living(), Command(at=timestamp(OPENED)), NOW)


def test_handing_over_happens_in_real_time() -> None:
    command = Command()
    command.hand_over.SetInParent()
    assert command_time(living(TimeBase.MODE_IMPORTED), command, NOW) == from_datetime(NOW)
    late = living(TimeBase.MODE_IMPORTED)
    late.updated_at.seconds = from_datetime(NOW) + 60
    assert command_time(late, command, NOW) == from_datetime(NOW) + 60


def test_a_case_opened_with_a_scale_keeps_it(story: Story) -> None:
    story.open("inquiry", scale=3600)
    assert (story.case.time_base.mode, story.case.time_base.scale) == (TimeBase.MODE_SCALED, 3600)
    assert story.case.time_base.origin.seconds == OPENED
