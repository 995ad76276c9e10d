"""Whatever is done to a case, and however long it waits: what must always hold, holds."""

from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from casetrail.v1.case_pb2 import Alarm, Case, Closure
from casetrail.v1.clock_pb2 import Clock, Reckoning
from casetrail.v1.effect_pb2 import Effect, Purpose
from casetrail.v1.event_pb2 import Event
from casetrail.v1.incident_pb2 import IncidentNotice, IncidentTask, LinkedCase
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Actor, Cause, Kind, Role, Stage
from casetrail.words import value_of
from domain import Rejected, Rulebook, evolve, expire, fold, next_wake
from domain.awaited import SETTLED_TASKS, waits_for
from domain.clocks import is_open
from domain.decide import ACTIONS
from domain.effects import DEMANDS, PROGRESS
from domain.instants import Instant, from_datetime
from domain.lifecycles.outcomes import _RESULTS
from tests.domain.story import CUSTOMER, DELIVERED, RETURN, RULES, Story, rules_with, type_of

MINUTE, HOUR, DAY = 60, 3600, 86_400


def _stricter(policy: Policy) -> None:
    """Other hours, other targets, other ladders, other pauses, and a clock that nobody has any more."""
    policy.calendars["desk"].CopyFrom(policy.calendars["business"])
    policy.calendars["business"].ClearField("sunday")
    policy.calendars["business"].monday[0].begins = "09:30"
    # A lunch break, and clocks that are put forward and back.
    policy.calendars["berlin"].CopyFrom(policy.calendars["business"])
    policy.calendars["berlin"].time_zone = "Europe/Berlin"
    policy.calendars["berlin"].holidays = "DE"
    policy.calendars["berlin"].tuesday[0].ends = "12:00"
    policy.calendars["berlin"].tuesday.add(begins="13:00", ends="24:00")
    policy.region_calendars["eu"] = "berlin"
    policy.ladders["short"].CopyFrom(policy.ladders["direction"])
    for name in ("direction", "team"):
        del policy.ladders[name]
    for rule_ in policy.clocks.values():
        rule_.ladder = rule_.ladder if rule_.ladder in policy.ladders else "short"
        for target in rule_.targets:
            target.within.seconds = target.within.seconds // 3 + 1
            target.ClearField("warn_before")
            if target.calendar == "business":
                target.calendar = "desk"
    policy.clocks["resolution"].pauses_for[:] = [Cause.CAUSE_DEPARTMENT]
    policy.clocks["processing"].targets[0].calendar = "desk"
    del policy.clocks["stall_notice"]


POLICIES = (RULES, rules_with(_stricter, "stricter-1"))
# An ordinary week; a leap day; New Year; the Spring Festival; both changes of the clock in Europe.
WEEKS = [
    from_datetime(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Asia/Shanghai")))
    for day in ("2026-04-13", "2028-02-27", "2026-12-29", "2026-02-13", "2026-03-26", "2026-10-22")
]

texts = st.sampled_from(["", "Hello", "I see"])
said = st.sampled_from(["Hello", "I see"])
amounts = st.sampled_from([0, 1, 5000, 20_000, 20_001, 60_000, 3_000_000])
flags = st.booleans()
remedies = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["refund", "exchange", "repair", "compensation", "other"]),
        "amount_minor": amounts,
        "currency": st.sampled_from(["", "", "JPY"]),
    }
)
departments = st.sampled_from(["operations", "legal"])
task_ids = st.sampled_from(["T1", "T2", "T3", "T4", "T5"])
notice_ids = st.sampled_from(["N1", "N2", "N3"])
parcels = st.fixed_dictionaries({"carrier": st.just("sf"), "tracking_no": st.sampled_from(["SF1", "SF2"])})
return_requests = st.builds(
    lambda reason, state, wanted: RETURN | {"reason": reason, "item_state": state, "wanted": wanted},
    st.sampled_from(["changed_mind", "quality", "wrong_item", "not_received"]),
    st.sampled_from(["unopened", "used", "faulty"]),
    remedies,
)

ARGUMENTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "assign": {"to": st.sampled_from(["amy", "bob"])},
    "transfer": {"to": st.sampled_from(["", "bob"]), "team": st.just("logistics")},
    "accept": {"words": texts},
    "offer_answer": {"article": st.just("faq-1")},
    "reply": {"words": said},
    "receive_message": {"words": said},
    "inform": {"purpose": st.sampled_from(["reply", "proposal", "decision", "result", "parcel_stalled", "offer"])},
    "note": {"words": said},
    "wait": {
        "cause": st.sampled_from(["customer", "vendor", "carrier", "department"]),
        "at_most": st.sampled_from([None, "1s", "1h", "30h"]),
    },
    "resume": {},
    "prioritize": {"priority": st.sampled_from(["low", "normal", "high", "urgent"])},
    "link": {"case_id": st.sampled_from(["CASE-1", "CASE-2"]), "relation": st.just("related")},
    "merge": {"into_case_id": st.sampled_from(["CASE-1", "CASE-2"])},
    "absorb": {
        "case_id": st.sampled_from(["CASE-2", "CASE-3"]),
        "customer_id": st.sampled_from(["c-1", "c-2"]),
        "only_link": flags,
    },
    "acknowledge": {},
    "escalate": {"question": said, "to_role": st.sampled_from(["unspecified", "supervisor", "executive"])},
    "decide": {"granted": flags, "words": texts},
    "classify": {
        "category": st.sampled_from(["order", "refund"]),
        "priority": st.sampled_from(["high", "unspecified"]),
    },
    "investigate": {"specialist": st.sampled_from(["", "sam"])},
    "ask_department": {"department": st.sampled_from(["warehouse", "finance"])},
    "record_finding": {"department": st.sampled_from(["", "warehouse"]), "words": said},
    "propose": {"remedy": remedies, "words": texts},
    "negotiate": {"wanted_minor": amounts},
    "agree": {},
    "carry_out": {"words": texts},
    "choose_alternative": {"remedy": remedies},
    "decide_eligibility": {
        "eligible": flags,
        "keep_goods": flags,
        "alternatives": st.sampled_from([[], ["exchange", "compensation"]]),
    },
    "ship_back": {"parcel": parcels},
    "receive_goods": {},
    "inspect": {"passed": flags, "words": texts},
    "track_parcel": {"parcel": parcels},
    "resolve": {"words": texts},
    "confirm": {"satisfied": st.sampled_from([None, True, False])},
    "rate": {"satisfied": flags, "score": st.integers(0, 5)},
    "record_callback": {"result": st.sampled_from(["satisfied", "dissatisfied", "not_reached"])},
    "answer_dissatisfaction": {"words": said},
    "review_dissatisfaction": {"words": said},
    "reopen": {},
    "withdraw": {},
    "hand_over": {"speak": flags},
    "import_row": {"raw": said},
    "close": {},
    "confirm_nature": {"nature": said},
    "grade_incident": {
        "level": st.sampled_from([1, 2, 2, 3, 4]),
        "crisis": st.sampled_from(["unspecified", "unspecified", "ordinary", "critical"]),
    },
    "assume_command": {},
    "hand_over_command": {
        "to": st.sampled_from(["ann", "bob"]),
        "role": st.sampled_from(["executive", "incident_lead"]),
    },
    "add_task": {"department": departments, "what": st.just("look"), "owner": st.sampled_from(["", "olga"])},
    "accept_task": {"task_id": task_ids},
    "refuse_task": {"task_id": task_ids},
    "reassign_task": {"task_id": task_ids, "department": departments},
    "complete_task": {"task_id": task_ids},
    "cancel_task": {"task_id": task_ids},
    "reopen_task": {"task_id": task_ids},
    "draft_notice": {"text": said, "audience": st.just("all users")},
    "approve_notice": {"notice_id": notice_ids},
    "discard_notice": {"notice_id": notice_ids},
    "send_notice": {"notice_id": notice_ids},
    "link_cases": {"case_ids": st.sampled_from([["CASE-2"], ["CASE-2", "CASE-3"], ["CASE-1"]])},
    "contain_incident": {"how": said},
    "resolve_incident": {"how": said},
    "follow_up_case": {"case_id": st.sampled_from(["CASE-2", "CASE-3"]), "how": said},
    "finish_follow_up": {},
    "file_report": {"cause": said, "measures": said, "lessons": said},
    "close_incident": {},
    "dismiss_incident": {},
    "reopen_incident": {},
    "relay_notice": {"incident_id": st.just("INC-1"), "notice_id": st.just("N1"), "text": said},
    "end_drill_case": {},
    "end_incident": {"incident_id": st.just("INC-1"), "text": said},
}
BY_KIND: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "inquiry": {"kind": st.just("inquiry")},
    "complaint": {"kind": st.just("complaint")},
    "return": {"kind": st.just("return"), "return_request": return_requests, "order_id": st.just("O-1")},
}
DECLARATION: dict[str, st.SearchStrategy[Any]] = {
    "level": st.integers(0, 4),
    "crisis": st.sampled_from(["unspecified", "unspecified", "major"]),
    "case_ids": st.sampled_from([[], ["CASE-2"], ["CASE-2", "CASE-3"]]),
}
reclassifications = st.one_of(
    [st.fixed_dictionaries(fields) for fields in BY_KIND.values()]
    + [st.fixed_dictionaries({"category": st.sampled_from(["order", "product"])})]
)
# What incidents wait for.
RESPONSE = [
    "confirm_nature",
    "assume_command",
    *(4 * ["complete_task"]),
    "accept_task",
    "reassign_task",
    "draft_notice",
    "approve_notice",
    "send_notice",
    "link_cases",
]
# What moves a case on from a stage, so that the deep ones are reached often.
LIKELY = {
    "opened": ["assign", "reply", "accept", "resolve"],
    "accepted": ["reply", "resolve", "classify", "investigate", "decide_eligibility"],
    "in_progress": ["resolve", "propose"],
    "classified": ["investigate"],
    "investigating": ["ask_department", "record_finding", "propose", "resolve"],
    "proposed": ["agree", "negotiate", "choose_alternative"],
    "negotiating": ["propose", "agree"],
    "awaiting_approval": ["decide"],
    "carrying_out": ["carry_out", "propose", "choose_alternative"],
    "rejected": ["choose_alternative", "agree", "decide_eligibility", "propose"],
    "awaiting_goods": ["ship_back", "receive_goods", "choose_alternative"],
    "received": ["inspect"],
    "resolved": ["inform", "confirm", "reopen"],
    "told": ["confirm", "rate", "record_callback"],
    "confirmed": ["rate", "record_callback"],
    "dissatisfied": ["answer_dissatisfaction", "review_dissatisfaction"],
    "closed": ["rate", "reopen", "note"],
    "declared": ["confirm_nature", "grade_incident", "grade_incident", "link_cases"],
    "graded": [*RESPONSE, "contain_incident", "contain_incident"],
    "contained": [*RESPONSE, "resolve_incident", "resolve_incident", "grade_incident"],
    "followed_up": ["file_report", "close_incident", "reopen_incident"],
    "retrospective": ["close_incident"],
}
# What brings an incident to its next stage.
ONWARD: dict[int, tuple[str, dict[str, Any]]] = {
    Stage.STAGE_DECLARED: ("grade_incident", {"level": 2}),
    Stage.STAGE_GRADED: ("contain_incident", {"how": "Hello"}),
    Stage.STAGE_CONTAINED: ("resolve_incident", {"how": "Hello"}),
    Stage.STAGE_RESOLVED: ("finish_follow_up", {}),
    Stage.STAGE_FOLLOWED_UP: ("file_report", {"cause": "Hello", "measures": "Hello", "lessons": "Hello"}),
    Stage.STAGE_RETROSPECTIVE: ("close_incident", {}),
}
# An incident's way from its end on differs from that of other kinds.
OVER = [
    "draft_notice",
    "approve_notice",
    "send_notice",
    "follow_up_case",
    "finish_follow_up",
    "file_report",
    "link_cases",
]
ROLES = [name.removeprefix("ROLE_").lower() for name in Role.keys() if name != "ROLE_UNSPECIFIED"]  # noqa: SIM118 - no dict
RESULTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "order_found": st.builds(
        lambda paid, state, ago: DELIVERED | {"paid_minor": paid, "state": state, "delivered_at": ago},
        amounts,
        st.sampled_from(["delivered", "paid"]),
        st.sampled_from(["-1d", "-7d", "-8d", "-20d"]),
    ),
    "parcel_scanned": st.just({"scan": {"place": "Hangzhou", "scanned_at": "0s"}}),
    "parcel_delivered": st.just({"scan": {"place": "here", "scanned_at": "0s"}}),
    "link_accepted": st.builds(lambda case_id: {"case_id": case_id}, st.sampled_from(["CASE-2", "CASE-3"])),
    "link_failed": st.builds(lambda case_id: {"case_id": case_id}, st.sampled_from(["CASE-2", "CASE-3"])),
    "exchange_dispatched": st.just({"sku": "MUG-02", "carrier": "sf", "tracking_no": "SF9"}),
}
TAKEN_UP = {IncidentTask.STATE_ASKED, IncidentTask.STATE_ACCEPTED}
SETTLED_LINKS = {LinkedCase.STATE_REFUSED, LinkedCase.STATE_FOLLOWED_UP}
OF_A_ROUND = {"notification", "tracking", "carrier_question", "callback"}
REMEDIES = {"refund", "compensation", "exchange"}
URGENT = {*REMEDIES, "order_lookup", "tracking", "public_notice", "follow_up", "link"}
# Ends of which the customer, the source, or the case in which it goes on knows.
UNTOLD = {Closure.HOW_WITHDRAWN, Closure.HOW_MERGED, Closure.HOW_IMPORTED, Closure.HOW_DRILL_OVER}
# Demands that end with what they are for.
OF_A_MATTER = {"task", "follow_up"}


def reckoning(event: Event) -> Reckoning | None:
    body = getattr(event, event.WhichOneof("body") or "")
    if "clock" in body.DESCRIPTOR.fields_by_name and isinstance(body.clock, Reckoning):
        return body.clock
    return None


class Machine(RuleBasedStateMachine):
    """A case that anything may happen to."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.checked = 0
        self.before: Case | None = None
        self.refusals: list[Rejected] = []
        self.dues: dict[str, tuple[int, int]] = {}
        self.batch = 0

    # --- what may happen ---

    @initialize(
        data=st.data(),
        kind=st.sampled_from([*BY_KIND, "incident"]),
        channel=st.sampled_from(["chat", "email"]),
        region=st.sampled_from(["", "eu"]),
        email=st.sampled_from(["", "customer@example.com"]),
        silent=st.sampled_from([False, False, True]),
        source=st.sampled_from(["", "", "INC1"]),
        drill_id=st.sampled_from(["", "", "DRL-1"]),
        week=st.sampled_from(WEEKS),
        hour=st.integers(0, 200),
        depth=st.sampled_from([*range(13), 20, 40]),
    )
    def opened(  # noqa: PLR0917 - hypothesis passes them by name
        self,
        data: st.DataObject,
        kind: str,
        channel: str,
        region: str,
        email: str,
        silent: bool,
        source: str,
        drill_id: str,
        week: Instant,
        hour: int,
        depth: int,
    ) -> None:
        self.story.now = week + hour * HOUR
        if kind == "incident":
            declared = data.draw(st.fixed_dictionaries(DECLARATION))
            self.story.declare(declared.pop("level"), drill_id=drill_id, **declared)
        else:
            fields = data.draw(st.fixed_dictionaries(BY_KIND[kind])) | {"channel": channel, "silent": silent}
            fields["source" if source else "drill_id"] = source or drill_id
            customer = CUSTOMER | {"email": email, "region": region}
            self.story.open(fields.pop("kind"), by="importer", customer=customer, **fields)
        for _ in range(depth):
            self._move_on(data)

    @rule(data=st.data(), pause=st.sampled_from([0, 0, 1, 20, MINUTE]))
    def move_on(self, data: st.DataObject, pause: int) -> None:
        self.story.now += pause
        self._move_on(data)

    @rule(data=st.data(), rare=st.sampled_from(["reclassify", "change_policy"] + 10 * ["anything"]))
    def do_anything(self, data: st.DataObject, rare: str) -> None:
        if rare == "reclassify":
            self._try("reclassify", "agent", data.draw(reclassifications))
        elif rare == "change_policy":
            self._change_policy(data.draw(st.sampled_from(POLICIES)))
        else:
            self._do(data, data.draw(st.sampled_from(sorted(ARGUMENTS))), data.draw(st.sampled_from(ROLES)))

    @precondition(lambda self: self.story.told and self.story.pending())
    @rule(data=st.data(), pause=st.sampled_from([0, 0, 1, HOUR]))
    def an_effect_ends(self, data: st.DataObject, pause: int) -> None:
        self.story.now += pause
        self._end_effect(data.draw(st.sampled_from(self.story.pending())), data)

    @rule(
        data=st.data(),
        seconds=st.sampled_from([1, 29, 30, 59, 10 * MINUTE, HOUR, 7 * HOUR, DAY, 3 * DAY, 20 * DAY]),
    )
    def wait(self, data: st.DataObject, seconds: int) -> None:
        self._wait_until(data, self.story.now + seconds)

    @rule(data=st.data(), later=st.sampled_from([-1, 0, 1]))
    def wait_for_what_comes_next(self, data: st.DataObject, later: int) -> None:
        wake = next_wake(self.story.case)
        if wake is not None:
            self._wait_until(data, max(self.story.now, wake + later))

    def _move_on(self, data: st.DataObject) -> None:
        """Do what usually comes next: an action of the stage, or the end of the work that is asked of the shop."""
        urgent = [effect for effect in self.story.pending() if _demand(effect) in URGENT]
        of_the_shop: bool = data.draw(flags)
        if urgent and of_the_shop:
            self._end_effect(data.draw(st.sampled_from(urgent)), data)
        elif not self.story.case.HasField("incident"):
            self._do(data, data.draw(st.sampled_from(LIKELY[self.story.stage])), "director")
        elif (owed := _what_it_waits_for(self.story.case)) and data.draw(st.sampled_from([True, True, False])):
            action, fields = data.draw(st.sampled_from(owed))
            self._try(action, "executive", fields)
        else:
            likely = OVER if self.story.stage == "resolved" else LIKELY[self.story.stage]
            self._do(data, data.draw(st.sampled_from(likely)), "executive")

    def _end_effect(self, effect: Effect, data: st.DataObject) -> None:
        result = data.draw(st.sampled_from(list(_RESULTS[_demand(effect)])))
        facts = data.draw(RESULTS.get(result, st.just({})))
        self._try("report_outcome", "system", {"effect_id": effect.effect_id, "outcome": {result: facts}})

    def _change_policy(self, rules: Rulebook) -> None:
        try:
            self.story.change_policy(rules)
        except Rejected:
            assert self.story.rules is rules or self.story.stage == "closed"

    def _wait_until(self, data: st.DataObject, until: Instant) -> None:
        if self.story.is_imported:
            self.story.now = until
            return
        case, rules = self.story.case, self.story.rules
        stops = sorted(data.draw(st.lists(st.integers(self.story.now, until), max_size=3)))
        by_steps: list[Event] = []
        for stop in (*stops, until):
            by_steps += expire(fold(by_steps, case), stop, rules)
        assert by_steps == expire(case, until, rules), "waiting in pieces brings something else"
        self.story.now = until
        self.story.wait("0s")
        wake = next_wake(self.story.case)
        assert wake is None or wake > until

    def _do(self, data: st.DataObject, action: str, role: str) -> None:
        fields = data.draw(st.fixed_dictionaries(ARGUMENTS[action]))
        self._try(action, role, {name: value for name, value in fields.items() if value is not None})

    def _try(self, action: str, role: str, fields: dict[str, Any]) -> None:
        case, was = self.story.case, self.story.case.SerializeToString(deterministic=True)
        try:
            self.story.carry_out(Actor(name="somebody", role=value_of(Role, role)), action, **fields)
        except Rejected as refusal:
            self.refusals.append(refusal)
        assert case.SerializeToString(deterministic=True) == was, "a decision changed the case that it was given"

    # --- what always holds ---

    @invariant()
    def its_events_are_the_case(self) -> None:
        if self.story.told is None:
            return
        case = self.before or Case()
        reached = case.updated_at.seconds
        self.batch += 1
        for number, event in enumerate(self.story.events[self.checked :], start=self.checked + 1):
            assert event.seq == number
            assert event.at.seconds >= reached, "time ran backwards"
            reached = event.at.seconds
            was = case.SerializeToString(deterministic=True)
            after = evolve(case, event)
            assert case.SerializeToString(deterministic=True) == was, "evolve changed what it was given"
            case = after
            if event.key:
                # The log takes a key once: never again later, and never for another time.
                assert self.dues.setdefault(event.key, (self.batch, event.due.seconds)) == (
                    self.batch,
                    event.due.seconds,
                ), event.key
        assert case == self.story.case
        self.before, self.checked = case, len(self.story.events)

    @invariant()
    def no_escalation_is_lost(self) -> None:
        if self.story.told is None:
            return
        for clock in self.story.case.clocks:
            if clock.breached and clock.state in (Clock.STATE_RUNNING, Clock.STATE_PAUSED):
                assert clock.climb.HasField("next_at") != clock.climb.acknowledged, clock

    @invariant()
    def a_clock_stands_only_for_what_the_case_waits_for(self) -> None:
        if self.story.told is None:
            return
        for clock in self.story.case.clocks:
            if clock.state == Clock.STATE_PAUSED:
                assert self.story.case.waiting.cause == clock.pause_cause, clock
            elif clock.state == Clock.STATE_RUNNING:
                assert self.story.case.waiting.cause not in clock.pauses_for, clock
                assert clock.HasField("due_at"), clock

    @invariant()
    def a_promise_is_due_when_its_seconds_are_over_and_time_wakes_no_later(self) -> None:
        if self.story.told is None:
            return
        wake = next_wake(self.story.case)
        for clock in self.story.case.clocks:
            if clock.state != Clock.STATE_RUNNING or clock.breached:
                continue
            left = max(0, clock.target_seconds - clock.elapsed_seconds)
            assert clock.due_at.seconds == self.story.rules.calendar(clock.calendar).add(clock.counted_at.seconds, left)
            assert wake is not None
            assert self.story.case.updated_at.seconds < wake <= clock.due_at.seconds

    @invariant()
    def a_closed_case_is_at_rest(self) -> None:
        if self.story.told is None or self.story.stage != "closed":
            return
        assert not self.story.clocks()
        assert not self.story.case.alarms
        assert self.story.wake is None
        assert not self.story.case.HasField("waiting")
        assert not self.story.case.HasField("decision")

    @invariant()
    def nothing_ends_before_the_customer_was_told(self) -> None:
        if self.story.told is None or self.story.stage != "closed" or self.story.case.HasField("incident"):
            return
        if self.story.case.closure.how not in UNTOLD:
            last = max(n for n, event in enumerate(self.story.events) if event.HasField("resolved"))
            told = (event.customer_told.purpose for event in self.story.events[last:])
            assert Purpose.PURPOSE_RESULT in told

    @invariant()
    def an_open_case_is_never_forgotten(self) -> None:
        if self.story.told is None or self.story.is_imported or self.story.stage not in ("told", "confirmed"):
            return
        assert self.story.wake is not None or self.story.case.HasField("callback")

    @invariant()
    def alarms_belong_to_their_stage(self) -> None:
        if self.story.told is None:
            return
        names = [alarm.name for alarm in self.story.case.alarms]
        assert len(names) == len(set(names))
        if Alarm.NAME_CONFIRMATION_LAPSES in names:
            assert self.story.stage == "told"
        if Alarm.NAME_SURVEY_LAPSES in names:
            assert self.story.stage == "confirmed"

    @invariant()
    def an_incident_says_what_it_waits_for(self) -> None:
        if self.story.told is None or not self.story.case.HasField("incident"):
            return
        incident = self.story.case.incident
        assert list(incident.waits_for) == waits_for(self.story.case)
        if self.story.stage not in ("declared", "graded", "contained", "closed"):
            assert all(task.state in SETTLED_TASKS for task in incident.tasks)
        if self.story.stage == "closed" and self.story.case.closure.how == Closure.HOW_CONCLUDED:
            assert incident.HasField("report") or not incident.report_required
            assert incident.HasField("confirmed_at")
            assert all(linked.state in SETTLED_LINKS for linked in incident.cases)

    @invariant()
    def a_task_that_is_owed_has_a_clock_and_somebody_who_is_asked(self) -> None:
        if self.story.told is None or self.story.stage == "closed":
            return
        asked = {effect.task.task_id for effect in self.story.pending("task")}
        counting = {clock.subject for clock in self.story.case.clocks if clock.name == "task" and is_open(clock)}
        tasks = self.story.case.incident.tasks
        assert counting == {task.task_id for task in tasks if task.state not in SETTLED_TASKS}
        assert asked == {task.task_id for task in tasks if task.state in TAKEN_UP}

    @invariant()
    def a_notice_that_was_sent_was_approved_as_its_level_asked(self) -> None:
        if self.story.told is None:
            return
        approved = {body.notice_id: body for body in self.story.bodies("NoticeApproved")}
        for body in self.story.bodies("NoticeRequested"):
            assert approved[body.notice_id].role >= approved[body.notice_id].needed_role

    @invariant()
    def one_remedy_at_a_time(self) -> None:
        if self.story.told is None:
            return
        remedies_ = [effect for effect in self.story.pending() if effect.WhichOneof("demand") in REMEDIES]
        assert len(remedies_) <= 1
        assert not remedies_ or self.story.stage in ("carrying_out", "closed")

    @invariant()
    def what_is_pending_was_demanded_and_has_no_outcome(self) -> None:
        if self.story.told is None:
            return
        open_demands: dict[str, str] = {}
        silent = True
        for event in self.story.events:
            name = event.WhichOneof("body") or ""
            body = getattr(event, name)
            if name in ("case_opened", "handed_over"):
                silent = body.silent
            if name in DEMANDS and not silent:
                open_demands[f"{event.case_id}:{event.seq}"] = DEMANDS[name]
            elif "effect_id" in body.DESCRIPTOR.fields_by_name and name not in PROGRESS:
                open_demands.pop(body.effect_id, None)
        pending = {effect.effect_id: _demand(effect) for effect in self.story.pending()}
        missing = {demand for effect_id, demand in open_demands.items() if effect_id not in pending}
        assert missing <= OF_A_ROUND | OF_A_MATTER, missing
        surplus = {demand for effect_id, demand in pending.items() if effect_id not in open_demands}
        assert surplus <= {"link", "merge"}, "a silent case demands nothing outside"

    @invariant()
    def a_satisfied_customer_is_counted_once_a_round(self) -> None:
        if self.story.told is None:
            return
        satisfied: list[int] = [0]
        for event in self.story.events:
            satisfied[-1] += event.HasField("rated") and event.rated.satisfied
            if event.HasField("reopened"):
                satisfied.append(0)
        assert max(satisfied) <= 1

    @invariant()
    def totals_are_those_of_the_events(self) -> None:
        if self.story.told is None:
            return
        seen = Counter(map(type_of, self.story.events))
        came_back = self.story.bodies("MessageReceived") + self.story.bodies("Reopened")
        totals = self.story.case.counters
        assert totals.replies == seen["Replied"]
        assert totals.messages == 1 + seen["MessageReceived"]
        assert totals.notes == seen["NoteAdded"]
        assert totals.transfers == seen["Transferred"]
        assert totals.reopenings == seen["Reopened"] == self.story.case.round - 1
        assert totals.escalations == seen["EscalationStepped"]
        assert totals.clocks_met == seen["ClockMet"]
        assert totals.clocks_breached == seen["ClockBreached"]
        assert totals.surveys == seen["SurveySent"]
        assert totals.repeat_contacts == sum(body.repeat_contact for body in came_back)
        assert totals.departments_asked == seen["DepartmentAsked"]
        assert totals.assignments == seen["Assigned"]

    def teardown(self) -> None:
        if self.story.told is None:
            return
        self.story.end()
        assert all(refusal.message for refusal in self.refusals), "a refusal says why"
        self._every_second_is_booked()

    def _every_second_is_booked(self) -> None:
        """On a clock that runs around the clock, what has passed since its start was either counted or stood."""
        begun: dict[str, int] = {}
        for event in self.story.events:
            if event.HasField("clock_started") and event.clock_started.clock.calendar == "always":
                clock = event.clock_started.clock
                begun[clock.clock_id] = clock.started_at.seconds
                assert event.at.seconds - clock.started_at.seconds == clock.elapsed_seconds
            reckoned = reckoning(event)
            if reckoned is None or reckoned.clock_id not in begun:
                continue
            if reckoned.calendar != "always":
                del begun[reckoned.clock_id]
                continue
            stood = sum(entry.seconds for entry in reckoned.paused)
            assert event.at.seconds - begun[reckoned.clock_id] == reckoned.elapsed_seconds + stood, event


def _what_it_waits_for(case: Case) -> list[tuple[str, dict[str, Any]]]:
    """Commands that bring an incident on, so that its end is reached often."""
    steps = [ONWARD[case.stage]] if case.stage in ONWARD else []
    for task in case.incident.tasks:
        if task.state == IncidentTask.STATE_REFUSED:
            steps.append(("reassign_task", {"task_id": task.task_id, "department": "legal"}))
        elif task.state not in SETTLED_TASKS:
            steps.append(("complete_task", {"task_id": task.task_id}))
    for notice in case.incident.notices:
        if notice.state == IncidentNotice.STATE_DRAFT:
            steps.append(("approve_notice", {"notice_id": notice.notice_id}))
        elif notice.state in {IncidentNotice.STATE_APPROVED, IncidentNotice.STATE_FAILED}:
            steps.append(("send_notice", {"notice_id": notice.notice_id}))
    waits = " ".join(waits_for(case))
    if "notice to users" in waits and "(" not in waits:
        steps.append(("draft_notice", {"text": "Hello", "audience": "all users"}))
    if "lead" in waits:
        steps.append(("assume_command", {}))
    if "nature" in waits:
        steps.append(("confirm_nature", {"nature": "Hello"}))
    return steps


def _demand(effect: Effect) -> str:
    return effect.WhichOneof("demand") or ""


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestMachine = Machine.TestCase


def test_the_machine_knows_every_action_result_and_stage() -> None:
    of_customers_or_incidents = {name for name, action in ACTIONS.items() if action.kinds != {Kind.KIND_DRILL}}
    assert set(ARGUMENTS) | {"reclassify", "change_policy", "report_outcome"} == of_customers_or_incidents
    assert set(LIKELY) == {name.removeprefix("STAGE_").lower() for name in Stage.keys()} - {"unspecified"}  # noqa: SIM118 - no dict
